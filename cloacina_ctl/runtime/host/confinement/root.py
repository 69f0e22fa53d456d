"""A private file system for the code, with only the allowed parts of the real one.

A root in memory with the allowed places bound into it, read-only except the writable ones, private
folders for temporary files, and only its own processes in `/proc`. Files and sockets outside it
cannot be reached, whatever their permissions.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
from typing import TYPE_CHECKING

from cloacina_ctl.runtime.host.confinement.kernel import call, system_call
from cloacina_ctl.runtime.process.places import TEMPORARY, is_below

if TYPE_CHECKING:
    from collections.abc import Iterable

_NEW_MOUNTS = 0x00020000
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_PROGRAMS = 1, 2, 4, 8
_REMOUNT, _BIND, _RECURSIVE, _PRIVATE, _RELATIVE_TIMES = 32, 4096, 16384, 1 << 18, 1 << 21
_DETACH = 2
_HERE, _AT_RECURSIVE = -100, 0x8000

DEVICES = tuple(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom"))
_LINKS = (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2"))


def make_root(
    folder: str, reads: Iterable[str], writes: Iterable[str], *, has_numbers: bool
) -> list[str]:
    """Move to a root with these places in it; return the missing features, in words.

    ``folder`` is the code's own. Raises ``OSError`` where the kernel does not allow it; nothing is
    changed then. With ``has_numbers`` this is the first process of a process namespace.
    """
    call("unshare", _NEW_MOUNTS)
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    here = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)  # the root lies over it
    try:
        _mount("tmpfs", folder, "tmpfs", _NO_SUID | _NO_DEVICES, "mode=755,size=4m")
        try:
            root = _Root(folder)
            root.make(here, tuple(reads), tuple(writes))
            missing = root.mount_processes(has_numbers=has_numbers)
            missing += root.enter()
        except OSError:
            with contextlib.suppress(OSError):
                call("umount2", os.fsencode(folder), _DETACH)
            raise
        return missing
    finally:
        os.close(here)


def _mount(
    source: str | None, target: str, kind: str | None, flags: int, data: str | None = None
) -> None:
    words = [None if one is None else os.fsencode(one) for one in (source, target, kind, data)]
    call("mount", words[0], words[1], words[2], flags, words[3])


class _Root:
    """The root while it is made: mounted at ``place``, over the code's own folder."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._writable: list[str] = []
        self._made = {"", "/"}

    def make(self, own: int, reads: tuple[str, ...], writes: tuple[str, ...]) -> None:
        """Bind all places; ``own`` is a descriptor of the folder below the mounted root."""
        for path in TEMPORARY:
            self._make_folder(path)
            options = "mode=1777,size=1g"
            _mount("tmpfs", self._place + path, "tmpfs", _NO_SUID | _NO_DEVICES, options)
        shown, links = outermost(reads), []
        for path in shown:
            if os.path.islink(path):
                links.append(path)
            else:
                self._show(path)
        for path in links:  # after their targets
            if not self._link(path):
                self._show(path)
        for path in outermost(writes):
            self._show(path)
            self._writable.append(path)
        for path in DEVICES:
            self._show(path)
        for name, number in _LINKS:
            os.symlink(f"../proc/self/fd{number}", f"{self._place}/dev/{name}")
        self._make_folder(self._place)
        # Not recursive: the new root is mounted over it.
        _mount(f"/proc/self/fd/{own}", self._place + self._place, None, _BIND)

    def mount_processes(self, *, has_numbers: bool) -> list[str]:
        """Mount `/proc`, read-only: root could change settings of the kernel there.

        Where the kernel refuses a private one, as in many containers, it shows all processes.
        """
        self._make_folder("/proc")
        target = f"{self._place}/proc"
        if has_numbers:
            flags = _READ_ONLY | _NO_SUID | _NO_DEVICES | _NO_PROGRAMS
            with contextlib.suppress(OSError):
                _mount("proc", target, "proc", flags)
                return []
        _mount("/proc", target, None, _BIND | _RECURSIVE)
        return ["a /proc of its own"]

    def enter(self) -> list[str]:
        """Make this the root of the process and unmount the old one; return what is missing."""
        os.chdir(self._place)
        system_call("pivot_root", b".", b".")
        call("umount2", b".", _DETACH)
        os.chdir("/")
        try:
            _change("/", _READ_ONLY | _NO_SUID | _NO_DEVICES, 0, _AT_RECURSIVE)
        except OSError:  # before Linux 5.12
            return [] if self._protect_each() else ["read-only files"]
        # Not recursive: read-only places can lie below a folder of the code's own.
        own = [(path, _READ_ONLY, 0) for path in (*TEMPORARY, self._place)]
        own += [(path, _READ_ONLY, _AT_RECURSIVE) for path in self._writable]
        own += [(path, _NO_DEVICES, 0) for path in DEVICES]
        for path, flag, how in own:
            with contextlib.suppress(OSError):  # missing, or read-only for all
                _change(path, 0, flag, how)
        return []

    def _protect_each(self) -> bool:
        """Make all other mounts read-only, one by one; return whether that succeeded."""
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            places = {line.split()[4].encode().decode("unicode_escape") for line in file}
        writable = [*self._writable, self._place]
        kept = {*TEMPORARY, *DEVICES}
        for place in sorted(places):
            if place in kept or any(is_below(place, one) for one in writable):
                continue
            flags = os.statvfs(place).f_flag & 0b1111
            flags |= _REMOUNT | _BIND | _RELATIVE_TIMES | _READ_ONLY | _NO_SUID
            try:
                _mount(None, place, None, flags)
            except OSError:
                return False
        return True

    def _make_folder(self, path: str) -> None:
        if path not in self._made:
            self._make_folder(os.path.dirname(path))
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._place + path, 0o755)
            self._made.add(path)

    def _show(self, path: str) -> None:
        """Bind ``path`` to the same path in the root; a missing path is skipped."""
        try:
            self._make_place(path, is_folder=stat.S_ISDIR(os.stat(path).st_mode))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return
        _mount(path, self._place + path, None, _BIND | _RECURSIVE)

    def _make_place(self, path: str, *, is_folder: bool) -> None:
        self._make_folder(path if is_folder else os.path.dirname(path))
        if not is_folder and not os.path.lexists(self._place + path):
            os.close(os.open(self._place + path, os.O_CREAT | os.O_EXCL, 0o644))

    def _link(self, path: str) -> bool:
        """Make a link to a place in the root, as `/bin` to `/usr/bin`; False if it is missing."""
        target = os.path.relpath(os.path.realpath(path), os.path.dirname(path))
        if not os.path.exists(os.path.join(self._place + os.path.dirname(path), target)):
            return False
        self._make_folder(os.path.dirname(path))
        os.symlink(target, self._place + path)
        return True


def _change(path: str, to_set: int, to_clear: int, how: int = 0) -> None:
    """Change flags of a mount; `struct mount_attr` has the same first flags as `mount`."""
    attributes = ctypes.create_string_buffer(struct.pack("=QQQQ", to_set, to_clear, 0, 0), 32)
    system_call("mount_setattr", _HERE, os.fsencode(path), how, attributes, 32)


def outermost(paths: Iterable[str]) -> list[str]:
    """Return the paths that are not below another one, each once."""
    kept: list[str] = []
    for path in sorted(set(paths), key=lambda one: one.split("/")):
        if not (kept and is_below(path, kept[-1])):
            kept.append(path)
    return kept
