"""Isolates the code as far as the kernel supports it, step by step, and notes what is missing.

Three processes do it (`supervisor`): the outer one makes namespaces; the first one in the new
process namespace makes the root and drops all capabilities; the code's own process enters the
rules for files and the filter of system calls. Each step works without the others.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from typing import Any

import cloacina_ctl
from cloacina_ctl.runtime.host.confinement import kernel
from cloacina_ctl.runtime.host.confinement.kernel import call
from cloacina_ctl.runtime.host.confinement.landlock import Landlock
from cloacina_ctl.runtime.host.confinement.root import DEVICES, make_root
from cloacina_ctl.runtime.host.confinement.syscall_filter import Sockets, install
from cloacina_ctl.runtime.host.host import LoadFailure
from cloacina_ctl.runtime.process.places import NO_ROOT, SYSTEM, TEMPORARY, is_below
from cloacina_ctl.values import NamedTuple

# Capabilities: rights of a process beyond those of its user.

_DROP_BOUNDING, _SET_SECUREBITS, _AMBIENT, _CLEAR_AMBIENT = 24, 28, 47, 4
# Root gets no capabilities as root, none are kept or changed with a new id; all bits locked.
_SECUREBITS = 0b11101111
_VERSION = 0x20080522
_MAX_CAPABILITY = 63


def drop_capabilities() -> None:
    """Drop all capabilities, in every set, so that no started program gets any.

    Raises ``OSError`` where some are left.
    """
    # A process that may not change these two has no capabilities and gains none: `no_new_privs`.
    with contextlib.suppress(OSError):
        call("prctl", _SET_SECUREBITS, _SECUREBITS, 0, 0, 0)
        for one in range(_MAX_CAPABILITY + 1):
            call("prctl", _DROP_BOUNDING, one, 0, 0, 0)  # fails at the first unknown one
    with contextlib.suppress(OSError):  # before Linux 4.3 there are none
        call("prctl", _AMBIENT, _CLEAR_AMBIENT, 0, 0, 0)
    head = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION, 0), 8)
    call("capset", head, ctypes.create_string_buffer(24))


_NEW_USER, _NEW_NUMBERS = 0x10000000, 0x20000000
_NEW_IPC, _NEW_NETWORK = 0x08000000, 0x40000000


class Grants(NamedTuple):
    """The paths the code may read and write besides the system; ``never`` is in none of them."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    never: tuple[str, ...]


