"""What ``inspect`` shows people. Every text of a package is escaped before it gets here or here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloacina_ctl.cli.terminal.escape import escape
from cloacina_ctl.cli.terminal.tasks import id_width, task_line
from cloacina_ctl.cli.terminal.units import count, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloacina_ctl.inspection.manifest_view import LegacyView
    from cloacina_ctl.manifest import Artifact, Manifest, Task, Trigger, Workflow
    from cloacina_ctl.operations.inspect import Inspection
    from cloacina_ctl.operations.results import SignatureView

    Paint = Callable[[str, str], str]

_LABEL_WIDTH = 12
_MAX_TASKS = 60
_MAX_NEEDS = 8
_MAX_TEXT = 400
_CARGO_SETTINGS = frozenset({".cargo/config.toml", ".cargo/config"})


def inspection_lines(inspection: Inspection, paint: Paint) -> Iterator[str]:
    """Yield the lines that describe a package."""
    manifest = inspection.manifest
    title = f"{manifest.package.name} {manifest.package.version}"
    yield paint("bold", escape(title)) + f"  {_kind(inspection)}"
    if manifest.package.description:
        yield _text(manifest.package.description)
    yield ""
    yield from _facts(inspection, paint)
    for workflow in manifest.workflows:
        yield ""
        yield from _workflow(workflow, manifest.package.description, paint)
    for graph in manifest.graphs:
        yield ""
        yield paint("bold", f"graph {escape(graph.name)}")
        yield f"  nodes {', '.join(escape(node) for node in graph.nodes) or '–'}"
    if manifest.artifacts:
        yield ""
        yield paint("bold", "platforms")
        for artifact in manifest.artifacts:
            yield from _artifact(artifact)
    if inspection.format != "project":
        yield ""
        yield from _signatures(inspection.signatures, paint)


def _kind(inspection: Inspection) -> str:
    """Return what kind of package it is, in words."""
    language = inspection.manifest.language
    if inspection.format == "provider":
        return "constructor provider"
    what = "project" if inspection.format == "project" else "package"
    kind = f"{language.value} workflow {what}" if language else f"workflow {what}"
    if inspection.original is None:
        return kind
    release = getattr(inspection.original, "release", None)
    return f"{kind}, {inspection.format}" + (f" of Cloacina {release}" if release else "")


def _facts(inspection: Inspection, paint: Paint) -> Iterator[str]:
    manifest = inspection.manifest
    yield from _field("authors", ", ".join(manifest.package.authors))
    yield from _field("license", manifest.package.license)
    yield from _field("homepage", manifest.package.homepage)
    yield from _field("repository", manifest.package.repository)
    yield from _field("keywords", ", ".join(manifest.package.keywords))
    yield from _field("needs", _requires(manifest))
    yield from _field("dependencies", _dependencies(inspection))
    yield from _field("entry", manifest.entry_module)
    contents = manifest.contents
    amount = f"{count(contents.files, 'file')}, {size(contents.size)}" if contents.files else ""
    if inspection.compressed is not None:
        amount += f", {size(inspection.compressed)} compressed"
    yield from _field("contents", amount)
    for one in inspection.unbuilt:
        yield from _field("contents" if not amount else "", f"{one}: after a build")
    yield from _field("builds with", _cargo_settings(inspection))
    if inspection.withheld:
        yield from _field("withheld", ", ".join(inspection.withheld))
    tool = inspection.tool
    by = f", by {tool.name} {tool.version}" if tool else ""
    if inspection.size is not None:
        yield from _field("file", f"{size(inspection.size)}{by}")
    if inspection.original is not None:
        yield from _legacy_facts(inspection)
    if inspection.content is not None:
        yield _label("content") + paint("dim", inspection.content)


def _cargo_settings(inspection: Inspection) -> str | None:
    """Return which packed file configures cargo; `validate` names its keys."""
    names = (str(file.path).removeprefix("source/") for file in inspection.files)
    found = next((name for name in names if name in _CARGO_SETTINGS), None)
    return f"its own settings of cargo, {found} (`validate` names them)" if found else None


def _legacy_facts(inspection: Inspection) -> Iterator[str]:
    """Yield what only legacy packages have."""
    if inspection.format in ("v1", "source"):
        yield from _field("loaded by", releases_text(inspection.releases))
    original = inspection.original
    library = getattr(original, "library", None)
    yield from _field("stated for", getattr(library, "architecture", None))
    constructors = getattr(original, "constructors", None)
    if constructors is not None:
        yield from _field("offers", ", ".join(constructors) or "no constructor")


def releases_text(releases: tuple[str, ...]) -> str:
    """Return which releases load a package, in words."""
    return f"Cloacina {', '.join(releases)}" if releases else "no release (`validate` says why)"


def _requires(manifest: Manifest | LegacyView) -> str | None:
    requires = manifest.requires
    if requires is None:
        return None
    parts = []
    if requires.python:
        parts.append(f"Python {requires.python}")
    if requires.cloacina:
        parts.append(f"Cloacina {requires.cloacina}")
    return ", ".join(parts)


def _dependencies(inspection: Inspection) -> str:
    """Return what is declared, and what of it is not there."""
    requires = inspection.manifest.requires
    names = requires.dependencies if requires is not None else ()
    lacking = (f"{name} (not in the package)" for name in inspection.not_packed)
    held = (text for text in names if _name(text) not in inspection.not_packed)
    return ", ".join((*lacking, *held))


def _name(requirement: str) -> str:
    """Return the distribution that a requirement is on."""
    return re.split(r"[^a-z0-9-]", requirement, maxsplit=1)[0]


def _workflow(workflow: Workflow, described: str | None, paint: Paint) -> Iterator[str]:
    tasks = count(len(workflow.tasks), "task")
    yield paint("bold", f"workflow {escape(workflow.name)}") + f"  {tasks}"
    if workflow.description and workflow.description != described:
        yield "  " + _text(workflow.description)
    if workflow.author:
        yield f"  by {escape(workflow.author)}"
    yield from _task_lines(workflow, paint)
    for param in workflow.params:
        default = f" = {escape(param.default)}" if param.default else ""
        yield f"  parameter {escape(param.name)}: {escape(param.type)}{default}"
    for trigger in workflow.triggers:
        yield f"  trigger {_trigger(trigger)}"


def _task_lines(workflow: Workflow, paint: Paint) -> Iterator[str]:
    """Yield the tasks layer by layer: what stands on one level can run at the same time."""
    from cloacina_ctl.manifest import layers

    by_id = {task.id: task for task in workflow.tasks}
    width = id_width(by_id)
    shown = 0
    for number, layer in enumerate(layers({id_: task.dependencies for id_, task in by_id.items()})):
        for place, id_ in enumerate(layer):
            if shown == _MAX_TASKS:
                more = count(len(by_id) - shown, "more task")
                yield f"  … and {more} (--json has all)"
                return
            mark = f"{number + 1}." if not place else ""
            yield f"  {mark:>3} {_task(by_id[id_], width, paint)}"
            shown += 1


def _task(task: Task, width: int, paint: Paint) -> str:
    needs = [escape(need) for need in task.dependencies[:_MAX_NEEDS]]
    more = len(task.dependencies) - _MAX_NEEDS
    if more > 0:
        needs.append(f"and {more} more")
    notes = [f"timeout {task.timeout_seconds} s"] if task.timeout_seconds else []
    return task_line(task.id, width, task.attempts, needs, notes, paint)


def _trigger(trigger: Trigger) -> str:
    if trigger.cron is not None:
        zone = f" {escape(trigger.timezone)}" if trigger.timezone else ""
        return f"{escape(trigger.name)}  cron {escape(trigger.cron)}{zone}"
    return f"{escape(trigger.name)}  every {trigger.poll_interval_ms or 0} ms"


def _artifact(artifact: Artifact) -> Iterator[str]:
    system = f"{artifact.machine} {artifact.os}"
    if artifact.libc is not None:
        system += f", {artifact.libc.name}"
        system += f" from {artifact.libc.floor}" if artifact.libc.floor else ""
    yield f"  {escape(artifact.platform)}  {escape(system)}"
    yield f"    {escape(artifact.path)}"
    if artifact.needed:
        yield f"    needs {', '.join(escape(name) for name in artifact.needed)}"
    interface = artifact.interface
    if interface is not None:
        parts = [interface.kind]
        if interface.abi is not None:
            parts.append(f"ABI {interface.abi}")
        if interface.version is not None:
            parts.append(f"interface {interface.version}")
        if interface.methods:
            parts.append(count(len(interface.methods), "method"))
        yield f"    plugin {escape(', '.join(parts))}"
    built = artifact.built_with
    if built is not None:
        text = f"built {built.profile} by rustc {built.rustc} for {built.target}"
        yield f"    {escape(text)}"
    if artifact.unloaded:
        yield "    not loaded when it was packaged: its tasks are what its file and source say"


def _signatures(signatures: tuple[SignatureView, ...], paint: Paint) -> Iterator[str]:
    if not signatures:
        yield paint("yellow", "not signed")
        return
    yield paint("bold", count(len(signatures), "signature"))
    for signature in signatures:
        yield "  " + signature_line(signature, paint)
        if signature.claimed:
            said = ", ".join(f"{key} {escape(value)}" for key, value in signature.claimed)
            yield paint("dim", f"      claimed, not verified: {said}")


_MARKS = {
    "trusted": ("green", "✓ trusted"),
    "valid": ("green", "✓ valid"),
    "unknown-key": ("yellow", "? unknown key"),
    "invalid": ("red", "✗ fails"),
}


def signature_line(signature: SignatureView, paint: Paint) -> str:
    """Return one line about a signature: what was checked, whose it is."""
    style, mark = _MARKS[signature.status]
    name = f" {escape(signature.name)}" if signature.name else ""
    when = f", says {escape(signature.signed_at)}" if signature.signed_at else ""
    kind = (
        ""
        if signature.is_signature
        else f", an attestation: {escape(signature.predicate_type or '?')}"
    )
    why = f": {escape(signature.reason)}" if signature.reason else ""
    key = signature.keyid[:16] or "by an unnamed key"
    return f"{paint(style, mark)}{name} {key}{when}{kind}{why}"


def coverage_lines(signature: SignatureView) -> Iterator[str]:
    """Return what a signature in a legacy form covers, and what it does not."""
    if signature.covers is not None:
        yield f"{signature.scheme} covers {signature.covers}"
    for one in signature.leaves_out:
        yield f"  not {one}"


def _field(label: str, value: str | None) -> Iterator[str]:
    if value:
        yield _label(label) + _text(value)


def _label(label: str) -> str:
    return f"  {label:<{_LABEL_WIDTH}}" if len(label) < _LABEL_WIDTH else f"  {label}  "


def _text(text: str) -> str:
    """Return untrusted text on one line, cut where it is long."""
    line = " ".join(text.split())
    return escape(line if len(line) <= _MAX_TEXT else line[:_MAX_TEXT] + "…")
