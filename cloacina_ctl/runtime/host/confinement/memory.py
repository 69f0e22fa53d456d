"""One memory limit for all processes of the code together, where a cgroup can be made for them.

It can where this process may make a group beside or below its own: as root, in a container with
groups of its own, in a session that systemd delegates to its user. The process that makes a group
holds a lock on it. So a group without a lock was left by a killed process, and the next process
that makes a group beside it removes it.
"""

from __future__ import annotations

import _thread
import contextlib
import fcntl
import os

from cloacina_ctl.values import NamedTuple

_MOUNT = "/sys/fs/cgroup"
_PREFIX = "cloacina-ctl-"


class _Kind(NamedTuple):
    """The names of the files in a version of cgroups."""

    limit: str
    events: str
    swap: str | None = None


_UNIFIED = _Kind("memory.max", "memory.events", "memory.swap.max")
_FIRST = _Kind("memory.limit_in_bytes", "memory.oom_control")


class MemoryGroup:
    """A group of processes with a limit in bytes; ``is_there`` is whether it could be made."""

    def __init__(self, limit: int | None) -> None:
        self.is_there = False
        self._place: str | None = None
        self._processes = self._lock = -1
        if limit is None or not os.path.isdir(_MOUNT):
            return
        with contextlib.suppress(OSError):
            for parent, kind in _parents():
                _clear_dead(parent)
                if self._make(parent, kind, limit):
                    break

    def begin_to_enter(self) -> None:
        """Start to move this process and all that it starts into the group; it takes a while."""
        self._is_entered = _thread.allocate_lock()
        if self._place is not None:
            os.close(self._lock)  # the guardian keeps it
            self._is_entered.acquire()
            _thread.start_new_thread(self._enter, ())

    def wait_until_entered(self) -> None:
        """Return once the process is in the group."""
        self._is_entered.acquire()

    def _enter(self) -> None:
        try:
            os.write(self._processes, b"0")
        except OSError:
            self.is_there = False
        os.close(self._processes)
        self._is_entered.release()

    def was_exceeded(self) -> bool:
        """Return whether the kernel ended a process for reaching the limit."""
        if self._place is None:
            return False
        with contextlib.suppress(OSError, ValueError):
            with open(os.path.join(self._place, self._kind.events), encoding="ascii") as file:
                counts = dict(line.split() for line in file)
            return int(counts.get("oom_kill", 0)) > 0
        return False

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The descriptors that the process that removes the group must keep open."""
        return () if self._place is None else (self._lock,)

    def remove(self) -> None:
        """Remove the group; nothing runs in it any more."""
        if self._place is not None:
            with contextlib.suppress(OSError):
                os.rmdir(self._place)

    def _make(self, parent: str, kind: _Kind, limit: int) -> bool:
        place = os.path.join(parent, f"{_PREFIX}{os.urandom(8).hex()}")
        try:
            os.mkdir(place, 0o700)
        except OSError:
            return False
        try:
            self._lock = _locked(place)
            _write(os.path.join(place, kind.limit), limit)
            if kind.swap is not None:
                with contextlib.suppress(OSError):  # a kernel without swap has no such limit
                    _write(os.path.join(place, kind.swap), 0)
            flags = os.O_WRONLY | os.O_CLOEXEC
            self._processes = os.open(os.path.join(place, "cgroup.procs"), flags)
        except OSError:
            with contextlib.suppress(OSError):
                os.rmdir(place)
            return False
        self.is_there = True
        self._place, self._kind = place, kind
        return True


def _locked(place: str) -> int:
    """Return a descriptor of a group with the lock on it. Raises ``OSError`` where it is held."""
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


def _clear_dead(parent: str) -> None:
    """Remove abandoned groups; the kernel refuses to remove one in which a process runs."""
    for name in os.listdir(parent):
        if name.startswith(_PREFIX):
            place = os.path.join(parent, name)
            with contextlib.suppress(OSError):
                lock = _locked(place)
                try:
                    os.rmdir(place)
                finally:
                    os.close(lock)


def _write(path: str, value: int) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))


def _parents() -> list[tuple[str, _Kind]]:
    """Return where a memory group could be made, the best place first."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        lines = [line.rstrip("\n").split(":", 2) for line in file]
    for _, controllers, path in lines:
        if "memory" in controllers.split(","):
            return [(f"{_MOUNT}/memory{path}", _FIRST)]
    for number, _, path in lines:
        own = f"{_MOUNT}{path}".rstrip("/")
        if number == "0" and own.startswith(f"{_MOUNT}/"):
            # Processes are only in leaves, and this one is in its own: the place is beside it.
            return [(os.path.dirname(own), _UNIFIED)]
    return []
