"""What a run shows while it lasts: events, and what tasks print, each where it belongs."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from cloacina_ctl.cli.terminal import render, streams
from cloacina_ctl.cli.terminal.escape import escape, escape_printed, shorten
from cloacina_ctl.cli.terminal.live import WaitingLine, cursor_back_when_suspended
from cloacina_ctl.cli.terminal.reporter import wants_color
from cloacina_ctl.cli.terminal.run_table import MARKS, RunTable
from cloacina_ctl.cli.terminal.units import count, seconds
from cloacina_ctl.operations.run import RunObserver, TaskRetrying, TaskStarted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cloacina_ctl.cli.terminal.live import LiveView
    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.operations.run import Event, Ran

# What people see of a run where no table can be drawn: in CI, in a file, on a dumb terminal.
#
# A line for each task that ends, is skipped or tried again; one that takes longer than a moment is
# reported while it runs. What never starts is in the report.

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


NAMES = {
    "TaskStarted": "task-started",
    "TaskRetrying": "task-retrying",
    "TaskEnded": "task-ended",
}


@contextlib.contextmanager
def watching(reporter: Reporter, *, events: bool = False) -> Iterator[Watcher]:
    """Yield what watches an operation; whatever it shows is gone from the terminal at the end.

    With ``events`` each event is a line of JSON on standard output, as it happens.
    """
    watcher = Watcher(reporter, events=events)
    try:
        with cursor_back_when_suspended(watcher):
            yield watcher
    finally:
        watcher.close()


def event_as_json(event: Event) -> dict[str, object]:
    """Return an event as its line of ``--events`` has it; what is not known is absent."""
    found = {"event": NAMES[type(event).__name__], **event._asdict()}
    for key in ("at", "seconds", "delay"):
        if key in found:
            found[key] = round(found[key], 6)
    return {key: value for key, value in found.items() if value is not None}


class Watcher:
    """Takes events in one thread and output in another.

    ``stopped`` is what a run had come to that was interrupted.
    """

    def __init__(self, reporter: Reporter, *, events: bool = False) -> None:
        self._reporter = reporter
        self._events = events
        self._view: LiveView | None = None
        self._table: RunTable | None = None
        self._lines: RunLines | None = None
        self._is_for_people = not (reporter.quiet or reporter.json)
        self._warned: set[Diagnostic] = set()
        self.stopped: Ran | None = None

    def watch(self) -> RunObserver:
        """Return what an operation is given."""
        return RunObserver(
            begins=self.begin,
            event=self.take,
            output=self.print,
            progress=self._reporter.progress(),
            waits=self.wait,
            warns=self.warn,
            stopped=self._stop,
        )

    @property
    def is_shown(self) -> bool:
        """Whether something of it is on the terminal that moves."""
        view = self._view
        return view is not None and view.is_shown

    def wait(self, what: str) -> None:
        """Show what is waited for, where a person looks at a terminal."""
        self._clear()
        if self._is_for_people and _has_cursor():
            self._view = WaitingLine(f"{what} …", color=self._color())

    def begin(self, tasks: Sequence[str]) -> None:
        """Show the table where a person looks at a terminal, else a line for each event."""
        self._clear()
        if self._is_for_people and _has_cursor():
            self._view = self._table = RunTable(tasks, color=self._color())
        elif self._is_for_people:
            self._lines = RunLines()

    def take(self, event: Event) -> None:
        """Print an event for programs at once, or draw or print it."""
        if self._events:
            streams.write(render.json_text(event_as_json(event)) + "\n")
            streams.flush()
        elif self._table is not None:
            self._table.take(event)
        elif self._lines is not None:
            self._lines.take(event)

    def print(self, text: str) -> None:
        """Print a line of what a task printed, harmless to the terminal."""
        if not self._reporter.quiet:
            line, view = escape_printed(text), self._view
            if view is None or not view.print(line):
                streams.complain(line + "\n")

    def warn(self, found: Sequence[Diagnostic]) -> None:
        """Print what was not printed yet."""
        new = [one for one in found if one not in self._warned]
        if new:
            self._clear()
        self._warned.update(new)
        self._reporter.warnings(new)

    def close(self) -> None:
        """Take away what is shown."""
        self._clear()
        if self._lines is not None:
            self._lines.close()
            self._lines = None

    def _stop(self, ran: Ran) -> None:
        self.stopped = ran

    def _clear(self) -> None:
        self._reporter.close()
        view, self._view, self._table = self._view, None, None
        if view is not None:
            view.close()

    def _color(self) -> bool:
        return wants_color(self._reporter.color, sys.stderr)


def _has_cursor() -> bool:
    return streams.is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"
