"""One target folder for each workspace, so that no build uses another checkout's units.

Cargo identifies units in a target folder by names relative to the workspace, and outdated ones only
by times: two checkouts that share a target folder share the units of their members, path
dependencies and build scripts. So ours is named after the workspace's root, and a record in it
has the place of each package by path when it was compiled (folder, device, inode). A package in
another place, because its folder was replaced or a link leads to another, is recompiled.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import TYPE_CHECKING, Any

from cloacina_ctl.digest import Digest
from cloacina_ctl.files.folders import hold_private_folder, open_folder
from cloacina_ctl.files.staging import reported, write_file
from cloacina_ctl.project.rust.cargo_workspace import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.files.folders import Folder
    from cloacina_ctl.project.rust.cargo_workspace import CargoWorkspace, SourcePackage

OUR_FOLDER = "cloacina-ctl"
RECORD = "workspace.json"
# A missing workspace may be visible only on another machine or in a container.
KEEP_SECONDS = 24 * 3600

_NAME_LENGTH = 16
_MAX_RECORD_BYTES = 4 << 20
# https://bford.info/cachedir/: backups, and our own selection of files, leave such folders out.
_TAG = "CACHEDIR.TAG"
_TAG_TEXT = b"Signature: 8a477f597d28d172789f06886806bc55\n# Made by cloacina-ctl.\n"


def with_own_folders(workspace: CargoWorkspace) -> CargoWorkspace:
    """Return the workspace with our folders in place of those of the author's own builds."""
    name = _name(workspace.root)
    return workspace._replace(
        target_folder=os.path.join(workspace.target_folder, OUR_FOLDER, name),
        build_folder=os.path.join(workspace.build_folder, OUR_FOLDER, name),
    )


def _name(root: str) -> str:
    return Digest.of(os.fsencode(os.path.realpath(root)))[:_NAME_LENGTH]


class BuildRecord:
    """The record of the packages that were compiled in the folder, for one kind of build.

    ``kind`` is the profile with the target: each has units of its own.
    """

    def __init__(self, workspace: CargoWorkspace, kind: str) -> None:
        self._workspace = workspace
        self._kind = kind
        self._path = os.path.join(workspace.build_folder, RECORD)
        self._is_new = not os.path.isdir(workspace.build_folder)
        self._said = _read(self._path)

    def moved(self) -> tuple[SourcePackage, ...]:
        """Return the packages by path whose units here may be those of another folder."""
        if self._is_new:
            return ()
        known = self._kinds().get(self._kind, {} if self._said else None)
        return tuple(
            one for one in self._by_path()
            if known is None or known.get(one.folder, place_of(one)) != place_of(one)
        )  # fmt: skip

    def write(self) -> None:
        """Record the current places of the packages, and the day of use of the folder."""
        kinds = self._kinds()
        now = {one.folder: place_of(one) for one in self._by_path()}
        kinds = {**kinds, self._kind: {**kinds.get(self._kind, {}), **now}}
        said = {**self._head(self._workspace.build_folder), "packages": kinds}
        for folder in {self._workspace.build_folder, self._workspace.target_folder}:
            path = os.path.join(folder, RECORD)
            said.update(self._head(folder))
            if _read(path) != said:
                _write(path, json.dumps(said, indent=1, sort_keys=True).encode() + b"\n")

    def _head(self, folder: str) -> dict[str, Any]:
        root = os.path.realpath(self._workspace.root)
        place = os.path.realpath(folder)
        return {"workspace": root, "folder": place, "built": _day(time.time())}

    def _kinds(self) -> dict[str, dict[str, str]]:
        kinds = self._said.get("packages")
        found = kinds.items() if isinstance(kinds, dict) else ()
        return {kind: places for kind, places in found if isinstance(places, dict)}

    def _by_path(self) -> Iterator[SourcePackage]:
        return (one for one in self._workspace.packages if one.by_path)


def place_of(package: SourcePackage) -> str:
    """Return what distinguishes the package's folder from another one at the same path."""
    try:
        facts = os.stat(package.folder)
    except OSError:
        return ""
    return f"{facts.st_dev}:{facts.st_ino}:{os.path.realpath(package.folder)}"


def clear_abandoned(workspace: CargoWorkspace) -> tuple[str, ...]:
    """Remove the target folders of deleted workspaces; return the roots of these.

    A workspace is deleted if there is no folder at the recorded root, or if the record lies in a
    copy of the folder that it names, and nothing was built there for a day.
    """
    ours = {workspace.build_folder, workspace.target_folder}
    folders = sorted({os.path.dirname(folder) for folder in ours})
    return tuple(dict.fromkeys(root for folder in folders for root in _cleared(folder, ours)))


def _cleared(folder: str, ours: Iterable[str]) -> Iterator[str]:
    """Remove the abandoned folders in ``folder``, by descriptors: no link leads elsewhere."""
    with contextlib.suppress(OSError), open_folder(folder) as above:
        for name in above.names():
            if len(name) == _NAME_LENGTH and above.where(name) not in ours:
                with contextlib.suppress(OSError):
                    root = _removed(above, name)
                    if root is not None:
                        yield root


def _removed(above: Folder, name: str) -> str | None:
    """Remove one folder if it is abandoned, and return the root that it was built for."""
    with above.folder(name) as place:
        root = _abandoned(place, name)
        facts = os.fstat(place.fd)
    if root is None:
        return None
    with hold_private_folder(above.where(name), (facts.st_dev, facts.st_ino)) as held:
        return root if held.remove() else None


def _abandoned(place: Folder, name: str) -> str | None:
    """Return the root that the folder was built for if nothing will be built for it again."""
    said = _parsed(place.open_file(RECORD))
    root, built = said.get("workspace"), said.get("built")
    if not isinstance(root, str) or not isinstance(built, str) or _name(root) != name:
        return None
    if built >= _day(time.time() - KEEP_SECONDS):
        return None
    is_copy = said.get("folder") != os.path.realpath(place.path)
    return root if is_copy or _is_gone(root) else None


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


def _is_gone(root: str) -> bool:
    try:
        os.stat(root)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False  # another user's: it may exist
    return False


def _read(path: str) -> dict[str, Any]:
    """Return the content of a record, empty for a missing or invalid one."""
    with contextlib.suppress(OSError), open_folder(os.path.dirname(path)) as folder:
        return _parsed(folder.open_file(os.path.basename(path)))
    return {}


def _parsed(fd: int) -> dict[str, Any]:
    with open(fd, "rb") as file:
        return read_json(file.read(_MAX_RECORD_BYTES))


def _write(path: str, content: bytes) -> None:
    folder = os.path.dirname(path)
    with reported(folder):
        os.makedirs(folder, exist_ok=True)
    tag = os.path.join(os.path.dirname(folder), _TAG)
    for place, data in ((tag, _TAG_TEXT), (path, content)):
        if place == path or not os.path.lexists(place):
            write_file(place, data, replace=True)
