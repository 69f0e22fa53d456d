"""What stands at the end of a terminal while something goes on, and is gone when it ends.

Lines are printed above it. Nothing is shown, and rich is not loaded, before a moment has passed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Protocol

from cloacina_ctl.cli.terminal.escape import escape
from cloacina_ctl.cli.terminal.units import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.progress import Progress, ProgressColumn, TaskID

# A progress bar on standard error for what takes longer than half a second.

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


_REDRAWS_PER_SECOND = 8
_STDERR = 2
_SHOW_CURSOR, _HIDE_CURSOR = b"\x1b[?25h", b"\x1b[?25l"


class LiveView:
    """Draws itself again and again, in a thread of its own, from ``delay`` seconds on."""

    def __init__(self, *, color: bool, delay: float) -> None:
        self._color = color
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._live: Live | None = None
        self._is_closed = False
        self._opening = threading.Timer(delay, self._open)
        self._opening.daemon = True
        self._opening.start()

    def drawn(self, console: Console) -> RenderableType:
        """Return what is to be seen now."""
        raise NotImplementedError

    @property
    def is_shown(self) -> bool:
        """Whether it is on the terminal."""
        return self._live is not None

    def print(self, text: str) -> bool:
        """Print a line above it; False where nothing is shown yet, or no more."""
        with self._lock:
            if self._live is None:
                return False
            self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)
            return True

    def close(self) -> None:
        """Take it away."""
        self._opening.cancel()
        with self._lock:
            self._is_closed = True
            live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _open(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True, no_color=not self._color, highlight=False)
        with self._lock:
            if self._is_closed:
                return
            self._live = Live(
                get_renderable=lambda: self.drawn(console),
                console=console,
                transient=True,
                refresh_per_second=_REDRAWS_PER_SECOND,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()


class WaitingLine(LiveView):
    """One line that says what is waited for, and how long already."""

    DELAY_SECONDS = 0.5

    def __init__(self, what: str, *, color: bool) -> None:
        self._what = what
        super().__init__(color=color, delay=self.DELAY_SECONDS)

    def drawn(self, console: Console) -> RenderableType:
        """Return the line as it is now, cut where the terminal ends."""
        from rich.text import Text

        took = seconds(time.monotonic() - self._began)
        room = max(console.width - len(took) - 2, 10)
        what = escape(self._what)
        shown = what if len(what) <= room else what[: room - 1] + "…"
        return Text(f"{shown}  {took}", no_wrap=True, overflow="ellipsis")


class Shown(Protocol):
    """What may be on the terminal."""

    @property
    def is_shown(self) -> bool:
        """Whether it is."""


@contextlib.contextmanager
def cursor_back_when_suspended(view: Shown) -> Iterator[None]:
    """While the body runs, give a shell its cursor back where Ctrl-Z suspends this program.

    Nothing is locked here: the thread that is interrupted may hold any lock.
    """
    number = signal.SIGTSTP

    def suspend(_number: int, _frame: FrameType | None) -> None:
        if view.is_shown:
            os.write(_STDERR, _SHOW_CURSOR)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # returns when the program goes on
        signal.signal(number, suspend)
        if view.is_shown:
            os.write(_STDERR, _HIDE_CURSOR)

    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(number) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(number, suspend)
    try:
        yield
    finally:
        signal.signal(number, signal.SIG_DFL)