class Confinement:
    """The isolation while it is set up; ``missing`` names what the kernel does not support."""

    def __init__(self, rules: dict[str, Any]) -> None:
        self.missing: list[str] = []
        self.network_closed = False
        self.has_numbers = False
        self._folder: str = rules["folder"]
        self._network: bool = rules["network"]
        self._is_required: bool = rules["required"]
        given = Grants(*map(tuple, rules["grants"]))
        self._grants = given._replace(reads=given.reads + _own_places(given.never, rules["engine"]))
        self._has_root = False
        self.has_users = False

    def report(self, *, has_memory: bool) -> dict[str, Any]:
        """Return the report to the session, sent before anything is loaded."""
        return {
            "missing": self.missing,
            "network_closed": self.network_closed,
            "memory_together": has_memory,
        }

    def check_required(self) -> None:
        """Raise ``LoadFailure`` where full isolation is required and something is missing."""
        if self._is_required and self.missing:
            raise LoadFailure(
                "T016",
                "the kernel isolates the code only in part here; missing: "
                f"{', '.join(self.missing)}",
                "run it where user namespaces are allowed, or without --require-isolation",
            )

    def enter_namespaces(self) -> None:
        """Put processes that are started from now on into namespaces of their own."""
        if not kernel.is_linux():
            self.missing.append("Linux, whose kernel could isolate it")
            return
        given = _unshare(0 if self._network else _NEW_NETWORK)
        self.has_users = bool(given & _NEW_USER)
        self.has_numbers = bool(given & _NEW_NUMBERS)
        self.network_closed = bool(given & _NEW_NETWORK)
        if not self.has_numbers:
            self.missing.append("process numbers of its own")
        if not given & _NEW_IPC:
            self.missing.append("shared memory of its own")

    def make_root(self) -> None:
        """Give the first process and all its descendants a file system of their own."""
        try:
            self.missing += make_root(
                self._folder, self._grants.reads, self._grants.writes, has_numbers=self.has_numbers
            )
        except OSError:
            self.missing.append(NO_ROOT)
            return
        os.chdir(self._folder)
        self._has_root = True

    def drop_rights(self) -> None:
        """Drop all capabilities, for this process and every program that it starts."""
        try:
            kernel.refuse_privileges()
            drop_capabilities()
        except OSError:
            self.missing.append("a process without capabilities")

    def enter_rules(self) -> None:
        """Enter the rules for files and the filter of system calls."""
        has_rules = self._enter_landlock()
        self._filter_calls()
        if not self.has_numbers and not has_rules:
            self.missing.append("your other processes out of its reach")

    def _enter_landlock(self) -> bool:
        """Enter the Landlock rules; return whether they shield the processes outside."""
        try:
            rules = Landlock(network=self._network or self.network_closed)
            if self._has_root and not rules.can_move_files:
                return False
            rules.allow_reading((*self._grants.reads, "/proc"))
            rules.allow_devices(DEVICES)
            rules.allow_writing((self._folder, *self._grants.writes))
            if self._has_root:
                rules.allow_writing(TEMPORARY)
            rules.enter()
        except OSError:
            self.missing.append("rules for files (Landlock)")
            return False
        if self._network and not rules.has_scopes:
            self.missing.append("abstract sockets of other programs out of its reach")
        return rules.has_scopes

    def _filter_calls(self) -> None:
        # The filter closes what no namespace does.
        sockets = Sockets(network=self._network or self.network_closed, unix=self._has_root)
        try:
            install(sockets)
        except OSError:
            self.missing.append("a filter of system calls")
        else:
            self.network_closed = not self._network


def _unshare(network: int) -> int:
    """Enter as many namespaces as the kernel allows at once; return their flags."""
    user, group = os.geteuid(), os.getegid()
    for rights in (_NEW_USER, 0):  # root may do it without a user namespace
        for others in (_NEW_NUMBERS | _NEW_IPC, _NEW_NUMBERS, _NEW_IPC, 0):
            wanted = rights | others | network
            if wanted in (0, _NEW_USER):
                continue
            with contextlib.suppress(OSError):
                kernel.call("unshare", wanted)
                if rights:
                    _map_ids(user, group)
                return wanted
    return 0


def _map_ids(user: int, group: int) -> None:
    """Map the own ids, so that files on the disk keep their owners instead of the overflow id."""
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


def _own_places(never: tuple[str, ...], engine: dict[str, Any] | None) -> tuple[str, ...]:
    """Return the places of the system, the interpreter, this program and the engine."""
    program = os.path.dirname(os.path.abspath(cloacina_ctl.__file__))
    executable = os.path.dirname(sys.executable)
    own = [
        sys.base_prefix,
        *sys.path,
        *(os.path.join(folder, "pyvenv.cfg") for folder in (executable, f"{executable}/..")),
        sys.executable,
        *_library_folders(),
    ]
    if engine is not None and engine["folder"] is not None:
        own.append(engine["folder"])
    places = [os.path.abspath(path) for path in own if os.path.isabs(path)]
    places += [os.path.realpath(path) for path in places]
    secrets = (*never, "/dev")  # never `/` itself
    allowed = [one for one in places if not any(is_below(secret, one) for secret in secrets)]
    return (*SYSTEM, program, os.path.realpath(program), *allowed)


def _library_folders() -> set[str]:
    """Return the folders of the loaded libraries: more from there may be loaded later."""
    with contextlib.suppress(OSError), open("/proc/self/maps", encoding="utf-8") as file:
        paths = {line.rstrip("\n").partition("/")[2] for line in file}
        return {f"/{os.path.dirname(path)}" for path in paths if ".so" in path and "/" in path}
    return set()
