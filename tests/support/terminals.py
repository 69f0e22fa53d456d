"""A program on a terminal, which is read until something is there."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
from typing import TYPE_CHECKING

from tests.support.cli import Outcome

if TYPE_CHECKING:
    from pathlib import Path

SHOWN, HIDDEN = b"\x1b[?25h", b"\x1b[?25l"  # the cursor


class Terminal:
    """A program whose messages, and whose input, are a terminal's; its output is a pipe."""

    def __init__(self, *words: object, cwd: Path | None = None) -> None:
        self.main, terminal = pty.openpty()
        self.said = b""
        self.program = subprocess.Popen(
            [str(word) for word in words], cwd=cwd, stdin=terminal, stdout=subprocess.PIPE,
            stderr=terminal, env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
        )  # fmt: skip
        os.close(terminal)

    def type(self, keys: str) -> None:
        """Press the keys."""
        os.write(self.main, keys.encode())

    def read(self, until: bytes | None = None) -> None:
        """Read until this is there, or to the end."""
        with contextlib.suppress(OSError):  # what Linux says at the end
            while until is None or until not in self.said:
                piece = os.read(self.main, 4096)
                if not piece:
                    break
                self.said += piece
        assert until is None or until in self.said

    def end(self) -> Outcome:
        """Read to the end; return how the program ended, and what stood on the terminal."""
        self.read()
        out, _ = self.program.communicate(timeout=30)
        os.close(self.main)
        return Outcome(self.program.returncode, out.decode(), self.said.decode())


def cursor_is_back(said: str) -> bool:
    """Tell whether the cursor was shown as often as it was hidden."""
    return said.count(SHOWN.decode()) == said.count(HIDDEN.decode())
