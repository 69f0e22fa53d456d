"""The output of a child process: split into lines, limited, delivered; its last lines kept."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from cloacina_ctl.runtime.process.amounts import mebibytes

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LINE = 16 << 10
_KEPT_LINES = 40
_AFTER_PANIC = 6  # its place, its message, how to see more, and why the process ends


class OutputLines:
    """Takes bytes of both streams and gives lines to ``handle``; one thread uses it.

    ``limit`` counts bytes, ``lines`` lines: an empty line costs its receiver as much as any other.
    """

    def __init__(self, limit: int, lines: int, handle: Callable[[str, str], None] | None) -> None:
        self._limits = (limit, lines)
        self._left = limit
        self._lines_left = lines
        self._handle = handle
        self._begun = {"stdout": b"", "stderr": b""}
        self._last: deque[str] = deque(maxlen=_KEPT_LINES)

    def take(self, stream: str, data: bytes) -> str | None:
        """Deliver the complete lines; return the limit, in words, once it is exceeded."""
        within = data[: max(self._left, 0)]
        self._left -= len(data)
        *lines, begun = (self._begun[stream] + within).split(b"\n")
        for line in lines[: max(self._lines_left, 0)]:
            self._give(stream, line)
        self._lines_left -= len(lines)
        while len(begun) > MAX_LINE:
            self._give(stream, begun[:MAX_LINE])
            begun = begun[MAX_LINE:]
        self._begun[stream] = begun
        if self._left < 0:
            return mebibytes(self._limits[0])
        return f"{self._limits[1]} lines" if self._lines_left < 0 else None

    def end(self) -> None:
        """Deliver the last line where it has no line end."""
        for stream, rest in self._begun.items():
            if rest:
                self._give(stream, rest)
                self._begun[stream] = b""

    def last_words(self) -> str | None:
        """Return the last line on stderr that is not blank, to explain a crash.

        At the end of a Rust panic, return the line of the panic and its message.
        """
        lines = [line for line in self._last if line.strip()]
        for number in range(len(lines) - 1, max(len(lines) - _AFTER_PANIC, -1), -1):
            if lines[number].startswith("thread '") and " panicked at " in lines[number]:
                return " ".join(lines[number : number + 2])
        return lines[-1] if lines else None

    def _give(self, stream: str, line: bytes) -> None:
        for start in range(0, len(line) or 1, MAX_LINE):
            text = line[start : start + MAX_LINE].decode("utf-8", "replace").rstrip("\r")
            if stream == "stderr":
                self._last.append(text)
            if self._handle is not None:
                self._handle(stream, text)
