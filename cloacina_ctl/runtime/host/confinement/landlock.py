"""Landlock: rules for the files that the code may read and write, and for signals and sockets.

They hold whatever the owner and mode of a file. Rules that the kernel's version (its ABI) does not
know are left out. A rule is for the file at a path when it is made, and for all that is below it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
from typing import TYPE_CHECKING

from cloacina_ctl.runtime.host.confinement.kernel import system_call

if TYPE_CHECKING:
    from collections.abc import Iterable

_GET_VERSION, _PATH_BENEATH = 1, 1

# LANDLOCK_ACCESS_FS_…, by the ABI that knows them.
_EXECUTE, _WRITE, _READ, _READ_FOLDER = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHARACTER, _MAKE_BLOCK = 1 << 6, 1 << 11
_REFER, _TRUNCATE, _DEVICE_CONTROL = 1 << 13, 1 << 14, 1 << 15
_ALL_OF_THE_FIRST = (1 << 13) - 1
_MOVING_ABI = 2
_LATER = ((_MOVING_ABI, _REFER), (3, _TRUNCATE), (5, _DEVICE_CONTROL))
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _DEVICE_CONTROL

_NETWORK_ABI, _TCP = 4, 0b11  # to bind and to connect
_SCOPES_ABI, _ABSTRACT_SOCKETS, _SIGNALS = 6, 0b01, 0b10

_TO_READ = _EXECUTE | _READ | _READ_FOLDER
_TO_WRITE = (_ALL_OF_THE_FIRST | _REFER | _TRUNCATE) & ~(_MAKE_CHARACTER | _MAKE_BLOCK)
_TO_USE = _READ | _WRITE | _TRUNCATE | _DEVICE_CONTROL


class Landlock:
    """A set of rules to enter. Raises ``OSError`` where the kernel has no Landlock."""

    def __init__(self, *, network: bool) -> None:
        self.abi = system_call("landlock_create_ruleset", None, 0, _GET_VERSION)
        self._handled = _ALL_OF_THE_FIRST
        for abi, access in _LATER:
            self._handled |= access if self.abi >= abi else 0
        tcp = _TCP if self.abi >= _NETWORK_ABI and not network else 0
        scopes = _ABSTRACT_SOCKETS | _SIGNALS if self.abi >= _SCOPES_ABI else 0
        fields = struct.pack("=QQQ", self._handled, tcp, scopes)
        # Older kernels refuse a structure longer than theirs.
        size = 8 if self.abi < _NETWORK_ABI else 16 if self.abi < _SCOPES_ABI else 24
        attributes = ctypes.create_string_buffer(fields[:size], size)
        self._rules = system_call("landlock_create_ruleset", attributes, size, 0)

    @property
    def has_scopes(self) -> bool:
        """Whether the code cannot reach processes outside by signals and abstract sockets."""
        return self.abi >= _SCOPES_ABI

    @property
    def can_move_files(self) -> bool:
        """Whether a file can be moved to another folder at all: not with the first ABI."""
        return self.abi >= _MOVING_ABI

    def allow_reading(self, paths: Iterable[str]) -> None:
        """Allow to read and execute ``paths`` and all below; missing paths are skipped."""
        self._allow(paths, _TO_READ)

    def allow_writing(self, paths: Iterable[str]) -> None:
        """Allow everything at ``paths`` and below, except to make devices."""
        self._allow(paths, _TO_WRITE)

    def allow_devices(self, paths: Iterable[str]) -> None:
        """Allow to read and write these devices."""
        self._allow(paths, _TO_USE)

    def _allow(self, paths: Iterable[str], access: int) -> None:
        for path in paths:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                place = os.open(path, os.O_PATH | os.O_CLOEXEC)
                try:
                    self._allow_below(place, access & self._handled)
                finally:
                    os.close(place)

    def _allow_below(self, place: int, access: int) -> None:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            access &= _OF_FILES
        rule = ctypes.create_string_buffer(struct.pack("=Qi", access, place), 12)
        system_call("landlock_add_rule", self._rules, _PATH_BENEATH, rule, 0)

    def enter(self) -> None:
        """Apply the rules to this process and all that it starts. Raises ``OSError``.

        Call `refuse_privileges` before.
        """
        system_call("landlock_restrict_self", self._rules, 0)
        os.close(self._rules)
