"""Ctrl-C and the terminating signals as an exception, so that all clean-up code runs."""

from __future__ import annotations

import contextlib
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

SIGINT = int(signal.SIGINT)

# Ctrl-C may be pressed twice, and `timeout` repeats its signal: a further signal within this many
# seconds does not interrupt the clean-up.
_PATIENCE_SECONDS = 1.0


class Stopped(KeyboardInterrupt):
    """A signal asked this program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def name(self) -> str:
        """The signal's name: ``SIGTERM``."""
        return signal.Signals(self.number).name


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """While the body runs, raise ``Stopped`` where SIGINT, SIGTERM or SIGHUP arrives.

    A signal that the caller ignores stays ignored (``nohup``, a job in the background).
    """
    last = float("-inf")

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PATIENCE_SECONDS:
            last = now
            raise Stopped(number)

    before = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
