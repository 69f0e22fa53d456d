"""The limits that the child process sets itself before anything of a package is loaded.

They are lowered for good.
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
