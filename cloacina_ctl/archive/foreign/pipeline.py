"""Pieces of a stream, gathered by one thread and worked on by another.

Compression of one stream cannot be divided, but what feeds it can run beside it: while one thread
reads and hashes, the other compresses with the interpreter's lock released.
"""

from __future__ import annotations

import threading
from queue import Queue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

PIECE = 1 << 20
_WAITING = 4  # pieces between the two threads: what bounds memory


class Pipeline:
    """Hands pieces of ``PIECE`` bytes to ``work`` in a thread of their own, in order.

    Use it as a context manager: leaving it without an error waits until all is worked on, and
    raises what ``work`` raised.
    """

    def __init__(self, work: Callable[[bytearray | memoryview], None]) -> None:
        self._work = work
        self._queue: Queue[bytearray | memoryview | None] = Queue(_WAITING)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._error: BaseException | None = None
        self._buffer = bytearray(PIECE)
        self._used = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Hand over the rest, wait for the thread, raise what went wrong in it."""
        if kind is None and self._used:
            self._queue.put(memoryview(self._buffer)[: self._used])
        self._queue.put(None)
        self._thread.join()
        if kind is None:
            self._raise()

    def room(self) -> memoryview:
        """Return where bytes can be put next: never empty."""
        return memoryview(self._buffer)[self._used :]

    def took(self, count: int) -> None:
        """Take the first ``count`` bytes of the last room as filled."""
        self._used += count
        if self._used == PIECE:
            self._raise()
            self._queue.put(self._buffer)
            self._buffer, self._used = bytearray(PIECE), 0

    def put(self, data: bytes | memoryview) -> None:
        """Take a copy of ``data``."""
        view = memoryview(data)
        while view:
            room = self.room()
            count = min(len(room), len(view))
            room[:count] = view[:count]
            self.took(count)
            view = view[count:]

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _serve(self) -> None:
        while (piece := self._queue.get()) is not None:
            if self._error is None:
                try:
                    self._work(piece)
                except BaseException as error:  # noqa: BLE001 - carried to the thread that waits
                    self._error = error
