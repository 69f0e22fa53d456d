"""``package.toml``: the manifest that other runtimes read, with everything in it said.

They fill in what is missing in some places and refuse it in others, so nothing is left to them.
What the author wrote stays, with its comments and its order; the text depends on the project and
on the release alone.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Refused
from cloacina_ctl.manifest import Language
from cloacina_ctl.project.detect import PACKAGE_TOML
from cloacina_ctl.project.own_files import read_own_text
from cloacina_ctl.toml import parse_toml
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloacina_ctl.manifest import Manifest, Trigger
    from cloacina_ctl.project.model import Project
    from cloacina_ctl.releases.table import Release

INTERFACE = "cloacina-workflow-plugin"
INTERFACE_VERSION = 1
EXTENSION = "cloacina"
PROVENANCE = "# converted by cloacina-ctl from "
# The editor of texts takes quadratic time; what people write has a few hundred bytes.
MAX_EDITED = 64 << 10
# What this tool derives itself; anything else that the author wrote under [metadata] stays.
_DERIVED = (
    "language", "workflow_name", "description", "author", "requires_python", "entry_module",
)  # fmt: skip
# A section that makes the engines' library do other things: install, or look for WebAssembly.
_RUNTIME_TABLES = ("python", "wasm")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPED = {
    "\\": "\\\\",
    '"': '\\"',
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
}


class PackageHeader(NamedTuple):
    """What a resolved ``package.toml`` has to say, whatever the author wrote."""

    name: str
    version: str
    language: str
    workflow_name: str | None = None
    description: str | None = None
    author: str | None = None
    requires_python: str | None = None
    entry_module: str | None = None
    triggers: tuple[Trigger, ...] = ()


def resolved_package_toml(project: Project, release: Release | None = None) -> bytes:
    """Return the resolved ``package.toml`` of the project, the same for the same project.

    Without a release it is what all those take that load sources.
    """
    return resolve(header_of(project), authored(project), release)


def header_of(project: Project) -> PackageHeader:
    """Return what the package of the project has to say."""
    package = project.package
    workflow = project.workflows[0] if project.workflows else None
    name = project.config.workflow_name or (workflow.name if workflow else None)
    if name is None and not (project.python is not None and project.python.graphs):
        name = package.name  # what a graph alone has instead is a name for the graph
    return PackageHeader(
        name=package.name,
        version=package.version,
        language=(Language.RUST if project.rust is not None else Language.PYTHON).value,
        workflow_name=name,
        description=package.description,
        author=package.authors[0] if package.authors else None,
        requires_python=project.requires.python if project.requires else None,
        entry_module=project.python.entry_module if project.python else None,
        triggers=workflow.triggers if workflow is not None else (),
    )


def header_of_manifest(manifest: Manifest) -> PackageHeader:
    """Return what a package with that native manifest has to say."""
    package, workflows = manifest.package, manifest.workflows
    return PackageHeader(
        name=package.name,
        version=package.version,
        language=manifest.language.value,
        workflow_name=workflows[0].name if workflows else None,
        description=package.description,
        author=package.authors[0] if package.authors else None,
        requires_python=manifest.requires.python if manifest.requires else None,
        entry_module=manifest.entry_module,
        triggers=workflows[0].triggers if workflows else (),
    )


def authored(project: Project) -> bytes | None:
    """Return the author's own ``package.toml``, None where there is none."""
    is_there = os.path.lexists(os.path.join(project.root, PACKAGE_TOML))
    return read_own_text(project.root, PACKAGE_TOML) if is_there else None


def resolve(
    header: PackageHeader,
    text: bytes | None,
    release: Release | None,
    provenance: str | None = None,
) -> bytes:
    """Return ``text`` with all that ``header`` says, or a text of its own where it is None.

    ``provenance`` says in a comment at the top what the package was converted from; a comment of
    an earlier conversion goes. Raises ``Refused`` for a text that is not TOML.
    """
    if text is not None:
        text = without_provenance(text)
    document = _parsed(text)
    wanted = _wanted(header, document, release)
    result = _plain(wanted) if text is None else _edited(text, document, wanted)
    lead = f"{PROVENANCE}{provenance}\n".encode() if provenance else b""
    return lead + result


