"""Whether other users could have changed a file or folder that this user relies on.

The content of a folder is trusted if no one else can replace it. That holds where each folder on
the real path from ``/``, and each link on it, belongs to this user or the administrator and is
closed to others, as ssh and sudo require of their files.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.files.staging import reported
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_OTHERS_WRITE = 0o022
_ALL_WRITE = 0o002
_MAX_LINKS = 40  # as Linux has it
_UID_MAP, _OVERFLOW_UID = "/proc/self/uid_map", "/proc/sys/fs/overflowuid"


class PathStep(NamedTuple):
    """A folder or a link on the way to a path: its real path, and its ``lstat`` result."""

    path: str
    found: os.stat_result


def is_own(found: os.stat_result) -> bool:
    """Return whether this user, or the administrator, owns it."""
    return found.st_uid in (os.geteuid(), 0)


def others_can_write(found: os.stat_result) -> bool:
    """Return whether its mode lets anyone but the owner change it."""
    return bool(found.st_mode & _OTHERS_WRITE)


def is_there(path: str) -> bool:
    """Return whether something is at ``path``; ``FileProblem`` where that cannot be seen.

    A folder that is closed to this user may hold keys: they must not be ignored when signatures
    are checked.
    """
    with reported(path):
        try:
            os.lstat(path)
        except FileNotFoundError:
            return False
    return True


def steps_to(path: str) -> Iterator[PathStep]:
    """Yield each folder and link that is passed on the way from ``/`` to ``path``, and its end.

    Links are followed one at a time, so that a link that others could change is seen too. Raises
    ``OSError`` where the system refuses. A missing entry ends the way.
    """
    current, ahead, links = os.sep, _parts(os.path.abspath(path)), 0
    yield PathStep(current, os.lstat(current))
    while ahead:
        part = ahead.pop()
        if part == os.pardir:  # of a link's target: ``current`` has no link in it
            current = os.path.dirname(current)
            continue
        step = os.path.join(current, part)
        try:
            found = os.lstat(step)
        except FileNotFoundError:
            return
        yield PathStep(step, found)
        if not stat.S_ISLNK(found.st_mode):
            current = step
            continue
        links += 1
        if links > _MAX_LINKS:
            return  # opening it reports the error
        target = os.readlink(step)
        if os.path.isabs(target):
            current = os.sep
        ahead += _parts(target)


def find_shared(path: str) -> tuple[PathStep, str] | None:
    """Return where others could change what ``path`` holds, or what it is, and how; or None.

    A folder must belong to this user or the administrator, and no one else may write to it. Those
    above it may be open to all where they are sticky, as ``/tmp`` is, and to a group with only
    their owner in it; so may a file be to such a group. For a missing path the folders above it
    decide. Raises ``OSError``.
    """
    steps = list(steps_to(path))
    for step in steps:
        why = _why_shared(step)
        if why is not None:
            return step, why
    last = steps[-1]
    if os.path.isdir(path) and others_can_write(last.found):
        return last, "others can write to it"
    if os.path.isdir(path) and not is_own(last.found):
        return last, "it belongs to another user"
    return None


def refuse_shared(path: str) -> None:
    """Raise ``NotTrusted`` where others can change what ``path`` holds (``find_shared``)."""
    with reported(path):
        shared = find_shared(path)
    if shared is None:
        return
    step, why = shared
    mode, owner = stat.S_IMODE(step.found.st_mode), step.found.st_uid
    raise NotTrusted.of(
        Code.SHARED_FOLDER,
        f"others could change what {path} holds: {why} (mode {mode:04o}, owner {owner})",
        where=step.path,
        hint=_hint(step),
    )


def quoted(path: str) -> str:
    """Return ``path`` as a shell takes it."""
    from shlex import quote

    return quote(path)


def _parts(path: str) -> list[str]:
    return [part for part in reversed(path.split(os.sep)) if part not in ("", os.curdir)]


def _why_shared(step: PathStep) -> str | None:
    """Return how others could lead the way elsewhere at this step, or None."""
    found = step.found
    if not is_own(found) and not _is_root_unseen(found):
        return "it belongs to another user"
    mode = found.st_mode
    if stat.S_ISLNK(mode) or mode & stat.S_ISVTX or not mode & _OTHERS_WRITE:
        return None  # below a sticky folder each step's own owner is checked
    if mode & _ALL_WRITE:
        return "everyone can write to it"
    return None if _is_private_group(found) else "its group can write to it"


def _is_private_group(found: os.stat_result) -> bool:
    """Return whether the group is the owner's own: of that name, with no one else in it.

    Where each user has such a group, new folders are writable for it (umask 002).
    """
    import grp
    import pwd

    try:
        owner = pwd.getpwuid(found.st_uid)
        group = grp.getgrgid(found.st_gid)
    except KeyError:
        return False
    return (
        owner.pw_gid == found.st_gid
        and group.gr_name == owner.pw_name
        and set(group.gr_mem) <= {owner.pw_name}
    )


def _is_root_unseen(found: os.stat_result) -> bool:
    """Return whether the owner may be the administrator of a host that this sandbox hides.

    In a user namespace without root, everything that root owns seems to belong to the overflow
    user, even ``/``. No process in it can see more, and refusing that would refuse everything.
    """
    try:
        with open(_UID_MAP, encoding="ascii") as file:
            ranges = [[int(word) for word in line.split()] for line in file]
        with open(_OVERFLOW_UID, encoding="ascii") as file:
            overflow = int(file.read())
    except (OSError, ValueError):
        return False
    return found.st_uid == overflow and all(first > 0 for first, _, _ in ranges)


def _hint(step: PathStep) -> str:
    if step.found.st_uid == os.geteuid():
        return f"look at what is in it, then: chmod go-w {quoted(step.path)}"
    return "set CLOACINA_CTL_CONFIG_DIR to a folder of your own, such as one that `mktemp -d` makes"
