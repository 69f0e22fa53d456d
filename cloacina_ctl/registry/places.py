"""The folders of a registry, opened so that nothing outside of them is reached.

The registry's folder is the user's choice and may be a link. What the registry made in it may not:
others can write to a registry that is shared, and what a link there leads to is not its own.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.files.folders import Folder, make_folders, open_folder
from cloacina_ctl.files.staging import reported
from cloacina_ctl.registry.layout import INCOMING, PACKAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER_MODE = 0o755


def make_layout(folder: str) -> None:
    """Make the folder of a registry and those in it, where they are not there."""
    with reported(folder):
        if os.path.exists(folder) and not os.path.isdir(folder):
            raise FileProblem.of(Code.NOT_REGULAR, "it is not a folder", where=folder)
        if os.path.islink(folder) and not os.path.exists(folder):
            raise FileProblem.of(Code.NOT_FOUND, "it is a link that leads nowhere", where=folder)
        make_folders(os.path.abspath(folder), _FOLDER_MODE)
    with opened(folder) as root:
        for name in (PACKAGES, INCOMING):
            make_folder(root, name)


def make_folder(above: Folder, name: str) -> None:
    """Make one folder and have it on the disk, where it is not there; refuse anything else."""
    with reported(above.where(name)):
        if above.make_folder(name, _FOLDER_MODE):
            above.sync()
    with entered(above, name):
        pass


def names_in(path: str, *absent: type[OSError]) -> list[str]:
    """Return the names in a folder, sorted; none where it is not there, or for ``absent``."""
    with reported(path), contextlib.suppress(FileNotFoundError, *absent):
        return sorted(os.listdir(path))
    return []


@contextlib.contextmanager
def opened(folder: str, *names: str) -> Iterator[Folder]:
    """Open the registry's folder, which may be a link of the user's, or one that it made in it."""
    with contextlib.ExitStack() as opening:
        with reported(folder):
            current = opening.enter_context(open_folder(folder))
        for name in names:
            current = opening.enter_context(entered(current, name))
        yield current


@contextlib.contextmanager
def entered(above: Folder, name: str) -> Iterator[Folder]:
    """Open a folder that the registry made in another; a link in its place is refused."""
    path = above.where(name)
    try:
        with reported(path):
            folder = above.folder(name)
    except FileProblem as error:
        found = above.look(name)
        if found is None or stat.S_ISDIR(found.st_mode):
            raise
        is_link = stat.S_ISLNK(found.st_mode)
        raise FileProblem.of(
            Code.NOT_REGULAR,
            "it is a symbolic link, and the registry follows none in its folder"
            if is_link
            else "it is not a folder, and the registry needs one there",
            where=path,
            hint="move the link away; to keep a registry elsewhere, move all of it: --registry"
            if is_link
            else "move it away, then `cloacina-ctl list --check --repair` makes the folder",
        ) from error
    with folder:
        yield folder
