"""Reads the standard lock (PEP 751), our own and those of other tools, by its reference rules."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from packaging.pylock import Package, PackageWheel, PylockSelectError, PylockValidationError
from packaging.pylock import Pylock as Document

from cloacina_ctl.vendoring.declared.origins import GIT, PATH, Origin, local_path, without_user
from cloacina_ctl.vendoring.locks.project_lock import (
    LockedFile,
    LockedVersion,
    ProjectLock,
    locked_file,
)

if TYPE_CHECKING:
    from packaging.markers import Environment

    from cloacina_ctl.vendoring.target import PythonTarget

_COMMANDS = {
    "uv": "uv lock && uv export --format pylock.toml -o {}",
    "pip": "pip lock -o {} .",
    "pdm": "pdm lock && pdm export -f pylock -o {}",
}


class Pylock(ProjectLock):
    """A lock in the standard format; ``document`` is its content."""

    def __init__(self, root: str, name: str, extras: frozenset[str] = frozenset()) -> None:
        """Read it, or raise ``Refused``; ``extras`` are those of the project that it requires."""
        super().__init__(os.path.join(root, name), name)
        self._root = root
        command = _COMMANDS.get(str(self.table.get("created-by")))
        if command is not None:
            self.renewal = f"renew it: `{command.format(name)}`"
        try:
            self.document = Document.from_dict(self.table)
        except PylockValidationError as error:
            raise self.problem(f"not a lock by PEP 751: {error}") from error
        self._extras = extras & set(self.document.extras or ())

    def select(self, target: PythonTarget) -> dict[str, LockedVersion]:
        """Return its versions for ``target``, for the first and the last patch release."""
        return self.by_name(map(self._version, self._packages(target)), target)

    def _packages(self, target: PythonTarget) -> list[Package]:
        """Return the packages for any patch release; a lock may be for later ones only."""
        found: list[Package] = []
        failure: PylockSelectError | None = None
        for here in target.environments():
            environment: Environment = here  # type: ignore[assignment]
            try:
                chosen = self.document.select(
                    environment=environment, tags=target.tags(), extras=self._extras
                )
                found += [package for package, _ in chosen]
            except PylockSelectError as error:
                failure = error
        if failure is not None and not found:
            message = f"it is not for Python {target.python} on {target.platform}: {failure}"
            raise self.problem(message) from failure
        return found

    def _version(self, package: Package) -> LockedVersion:
        version = str(package.version) if package.version is not None else ""
        files = tuple(filter(None, map(self._file, package.wheels or ())))
        origin = self._origin(package)
        return LockedVersion(str(package.name), version, files, package.index, origin)

    def _origin(self, package: Package) -> Origin | None:
        """Return the folder or repository of the package."""
        name, folder, other = str(package.name), package.directory, package.vcs
        if folder is not None:
            path = os.path.join(self._root, folder.path)
            return Origin(name, PATH, os.path.relpath(path, self._root), self.place, path=path)
        if other is not None and other.url is not None:
            location = without_user(f"{other.type}+{other.url}@{other.commit_id}")
            return Origin(name, GIT, location, self.place)
        return None

    def _file(self, wheel: PackageWheel) -> LockedFile | None:
        path = wheel.path if wheel.path is not None else local_path(wheel.url or "")
        here = None if path is None else os.path.join(self._root, path)
        return locked_file(wheel.filename, wheel.hashes.get("sha256"), wheel.url, here)
