"""Gives up all that a process may do beyond what its user may: the capabilities."""

from __future__ import annotations

import contextlib
import ctypes
import struct

from cloacina_ctl.runtime.host.confinement.kernel import call

_DROP_BOUNDING, _SET_SECUREBITS, _AMBIENT, _CLEAR_AMBIENT = 24, 28, 47, 4
# Root gets nothing by being root, nothing is kept or changed with a new id; all of it locked.
_SECUREBITS = 0b11101111
_VERSION = 0x20080522
_MAX_CAPABILITY = 63


def drop_capabilities() -> None:
    """Drop all capabilities, in every set, so that no program that is started gets any.

    Raises ``OSError`` where some are left.
    """
    # Who may not change these two has no capability to lose, and gains none: `no_new_privs`.
    with contextlib.suppress(OSError):
        call("prctl", _SET_SECUREBITS, _SECUREBITS, 0, 0, 0)
        for one in range(_MAX_CAPABILITY + 1):
            call("prctl", _DROP_BOUNDING, one, 0, 0, 0)  # fails at the first that is not there
    with contextlib.suppress(OSError):  # before Linux 4.3 there are none
        call("prctl", _AMBIENT, _CLEAR_AMBIENT, 0, 0, 0)
    head = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION, 0), 8)
    call("capset", head, ctypes.create_string_buffer(24))
