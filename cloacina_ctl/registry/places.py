"""Opening the folders of a registry so that nothing outside of them is reached.

The registry's folder is the user's choice and may be a link. The folders in it may not: others can
write to a shared registry, and the target of a link there does not belong to it.
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
    """Make the folder of a registry and those in it, where they are missing."""
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
    """Make one folder where it is missing, flushed to the disk; refuse anything else there."""
    with reported(above.where(name)):
        if above.make_folder(name, _FOLDER_MODE):
            above.sync()
    with entered(above, name):
        pass


def names_in(path: str, *absent: type[OSError]) -> list[str]:
    """Return the names in a folder, sorted; none where it is missing, or for ``absent``."""
    with reported(path), contextlib.suppress(FileNotFoundError, *absent):
        return sorted(os.listdir(path))
    return []


@contextlib.contextmanager
def opened(folder: str, *names: str) -> Iterator[Folder]:
    """Open the registry's folder, which may be a link of the user, or a folder in it."""
    with contextlib.ExitStack() as opening:
        with reported(folder):
            current = opening.enter_context(open_folder(folder))
        for name in names:
            current = opening.enter_context(entered(current, name))
        yield current


@contextlib.contextmanager
def entered(above: Folder, name: str) -> Iterator[Folder]:
    """Open a folder of the registry in another one; a link in its place is refused."""
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