def resolved_tables(
    header: PackageHeader, text: bytes | None, release: Release | None
) -> dict[str, dict[str, Any]]:
    """Return the tables [package] and [metadata] of what ``resolve`` returns."""
    return _wanted(header, _parsed(text), release)


def _parsed(text: bytes | None) -> dict[str, Any]:
    return {} if text is None else parse_toml(text, where=PACKAGE_TOML)


def without_provenance(text: bytes) -> bytes:
    """Return ``text`` without the comment that a conversion put at its top."""
    return text.partition(b"\n")[2] if text.startswith(PROVENANCE.encode()) else text


def _wanted(
    header: PackageHeader, document: Mapping[str, Any], release: Release | None
) -> dict[str, dict[str, Any]]:
    """Return the two tables as they have to be: keys in order, what is derived first."""
    package: dict[str, Any] = {
        "name": header.name,
        "version": header.version,
        "interface": INTERFACE,
        "interface_version": INTERFACE_VERSION,
        "extension": EXTENSION,
    }
    if header.language == Language.PYTHON.value and (release is None or release.package_language):
        # Compilers of 0.6 and 0.7 look for it here, and take what says nothing for Rust.
        package["language"] = header.language
    kept = _table_of(document, "package")
    package.update({key: kept[key] for key in sorted(kept) if key not in (*package, "runtime")})
    metadata: dict[str, Any] = {
        key: value for key in _DERIVED if (value := getattr(header, key)) is not None
    }
    kept = _table_of(document, "metadata")
    metadata.update({key: kept[key] for key in sorted(kept) if key not in _DERIVED})
    if release is not None and release.triggers and header.triggers:
        metadata.setdefault("triggers", [_trigger(one, header) for one in header.triggers])
    return {"package": package, "metadata": metadata}


def _trigger(trigger: Trigger, header: PackageHeader) -> dict[str, Any]:
    """Return a trigger as 0.4 and 0.5 have it; an interval is required, also beside a cron."""
    found: dict[str, Any] = {
        "name": trigger.name,
        "workflow": header.workflow_name or header.name,
        "poll_interval": f"{trigger.poll_interval_ms or 30_000}ms",
    }
    if trigger.cron is not None:
        found["cron_expression"] = trigger.cron
    if trigger.allow_concurrent:
        found["allow_concurrent"] = True
    return found


def _table_of(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = document.get(key)
    return table if isinstance(table, dict) else {}


def _edited(text: bytes, document: Mapping[str, Any], wanted: dict[str, dict[str, Any]]) -> bytes:
    """Return ``text`` changed where it does not say what is wanted, and nowhere else."""
    if _says(document, wanted):
        return text
    if len(text) > MAX_EDITED:
        return _plain(wanted)
    from cloacina_ctl.project.toml_editing import edit

    edited = edit(text, wanted, _RUNTIME_TABLES)
    try:
        if edited is not None and _says(parse_toml(edited, where=PACKAGE_TOML), wanted):
            return edited
    except Refused:  # an editor's slip must not stop the packing: the comments are lost, no more
        pass
    return _plain(wanted)


def _says(document: Mapping[str, Any], wanted: Mapping[str, dict[str, Any]]) -> bool:
    same = all(document.get(name) == table for name, table in wanted.items())
    return same and not any(name in document for name in _RUNTIME_TABLES)


def _plain(wanted: Mapping[str, dict[str, Any]]) -> bytes:
    lines = [line for name, table in wanted.items() for line in (*_table(name, table), "")]
    return "\n".join(lines).encode()


def _table(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    yield f"[{name}]"
    for key, value in values.items():
        yield f"{_key(key)} = {_value(value)}"


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _text(key)


def _value(value: object) -> str:
    """Return ``value`` on one line: tables inline, times as the standard writes them."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(key)} = {_value(value[key])}" for key in sorted(value))
        return f"{{ {inner} }}" if inner else "{}"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _text(text: str) -> str:
    return f'"{"".join(_escaped(character) for character in text)}"'


def _escaped(character: str) -> str:
    known = _ESCAPED.get(character)
    if known is not None:
        return known
    return f"\\u{ord(character):04X}" if character < " " or character == "\x7f" else character
