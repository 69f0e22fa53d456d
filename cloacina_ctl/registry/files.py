"""The files of a registry: staging, naming, checking; and the lock over changes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from typing import TYPE_CHECKING

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.files.folders import close_quietly
from cloacina_ctl.files.leftovers import new_hidden
from cloacina_ctl.files.locks import held, open_lock_file
from cloacina_ctl.files.staging import flush, reported, write_all
from cloacina_ctl.registry.layout import INCOMING, LOCK, RESERVE, is_digest
from cloacina_ctl.registry.places import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.files.folders import Folder
    from cloacina_ctl.files.locks import Waits
    from cloacina_ctl.progress import StageProgress

_PIECE = 1 << 20
RESERVE_BYTES = 256 << 10  # a record of some hundred versions takes less
_MODE = 0o444
_NOTHING = b"-" * 64 + b"\n"


class Pending:
    """The folder in ``packages`` in which a change is under way, recorded in the lock file.

    It is overwritten in place, so it needs no space on a full disk. A killed run leaves it
    recorded. ``cleared`` counts the files that were removed after such runs.
    """

    def __init__(self, fd: int, path: str) -> None:
        self._fd = fd
        self._path = path
        self.cleared = 0

    @property
    def folder(self) -> str | None:
        """The folder's name; None where no change is under way."""
        with reported(self._path):
            text = os.pread(self._fd, len(_NOTHING), 0).decode("ascii", "replace").rstrip("\n")
        return text if is_digest(text) else None

    def begin(self, folder: str) -> None:
        """Record the folder, flushed to the disk, before anything is changed in it."""
        self._write(folder.encode("ascii") + b"\n")
        with reported(self._path):
            os.fsync(self._fd)

    def end(self) -> None:
        """Record that no change is under way."""
        self._write(_NOTHING)

    def _write(self, text: bytes) -> None:
        with reported(self._path):
            os.lseek(self._fd, 0, os.SEEK_SET)
            write_all(self._fd, text)


@contextlib.contextmanager
def hold_lock(folder: str, seconds: float | None, waits: Waits) -> Iterator[Pending]:
    """Hold the lock over changes: no other process changes anything meanwhile.

    The system releases it when the process ends. Raises ``FileProblem`` where another program
    holds it for so many seconds.
    """
    path = os.path.join(folder, LOCK)
    with reported(path):
        fd = open_lock_file(path, 0o644)
    with held(fd, path, seconds=seconds, waits=waits, busy=busy):
        yield Pending(fd, path)


def busy(where: str) -> FileProblem:
    """Return the error for a registry that another program keeps locked."""
    return FileProblem.of(
        Code.REGISTRY_BUSY,
        "another program holds the registry and does not let go",
        where=where,
        hint="wait for it, or end it; one that is gone holds nothing",
    )


class Writing:
    """A file that is hashed while it is written; subclasses open ``fd``."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = -1
        self.size = 0
        self._sha256 = hashlib.sha256()

    @property
    def digest(self) -> Digest:
        """The SHA-256 of the written bytes."""
        return Digest(self._sha256.hexdigest())

    def write(self, data: bytes) -> None:
        """Write the next bytes."""
        with reported(self.path):
            write_all(self.fd, data)
        self._sha256.update(data)
        self.size += len(data)

    def copy_from(self, source: int, where: str, progress: StageProgress | None = None) -> None:
        """Write all bytes of the open file ``source``, whatever its position is."""
        total = os.fstat(source).st_size
        while True:
            with reported(where):
                piece = os.pread(source, _PIECE, self.size)
            if not piece:
                return
            self.write(piece)
            if progress:
                progress(self.size, max(total, self.size))


class IncomingFile(Writing):
    """A file in ``incoming``, open as ``fd``, under a hidden name until it is placed."""

    def __init__(self, fd: int, above: Folder, name: str) -> None:
        super().__init__(above.where(name))
        self.fd = fd
        self._above = above
        self._name = name

    def flush(self) -> None:
        """Flush the bytes to the disk; from here on the file is not written to."""
        with reported(self.path):
            os.fchmod(self.fd, _MODE)
            flush(self.fd)

    def place(self, folder: Folder, name: str) -> None:
        """Give it a name in a folder of the registry; replaces the file that has the name."""
        with reported(folder.where(name)):
            self._above.rename(self._name, name, folder)
            folder.sync()


@contextlib.contextmanager
def staged(folder: str) -> Iterator[IncomingFile]:
    """Make a new file for the registry in ``folder``; it is removed unless it is placed."""
    with opened(folder, INCOMING) as above:
        with reported(above.path):
            fd, name = new_hidden(above.fd, 0o600)
        try:
            yield IncomingFile(fd, above, name)
        finally:
            close_quietly(fd)
            with contextlib.suppress(OSError):
                above.unlink(name)


def digest_of(path: str) -> tuple[str, int]:
    """Return the SHA-256 of a file's bytes, and their number; no link is followed."""
    sha256, size = hashlib.sha256(), 0
    with reported(path):
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            while piece := os.read(fd, _PIECE):
                sha256.update(piece)
                size += len(piece)
        finally:
            os.close(fd)
    return sha256.hexdigest(), size


def is_whole(path: str, digest: str | None) -> bool:
    """Return whether the stored file at ``path`` is there with all of its bytes.

    Raises ``FileProblem`` where the system refuses to read it.
    """
    return seen_damage(path) is None and digest_of(path)[0] == digest


def seen_damage(path: str, size: int | None = None) -> str | None:
    """Return what is wrong with a stored file, as far as its ``lstat`` result shows."""
    with reported(path):
        try:
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return "its file is gone"
    if not stat.S_ISREG(found.st_mode):
        return "something else is in the place of its file"
    if size is not None and found.st_size != size:
        return f"its file has {found.st_size} bytes where {size} were installed"
    return None


def keep_reserve(folder: str) -> None:
    """Reserve the space that a removal needs on a full disk, unless it is reserved already."""
    if os.path.lexists(os.path.join(folder, RESERVE)):
        return
    with contextlib.suppress(FileProblem), staged(folder) as incoming, opened(folder) as root:
        incoming.write(os.urandom(RESERVE_BYTES))  # which no file system can compress
        incoming.flush()
        incoming.place(root, RESERVE)


def free_reserve(folder: str) -> bool:
    """Free the reserved space; return whether there was any."""
    with opened(folder) as root, reported(root.where(RESERVE)):
        found = root.look(RESERVE)
        return found is not None and stat.S_ISREG(found.st_mode) and root.unlink(RESERVE)
