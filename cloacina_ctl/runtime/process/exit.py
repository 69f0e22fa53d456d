"""Waits for the end of a child process without releasing its process number."""

from __future__ import annotations

import contextlib
import os

LOOK_MS = 50  # between two checks, where no descriptor reports the end
_CAN_LOOK = hasattr(os, "waitid")  # macOS from Python 3.13 on


class Death:
    """Detects the end of a process, by a descriptor where the system has one.

    Until ``reap`` its number, and that of its group, cannot be reused: where the system allows it,
    the process is not reaped before that.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._status: int | None = None
        self.watched: tuple[int, ...] = ()
        self.patience: int | None = LOOK_MS
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self.watched = (os.pidfd_open(pid),)
                self.patience = None

    def has_come(self, ready: set[int]) -> bool:
        """Return whether the process is gone."""
        if self.watched and not ready & set(self.watched):
            return False
        return self._look(os.WNOHANG)

    def wait(self) -> None:
        """Wait until the process is gone."""
        self._look(0)

    def reap(self) -> int:
        """Return how it ended, and release its number."""
        if self._status is None:
            try:
                self._status = os.waitpid(self._pid, 0)[1]
            except ChildProcessError:  # it was already waited for elsewhere
                self._status = 0
        return self._status

    def close(self) -> None:
        """Close the descriptor."""
        for fd in self.watched:
            os.close(fd)

    def _look(self, patience: int) -> bool:
        try:
            if _CAN_LOOK:
                seen = os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT | patience)
                return seen is not None
            pid, status = os.waitpid(self._pid, patience)
        except ChildProcessError:
            pid, status = self._pid, 0
        if pid:
            self._status = status
        return bool(pid)
