"""Calls of the Linux kernel that Python lacks; each error is an ``OSError``."""

from __future__ import annotations

import ctypes
import os
import sys

from cloacina_ctl.runtime.host.confinement.syscall_numbers import NUMBERS, is_known_machine

_SET_PARENT_DEATH_SIGNAL, _SET_SUBREAPER, _NO_NEW_PRIVILEGES = 1, 36, 38
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def is_linux() -> bool:
    """Return whether there is a Linux kernel to call."""
    return _libc is not None


def call(function: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Call a function of the C library. Raises ``OSError``, also for a missing function."""
    found = getattr(_libc, function, None)
    if found is None:
        raise OSError(os.strerror(38), function)
    # As `long`: a variadic function takes registers as they are.
    given = (ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)
    result = int(found(*given))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), function)
    return result


def system_call(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Make a system call by its name in the table. Raises ``OSError``, also on other machines."""
    if not is_known_machine():
        raise OSError(38, os.strerror(38), name)
    return call("syscall", NUMBERS[name][os.uname().machine == "aarch64"], *arguments)


def die_with_parent() -> None:
    """Make the kernel kill this process when its parent ends."""
    call("prctl", _SET_PARENT_DEATH_SIGNAL, 9, 0, 0, 0)


def inherit_orphans() -> None:
    """Make this process the parent of all its orphaned descendants."""
    call("prctl", _SET_SUBREAPER, 1, 0, 0, 0)


def refuse_privileges() -> None:
    """Give started programs no new privileges, such as by set-user-ID (`no_new_privs`)."""
    call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
