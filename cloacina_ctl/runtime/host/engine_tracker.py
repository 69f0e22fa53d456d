"""Reports the events of an engine's run, in their order.

Two things are observed: each task's function, by a wrapper, and the engine's own tables.
"""

from __future__ import annotations

import _thread
import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any

from cloacina_ctl.runtime.host.python_import import show, words_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloacina_ctl.runtime.host.engine_tables import Reader

    Answer = dict[str, Any]
    Function = Callable[..., object]
    Report = Callable[[Answer], None]

_LOOK_SECONDS = 0.05
_DEFAULT_TIMEOUT_SECONDS = 300
_STOPPING_SECONDS = 5


class RunTracker:
    """Follows one run of the engine and reports its events, in their order."""

    def __init__(self, reader: Reader, report: Report, request: Answer, *, can_stall: bool) -> None:
        self._reader = reader
        self._report = report
        self._lock = _thread.allocate_lock()
        self._is_over = False
        self._is_scheduled = False
        self._attempts: dict[str, int] = {}
        self._errors: dict[str, str] = {}
        self._running: dict[tuple[str, int], float] = {}
        timeout = request["timeout"] or _DEFAULT_TIMEOUT_SECONDS
        self._longest = timeout + _STOPPING_SECONDS
        self._patience: float | None = request["patience"] if can_stall else None
        self._alive = time.monotonic()

    def call(self, id_: str, function: Function, given: tuple[object, ...]) -> object:
        """Call the function of a task and report its begin and its end."""
        with self._lock:
            self._look()  # the reason for another attempt is reported before it
            attempt = self._attempts[id_] = self._attempts.get(id_, 0) + 1
            began = self._running[id_, attempt] = time.monotonic()
        self._report({"event": "started", "task": id_, "attempt": attempt})
        error = None
        try:
            return function(*given)
        except BaseException as problem:
            error = words_of(problem)
            show(problem)
            raise
        finally:
            self._flush()
            with self._lock:
                self._running.pop((id_, attempt), None)
                self._alive = time.monotonic()
                if error is not None:
                    self._errors[id_] = error
            seconds = time.monotonic() - began
            self._report({"event": "spent", "task": id_, "seconds": seconds, "error": error})

    def follow(self) -> None:
        """Report the changes in the tables until the run is over."""
        while self._look_again():
            time.sleep(_LOOK_SECONDS)

    def end(self) -> Answer:
        """Stop following and return the status of all tasks."""
        with self._lock:
            self._is_over = True
            found = self._reader.end()
            self._take(found)
        return {name: found.get(name) for name in ("tasks", "context_of")}

    def _look_again(self) -> bool:
        """Report the changes; return whether to continue."""
        with self._lock:
            if self._is_over:
                return False
            self._look()
            if not self._is_still():
                return True
        self._report({"event": "still"})
        return False

    def _look(self) -> None:
        self._take(self._reader.look())

    def _take(self, found: Answer) -> None:
        if not self._is_scheduled and found.get("scheduled"):
            self._is_scheduled = True
            self._alive = time.monotonic()
            self._report({"event": "scheduled"})
        for change in found.get("changes", ()):
            self._alive = time.monotonic() + change.get("delay", 0.0)
            if change["event"] == "retrying":
                change["error"] = self._errors.pop(change["task"], None) or change["error"]
            self._report(change)

    def _is_still(self) -> bool:
        """Return whether the engine has done nothing for too long, with nothing to wait for."""
        if self._patience is None or not self._is_scheduled:
            return False
        now = time.monotonic()
        if any(now - began < self._longest for began in self._running.values()):
            return False
        return now - self._alive > self._patience

    @staticmethod
    def _flush() -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or replaced
                stream.flush()
