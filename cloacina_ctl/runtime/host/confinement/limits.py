"""The limits that the child process sets for itself before a package is loaded.

They cannot be raised again.
"""

from __future__ import annotations

import contextlib
import os
import resource

_LIMITS = {
    "cpu_seconds": "RLIMIT_CPU",
    "memory": "RLIMIT_AS",
    "open_files": "RLIMIT_NOFILE",
    "file_size": "RLIMIT_FSIZE",
}


def lead_own_session() -> None:
    """Leave the terminal and the process group of the parent."""
    with contextlib.suppress(OSError):  # already started as a leader
        os.setsid()


def lower(limits: dict[str, int | None]) -> None:
    """Lower the limits of this process and all that it starts; no core is written."""
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

    Before 5.14 the kernel counts all processes of the user, so no limit is set then.
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
