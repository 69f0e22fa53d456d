"""Bytes gathered into pieces of one size, without a copy where they are read from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class ChunkBuffer:
    """Gathers bytes and passes on each full piece of ``size``; the last one is the ``rest``."""

    def __init__(self, size: int, hand_on: Callable[[bytearray], None]) -> None:
        self._size = size
        self._hand_on = hand_on
        self._buffer = bytearray(size)
        self._used = 0

    def room(self) -> memoryview:
        """Return where bytes can be put next: never empty."""
        return memoryview(self._buffer)[self._used :]

    def took(self, count: int) -> None:
        """Take the first ``count`` bytes of the last room as filled."""
        self._used += count
        if self._used == self._size:
            self._hand_on(self._buffer)
            self._begin()

    def put(self, data: bytes | memoryview) -> None:
        """Take a copy of ``data``."""
        view = memoryview(data)
        while view:
            room = self.room()
            count = min(len(room), len(view))
            room[:count] = view[:count]
            self.took(count)
            view = view[count:]

    def rest(self) -> memoryview | None:
        """Return the remaining bytes, None where there are none, and start again."""
        if not self._used:
            return None
        rest = memoryview(self._buffer)[: self._used]
        self._begin()
        return rest

    def _begin(self) -> None:
        self._buffer, self._used = bytearray(self._size), 0
