"""Reads `pylock.toml` (PEP 751) with the reference implementation of its rules."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from packaging.pylock import Package, PackageWheel, PylockSelectError, PylockValidationError
from packaging.pylock import Pylock as Document

from cloacina_ctl.vendoring.declared.origins import GIT, PATH, Origin, local_path, without_user
from cloacina_ctl.vendoring.locks.project_lock import (
    LockedFile,
    LockedVersion,
    bad_lock,
    by_name,
    locked_file,
    read_lock_table,
)

if TYPE_CHECKING:
    from packaging.markers import Environment

    from cloacina_ctl.vendoring.target import Target


class Pylock:
    """A lock in the standard format."""

    def __init__(self, root: str, name: str, extras: frozenset[str]) -> None:
        """Read it, or raise ``Refused``; ``extras`` are those of the project that it requires."""
        self.place = name
        self._root = root
        path = os.path.join(root, name)
        table = read_lock_table(path, name, "make it anew with the tool that made it")
        self.cure = _cure(table.get("created-by"), name)
        try:
            self._document = Document.from_dict(table)
        except PylockValidationError as error:
            raise bad_lock(f"no lock by PEP 751: {error}", name, self.cure) from error
        self._extras = extras & set(self._document.extras or ())

    def select(self, target: Target) -> dict[str, LockedVersion]:
        """Return what it has for ``target``, for its first and its last patch release."""
        return by_name(map(self._version, self._packages(target)), self, target)

    def _packages(self, target: Target) -> list[Package]:
        """Return the packages for any patch release; a lock may be for later ones alone."""
        found: list[Package] = []
        failure: PylockSelectError | None = None
        for here in target.environments():
            environment: Environment = here  # type: ignore[assignment]
            try:
                chosen = self._document.select(
                    environment=environment, tags=target.tags(), extras=self._extras
                )
                found += [package for package, _ in chosen]
            except PylockSelectError as error:
                failure = error
        if failure is not None and not found:
            message = f"it is not for Python {target.python} on {target.platform}: {failure}"
            raise bad_lock(message, self.place, self.cure) from failure
        return found

    def _version(self, package: Package) -> LockedVersion:
        version = str(package.version) if package.version is not None else ""
        files = tuple(self._files(package))
        origin = self._origin(package)
        return LockedVersion(str(package.name), version, files, package.index, origin)

    def _origin(self, package: Package) -> Origin | None:
        """Return the folder or the repository that it is from."""
        name, folder, other = str(package.name), package.directory, package.vcs
        if folder is not None:
            path = os.path.join(self._root, folder.path)
            return Origin(name, PATH, os.path.relpath(path, self._root), self.place, path=path)
        if other is not None and other.url is not None:
            location = without_user(f"{other.type}+{other.url}@{other.commit_id}")
            return Origin(name, GIT, location, self.place)
        return None

    def _files(self, package: Package) -> list[LockedFile]:
        wheels = [(one, one.filename) for one in package.wheels or ()]
        found = [
            locked_file(file, wheel.hashes.get("sha256"), wheel.url, self._path(wheel))
            for wheel, file in wheels
        ]
        return [one for one in found if one is not None]

    def _path(self, wheel: PackageWheel) -> str | None:
        path = wheel.path if wheel.path is not None else local_path(wheel.url or "")
        return None if path is None else os.path.join(self._root, path)


def _cure(tool: object, name: str) -> str:
    commands = {
        "uv": f"uv lock && uv export --format pylock.toml -o {name}",
        "pip": f"pip lock -o {name} .",
        "pdm": f"pdm lock && pdm export -f pylock -o {name}",
    }
    if isinstance(tool, str) and tool in commands:
        return f"make it anew: `{commands[tool]}`"
    return "make it anew with the tool that made it" + (f", {tool}" if tool else "")
