"""The calls of the Linux kernel for which Python has no functions; each error is an ``OSError``."""

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
    """Call a function of the C library. Raises ``OSError``, also where it has no such function."""
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
    """Have this process end by SIGKILL when the one that started it does."""
    call("prctl", _SET_PARENT_DEATH_SIGNAL, 9, 0, 0, 0)


def inherit_orphans() -> None:
    """Be the parent of all descendants whose own parents end."""
    call("prctl", _SET_SUBREAPER, 1, 0, 0, 0)


def refuse_privileges() -> None:
    """Let no program that is started from here gain what its file's owner may do."""
    call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
