"""What the child process takes away from itself before anything of a package is loaded.

It cannot be had back: limits are lowered for good, and the namespaces it enters have no way out.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctypes import CDLL

_NEW_USER, _NEW_PIDS, _NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
_NO_NEW_PRIVILEGES = 38

_LIMITS = {
    "cpu_seconds": "RLIMIT_CPU",
    "memory": "RLIMIT_AS",
    "open_files": "RLIMIT_NOFILE",
    "file_size": "RLIMIT_FSIZE",
}


def lead_own_session() -> None:
    """Leave the terminal and the group of whoever started this process."""
    with contextlib.suppress(OSError):  # where it was started as a leader already
        os.setsid()


def lower(limits: dict[str, int | None]) -> None:
    """Lower the limits of this process and all that it starts; no core is ever written."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, kind in _LIMITS.items():
        wanted = limits.get(name)
        if wanted is None:
            continue
        which = getattr(resource, kind)
        _, hard = resource.getrlimit(which)
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS has no limit of addresses
            resource.setrlimit(which, (wanted, wanted))


def limit_processes(most: int | None) -> None:
    """Limit the processes and threads of the user namespace that this process is in.

    Where the kernel counts them there alone; before 5.14 all of the user's count, wherever.
    """
    if most is not None and _kernel() >= (5, 14):
        _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _kernel() -> tuple[int, ...]:
    numbers = os.uname().release.split("-")[0].split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdigit())


def enter_namespaces(*, network: bool) -> tuple[bool, bool]:
    """Move to a network that has nothing but itself, unless ``network``, and to own numbers.

    Return whether the network is closed, and whether the next process that is started has process
    numbers of its own: as far as the kernel allows it.
    """
    if sys.platform != "linux":
        return False, False
    user, group = os.geteuid(), os.getegid()
    wanted = 0 if network else _NEW_NETWORK
    if _unshare(_NEW_USER | _NEW_PIDS | wanted):
        _map_ids(user, group)
        return not network, True
    if wanted and _unshare(_NEW_USER | wanted):
        _map_ids(user, group)
        return True, False
    return bool(wanted) and _unshare(wanted), False


def refuse_privileges() -> None:
    """Let no program that is started from here gain what its file's owner may do."""
    if sys.platform == "linux":
        _libc().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def _unshare(flags: int) -> bool:
    return int(_libc().unshare(flags)) == 0


def _libc() -> CDLL:
    import ctypes

    return ctypes.CDLL(None)


def _map_ids(user: int, group: int) -> None:
    """Keep the ids that files on the disk have; without, they all look like nobody's."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with (
            contextlib.suppress(OSError),
            open(f"/proc/self/{name}", "w", encoding="ascii") as file,
        ):
            file.write(text)
