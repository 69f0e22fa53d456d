"""Reading the files of a project exactly as planned, or not at all."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Protocol

from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.files.overlay import lay_over
from cloacina_ctl.files.staging import reported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from cloacina_ctl.formats.plan import PlannedFile

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_REPLACED = {
    errno.ENOENT: "it is gone",
    errno.ENOTDIR: "its folder is gone",
    errno.ELOOP: "a link took its place",
    errno.ENXIO: "it is no regular file any more",
}


class SourceFiles:
    """Opens planned files one after the other; keeps the last folder open, for speed.

    A link that took a file's or a folder's place since the plan was made is not followed, and a
    FIFO is not waited for.
    """

    def __init__(self) -> None:
        self._folder = ""
        self._folder_fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder_fd >= 0:
            os.close(self._folder_fd)
            self._folder_fd = -1

    def content(self, file: PlannedFile, into: Room) -> Iterator[bytes | memoryview]:
        """Yield the bytes of ``file``, read or copied ``into`` the buffer."""
        if isinstance(file.source, str):
            yield from self.read(file, file.source, into)
        else:
            yield file.source
            into.put(file.source)

    def read(self, file: PlannedFile, path: str, into: Room) -> Iterator[memoryview]:
        """Yield the bytes of ``file`` at ``path``, read into the room that ``into`` gives.

        Raises ``FileProblem`` where the file differs from the plan, or changes while it is read: a
        package never disagrees with its digests.
        """
        with reported(path):
            fd = self._open(file, path)
            try:
                before = os.fstat(fd)
                _check_planned(file, before)
                yield from _read_exactly(fd, file, into)
                after = os.fstat(fd)
            finally:
                os.close(fd)
        if _identity(after) != _identity(before):
            raise _changed(file, "it was written to")

    def _open(self, file: PlannedFile, path: str) -> int:
        try:
            return self._open_file(path)
        except OSError as error:
            if error.errno in _REPLACED:
                raise _changed(file, _REPLACED[error.errno]) from error
            raise

    def _open_file(self, path: str) -> int:
        folder, name = os.path.split(path)
        if folder != self._folder or self._folder_fd < 0:
            fd = os.open(folder, _FOLDER_FLAGS)
            if self._folder_fd >= 0:
                os.close(self._folder_fd)
            self._folder, self._folder_fd = folder, fd
        return os.open(name, _FILE_FLAGS, dir_fd=self._folder_fd)


class Room(Protocol):
    """A buffer for bytes, such as the writer's."""

    def room(self) -> memoryview:
        """Return a writable view that is not empty; ``took`` says how much of it was filled."""
        ...

    def took(self, count: int) -> None:
        """Take the first ``count`` bytes of the last room as filled."""
        ...

    def put(self, data: bytes) -> None:
        """Take a copy of ``data``."""
        ...


def _read_exactly(fd: int, file: PlannedFile, into: Room) -> Iterator[memoryview]:
    left = file.size
    while left:
        room = into.room()[:left]
        count = os.readv(fd, [room])
        if not count:
            raise _changed(file, f"it is {left} bytes shorter")
        lay_over(room[:count], file.size - left, file.patches)
        yield room[:count]
        into.took(count)
        left -= count
    if os.read(fd, 1):
        raise _changed(file, "it is longer")


def _check_planned(file: PlannedFile, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _changed(file, "it is no regular file any more")
    if found.st_size != file.size:
        raise _changed(file, f"it was {file.size} bytes and is {found.st_size}")


def _identity(found: os.stat_result) -> tuple[int, int, int]:
    return (found.st_size, found.st_mtime_ns, found.st_ino)


def _changed(file: PlannedFile, how: str) -> FileProblem:
    return FileProblem.of(
        Code.CHANGED,
        f"changed while reading: {how}",
        where=str(file.source),
        hint="run it again when nothing writes to the project",
    )
