"""``package.toml``: the manifest that other runtimes read, with everything in it said.

They fill in what is missing in some places and refuse it in others, so nothing is left to them.
The text depends on the project alone.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from cloacina_ctl.manifest import Language
from cloacina_ctl.project.detect import PACKAGE_TOML
from cloacina_ctl.toml import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloacina_ctl.project.model import Project

INTERFACE = "cloacina-workflow-plugin"
INTERFACE_VERSION = 1
EXTENSION = "cloacina"
# What this tool derives itself; anything else that the author wrote under [metadata] stays.
_DERIVED = frozenset(
    {"language", "workflow_name", "description", "author", "requires_python", "entry_module"}
)
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


def resolved_package_toml(project: Project) -> bytes:
    """Return the resolved ``package.toml`` of the project, the same for the same project.

    What the author's own ``package.toml`` says under ``[metadata]`` beyond what is derived, such
    as accumulators, is kept.
    """
    language = Language.RUST if project.rust is not None else Language.PYTHON
    package: dict[str, Any] = {
        "name": project.package.name,
        "version": project.package.version,
        "interface": INTERFACE,
        "interface_version": INTERFACE_VERSION,
        "extension": EXTENSION,
    }
    if language is Language.PYTHON:
        # Compilers of 0.6 and 0.7 look for it here, and take what says nothing for Rust.
        package["language"] = language.value
    metadata = {**_metadata(project, language), **_kept(project)}
    lines = [*_table("package", package), "", *_table("metadata", metadata), ""]
    return "\n".join(lines).encode()


def _metadata(project: Project, language: Language) -> dict[str, Any]:
    package = project.package
    workflow = project.workflows[0] if project.workflows else None
    name = project.config.workflow_name or (workflow.name if workflow else None) or package.name
    values = {
        "language": language.value,
        "workflow_name": name,
        "description": package.description,
        "author": package.authors[0] if package.authors else None,
        "requires_python": project.requires.python if project.requires else None,
        "entry_module": project.python.entry_module if project.python else None,
    }
    return {key: value for key, value in values.items() if value is not None}


def _kept(project: Project) -> dict[str, Any]:
    path = os.path.join(project.root, PACKAGE_TOML)
    if not os.path.lexists(path):
        return {}
    metadata = read_toml(path, where=PACKAGE_TOML).get("metadata")
    if not isinstance(metadata, dict):
        return {}
    return {key: metadata[key] for key in sorted(metadata) if key not in _DERIVED}


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
