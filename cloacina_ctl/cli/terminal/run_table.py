"""What people see on a terminal while a workflow runs: a table, below what its tasks print."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cloacina_ctl.cli.terminal.escape import escape, shorten
from cloacina_ctl.cli.terminal.live import LiveView
from cloacina_ctl.cli.terminal.units import count, seconds
from cloacina_ctl.operations.run import TaskRetrying, TaskStarted
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, Group

    from cloacina_ctl.operations.run import Event

DELAY_SECONDS = 0.3
_MAX_ID_BYTES = 100
_MAX_ERROR = 200  # characters; the terminal's width cuts it further
# Of the terminal's lines, what the table leaves to others and to its own last line.
_LINES_LEFT = 4

MARKS = {
    "waiting": ("dim", " "),
    "running": ("cyan", "▶"),
    "retrying": ("yellow", "↻"),
    "completed": ("green", "✓"),
    "failed": ("red", "✗"),
    "skipped": ("dim", "-"),
    "not-started": ("dim", "-"),
    "cancelled": ("yellow", "✗"),
}
_MOVING = ("running", "retrying")
_TIMELESS = ("waiting", "skipped", "not-started")


class _Row(NamedTuple):
    """A task: ``since`` is when its status began, ``spent`` how long it took where it ended.

    Where it is tried again, ``delay`` is how long after ``since``.
    """

    status: str = "waiting"
    attempt: int = 0
    since: float = 0.0
    spent: float | None = None
    error: str | None = None
    delay: float = 0.0

    def time(self, now: float) -> str:
        """Return how long it takes or took, or when it is tried again."""
        if self.status in _TIMELESS:
            return ""
        if self.status == "retrying":
            return f"in {seconds(max(self.since + self.delay - now, 0.0))}"
        return seconds(self.spent if self.spent is not None else now - self.since)


class RunTable(LiveView):
    """Takes the events of a run, in one thread, and draws them in another."""

    def __init__(self, tasks: Iterable[str], *, color: bool) -> None:
        self._rows = dict.fromkeys(tasks, _Row())
        super().__init__(color=color, delay=DELAY_SECONDS)

    def take(self, event: Event) -> None:
        """Take the next event."""
        row = self._rows.get(event.task, _Row())
        if isinstance(event, TaskStarted):
            changed = row._replace(status="running", attempt=event.attempt)
        elif isinstance(event, TaskRetrying):
            changed = row._replace(status="retrying", error=event.error, delay=event.delay)
        else:
            changed = _Row(event.status, event.attempts, 0.0, event.seconds, event.error)
        self._rows[event.task] = changed._replace(since=time.monotonic())

    def drawn(self, console: Console) -> Group:
        """Return the table as it is now, in as many lines as the terminal has room for."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        now = time.monotonic()
        table = Table.grid(padding=(0, 2))
        rows = list(self._rows.items())
        room = max(console.height - _LINES_LEFT, 3)
        for id_, row in rows if len(rows) <= room else _most_wanted(rows, room):
            style, mark = MARKS[row.status]
            words = row.status.replace("-", " ") + (f" {row.attempt}" if row.attempt > 1 else "")
            table.add_row(
                Text(f"{mark} {escape(shorten(id_, _MAX_ID_BYTES))}", style, no_wrap=True),
                Text(words, style, no_wrap=True),
                Text(row.time(now), no_wrap=True),
                Text(escape(_beginning(row.error or "")), "dim", no_wrap=True),
            )
        summary = Text(self._summary(now), "bold", no_wrap=True, overflow="ellipsis")
        return Group(table, summary)

    def _summary(self, now: float) -> str:
        statuses = [row.status for row in list(self._rows.values())]
        ended = sum(status not in ("waiting", *_MOVING) for status in statuses)
        tasks = count(len(statuses), "task")
        return f"{ended} of {tasks} ended, {seconds(now - self._began)}"


def _beginning(error: str) -> str:
    return error if len(error) <= _MAX_ERROR else error[:_MAX_ERROR] + "…"


def _most_wanted(rows: list[tuple[str, _Row]], room: int) -> list[tuple[str, _Row]]:
    """Return what fits, in the order that it has: what moves and what failed before the rest.

    Of the rest what ended last and what waits next, by halves.
    """
    first = [one for one in rows if one[1].status in _MOVING]
    first += [one for one in rows if one[1].status == "failed"]
    waiting = [one for one in rows if one[1].status == "waiting"]
    ended = [one for one in rows if one[1].status not in (*_MOVING, "failed", "waiting")]
    ended.sort(key=lambda one: one[1].since, reverse=True)
    spare = max(room - len(first), 0)
    ends = max(spare - spare // 2, spare - len(waiting))
    kept = {id_ for id_, _ in [*first, *ended[:ends], *waiting][:room]}
    return [one for one in rows if one[0] in kept]
