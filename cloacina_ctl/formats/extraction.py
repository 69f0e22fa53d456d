"""Folders on disk from a package: staged beside the destination, moved there by one rename.

Every file is created relative to the descriptor of a folder that this code made itself, with
O_EXCL and O_NOFOLLOW, so no path is ever resolved through an entry that another user put there.
Names were checked when they were read (``paths``). Modes are 0644, or 0755 for a file that the
package marks executable, limited by the user's umask; owners, times and attributes are never
applied.

Files are not flushed one by one: a killed run leaves no destination. A power loss right after the
rename may leave an incomplete tree, which must then be unpacked again.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.files.folders import Folder, PrivateFolder, close_quietly
from cloacina_ctl.files.leftovers import locked_private_folder
from cloacina_ctl.files.staging import open_parent, reported, write_all

if TYPE_CHECKING:
    from typing_extensions import Self

    from cloacina_ctl.formats.file_index import FileEntry

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Extraction:
    """A sink that makes a folder. Use it as a context manager; ``commit`` makes it appear.

    The destination must not exist, or be an empty folder that is not the current one. With an open
    folder ``above`` it appears in that, under its last part.
    """

    divisible = True  # each process has descriptors of its own for the folders it enters

    def __init__(self, destination: str, above: Folder | None = None) -> None:
        self.destination = destination
        self._given = above
        self._parent, self._name = os.path.split(os.path.abspath(destination))
        self._above: Folder
        self._staged: PrivateFolder
        self._is_shown = False
        self._open_folders: list[tuple[str, int]] = []
        self._fd = -1

    def __enter__(self) -> Self:
        """Make the staging folder, private; refuse a destination that is taken."""
        with reported(self.destination):
            self._above = self._open_above()
            try:
                self._mode = self._check_destination()
                self._staged = locked_private_folder(self._above)
            except BaseException:
                self._above.close()
                raise
        self._open_folders = [("", self._staged.fd)]
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the staged folder unless it was committed."""
        with contextlib.suppress(FileProblem):
            self._close_file()
        while len(self._open_folders) > 1:
            close_quietly(self._open_folders.pop()[1])
        if not self._is_shown:
            self._staged.remove()
        self._staged.close()

    def _open_above(self) -> Folder:
        if self._given is not None:
            return self._given.again()
        return Folder(open_parent(self._parent, self.destination), self._parent)

    def begin(self, file: FileEntry) -> None:
        """Create the file, and the missing folders above it."""
        *folders, name = file.path.split("/")
        self._create(folders, name, 0o755 if file.executable else 0o644)

    def write(self, data: memoryview) -> None:
        """Write the next bytes of the file."""
        with reported(self.destination):
            write_all(self._fd, data)

    def end(self) -> None:
        """Close the file."""
        self._close_file()

    def add(self, name: str, data: bytes) -> None:
        """Put a file with ``data`` at the top: one of the head's own members."""
        self._create([], name, 0o644)
        self.write(memoryview(data))
        self.end()

    def commit(self) -> None:
        """Give the staged folder its name; after that the destination is there, whole."""
        with reported(self.destination):
            self._mode = self._check_destination()
            os.fchmod(self._staged.fd, self._mode)
            # Replaces an empty folder; fails on anything else that appeared meanwhile.
            self._staged.become(self._name)
        self._is_shown = True

    def _create(self, folders: list[str], name: str, mode: int) -> None:
        with reported(self.destination):
            folder = self._enter(folders)
            self._fd = os.open(name, _FILE_FLAGS, mode, dir_fd=folder)

    def _enter(self, folders: list[str]) -> int:
        """Return the descriptor of the folder; the folders above it stay open."""
        kept = 0
        inside = self._open_folders[1:]
        while kept < min(len(folders), len(inside)) and inside[kept][0] == folders[kept]:
            kept += 1
        while len(self._open_folders) > kept + 1:
            os.close(self._open_folders.pop()[1])
        for name in folders[kept:]:
            parent = self._open_folders[-1][1]
            with contextlib.suppress(FileExistsError):  # ours: sections share folders
                os.mkdir(name, 0o755, dir_fd=parent)
            self._open_folders.append((name, os.open(name, _FOLDER_FLAGS, dir_fd=parent)))
        return self._open_folders[-1][1]

    def _close_file(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            with reported(self.destination):
                os.close(fd)

    def _check_destination(self) -> int:
        """Return the mode that the destination will have, or refuse it."""
        try:
            found = os.stat(self._name or ".", dir_fd=self._above.fd, follow_symlinks=False)
        except FileNotFoundError:
            return 0o777 & ~_umask()
        if stat.S_ISLNK(found.st_mode):
            raise self._refuse(Code.NOT_REGULAR, "the destination is a symbolic link")
        if not stat.S_ISDIR(found.st_mode):
            raise self._refuse(Code.EXISTS, "the destination exists and is not a folder")
        fd = os.open(self._name or ".", _FOLDER_FLAGS, dir_fd=self._above.fd)
        try:
            if os.listdir(fd):
                raise self._refuse(Code.NOT_EMPTY, "the destination is not empty")
        finally:
            os.close(fd)
        if not self._name or os.path.samestat(found, os.stat(".")):
            raise self._refuse(Code.EXISTS, "the destination is the current folder")
        if found.st_dev != os.fstat(self._above.fd).st_dev:
            raise FileProblem.of(
                Code.EXISTS,
                "the destination is a mount point, which no rename replaces",
                where=self.destination,
                hint="name a folder in it that does not exist yet",
            )
        return stat.S_IMODE(found.st_mode) & 0o777

    def _refuse(self, code: Code, message: str) -> FileProblem:
        return FileProblem.of(
            code, message, where=self.destination, hint="name a folder that does not exist yet"
        )


def _umask() -> int:
    """Return the process's umask, which can only be read by setting it."""
    with contextlib.suppress(OSError, StopIteration, ValueError):
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            line = next(line for line in status if line.startswith("Umask:"))
        return int(line.split()[1], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
