"""Reads `uv.lock`: the versions that uv chose for the project, for one target.

The format is uv's own; the fields that are read have been the same since version 1, and another
version is refused. uv need not be installed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from packaging.markers import Marker
from packaging.version import InvalidVersion, Version

from cloacina_ctl.vendoring.declared.workspace import tables_in
from cloacina_ctl.vendoring.locks.project_lock import (
    LockedFile,
    LockedVersion,
    ProjectLock,
    file_of_url,
    locked_file,
    normal,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.vendoring.declared.requirements import Requirements
    from cloacina_ctl.vendoring.declared.workspace import UvWorkspace
    from cloacina_ctl.vendoring.target import PythonTarget

_VERSION = 1
# The keys of a lock for folders of the workspace.
_FOLDERS = ("editable", "virtual", "directory")


class UvLock(ProjectLock):
    """A lock of uv."""

    renewal = "renew it: `uv lock`"

    def __init__(
        self, path: str, place: str, workspace: UvWorkspace, requirements: Requirements
    ) -> None:
        """Read it, or raise ``Refused``."""
        super().__init__(path, place)
        self._base = os.path.dirname(path)
        if self.table.get("version") != _VERSION:
            self.renewal = "write the other format: `uv export --format pylock.toml -o pylock.toml`"
            raise self.problem(
                f"expected a lock of version {_VERSION}, found: {self.table.get('version')}"
            )
        self._packages: dict[str, list[dict[str, Any]]] = {}
        for package in tables_in(self.table.get("package")):
            self._packages.setdefault(normal(package.get("name")), []).append(package)
        self._own = self._find_own(workspace, requirements)
        self._extras = requirements.extras

    def _find_own(self, workspace: UvWorkspace, requirements: Requirements) -> dict[str, Any]:
        """Return the entry of the project itself."""
        name = requirements.own.name if requirements.own else ""
        for package in self._packages.get(name, ()):
            for kind in _FOLDERS:
                folder = _source(package).get(kind)
                if isinstance(folder, str) and os.path.realpath(
                    os.path.join(self._base, folder)
                ) == os.path.realpath(workspace.own.folder):
                    return package
        raise self.problem(f"the project `{name}` is not in it")

    def select(self, target: PythonTarget) -> dict[str, LockedVersion]:
        """Return the versions that the project's dependencies lead to on ``target``."""
        walked = (one for here in target.environments() for one in self._walk(here))
        return self.by_name(map(self._version, walked), target)

    def _walk(self, environment: dict[str, str]) -> Iterator[dict[str, Any]]:
        waiting = list(self._needs(self._own, self._extras | {""}))
        seen: set[tuple[int, str]] = set()
        given: set[int] = set()
        while waiting:
            need = waiting.pop()
            package = self._entry(need, environment) if _applies(need, environment) else None
            if package is None:
                continue
            asked = need.get("extra")
            extras = map(normal, asked) if isinstance(asked, list) else ()
            for extra in ("", *extras):
                if (id(package), extra) not in seen:
                    seen.add((id(package), extra))
                    waiting += self._needs(package, frozenset({extra}))
            if id(package) not in given and package is not self._own:
                given.add(id(package))
                yield package

    def _needs(self, package: dict[str, Any], extras: frozenset[str]) -> Iterator[dict[str, Any]]:
        """Yield the requirements of an entry and of its extras."""
        if "" in extras:
            yield from tables_in(package.get("dependencies"))
        optional = package.get("optional-dependencies")
        for extra, needs in optional.items() if isinstance(optional, dict) else ():
            if normal(extra) in extras:
                yield from tables_in(needs)

    def _entry(self, need: dict[str, Any], environment: dict[str, str]) -> dict[str, Any] | None:
        """Return the entry of a requirement, which states the version if there are several."""
        entries = self._packages.get(normal(need.get("name")), [])
        fitting = [
            one
            for one in entries
            if need.get("version") in (None, one.get("version"))
            and need.get("source") in (None, one.get("source"))
        ]
        marked = [one for one in fitting if _is_for(one, environment)]
        if len(marked) > 1:
            raise self.problem(f"several entries for one requirement: {normal(need.get('name'))}")
        return marked[0] if marked else None

    def _version(self, package: dict[str, Any]) -> LockedVersion:
        version = package.get("version")
        try:
            text = str(Version(version)) if isinstance(version, str) else ""
        except InvalidVersion as error:
            raise self.problem(str(error)) from error
        index = _source(package).get("registry")
        files = [self._file(one) for one in tables_in(package.get("wheels"))]
        return LockedVersion(
            normal(package.get("name")),
            text,
            tuple(one for one in files if one is not None),
            index if isinstance(index, str) else None,
        )

    def _file(self, wheel: dict[str, Any]) -> LockedFile | None:
        found = {key: one for key, one in wheel.items() if isinstance(one, str)}
        url, path = found.get("url"), found.get("path")
        file = found.get("filename") or file_of_url(url or path or "")
        sha256 = found.get("hash", "").removeprefix("sha256:")
        return locked_file(file, sha256, url, os.path.join(self._base, path) if path else None)


def _source(package: dict[str, Any]) -> dict[str, Any]:
    source = package.get("source")
    return source if isinstance(source, dict) else {}


def _applies(need: dict[str, Any], environment: dict[str, str]) -> bool:
    return _holds(need.get("marker"), environment)


def _is_for(package: dict[str, Any], environment: dict[str, str]) -> bool:
    """Return whether an entry is for this environment, by the markers of its fork."""
    markers = package.get("resolution-markers")
    if not isinstance(markers, list) or not markers:
        return True
    return any(_holds(one, environment) for one in markers)


def _holds(text: object, environment: dict[str, str]) -> bool:
    if not isinstance(text, str):
        return True
    try:
        return Marker(text).evaluate({**environment, "extra": ""})
    except ValueError:
        return True  # not evaluated here: the wheels themselves decide
