"""The files of a registry: staged, given their names, removed; and the lock over changes.

A file is read-only, called by the digest of its bytes, and replaced only by the same bytes. Locks
are the system's: they end with the process, however that ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from typing import TYPE_CHECKING

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.hidden import hidden_name
from cloacina_ctl.locks import Lock
from cloacina_ctl.registry.index import busy
from cloacina_ctl.registry.layout import FOLDERS, INCOMING, LOCK, RESERVE, stored_path
from cloacina_ctl.staging import close_quietly, flush, reported, write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from typing_extensions import Self

    from cloacina_ctl.locks import Waits

    Progress = Callable[[int, int], None]

_PIECE = 1 << 20
RESERVE_BYTES = 256 << 10  # the index's journal takes less for a removal
_MODE = 0o444
_FOLDER_MODE = 0o755


def open_lock(folder: str, seconds: float, waits: Waits = contextlib.nullcontext) -> Lock:
    """Return the lock over changes: held, shared, by whoever changes something.

    Whoever clears up holds it alone.
    """
    path = os.path.join(folder, LOCK)
    with reported(path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    return Lock(fd, path, seconds=seconds, waits=waits, busy=busy)


class Writing:
    """A file that is written and hashed on the way; who knows its path opens ``fd``."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = -1
        self.size = 0
        self._sha256 = hashlib.sha256()

    @property
    def digest(self) -> Digest:
        """The SHA-256 of what was written."""
        return Digest(self._sha256.hexdigest())

    def write(self, data: bytes) -> None:
        """Write the next bytes."""
        with reported(self.path):
            write_all(self.fd, data)
        self._sha256.update(data)
        self.size += len(data)

    def copy_from(self, source: int, where: str, progress: Progress | None = None) -> None:
        """Write all bytes of the open file ``source``, wherever its position is."""
        total = os.fstat(source).st_size
        while True:
            with reported(where):
                piece = os.pread(source, _PIECE, self.size)
            if not piece:
                return
            self.write(piece)
            if progress:
                progress(self.size, max(total, self.size))


class Incoming(Writing):
    """A file on its way in, under a name that means nothing; it goes unless it is placed."""

    def __init__(self, folder: str) -> None:
        super().__init__(os.path.join(folder, INCOMING, hidden_name()))
        self._folder = folder

    def __enter__(self) -> Self:
        with reported(self.path):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self.fd = os.open(self.path, flags, 0o600)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        close_quietly(self.fd)
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def flush(self) -> None:
        """Have the bytes on the disk; from here on nobody writes to the file."""
        with reported(self.path):
            os.fchmod(self.fd, _MODE)
            flush(self.fd)

    def place(self, kind: str, digest: str | None = None) -> None:
        """Give it the name of ``digest``, by default that of its bytes.

        It takes the place of the same bytes, of what was left of them, or of an older record.
        """
        path = os.path.join(self._folder, stored_path(kind, digest or self.digest))
        with reported(path):
            make_folder(os.path.dirname(path))
            os.rename(self.path, path)
            sync_folder(os.path.dirname(path))


def make_layout(folder: str) -> None:
    """Make the folder of a registry and those in it, where they are not there."""
    with reported(folder):
        if os.path.exists(folder) and not os.path.isdir(folder):
            raise FileProblem.of(Code.NOT_REGULAR, "it is not a folder", where=folder)
        if os.path.islink(folder) and not os.path.exists(folder):
            raise FileProblem.of(Code.NOT_FOUND, "it is a link that leads nowhere", where=folder)
        os.makedirs(folder, mode=_FOLDER_MODE, exist_ok=True)
        for name in FOLDERS:
            make_folder(os.path.join(folder, name))


def make_folder(path: str) -> None:
    """Make one folder and have it on the disk, where it is not there."""
    try:
        os.mkdir(path, _FOLDER_MODE)
    except FileExistsError:
        if not os.path.isdir(path):
            raise FileProblem.of(Code.NOT_REGULAR, "it is not a folder", where=path) from None
        return
    sync_folder(os.path.dirname(path))


def sync_folder(path: str) -> None:
    """Have the names in a folder on the disk; some network file systems refuse, and lose less."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            os.fsync(fd)
    finally:
        os.close(fd)


def digest_of(path: str) -> tuple[str, int]:
    """Return the SHA-256 of a file's bytes, and how many they are; no link is followed."""
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


def is_whole(path: str, digest: str) -> bool:
    """Tell whether the stored file at ``path`` is there with all of its bytes.

    Raises ``FileProblem`` where the system does not let us read it.
    """
    return seen_damage(path) is None and digest_of(path)[0] == digest


def seen_damage(path: str, size: int | None = None) -> str | None:
    """Return what is wrong with a stored file as far as it shows without reading it."""
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


def remove_file(folder: str, kind: str, digest: str) -> bool:
    """Remove a stored file, and tell whether it was there."""
    path = os.path.join(folder, stored_path(kind, digest))
    with reported(path), contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        return True
    return False


def keep_reserve(folder: str) -> None:
    """Take the room that a removal needs on a full disk, where that is not taken already."""
    path = os.path.join(folder, RESERVE)
    if os.path.lexists(path):
        return
    with contextlib.suppress(FileProblem), Incoming(folder) as incoming, reported(path):
        incoming.write(os.urandom(RESERVE_BYTES))  # which no file system makes smaller
        incoming.flush()
        os.rename(incoming.path, path)


def free_reserve(folder: str) -> bool:
    """Give that room back, and tell whether there was any."""
    path = os.path.join(folder, RESERVE)
    with reported(path), contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        return True
    return False


def clear_incoming(folder: str) -> int:
    """Remove what killed runs left on its way in, and return how many files that were.

    For who holds the lock alone.
    """
    where = os.path.join(folder, INCOMING)
    with reported(where):
        left = [os.path.join(where, name) for name in os.listdir(where)]
        for path in left:
            if not os.path.isdir(path):
                os.unlink(path)
    return len(left)


def stored_files(folder: str, kind: str) -> Iterator[tuple[str, str]]:
    """Yield the parent folder's name and the name of each file of that kind, sorted.

    Where their folder is gone there are none.
    """
    above = os.path.join(folder, kind)
    if not os.path.isdir(above):
        return
    with reported(above):
        for parent in sorted(os.listdir(above)):
            path = os.path.join(above, parent)
            if os.path.isdir(path):
                for name in sorted(os.listdir(path)):
                    yield parent, name
            else:
                yield "", parent
