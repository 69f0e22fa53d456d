"""What stands on the terminal while another program holds a file or the registry."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from cloacina_ctl.cli.terminal import streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from cloacina_ctl.cli.terminal.reporter import Reporter

REGISTRY = "waiting for another program that holds the registry …"
FILE = "waiting for another program that changes the file …"


def waits(reporter: Reporter, words: str = REGISTRY) -> Callable[[], AbstractContextManager[None]]:
    """Return what is entered while that is so; it shows where a progress bar would."""

    @contextlib.contextmanager
    def shown() -> Iterator[None]:
        if (
            reporter.quiet
            or not streams.is_terminal(sys.stderr)
            or os.environ.get("TERM") == "dumb"
        ):
            yield
            return
        from cloacina_ctl.cli.terminal.live import WaitingLine
        from cloacina_ctl.cli.terminal.reporter import wants_color

        reporter.close()
        line = WaitingLine(words, color=wants_color(reporter.color, sys.stderr))
        try:
            yield
        finally:
            line.close()

    return shown
