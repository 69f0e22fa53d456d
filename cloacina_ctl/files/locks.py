"""Locks between processes: one mechanism for every file that more than one run may change.

``flock``: the system releases a lock when its holder ends, however that ends, so no lock is ever
left behind. There are two ways to use it. A lock file exists only for its lock and is never removed
(:func:`held`). A file that is replaced by a rename is its own lock: :func:`open_locked` returns its
descriptor, and a run that waited sees that the path names another file, and opens that one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.files.folders import allow_owner, close_quietly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # A context that is entered while the program waits for another one, to show that.
    Waits = Callable[[], contextlib.AbstractContextManager[object]]
    Busy = Callable[[str], FileProblem]

LOCK_SECONDS = 10.0  # longer than any change here holds a lock, except those to large packages
_PAUSE_SECONDS = 0.01
# Errors of a file system without locks, or of one that locks only files open for writing (NFS).
NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EBADF})


def try_lock(fd: int) -> bool:
    """Lock the open file if no one else has it locked; return whether; raises ``OSError``."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def held_elsewhere(path: str) -> FileProblem:
    """Return the error for a file that another program keeps locked."""
    return FileProblem.of(
        Code.FILE_HELD,
        "another program is changing the file and does not let go",
        where=path,
        hint="wait for that program, or end it; a program that is gone holds nothing",
    )


def wait_until(
    attempt: Callable[[], bool],
    path: str,
    *,
    seconds: float | None = None,
    waits: Waits = contextlib.nullcontext,
    busy: Busy = held_elsewhere,
) -> None:
    """Repeat ``attempt`` until it succeeds; raises ``busy(path)`` when the time is over.

    ``seconds`` None is ``LOCK_SECONDS``.
    """
    if attempt():
        return
    until = time.monotonic() + (LOCK_SECONDS if seconds is None else seconds)
    with waits():
        while not attempt():
            if time.monotonic() > until:
                raise busy(path)
            time.sleep(_PAUSE_SECONDS)


def open_lock_file(path: str, mode: int) -> int:
    """Return a descriptor of the file ``path``, for :func:`held`; made where it is not there.

    Its owner may open it again whatever the umask is. A link is not followed (``ELOOP``).
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    if os.fstat(fd).st_uid == os.geteuid():
        allow_owner(fd)
    return fd


@contextlib.contextmanager
def held(
    fd: int,
    path: str,
    *,
    seconds: float | None = None,
    waits: Waits = contextlib.nullcontext,
    busy: Busy = held_elsewhere,
) -> Iterator[None]:
    """Hold the lock file that is open as ``fd``, and close it.

    Raises what ``wait_until`` does, and ``FileProblem`` on a file system without locks.
    """

    def attempt() -> bool:
        try:
            return try_lock(fd)
        except OSError as error:
            raise FileProblem.of(
                Code.IO,
                "this file system has no locks, without which two runs could spoil each other's "
                "changes",
                where=path,
                hint="use a folder on a local disk",
            ) from error

    try:
        wait_until(attempt, path, seconds=seconds, waits=waits, busy=busy)
        yield
    finally:
        close_quietly(fd)


def open_locked(
    opening: Callable[[], int],
    named: Callable[[], os.stat_result | None],
    path: str,
    *,
    seconds: float | None = None,
    waits: Waits = contextlib.nullcontext,
    busy: Busy = held_elsewhere,
) -> int:
    """Return what ``opening`` returns, locked, once it is the file that ``named`` sees too.

    A lock on a file that was replaced meanwhile protects nothing: then the file is opened again. On
    a file system without locks the file is returned unlocked. Raises what ``opening`` does.
    """
    opened = -1

    def attempt() -> bool:
        nonlocal opened
        fd = opening()
        with contextlib.ExitStack() as undone:
            undone.callback(os.close, fd)
            if not _lock_if_possible(fd) or not _is_same(fd, named):
                return False
            undone.pop_all()
        opened = fd
        return True

    wait_until(attempt, path, seconds=seconds, waits=waits, busy=busy)
    return opened


def _lock_if_possible(fd: int) -> bool:
    try:
        return try_lock(fd)
    except OSError as error:
        if error.errno in NO_LOCKS:
            return True
        raise


def _is_same(fd: int, named: Callable[[], os.stat_result | None]) -> bool:
    try:
        found = named()
    except FileNotFoundError:
        return False
    return found is not None and os.path.samestat(os.fstat(fd), found)
