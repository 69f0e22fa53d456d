"""What people see of a run where no table can be drawn: in CI, in a file, on a dumb terminal.

A line for each task that ends, is skipped or tried again; one that takes longer than a moment is
reported while it runs. What never starts is in the report.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from cloacina_ctl.cli.terminal import streams
from cloacina_ctl.cli.terminal.escape import escape, shorten
from cloacina_ctl.cli.terminal.run_table import MARKS
from cloacina_ctl.cli.terminal.units import count, seconds
from cloacina_ctl.operations.run import TaskRetrying, TaskStarted

if TYPE_CHECKING:
    from cloacina_ctl.operations.run import Event

QUIET_SECONDS = 2.0
_MAX_ERROR_BYTES = 200
_NEVER_STARTED = "not-started"


class RunLines:
    """Takes the events of a run in one thread; another one reports what takes long."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._report_long, daemon=True).start()

    def take(self, event: Event) -> None:
        """Print the line of an event, where it has one."""
        with self._lock:
            if isinstance(event, TaskStarted):
                self._running[event.task] = event.attempt, time.monotonic()
                return
            self._running.pop(event.task, None)
            line = line_of(event)
            if line is not None:
                streams.complain(line + "\n")

    def close(self) -> None:
        """Print nothing more."""
        self._closed.set()

    def _report_long(self) -> None:
        while not self._closed.wait(QUIET_SECONDS / 4):
            now = time.monotonic()
            with self._lock:
                long = [id_ for id_, (_, at) in self._running.items() if now - at > QUIET_SECONDS]
                for id_ in long:
                    attempt, _ = self._running.pop(id_)
                    streams.complain(_line("running", id_, _nth(attempt)) + "\n")


def line_of(event: Event) -> str | None:
    """Return the line of an event that has one."""
    if isinstance(event, TaskStarted):
        return None
    if isinstance(event, TaskRetrying):
        words = f"{count(event.attempt, 'attempt')} failed, the next one in {seconds(event.delay)}"
        return _line("retrying", event.task, words, event.error)
    if event.status == _NEVER_STARTED:
        return None
    words = seconds(event.seconds) if event.attempts else ""
    if event.attempts > 1:
        words += f", {count(event.attempts, 'attempt')}"
    return _line(event.status, event.task, words, event.error)


def _line(status: str, task: str, words: str, error: str | None = None) -> str:
    _, mark = MARKS[status]
    parts = (f"{mark} {escape(task)}  {status}", words, _shown(error))
    return "  ".join(part for part in parts if part)


def _shown(error: str | None) -> str:
    return escape(shorten(" ".join(error.split()), _MAX_ERROR_BYTES)) if error else ""


def _nth(attempt: int) -> str:
    return f"attempt {attempt}" if attempt > 1 else ""
