"""Writes ``package.toml``, the manifest for other runtimes, with all keys resolved.

Those fill in missing keys in some places and refuse them in others, so none is left out. The
author's text keeps its comments and its order; the result depends only on the project and the
release.
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
# The editor takes quadratic time; files of people have a few hundred bytes.
MAX_EDITED = 64 << 10
# The keys that this tool derives; any other key under [metadata] is kept.
_DERIVED = (
    "language", "workflow_name", "description", "author", "requires_python", "entry_module",
)  # fmt: skip
# A section with other effects in the engines' library: it installs, or looks for WebAssembly.
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
    """The required content of a resolved ``package.toml``."""

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
    """Return the resolved ``package.toml`` of the project, reproducibly.

    Without a release it is accepted by all releases that load sources.
    """
    return resolve(header_of(project), authored(project), release)


def header_of(project: Project) -> PackageHeader:
    """Return the header for the package of the project."""
    package = project.package
    workflow = project.workflows[0] if project.workflows else None
    name = project.config.workflow_name or (workflow.name if workflow else None)
    if name is None and not (project.python is not None and project.python.graphs):
        name = package.name  # a graph alone has only a name for the graph
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
    """Return the header for a package with that native manifest."""
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
    """Return ``text`` with the content of ``header``, or a new text if it is None.

    ``provenance``, the source of a conversion, is written in a comment at the top; the comment of
    an earlier conversion is removed. Raises ``Refused`` for a text that is not TOML.
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
    """Return the two resolved tables: keys in order, derived ones first."""
    package: dict[str, Any] = {
        "name": header.name,
        "version": header.version,
        "interface": INTERFACE,
        "interface_version": INTERFACE_VERSION,
        "extension": EXTENSION,
    }
    if header.language == Language.PYTHON.value and (release is None or release.package_language):
        # Compilers of 0.6 and 0.7 read it here, and take a package without it for Rust.
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
    """Return ``text`` with only the differences to ``wanted`` changed."""
    if _says(document, wanted):
        return text
    if len(text) > MAX_EDITED:
        return _plain(wanted)
    from cloacina_ctl.project.toml_editing import edit

    edited = edit(text, wanted, _RUNTIME_TABLES)
    try:
        if edited is not None and _says(parse_toml(edited, where=PACKAGE_TOML), wanted):
            return edited
    except Refused:  # an editor's error must not stop the packing: only the comments are lost
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
