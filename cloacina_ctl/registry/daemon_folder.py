"""The folder that Cloacina's daemon watches: a package appears in it whole, by one rename.

This module follows the rules of the daemon's watcher. It takes every file directly in the folder
that ends with ``.cloacina``, hidden ones too, and reads all of them again twice a second; it logs
an error for an incomplete file each time. It ignores ``.name.cloacina.tmp``. Of two files with one
name and version it takes the first that it finds, and a file that gets other bytes under the same
name and version is not loaded again. It does not distinguish versions of one name: when the file of
one is removed, the workflow of all is; when a rename replaces one by another, it first unloads the
one and then loads the other.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.files.folders import Folder, close_quietly, open_folder
from cloacina_ctl.files.locks import open_locked
from cloacina_ctl.files.staging import flush, reported
from cloacina_ctl.registry.files import Writing, busy

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from cloacina_ctl.files.locks import Waits

SUFFIX = ".cloacina"
STAGING = ".cloacina-ctl" + SUFFIX + ".tmp"

_MODE = 0o644  # the daemon may run as another user
_MAX_STEM = 200
_ODD = re.compile(r"[^A-Za-z0-9._+-]")


def file_name(name: str, version: str) -> str:
    """Return the file name of a package in the folder: no path, and never hidden."""
    stem = _ODD.sub("_", f"{name}-{version}")[:_MAX_STEM]
    return stem.lstrip(".-") + SUFFIX if stem.lstrip(".-") else "package" + SUFFIX


def watched_files(folder: str) -> tuple[str, ...]:
    """Return the paths of all entries that a daemon reads as packages, sorted."""
    with reported(folder):
        found = [name for name in os.listdir(folder) if name.endswith(SUFFIX)]
    return tuple(os.path.join(folder, name) for name in sorted(found))


def is_fifo(path: str) -> bool:
    """Return whether it is a FIFO: opening one blocks the daemon."""
    with reported(path), contextlib.suppress(FileNotFoundError):
        return stat.S_ISFIFO(os.stat(path).st_mode)
    return False


class StagedDelivery(Writing):
    """A package that is written beside the others, invisibly, and appears by ``commit``.

    The folder is opened once, and only the last parts of the paths of its files are used.
    One at a time in a folder: the staged file is the lock over it, and a rest of a killed run is
    overwritten. Leaving without ``commit`` removes it.
    """

    def __init__(
        self,
        folder: str,
        *,
        busy_seconds: float | None = None,
        waits: Waits = contextlib.nullcontext,
    ) -> None:
        super().__init__(os.path.join(folder, STAGING))
        self._waits = waits
        self.folder = folder
        self._seconds = busy_seconds
        self._is_there = False
        self._folder: Folder

    def __enter__(self) -> Self:
        if not os.path.isdir(self.folder):
            if os.path.exists(self.folder):
                raise FileProblem.of(Code.NOT_REGULAR, "it is not a folder", where=self.folder)
            raise FileProblem.of(
                Code.NOT_FOUND,
                "the folder that the daemon watches is not there",
                where=self.folder,
                hint="start the daemon once, make the folder, or name another",
            )
        with contextlib.ExitStack() as opened:
            with reported(self.folder):
                self._folder = opened.enter_context(open_folder(self.folder))
            with reported(self.path):
                self.fd = open_locked(
                    self._open,
                    lambda: self._folder.look(STAGING),
                    self.path,
                    seconds=self._seconds,
                    waits=self._waits,
                    busy=busy,
                )
                self._is_there = True
                os.ftruncate(self.fd, 0)
            opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._is_there:
            with contextlib.suppress(OSError):
                self._folder.unlink(STAGING)
        close_quietly(self.fd)
        self._folder.close()

    def commit(self, path: str, instead_of: str | None = None) -> None:
        """Give it the name ``path`` in the folder, and remove the file ``instead_of``.

        Both happen in one rename, so that the daemon unloads that one and loads this in one pass.
        """
        first = instead_of or path
        with reported(first):
            os.fchmod(self.fd, _MODE)
            flush(self.fd)
            found = self._folder.look(os.path.basename(first))
            if found is not None and not stat.S_ISREG(found.st_mode):
                raise FileProblem.of(
                    Code.NOT_REGULAR, "it exists and is not a regular file", where=first
                )
            self._folder.rename(STAGING, os.path.basename(first))
            self._is_there = False
        with reported(path):
            if first != path:
                self._folder.rename(os.path.basename(first), os.path.basename(path))
            self._folder.sync()

    def remove(self, paths: tuple[str, ...]) -> None:
        """Remove files of the folder."""
        for path in paths:
            with reported(path):
                self._folder.unlink(os.path.basename(path))
        if paths:
            self._folder.sync()

    def _open(self) -> int:
        fd = self._folder.open_file(STAGING, os.O_RDWR | os.O_CREAT)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise FileProblem.of(Code.NOT_REGULAR, "it is not a regular file", where=self.path)
        return fd
