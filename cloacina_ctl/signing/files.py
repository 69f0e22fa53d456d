"""Reading what only the user may have a say in: key files, trust, and the folders they stand in."""

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


def refuse_exposed(found: os.stat_result, path: str) -> None:
    """Raise ``NotTrusted`` where others can read, write or replace the private key at ``path``."""
    if not is_own(found):
        raise NotTrusted.of(Code.KEY_EXPOSED, "the private key belongs to another user", where=path)
    if found.st_mode & _OTHERS_USE and not _is_handed_to_group(found):
        raise NotTrusted.of(
            Code.KEY_EXPOSED,
            f"others can use the private key: its mode is {stat.S_IMODE(found.st_mode):04o}",
            where=path,
            hint=_closing(found, path),
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


def _is_handed_to_group(found: os.stat_result) -> bool:
    """Tell whether the administrator gave the key to a group that this process is in, to read.

    So does Kubernetes with the secrets of a pod that has an `fsGroup`; PostgreSQL takes the same.
    """
    return (
        found.st_uid == 0
        and not found.st_mode & _GROUP_DOES_MORE_THAN_READ
        and found.st_gid in (os.getegid(), *os.getgroups())
        and (os.geteuid() != 0 or found.st_gid != 0)
    )


def _closing(found: os.stat_result, path: str) -> str:
    """Return how the file is closed to others: by whom, and where no command can."""
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return "mount it with mode 0400; in Kubernetes, `defaultMode: 0400`, or 0440 with `fsGroup`"
    if found.st_uid != os.geteuid():
        return f"as the administrator: chmod 640 {quoted(path)}"
    return f"chmod 600 {quoted(path)}"


def make_private_folder(folder: str) -> None:
    """Make ``folder`` and what is missing above it, for this user alone, whatever the umask."""
    with reported(folder):
        make_folders(os.path.abspath(folder), 0o700)


@contextlib.contextmanager
def locked(folder: str, what: str) -> Iterator[None]:
    """Hold the user's folder of keys and trust for a change of ``what``, a path in it.

    The folder is made where it is not there. Raises ``FileProblem`` (I011) where another run does
    not let go.
    """
    make_private_folder(folder)
    path = os.path.join(folder, _LOCK_FILE)
    with reported(path):
        fd = open_lock_file(path, 0o600)
    with held(fd, what):
        yield
