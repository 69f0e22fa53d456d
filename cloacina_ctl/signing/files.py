"""Reading files that only the user may change: key files, the trust file, and their folders."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.files.folders import make_folders
from cloacina_ctl.files.locks import held, open_lock_file
from cloacina_ctl.files.ownership import is_own, quoted
from cloacina_ctl.files.staging import reported

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_KEY_FILE = 64 << 10
_LOCK_FILE = ".trust.lock"
_OTHERS_USE = 0o077
_GROUP_DOES_MORE_THAN_READ = 0o037
_EVERYONE_WRITES = 0o002


def read_regular(path: str, limit: int) -> tuple[bytes | None, os.stat_result]:
    """Return at most ``limit`` + 1 bytes of ``path``, None for no regular file, and its state.

    One descriptor, so that the file that is checked is the one that is read; never waits. Links are
    followed: the file at their end counts.
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


def refuse_exposed(found: os.stat_result, path: str) -> None:
    """Raise ``NotTrusted`` where others can read, write or replace the private key at ``path``."""
    if not is_own(found):
        raise NotTrusted.of(Code.KEY_EXPOSED, "the private key belongs to another user", where=path)
    if found.st_mode & _OTHERS_USE and not _is_given_to_group(found):
        raise NotTrusted.of(
            Code.KEY_EXPOSED,
            f"others can use the private key: its mode is {stat.S_IMODE(found.st_mode):04o}",
            where=path,
            hint=_closing(found, path),
        )
    folder = os.path.dirname(os.path.abspath(path))
    with reported(folder):
        mode = os.stat(folder).st_mode
    if mode & _EVERYONE_WRITES and not mode & stat.S_ISVTX:
        raise NotTrusted.of(
            Code.KEY_EXPOSED,
            "everyone can replace the private key: its folder is open to all",
            where=path,
            hint=f"chmod o-w {quoted(folder)}",
        )


def _is_given_to_group(found: os.stat_result) -> bool:
    """Return whether the administrator lets a group of this process read the key.

    Kubernetes does so with the secrets of a pod that has an `fsGroup`; PostgreSQL accepts it too.
    """
    return (
        found.st_uid == 0
        and not found.st_mode & _GROUP_DOES_MORE_THAN_READ
        and found.st_gid in (os.getegid(), *os.getgroups())
        and (os.geteuid() != 0 or found.st_gid != 0)
    )


def _closing(found: os.stat_result, path: str) -> str:
    """Return the hint for closing the file to others."""
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return "mount it with mode 0400; in Kubernetes, `defaultMode: 0400`, or 0440 with `fsGroup`"
    if found.st_uid != os.geteuid():
        return f"as the administrator: chmod 640 {quoted(path)}"
    return f"chmod 600 {quoted(path)}"


def make_private_folder(folder: str) -> None:
    """Make ``folder`` and missing ones above it, for this user alone, whatever the umask."""
    with reported(folder):
        make_folders(os.path.abspath(folder), 0o700)


@contextlib.contextmanager
def locked(folder: str, what: str) -> Iterator[None]:
    """Lock the user's folder of keys and trust for a change of ``what``, a path in it.

    The folder is made where it is missing. Raises ``FileProblem`` (I011) where another run keeps
    the lock.
    """
    make_private_folder(folder)
    path = os.path.join(folder, _LOCK_FILE)
    with reported(path):
        fd = open_lock_file(path, 0o600)
    with held(fd, what):
        yield
