"""A progress bar on standard error for what takes longer than half a second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

DELAY_SECONDS = 0.5
REDRAW_SECONDS = 0.1
WIDE_COLUMNS = 76  # less, and rich breaks the sizes over two lines


class ProgressBar:
    """Takes ``(stage, done, total)``; nothing is shown, and rich not loaded, before the delay."""

    def __init__(self, *, color: bool) -> None:
        self._color = color
        self._started = time.monotonic()
        self._drawn = 0.0
        self._stage = ""
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def update(self, stage: str, done: int, total: int) -> None:
        """Take how far the stage is; where the total is 0 another program shows how far it is."""
        if not total:
            return
        now = time.monotonic()
        finished = done >= total
        if now - self._started < DELAY_SECONDS and self._bar is None:
            return
        if stage == self._stage and now - self._drawn < REDRAW_SECONDS and not finished:
            return
        self._drawn = now
        bar = self._bar or self._open()
        if stage != self._stage:
            if self._task is not None:
                bar.remove_task(self._task)
            self._task = bar.add_task(stage, total=total)
            self._stage = stage
        if self._task is not None:
            bar.update(self._task, completed=done, total=total)

    def _open(self) -> Progress:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True, no_color=not self._color, highlight=False)
        if console.width < WIDE_COLUMNS:
            columns: tuple[ProgressColumn, ...] = BarColumn(bar_width=10), TaskProgressColumn()
        else:
            columns = BarColumn(), DownloadColumn(binary_units=True), TimeRemainingColumn()
        self._bar = Progress(
            TextColumn("{task.description}"), *columns, console=console, transient=True,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        self._bar.start()
        return self._bar

    def close(self) -> None:
        """Take the bar away; what was under it is as it was."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None
            self._stage = ""
