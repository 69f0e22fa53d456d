"""Reads the origins of dependencies from the tables of uv, Poetry, PDM, Rye and pixi.

An entry of unknown form counts as an origin too: it is refused, never ignored.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from cloacina_ctl.vendoring.declared.origins import (
    GIT,
    INDEX,
    OTHER,
    PATH,
    PYPI,
    URL,
    WORKSPACE,
    Origin,
    Origins,
    ProjectIndex,
    without_user,
)
from cloacina_ctl.vendoring.declared.workspace import read_workspace_elsewhere, tables_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.vendoring.declared.workspace import Document, UvWorkspace

_POETRY = (("tool", "poetry", "dependencies"), ("tool", "poetry", "group", "main", "dependencies"))
_PIXI = ("tool", "pixi", "pypi-dependencies")
_PIXI_PLATFORMS = ("tool", "pixi", "target")
# Lists of tables of `name` and `url`, for all packages, beside uv's.
_INDEXES = (
    ("poetry", "source"),
    ("pdm", "source"),
    ("rye", "sources"),
)
# Older keys of `[tool.uv]`, from before it had tables.
_OLD_KEYS = ("index-url", "extra-index-url", "find-links", "no-index")
# Tables of pixi with such keys; its list of indexes has another name.
_PIXI_OPTIONS = (
    ("tool", "pixi", "pypi-options"),
    ("tool", "pixi", "workspace", "pypi-options"),
    ("tool", "pixi", "project", "pypi-options"),
)
_PIXI_KEYS = ("index-url", "extra-index-urls", "find-links")


def read_origins(workspace: UvWorkspace | None, direct: Iterable[Origin]) -> Origins:
    """Return all origins: ``direct`` ones, and those of the project's and its workspace's tables.

    For one name the project's table takes precedence over the workspace's.
    """
    found = list(direct)
    if workspace is None:
        return Origins(tuple(found))
    indexes = [one for document in workspace.documents for one in _indexes(document)]
    tables = [[*_uv(one, workspace), *_other_tools(one)] for one in workspace.documents]
    for origins in (*tables, list(_members(workspace))):
        known = {one.name for one in found}
        found += [one for one in origins if one.name not in known]
    known = {one.name for one in found}
    found += [one for one in _of_folders(found, workspace) if one.name not in known]
    return Origins(tuple(found), tuple(indexes))


def _of_folders(named: Iterable[Origin], workspace: UvWorkspace) -> Iterator[Origin]:
    """Yield the origins that projects in the folders of ``named`` give for their dependencies.

    Tools follow these chains to the end: a library in a folder may name its own libraries. Like
    these tools, it ignores the indexes that such a library names for all packages.
    """
    base = workspace.own.folder
    seen = {os.path.realpath(one.folder) for one in workspace.documents}
    waiting = [one.path for one in named if one.path is not None]
    while waiting:
        folder = waiting.pop(0)
        if "\0" in folder or os.path.realpath(folder) in seen:
            continue
        seen.add(os.path.realpath(folder))
        other = read_workspace_elsewhere(folder, base)
        if other is None:
            continue
        for document in other.documents:
            for one in (*_uv(document, other), *_other_tools(document)):
                yield _seen_from(base, one)
                waiting += [one.path] if one.path is not None else []


def _seen_from(base: str, origin: Origin) -> Origin:
    """Return an origin that another project names, with its path relative to ``base``.

    The requested extras of that project are not known here: all of them count.
    """
    location = origin.location if origin.path is None else os.path.relpath(origin.path, base)
    return origin._replace(location=location, extra=None)


def _members(workspace: UvWorkspace) -> Iterator[Origin]:
    """Yield the members of the workspace: uv never takes them from an index."""
    place = f"{workspace.root.place}: [tool.uv.workspace]"
    for name, folder in workspace.members.items():
        location = os.path.relpath(folder, workspace.own.folder)
        yield Origin(name, WORKSPACE, location, place, path=folder)


def _uv(document: Document, workspace: UvWorkspace) -> Iterator[Origin]:
    place = f"{document.place}: [tool.uv.sources]"
    for key, value in document.inner("tool", "uv", "sources").items():
        name = str(canonicalize_name(key))
        for entry in value if isinstance(value, list) else [value]:
            table = entry if isinstance(entry, dict) else {}
            # A source for a group is for developers; `workspace = false` has no effect.
            nothing = table.get("workspace") is False and not _NAMES & (
                table.keys() - {"workspace"}
            )
            if isinstance(table.get("group"), str) or nothing:
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
    """Yield the origins that Poetry's and pixi's tables of dependencies name.

    pixi has some for one platform only; they count on every platform.
    """
    platforms = document.inner(*_PIXI_PLATFORMS)
    for keys in (*_POETRY, _PIXI, *((*_PIXI_PLATFORMS, one, _PIXI[-1]) for one in platforms)):
        place = f"{document.place}: [{'.'.join(keys)}]"
        for key, value in document.inner(*keys).items():
            for entry in value if isinstance(value, list) else [value]:
                if isinstance(entry, dict) and _NAMES & entry.keys():
                    yield _origin(str(canonicalize_name(key)), entry, document.folder, place)


# The keys that name an origin, of all tools.
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
            is_public = url.rstrip("/") in PYPI or (not url and entry.get("name") == "PyPI")
            is_named_only = entry.get("explicit") is True or entry.get("priority") == "explicit"
            if not is_named_only and not is_public:
                yield ProjectIndex(url or str(entry.get("name", "without a name")), place)
    keyed: list[tuple[str, dict[str, Any], tuple[str, ...]]]
    keyed = [(place, table, _OLD_KEYS) for place, table in document.uv]
    keyed += [
        (f"{document.place}: [{'.'.join(keys)}]", document.inner(*keys), _PIXI_KEYS)
        for keys in _PIXI_OPTIONS
    ]
    for place, table, names in keyed:
        for key in names:
            for one in _titles(table.get(key), key):
                if one.rstrip("/") not in PYPI:
                    yield ProjectIndex(without_user(one), place)


def _titles(value: object, key: str) -> Iterator[str]:
    """Yield the name of each index in a value: its address, else its key."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            yield str(one.get("url") or one.get("path") or key)
        elif one:
            yield key if one is True else str(one)


def _with_url(origin: Origin, workspace: UvWorkspace) -> Origin:
    """Return an origin that names an index with the URL of that index, if it is known."""
    for table in [table for one in workspace.documents for _, table in one.uv]:
        for entry in tables_in(table.get("index")):
            if entry.get("name") == origin.location:
                url = without_user(str(entry.get("url")))
                return origin._replace(location=f"{origin.location} ({url})", url=url)
    return origin
