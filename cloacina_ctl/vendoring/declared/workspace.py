"""The uv workspace that a project is a member of: its root's settings count for all members."""

from __future__ import annotations

import os
from glob import iglob
from itertools import islice
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from cloacina_ctl.errors import FileProblem, Refused
from cloacina_ctl.project.detect import PYPROJECT_TOML
from cloacina_ctl.project.own_files import read_own_text
from cloacina_ctl.toml import parse_toml, read_text, read_toml
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A pattern with `**` may lead anywhere: no workspace has this many members.
_MOST_FOLDERS = 4096


UV_TOML = "uv.toml"


class Document(NamedTuple):
    """A `pyproject.toml`: its folder, its name in messages, its tables, and `uv.toml` beside it."""

    folder: str
    place: str
    table: dict[str, Any]
    uv_toml: dict[str, Any] | None = None

    @property
    def uv(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """The settings of uv and their place: `uv.toml` beside it comes before `[tool.uv]`."""
        table = (f"{self.place}: [tool.uv]", self.inner("tool", "uv"))
        if self.uv_toml is None:
            return (table,)
        return ((os.path.join(os.path.dirname(self.place), UV_TOML), self.uv_toml), table)

    def inner(self, *keys: str) -> dict[str, Any]:
        """Return a table in it; an empty one where there is none."""
        return inner(self.table, *keys)


class UvWorkspace(NamedTuple):
    """The project's own document, and that of the workspace's root (the same if it is the root).

    ``members`` are the folders of all other members, by the normal form of their names.
    """

    own: Document
    root: Document
    members: dict[str, str]

    @property
    def documents(self) -> tuple[Document, ...]:
        """The documents that apply to the project, its own first."""
        return (self.own,) if self.own.folder == self.root.folder else (self.own, self.root)


def inner(table: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return a nested table; an empty one if there is none."""
    for key in keys:
        found = table.get(key)
        table = found if isinstance(found, dict) else {}
    return table


def tables_in(values: object) -> Iterator[dict[str, Any]]:
    """Yield the tables in a list, skipping everything else."""
    for one in values if isinstance(values, list) else ():
        if isinstance(one, dict):
            yield one


def read_workspace(root: str) -> UvWorkspace | None:
    """Return the workspace of the project in ``root``; None without a pyproject.toml."""
    folder = os.path.abspath(root)
    path = os.path.join(folder, PYPROJECT_TOML)
    if not os.path.lexists(path):
        return None
    return _workspace(_document(folder, PYPROJECT_TOML, read_own_text), folder)


def _workspace(own: Document, base: str) -> UvWorkspace:
    is_root = "workspace" in own.inner("tool", "uv")
    top = own if is_root else _root_above(own.folder, base) or own
    return UvWorkspace(own, top, dict(_named_members(top, own.folder)))


def read_workspace_elsewhere(folder: str, base: str) -> UvWorkspace | None:
    """Return the workspace of another project, which is not packed: its files may be links.

    Messages name its files relative to ``base``.
    """
    path = os.path.join(folder, PYPROJECT_TOML)
    if not os.path.isfile(path):
        return None
    own = _document(os.path.abspath(folder), os.path.relpath(path, base), _text_elsewhere)
    return _workspace(own, base)


def _text_elsewhere(folder: str, name: str) -> bytes:
    return read_text(os.path.join(folder, name))


def _document(folder: str, place: str, read: Callable[[str, str], bytes]) -> Document:
    table = parse_toml(read(folder, PYPROJECT_TOML), where=place)
    if not os.path.lexists(os.path.join(folder, UV_TOML)):
        return Document(folder, place, table)
    where = os.path.join(os.path.dirname(place), UV_TOML)
    return Document(folder, place, table, parse_toml(read(folder, UV_TOML), where=where))


def _named_members(root: Document, own: str) -> Iterator[tuple[str, str]]:
    for folder in _members(root):
        if os.path.realpath(folder) == os.path.realpath(own):
            continue
        try:
            table = read_toml(os.path.join(folder, PYPROJECT_TOML))
        except (Refused, FileProblem):
            continue  # its name is not known
        name = inner(table, "project").get("name")
        if isinstance(name, str):
            yield str(canonicalize_name(name)), folder


def _root_above(folder: str, base: str) -> Document | None:
    """Return the document of the nearest workspace above that has ``folder`` as its member."""
    parent = os.path.dirname(folder)
    while parent != os.path.dirname(parent):
        path = os.path.join(parent, PYPROJECT_TOML)
        if os.path.isfile(path):
            where = os.path.relpath(path, base)
            found = _document(parent, where, _text_elsewhere)
            if "workspace" in found.inner("tool", "uv"):
                real = os.path.realpath(folder)
                is_member = any(os.path.realpath(one) == real for one in _members(found))
                return found if is_member else None
        parent = os.path.dirname(parent)
    return None


def _members(root: Document) -> Iterator[str]:
    """Yield the folders of all members, the root first."""
    yield root.folder
    table = root.inner("tool", "uv", "workspace")
    excluded = {os.path.realpath(one) for one in _matching(root.folder, table.get("exclude"))}
    for folder in _matching(root.folder, table.get("members")):
        if os.path.realpath(folder) not in excluded:
            yield folder


def _matching(base: str, patterns: object) -> Iterator[str]:
    for pattern in patterns if isinstance(patterns, list) else ():
        if isinstance(pattern, str):
            found = iglob(os.path.join(base, pattern), recursive=True)
            yield from (one for one in islice(found, _MOST_FOLDERS) if os.path.isdir(one))
