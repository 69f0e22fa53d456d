"""Reads where dependencies come from, out of the tables of uv, Poetry, PDM, Rye and pixi.

What is not understood counts as an origin all the same: it is refused, never passed over.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from cloacina_ctl.project.vendoring.origins import (
    GIT,
    INDEX,
    OTHER,
    PATH,
    URL,
    WORKSPACE,
    Origin,
    Origins,
    ProjectIndex,
    without_user,
)
from cloacina_ctl.project.vendoring.workspace import tables_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.project.vendoring.workspace import Document, Workspace

_PYPI = ("https://pypi.org/simple", "https://pypi.python.org/simple")
_POETRY = (("tool", "poetry", "dependencies"), ("tool", "poetry", "group", "main", "dependencies"))
_PIXI = (("tool", "pixi", "pypi-dependencies"),)
# Lists of tables of `name` and `url`, for all packages, beside uv's.
_INDEXES = (
    ("poetry", "source"),
    ("pdm", "source"),
    ("rye", "sources"),
)
# What `[tool.uv]` has beside its tables, from before there were these.
_OLD_KEYS = ("index-url", "extra-index-url", "find-links", "no-index")


def read_origins(workspace: Workspace | None, direct: Iterable[Origin]) -> Origins:
    """Return all origins: ``direct`` ones, and those of the project's and its workspace's tables.

    What the project says of a name counts, not what its workspace says of it.
    """
    found = list(direct)
    if workspace is None:
        return Origins(tuple(found))
    indexes = [one for document in workspace.documents for one in _indexes(document)]
    tables = [[*_uv(one, workspace), *_other_tools(one)] for one in workspace.documents]
    for origins in (*tables, list(_members(workspace))):
        known = {one.name for one in found}
        found += [one for one in origins if one.name not in known]
    return Origins(tuple(found), tuple(indexes))


def _members(workspace: Workspace) -> Iterator[Origin]:
    """Yield the members of the workspace: uv takes none of them from an index."""
    place = f"{workspace.root.place}: [tool.uv.workspace]"
    for name, folder in workspace.members.items():
        location = os.path.relpath(folder, workspace.own.folder)
        yield Origin(name, WORKSPACE, location, place, path=folder)


def _uv(document: Document, workspace: Workspace) -> Iterator[Origin]:
    place = f"{document.place}: [tool.uv.sources]"
    for key, value in document.inner("tool", "uv", "sources").items():
        name = str(canonicalize_name(key))
        for entry in value if isinstance(value, list) else [value]:
            table = entry if isinstance(entry, dict) else {}
            # A source for a group is for developers; `workspace = false` says nothing.
            if "group" in table or table.get("workspace") is False:
                continue
            origin = _origin(name, table, document.folder, place)
            if origin.kind == WORKSPACE:
                member = workspace.members.get(name)
                shown = os.path.relpath(member, workspace.own.folder) if member else "the workspace"
                origin = origin._replace(location=shown, path=member)
            elif origin.kind == INDEX:
                origin = _with_url(origin, workspace)
            yield origin


def _other_tools(document: Document) -> Iterator[Origin]:
    """Yield the origins that Poetry's and pixi's tables of dependencies name."""
    for keys in (*_POETRY, *_PIXI):
        place = f"{document.place}: [{'.'.join(keys)}]"
        for key, value in document.inner(*keys).items():
            for entry in value if isinstance(value, list) else [value]:
                if isinstance(entry, dict) and _NAMES & entry.keys():
                    yield _origin(str(canonicalize_name(key)), entry, document.folder, place)


# The keys that name an origin, in the words of all tools.
_NAMES = frozenset({"path", "file", "workspace", "git", "url", "index", "source"})


def _origin(name: str, table: dict[str, Any], base: str, place: str) -> Origin:
    """Return the origin that one entry names."""
    kind, location, path = OTHER, "a source that this program does not know", None
    for key in ("path", "file"):
        if isinstance(table.get(key), str):
            kind, location, path = PATH, table[key], os.path.join(base, table[key])
    for key, one in (("git", GIT), ("url", URL), ("index", INDEX), ("source", INDEX)):
        if isinstance(table.get(key), str):
            kind, location = one, without_user(table[key])
    if table.get("workspace") is True:
        kind = WORKSPACE
    if kind == GIT and not location.startswith("git+"):
        location = f"git+{location}"
    return Origin(name, kind, location, place, _marker(table), _text(table, "extra"), path)


def _marker(table: dict[str, Any]) -> str | None:
    """Return the condition of an entry: uv's `marker`, Poetry's `markers` and `platform`."""
    platform = _text(table, "platform")
    named = f"sys_platform == '{platform}'" if platform and platform.isalnum() else None
    return _text(table, "marker") or _text(table, "markers") or named


def _text(table: dict[str, Any], key: str) -> str | None:
    value = table.get(key)
    return value if isinstance(value, str) else None


def _indexes(document: Document) -> Iterator[ProjectIndex]:
    """Yield the indexes for all packages that are not the public one."""
    tables = [(place, table, "index") for place, table in document.uv]
    tables += [
        (f"{document.place}: [tool.{tool}]", document.inner("tool", tool), key)
        for tool, key in _INDEXES
    ]
    for place, table, key in tables:
        for entry in tables_in(table.get(key)):
            url = without_user(str(entry.get("url", "")))
            is_public = url.rstrip("/") in _PYPI or (not url and entry.get("name") == "PyPI")
            is_named_only = entry.get("explicit") is True or entry.get("priority") == "explicit"
            if not is_named_only and not is_public:
                yield ProjectIndex(url or str(entry.get("name", "without a name")), place)
    for place, table in document.uv:
        for key in _OLD_KEYS:
            value = table.get(key)
            for one in value if isinstance(value, list) else [value]:
                if one and str(one).rstrip("/") not in _PYPI:
                    yield ProjectIndex(key if one is True else without_user(str(one)), place)


def _with_url(origin: Origin, workspace: Workspace) -> Origin:
    """Return an origin that is the name of an index with the index's URL, where it is known."""
    for table in [table for one in workspace.documents for _, table in one.uv]:
        for entry in tables_in(table.get("index")):
            if entry.get("name") == origin.location:
                url = without_user(str(entry.get("url")))
                return origin._replace(location=f"{origin.location} ({url})", url=url)
    return origin
