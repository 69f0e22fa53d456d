"""Reading what only the user may have a say in: key files, trust, and the folders they stand in."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.locks import Lock
from cloacina_ctl.staging import reported

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK_FILE = ".trust.lock"
_OTHERS_WRITE = 0o022
_EVERYBODY_WRITES = 0o002


def read_regular(path: str, limit: int) -> tuple[bytes | None, os.stat_result]:
    """Return at most ``limit`` + 1 bytes of ``path`` and what it is; None if no regular file.

    One descriptor, so that the file that is judged is the one that is read; never waits. Links are
    followed: what counts is the file at their end.
    """
    with reported(path):
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                return None, found
            with open(fd, "rb", closefd=False) as file:
                return file.read(limit + 1), found
        finally:
            os.close(fd)


def is_there(path: str) -> bool:
    """Tell whether something is at ``path``; ``FileProblem`` where that cannot be seen.

    A folder that is closed to this user is not one without keys: what is in it must not be
    forgotten when signatures are judged.
    """
    with reported(path):
        try:
            os.lstat(path)
        except FileNotFoundError:
            return False
    return True


def is_own(found: os.stat_result) -> bool:
    """Tell whether this user, or the administrator, owns it."""
    return found.st_uid in (os.geteuid(), 0)


def others_can_write(found: os.stat_result) -> bool:
    """Tell whether its mode lets anybody but the owner change it."""
    return bool(found.st_mode & _OTHERS_WRITE)


def refuse_exposed(found: os.stat_result, path: str) -> None:
    """Raise ``NotTrusted`` where others can read, write or replace the private key at ``path``."""
    if not is_own(found):
        raise NotTrusted.of(Code.KEY_EXPOSED, "the private key belongs to another user", where=path)
    if found.st_mode & 0o077:
        raise NotTrusted.of(
            Code.KEY_EXPOSED,
            f"others can use the private key: its mode is {stat.S_IMODE(found.st_mode):04o}",
            where=path,
            hint=f"chmod 600 {quoted(path)}",
        )
    folder = os.path.dirname(os.path.abspath(path))
    with reported(folder):
        mode = os.stat(folder).st_mode
    if mode & _EVERYBODY_WRITES and not mode & stat.S_ISVTX:
        raise NotTrusted.of(
            Code.KEY_EXPOSED,
            "everybody can replace the private key: its folder is open to all",
            where=path,
            hint=f"chmod o-w {quoted(folder)}",
        )


def refuse_shared_folder(folder: str) -> None:
    """Raise ``NotTrusted`` where others can put keys into ``folder``."""
    with reported(folder):
        found = os.stat(folder)
    if others_can_write(found) or not is_own(found):
        raise NotTrusted.of(
            Code.BAD_TRUST_FILE,
            "others can write to the folder of keys and trust, so nothing in it is trusted",
            where=folder,
            hint=f"look at what is in it, then: chmod go-w {quoted(folder)}",
        )


def make_private_folder(folder: str) -> None:
    """Make ``folder`` and what is missing above it, for this user alone, whatever the umask."""
    with reported(folder):
        _make_folder(os.path.abspath(folder))


@contextlib.contextmanager
def locked(folder: str, what: str) -> Iterator[None]:
    """Hold the user's folder of keys and trust for a change of ``what``, a path in it.

    The folder is made where it is not there. Raises ``FileProblem`` (I011) where another run does
    not let go.
    """
    make_private_folder(folder)
    path = os.path.join(folder, _LOCK_FILE)
    with reported(path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    lock = Lock(fd, what)
    try:
        lock.hold_alone()
        yield
    finally:
        lock.close()


def _make_folder(folder: str) -> None:
    if os.path.isdir(folder):
        return
    _make_folder(os.path.dirname(folder))
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        if not os.path.isdir(folder):  # else another run made it meanwhile
            raise


def quoted(path: str) -> str:
    """Return ``path`` as a shell takes it."""
    from shlex import quote

    return quote(path)
