"""What a child process prints: cut into lines, bounded, handed on, and the end of it kept."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LINE = 16 << 10
_KEPT_LINES = 40


class Output:
    """Takes bytes of both streams and gives lines to ``handle``; one thread uses it."""

    def __init__(self, limit: int, handle: Callable[[str, str], None] | None) -> None:
        self._left = limit
        self._handle = handle
        self._begun = {"stdout": b"", "stderr": b""}
        self._last: deque[str] = deque(maxlen=_KEPT_LINES)

    def take(self, stream: str, data: bytes) -> bool:
        """Hand on the lines that are whole; False once there was more than the limit."""
        within = data[: max(self._left, 0)]
        self._left -= len(data)
        *lines, begun = (self._begun[stream] + within).split(b"\n")
        for line in lines:
            self._give(stream, line)
        while len(begun) > MAX_LINE:
            self._give(stream, begun[:MAX_LINE])
            begun = begun[MAX_LINE:]
        self._begun[stream] = begun
        return self._left >= 0

    def end(self) -> None:
        """Hand on what stands behind the last end of a line."""
        for stream, rest in self._begun.items():
            if rest:
                self._give(stream, rest)
                self._begun[stream] = b""

    def last_words(self) -> str | None:
        """Return the last line to stderr that says something, for who wants to know why."""
        return next((line for line in reversed(self._last) if line.strip()), None)

    def _give(self, stream: str, line: bytes) -> None:
        for start in range(0, len(line) or 1, MAX_LINE):
            text = line[start : start + MAX_LINE].decode("utf-8", "replace").rstrip("\r")
            if stream == "stderr":
                self._last.append(text)
            if self._handle is not None:
                self._handle(stream, text)
