"""Compares the manifests of `v1` and `v2` packages with the code beside them.

The packers of 0.2 and 0.3 write many values without knowing them: a fixed list of symbols, an
empty order, descriptions made of names. An engine never reads these; people do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.checks import graph
from cloacina_ctl.checks.engine import Finding, RuleSet
from cloacina_ctl.errors import Code, Severity, first_of
from cloacina_ctl.formats.legacy.model import V1Manifest, V2Manifest
from cloacina_ctl.platforms.findings import library_findings
from cloacina_ctl.platforms.triples import MACHINES_OF_RUST
from cloacina_ctl.project.model import SourceDependency, SourceTask, SourceWorkflow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.checks.subjects import LegacySubject
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.formats.legacy.model import V1Task, V2Task
    from cloacina_ctl.platforms import Library

RULES: RuleSet[LegacySubject] = RuleSet()

# What the engines of 0.2 and 0.3 look up.
NEEDED_SYMBOLS = ("cloacina_execute_task", "cloacina_get_task_metadata", "get_task_metadata")
_MACHINES = {**MACHINES_OF_RUST, "amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}
_SYSTEMS = {"linux": "linux", "darwin": "macos", "macos": "macos", "windows": "windows"}
_UNKNOWN = "unknown"
_MANIFEST = "manifest.json"
_MOST_NAMED = 8
_OTHER_SYSTEMS = ("Mach-O", "PE file")

Tasks = dict[str, tuple[str, ...]]


def _v1(subject: LegacySubject) -> V1Manifest | None:
    manifest = subject.contents.manifest
    return manifest if isinstance(manifest, V1Manifest) else None


def _both(subject: LegacySubject) -> V1Manifest | V2Manifest | None:
    manifest = subject.contents.manifest
    return manifest if isinstance(manifest, (V1Manifest, V2Manifest)) else None


@RULES.rule(Code.NO_PLUGIN)
def no_plugin(subject: LegacySubject) -> Iterator[Finding]:
    """The engines use these names to get the tasks of a library."""
    library, manifest = subject.library, _v1(subject)
    if library is None or manifest is None:
        return
    missing = [name for name in NEEDED_SYMBOLS if name not in library.exports]
    if missing:
        yield Finding(
            f"the library does not export {', '.join(missing)}, which engines look up",
            manifest.library.filename,
        )


@RULES.rule(Code.SYMBOLS_MISSTATED)
def symbols(subject: LegacySubject) -> Iterator[Finding]:
    """The list of symbols is a constant of the packer, whatever the library holds."""
    library, manifest = subject.library, _v1(subject)
    if library is None or manifest is None:
        return
    for name in manifest.library.symbols:
        if name in NEEDED_SYMBOLS and name not in library.exports:
            yield Finding(f"it lists the symbol `{name}`, which is not exported", _MANIFEST)
    left_out = [
        name
        for name in NEEDED_SYMBOLS
        if name in library.exports and name not in manifest.library.symbols
    ]
    if left_out:
        message = f"its list of symbols leaves out {', '.join(left_out)}"
        yield Finding(message, _MANIFEST, severity=Severity.NOTE)


@RULES.rule(Code.PLATFORM_MISMATCH)
def architecture(subject: LegacySubject) -> Iterator[Finding]:
    """The architecture is that of the packer's machine, or its option; the library is reliable."""
    library, manifest = subject.library, _both(subject)
    if library is None or manifest is None:
        return
    if isinstance(manifest, V1Manifest):
        claims: tuple[str, ...] = (manifest.library.architecture,)
    else:
        claims = manifest.targets
    if claims == (_UNKNOWN,):
        return
    if not any(_fits(claim, library) for claim in claims):
        said = ", ".join(claims)[:80] or "nothing"
        yield Finding(f"it states {said}; the library is for {library.tag}", _MANIFEST)


def _fits(claim: str, library: Library) -> bool:
    """Return whether a claim such as ``x86_64-unknown-linux-gnu`` or ``x86_64`` can be meant."""
    words = claim.lower().split("-")
    machines = {_MACHINES.get(word, word) for word in words}
    systems = {_SYSTEMS[word] for word in words if word in _SYSTEMS}
    return library.machine in machines and (not systems or library.os in systems)


@RULES.rule(Code.TASK_ORDER, Severity.WARNING)
def execution_order(subject: LegacySubject) -> Iterator[Finding]:
    """0.2.0 always writes an empty order."""
    manifest = _v1(subject)
    if manifest is None or manifest.execution_order is None:
        return
    order = manifest.execution_order
    tasks = {task.id: task.dependencies for task in manifest.tasks}
    if not order:
        if tasks:
            yield Finding(
                "execution_order is empty: no order is given", _MANIFEST,
                "the dependencies give it; `inspect` shows it", Severity.NOTE,
            )  # fmt: skip
        return
    if len(order) != len(set(order)) or set(order) != tasks.keys():
        yield Finding("execution_order does not name each task once", _MANIFEST)
        return
    place = {id_: number for number, id_ in enumerate(order)}
    for id_, needs in tasks.items():
        late = [need for need in needs if place.get(need, -1) > place[id_]]
        if late:
            yield Finding(f"execution_order puts `{id_}` before `{late[0]}`", _MANIFEST)


