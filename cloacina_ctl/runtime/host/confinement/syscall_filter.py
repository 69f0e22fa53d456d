"""The filter of system calls: refuses calls that no task needs, also for all descendants.

A program of classic BPF that the kernel runs before each call (seccomp). A refused call fails as
for an ordinary user, with EPERM; a call that a C library can replace fails with ENOSYS.
"""

from __future__ import annotations

import ctypes
import os
import struct

from cloacina_ctl.runtime.host.confinement.kernel import call
from cloacina_ctl.runtime.host.confinement.syscall_numbers import LAST_KNOWN, NUMBERS, REFUSED
from cloacina_ctl.values import NamedTuple

_SET_SECCOMP, _MODE_FILTER = 22, 2
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

ALLOW, KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS, EACCES = _ERROR | 1, _ERROR | 38, _ERROR | 13
UNREACHABLE, NO_FAMILY = _ERROR | 101, _ERROR | 97

# Offsets in `struct seccomp_data`; of an argument the low half counts.
NUMBER, ARCHITECTURE, FIRST, SECOND = 0, 4, 16, 24
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06

# CLONE_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET.
_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000
_NAMESPACES |= 0x40000000
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX: they inject terminal input
_UNIX, _FAMILIES = 1, (1, 2, 10, 16)  # files, IPv4, IPv6, netlink


class Sockets(NamedTuple):
    """Which sockets can be made, besides pairs: False where no namespace isolates them."""

    network: bool = True
    unix: bool = True


def program(machine: str, sockets: Sockets = Sockets()) -> list[tuple[int, int, int, int]]:
    """Return the filter for a machine: operation, jump where true, jump where false, operand."""
    column = machine == "aarch64"
    steps: list[tuple[int, int, int, int]] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
    ]
    # 0x40000000 and more, too: x32.
    steps += _where((AT_LEAST, LAST_KNOWN + 1), ENOSYS)
    steps += _where((EQUAL, NUMBERS["clone3"][column]), ENOSYS)
    for numbers in REFUSED.values():
        if numbers[column] >= 0:
            steps += _where((EQUAL, numbers[column]), EPERM)
    steps += _checked(NUMBERS["clone"][column], FIRST, _where((ANY_BIT, _NAMESPACES), EPERM))
    terminal = [step for one in _TERMINAL_INPUT for step in _where((EQUAL, one), EPERM)]
    steps += _checked(NUMBERS["ioctl"][column], SECOND, terminal)
    steps += _checked(NUMBERS["socket"][column], FIRST, _socket_rules(sockets))
    return [*steps, (RETURN, 0, 0, ALLOW)]


def _where(test: tuple[int, int], verdict: int) -> list[tuple[int, int, int, int]]:
    return [(test[0], 0, 1, test[1]), (RETURN, 0, 0, verdict)]


def _checked(
    number: int, argument: int, rules: list[tuple[int, int, int, int]]
) -> list[tuple[int, int, int, int]]:
    """Return the steps that check a call by an argument; before and after, the number is loaded."""
    body = [(LOAD, 0, 0, argument), *rules, (RETURN, 0, 0, ALLOW)]
    return [(EQUAL, 0, len(body), number), *body]


def _socket_rules(sockets: Sockets) -> list[tuple[int, int, int, int]]:
    rules = [] if sockets.unix else _where((EQUAL, _UNIX), EACCES)
    allowed = _FAMILIES if sockets.network else (_UNIX,)
    refusal = NO_FAMILY if sockets.network else UNREACHABLE
    for family in allowed:
        rules += _where((EQUAL, family), ALLOW)
    return [*rules, (RETURN, 0, 0, refusal)]


def install(sockets: Sockets) -> None:
    """Filter all calls of this process from now on. Raises ``OSError`` where the kernel cannot.

    Call `refuse_privileges` before, unless the process has CAP_SYS_ADMIN.
    """
    steps = program(os.uname().machine, sockets)
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    head = struct.pack("@HP", len(steps), ctypes.addressof(code))
    call("prctl", _SET_SECCOMP, _MODE_FILTER, ctypes.create_string_buffer(head), 0, 0)
