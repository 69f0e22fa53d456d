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
from cloacina_ctl.files.folders import close_quietly, hidden_name
from cloacina_ctl.files.locks import Lock, open_lock_file
from cloacina_ctl.files.staging import flush, reported, write_all
from cloacina_ctl.registry.index import busy
from cloacina_ctl.registry.layout import INCOMING, LOCK, RESERVE, stored_path
from cloacina_ctl.registry.places import entered, make_folder, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

    from cloacina_ctl.files.folders import Folder
    from cloacina_ctl.files.locks import Waits
    from cloacina_ctl.progress import StageProgress

_PIECE = 1 << 20
RESERVE_BYTES = 256 << 10  # the index's journal takes less for a removal
_MODE = 0o444


def open_lock(folder: str, seconds: float, waits: Waits = contextlib.nullcontext) -> Lock:
    """Return the lock over changes: held, shared, by whoever changes something.

    Whoever clears up holds it alone.
    """
    path = os.path.join(folder, LOCK)
    with reported(path):
        fd = open_lock_file(path, 0o644)
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

    def copy_from(self, source: int, where: str, progress: StageProgress | None = None) -> None:
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
        self._name = hidden_name()
        super().__init__(os.path.join(folder, INCOMING, self._name))
        self._folder = folder
        self._stack = contextlib.ExitStack()
        self._incoming: Folder

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._incoming = stack.enter_context(opened(self._folder, INCOMING))
            with reported(self.path):
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
                self.fd = self._incoming.open_file(self._name, flags)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        close_quietly(self.fd)
        with self._stack, contextlib.suppress(OSError):
            self._incoming.unlink(self._name)

    def flush(self) -> None:
        """Have the bytes on the disk; from here on nobody writes to the file."""
        with reported(self.path):
            os.fchmod(self.fd, _MODE)
            flush(self.fd)

    def move_to(self, name: str) -> None:
        """Give it a name in the registry's own folder, in the place of what has it."""
        with opened(self._folder) as root:
            self._incoming.rename(self._name, name, root)

    def place(self, kind: str, digest: str | None = None) -> None:
        """Give it the name of ``digest``, by default that of its bytes.

        It takes the place of the same bytes, of what was left of them, or of an older record.
        """
        path = stored_path(kind, digest or self.digest)
        with opened(self._folder, kind) as above:
            parent, name = os.path.split(os.path.relpath(path, kind))
            make_folder(above, parent)
            with entered(above, parent) as folder, reported(folder.where(name)):
                self._incoming.rename(self._name, name, folder)
                folder.sync()


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
    above, name = os.path.split(stored_path(kind, digest))
    try:
        with opened(folder, *above.split(os.sep)) as parent, reported(parent.where(name)):
            return parent.unlink(name)
    except FileProblem as error:
        if error.diagnostics[0].code is Code.NOT_FOUND:
            return False
        raise


def keep_reserve(folder: str) -> None:
    """Take the room that a removal needs on a full disk, where that is not taken already."""
    path = os.path.join(folder, RESERVE)
    if os.path.lexists(path):
        return
    with contextlib.suppress(FileProblem), Incoming(folder) as incoming, reported(path):
        incoming.write(os.urandom(RESERVE_BYTES))  # which no file system makes smaller
        incoming.flush()
        incoming.move_to(RESERVE)


def free_reserve(folder: str) -> bool:
    """Give that room back, and tell whether there was any."""
    with opened(folder) as root, reported(root.where(RESERVE)):
        found = root.look(RESERVE)
        return found is not None and stat.S_ISREG(found.st_mode) and root.unlink(RESERVE)


def clear_incoming(folder: str) -> int:
    """Remove what killed runs left on its way in, and return how many files that were.

    For who holds the lock alone.
    """
    with opened(folder, INCOMING) as incoming, reported(incoming.path):
        return incoming.remove_own_files()


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
