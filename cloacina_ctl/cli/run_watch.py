"""What a run shows while it lasts: events, and what tasks print, each where it belongs."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from cloacina_ctl.cli import render, streams
from cloacina_ctl.cli.escape import escape_printed
from cloacina_ctl.cli.report import wants_color
from cloacina_ctl.cli.run_table import RunTable
from cloacina_ctl.operations.run import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cloacina_ctl.cli.report import Reporter
    from cloacina_ctl.operations.run import Event

NAMES = {
    "TaskStarted": "task-started",
    "TaskRetrying": "task-retrying",
    "TaskEnded": "task-ended",
}


@contextlib.contextmanager
def watching(reporter: Reporter) -> Iterator[Watch]:
    """Yield what an operation tells; whatever it shows is gone from the terminal at the end."""
    watcher = _Watcher(reporter)
    try:
        yield Watch(
            begins=watcher.begin,
            event=watcher.take,
            output=watcher.print,
            progress=reporter.progress(),
        )
    finally:
        watcher.close()


def event_as_json(event: Event) -> dict[str, object]:
    """Return an event as its line of ``--json`` has it; what is not known is absent."""
    found = {"event": NAMES[type(event).__name__], **event._asdict()}
    for key in ("at", "seconds", "delay"):
        if key in found:
            found[key] = round(found[key], 6)
    return {key: value for key, value in found.items() if value is not None}


class _Watcher:
    """Takes events in one thread and output in another."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._table: RunTable | None = None

    def begin(self, tasks: Sequence[str]) -> None:
        """Show the table, where a person looks at a terminal."""
        self._reporter.close()
        seen = streams.is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"
        if seen and not (self._reporter.quiet or self._reporter.json):
            color = wants_color(self._reporter.color, sys.stderr)
            self._table = RunTable(tasks, color=color)

    def take(self, event: Event) -> None:
        """Print an event for programs at once, or draw it."""
        if self._reporter.json:
            streams.write(render.json_text(event_as_json(event)) + "\n")
            streams.flush()
        elif self._table is not None:
            self._table.take(event)

    def print(self, text: str) -> None:
        """Print a line of what a task printed, harmless to the terminal."""
        if not self._reporter.quiet:
            line = escape_printed(text)
            if self._table is None or not self._table.print(line):
                streams.complain(line + "\n")

    def close(self) -> None:
        """Take the table away."""
        if self._table is not None:
            self._table.close()
            self._table = None
