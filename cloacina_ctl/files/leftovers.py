"""Temporary files and folders: without a name, or with a hidden one and a lock.

A hidden name is ``.cloacina-ctl-`` and 24 hexadecimal digits. The process that makes it locks the
file or folder until that has its final name or is removed, and the system releases the lock when
the process ends. So a hidden file or folder without a lock was left by a process that is gone, and
the next run that makes something in that folder removes it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from cloacina_ctl.files.folders import (
    HIDDEN_BYTES,
    PREFIX,
    TRIES,
    Folder,
    PrivateFolder,
    hidden_name,
    make_private_folder,
    open_folder,
)
from cloacina_ctl.files.locks import try_lock

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Errors of a file system without O_TMPFILE; an old kernel reads the flag as O_DIRECTORY.
_NO_UNNAMED = frozenset({errno.ENOTSUP, errno.EISDIR, errno.EINVAL, errno.ENOSYS, errno.ENOENT})


def new_unnamed(folder: int, mode: int) -> int:
    """Return a new file without a name that can be linked later; -1 where the system cannot."""
    if not hasattr(os, "O_TMPFILE"):
        return -1
    try:
        fd = os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, mode, dir_fd=folder)
    except OSError as error:
        if error.errno in _NO_UNNAMED:
            return -1
        raise
    if not os.path.exists(f"/proc/self/fd/{fd}"):  # through which it would get its name
        os.close(fd)
        return -1
    _lock_own(fd)
    return fd


def new_hidden(folder: int, mode: int) -> tuple[int, str]:
    """Return a new file under a hidden name, locked as long as it is open, and that name."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    for _ in range(TRIES):
        hidden = hidden_name()
        fd = -1
        try:
            fd = os.open(hidden, flags, mode, dir_fd=folder)
            if _is_kept(fd, folder, hidden):
                return fd, hidden
        except BaseException:
            with contextlib.suppress(OSError):
                Folder(folder, "").unlink(hidden)
            if fd >= 0:
                os.close(fd)
            raise
        os.close(fd)
    raise _always_taken()


def locked_private_folder(base: str | Folder) -> PrivateFolder:
    """Make a private folder as ``make_private_folder`` does, locked as long as it is open."""
    if isinstance(base, Folder):
        clear_dead(base.fd)
    else:
        with contextlib.suppress(OSError), open_folder(base) as above:
            clear_dead(above.fd)
    for _ in range(TRIES):
        made = make_private_folder(base)
        if _is_kept(made.fd, made.above.fd, made.name):
            return made
        base = made.above.again()
        made.remove()  # a run that cleared it has done so; one that put a link there has not
        made.close()
    if isinstance(base, Folder):
        base.close()
    raise _always_taken()


def _always_taken() -> OSError:
    return OSError(errno.ESTALE, "another program renames new folders there")


def _is_kept(fd: int, folder: int, name: str) -> bool:
    """Lock a new file or folder; False where another run removed it before it was locked."""
    if not _lock_own(fd):
        return False
    try:
        return os.path.samestat(os.fstat(fd), os.stat(name, dir_fd=folder, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _lock_own(fd: int) -> bool:
    try:
        return try_lock(fd)
    except OSError:
        return True  # where there are no locks, nothing is cleared up either


_cleared: set[tuple[int, int]] = set()


def clear_dead(folder: int) -> None:
    """Run ``remove_dead`` once in each process."""
    found = os.fstat(folder)
    if (found.st_dev, found.st_ino) not in _cleared:
        _cleared.add((found.st_dev, found.st_ino))
        remove_dead(folder)


def remove_dead(folder: int) -> int:
    """Remove from a folder what killed runs left; return how many entries that was.

    Removed are only regular files and folders of this user that have exactly a hidden name and no
    lock: a running process holds its lock. Where others could have given a folder its name, it
    stays: they may not empty it, and this program must not do it for them.
    """
    with contextlib.suppress(OSError):  # a folder need not be readable to be written to
        return sum(
            _clear(folder, name)
            for name in os.listdir(folder)
            if name.startswith(PREFIX) and _is_hidden_name(name)
        )
    return 0


def _is_hidden_name(name: str) -> bool:
    rest = name.removeprefix(PREFIX)
    return len(rest) == 2 * HIDDEN_BYTES and not rest.strip("0123456789abcdef")


def _clear(folder: int, name: str) -> bool:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with contextlib.suppress(OSError), contextlib.ExitStack() as opened:
        fd = os.open(name, flags, dir_fd=folder)
        opened.callback(os.close, fd)
        found = os.fstat(fd)
        if found.st_uid != os.geteuid() or not try_lock(fd):
            return False
        if not os.path.samestat(found, os.stat(name, dir_fd=folder, follow_symlinks=False)):
            return False
        if stat.S_ISREG(found.st_mode):
            return Folder(folder, "").unlink(name)
        if stat.S_ISDIR(found.st_mode) and not _others_can_rename(folder):
            return PrivateFolder(fd, Folder(folder, ""), name).remove()
    return False


def _others_can_rename(folder: int) -> bool:
    """Return whether others can rename this user's entries of a folder."""
    found = os.fstat(folder)
    is_private_group = found.st_gid == found.st_uid  # as systems with a group for each user have it
    others = stat.S_IWOTH if is_private_group else stat.S_IWOTH | stat.S_IWGRP
    return bool(found.st_mode & others) and not found.st_mode & stat.S_ISVTX
