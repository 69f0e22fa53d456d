"""package.toml, fully resolved: what the runtimes that load sources read.

Everything that those runtimes would fill in is written out, for some of them fill in nothing. The
language stands in both tables: one generation of their compiler looks in the wrong one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.model import Project

INTERFACE = "cloacina-workflow-plugin"
INTERFACE_VERSION = 1
EXTENSION = "cloacina"


def resolved_package_toml(project: Project) -> bytes:
    """Return the text of package.toml for ``project``: the same for the same project."""
    return "".join(f"{line}\n" for line in _lines(project)).encode()


def _lines(project: Project) -> Iterator[str]:
    language = "rust" if project.rust is not None else "python"
    package = project.package
    yield "[package]"
    yield f"name = {_text(package.name)}"
    yield f"version = {_text(package.version)}"
    yield f"interface = {_text(INTERFACE)}"
    yield f"interface_version = {INTERFACE_VERSION}"
    yield f"extension = {_text(EXTENSION)}"
    yield f"language = {_text(language)}"
    yield ""
    yield "[metadata]"
    yield f"language = {_text(language)}"
    workflow = project.workflows[0] if project.workflows else None
    fields = {
        "workflow_name": workflow.name if workflow is not None else None,
        "description": package.description,
        "author": workflow.author if workflow is not None else None,
        "requires_python": project.requires.python if project.requires is not None else None,
        "entry_module": project.python.entry_module if project.python is not None else None,
    }
    for key, value in fields.items():
        if value is not None:
            yield f"{key} = {_text(value)}"


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _text(text: str) -> str:
    """Return ``text`` as a basic string of TOML."""
    return '"' + "".join(_ESCAPES.get(character, character) for character in text) + '"'