@RULES.rule(Code.PLACEHOLDER, Severity.NOTE)
def placeholders(subject: LegacySubject) -> Iterator[Finding]:
    """Descriptions that are made of a name have no information."""
    manifest = _v1(subject)
    if manifest is None:
        return
    if manifest.description in ("", f"Packaged workflow: {manifest.name}"):
        yield Finding("the description is made of the name", _MANIFEST)
    if any(task.description == f"Task: {task.id}" for task in manifest.tasks):
        yield Finding("descriptions of tasks are made of their ids", _MANIFEST)
    if manifest.library.architecture == _UNKNOWN:
        yield Finding("the architecture is not stated", _MANIFEST)


@RULES.rule(Code.TASKS_MISSTATED)
def tasks(subject: LegacySubject) -> Iterator[Finding]:
    """The tasks of the manifest must be those of the library, which is what runs."""
    library, manifest = subject.library, _both(subject)
    if manifest is None:
        return
    claimed = {task.id: tuple(sorted(set(task.dependencies))) for task in manifest.tasks}
    if isinstance(manifest, V1Manifest):
        yield from _own_graph(manifest, claimed)
    for found in library.graphs if library is not None else ():
        built = {id_: tuple(sorted(set(needs))) for id_, needs in found.tasks}
        different = _different(claimed, built)
        if different:
            yield Finding(f"manifest and library disagree on the tasks: {different}", _MANIFEST)
        if found.package is not None and found.package != manifest.name:
            message = f"the library calls its package `{found.package}`, the manifest another"
            yield Finding(message, _MANIFEST, severity=Severity.NOTE)


def _own_graph(manifest: V1Manifest, claimed: Tasks) -> Iterator[Finding]:
    if manifest.graph is None:
        return
    drawn: dict[str, set[str]] = {node: set() for node in manifest.graph.nodes}
    for need, task in manifest.graph.edges:
        drawn.setdefault(task, set()).add(need)
    edges = {id_: tuple(sorted(needs)) for id_, needs in drawn.items()}
    different = _different(claimed, edges)
    if different:
        yield Finding(f"`graph` and `tasks` of the manifest disagree: {different}", _MANIFEST)


def _different(first: Tasks, second: Tasks) -> str:
    names = sorted({id_ for id_, _ in first.items() ^ second.items()})
    return first_of(names, _MOST_NAMED)


@RULES.rule(Code.PYTHON_DISAGREES)
def modules(subject: LegacySubject) -> Iterator[Finding]:
    """The tasks of a ``format_version`` 2 manifest must be those that its modules declare."""
    manifest, source = subject.contents.manifest, subject.source
    if not isinstance(manifest, V2Manifest) or source is None or source.python is None:
        return
    if source.python.hidden_tasks or source.python.syntax_problems:
        return
    declared = {
        task.id or task.function: tuple(sorted({n.id for n in task.dependencies if n.id}))
        for workflow in source.workflows
        for task in workflow.tasks
    }
    claimed = {task.id: tuple(sorted(set(task.dependencies))) for task in manifest.tasks}
    different = _different(claimed, declared)
    if different:
        yield Finding(f"manifest and modules disagree on the tasks: {different}", _MANIFEST)


@RULES.rule(Code.UNPROVABLE, Severity.NOTE)
def unprovable(subject: LegacySubject) -> Iterator[Finding]:
    """The fingerprint in a `v2` package is of an archive that was thrown away."""
    manifest = subject.contents.manifest
    if isinstance(manifest, V2Manifest):
        yield Finding("`fingerprint` and `created_at` prove nothing", _MANIFEST)
        if manifest.signature is not None:
            yield Finding("`signature` has an unknown form and was not checked", _MANIFEST)


@RULES.rule(Code.RELEASES_REFUSE)
def no_release(subject: LegacySubject) -> Iterator[Finding]:
    """No release writes or reads a ``format_version`` 2 manifest."""
    if isinstance(subject.contents.manifest, V2Manifest):
        message = "no release loads a package with `format_version` 2"
        yield Finding(message, _MANIFEST, "convert it", Severity.WARNING)


def manifest_workflow(subject: LegacySubject) -> SourceWorkflow | None:
    """Return the tasks of the manifest as a workflow, for the rules for graphs."""
    manifest = _both(subject)
    if manifest is None:
        return None
    claimed: tuple[V1Task | V2Task, ...] = manifest.tasks
    return SourceWorkflow(
        name=manifest.name,
        place=_MANIFEST,
        tasks=tuple(_task(task, number) for number, task in enumerate(claimed)),
    )


def _task(task: V1Task | V2Task, number: int) -> SourceTask:
    return SourceTask(
        id=task.id,
        function=task.id,
        place=f"{_MANIFEST}: tasks[{number}]",
        dependencies=tuple(SourceDependency(id=need, text=need) for need in task.dependencies),
    )


def check_library(subject: LegacySubject) -> Iterator[Diagnostic]:
    """Yield why the library cannot be read: an error, unless it is for another system.

    Also yield its requirements that not every system meets.
    """
    if subject.library is not None:
        yield from library_findings(subject.library, subject.path)
    problem = subject.library_problem
    for found in problem.diagnostics if problem is not None else ():
        if any(kind in found.message for kind in _OTHER_SYSTEMS):
            message = f"{found.message}; its content was not checked"
            yield found._replace(message=message, severity=Severity.WARNING)
        else:
            yield found


def check_tasks(subject: LegacySubject) -> Iterator[Diagnostic]:
    """Yield the problems of the graph in the manifest."""
    workflow = manifest_workflow(subject)
    if workflow is not None:
        yield from graph.check_graph(workflow)
