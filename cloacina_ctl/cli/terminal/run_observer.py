"""What a run shows while it lasts: events, and what tasks print, each where it belongs."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from cloacina_ctl.cli.terminal import render, streams
from cloacina_ctl.cli.terminal.escape import escape_printed
from cloacina_ctl.cli.terminal.live import WaitingLine, cursor_back_when_suspended
from cloacina_ctl.cli.terminal.reporter import wants_color
from cloacina_ctl.cli.terminal.run_lines import RunLines
from cloacina_ctl.cli.terminal.run_table import RunTable
from cloacina_ctl.operations.run import RunObserver

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cloacina_ctl.cli.terminal.live import LiveView
    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.operations.run import Event, Ran

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
