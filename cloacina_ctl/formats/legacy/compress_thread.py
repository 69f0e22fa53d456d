"""Pieces of a stream, gathered by one thread and worked on by another.

Compression of one stream cannot be divided, but what feeds it can run beside it: while one thread
reads and hashes, the other compresses with the interpreter's lock released.
"""

from __future__ import annotations

import threading
from queue import Queue
from typing import TYPE_CHECKING

from cloacina_ctl.formats.chunk_buffer import Pieces

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

PIECE = 1 << 20
_WAITING = 4  # pieces between the two threads: what bounds memory


class Pipeline(Pieces):
    """Hands pieces of ``PIECE`` bytes to ``work`` in a thread of their own, in order.

    Use it as a context manager: leaving it without an error waits until all is worked on, and
    raises what ``work`` raised.
    """

    def __init__(self, work: Callable[[bytearray | memoryview], None]) -> None:
        super().__init__(PIECE, self._queue_up)
        self._work = work
        self._queue: Queue[bytearray | memoryview | None] = Queue(_WAITING)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Hand over the rest, wait for the thread, raise what went wrong in it."""
        rest = self.rest()
        if kind is None and rest is not None:
            self._queue.put(rest)
        self._queue.put(None)
        self._thread.join()
        if kind is None:
            self._raise()

    def _queue_up(self, piece: bytearray) -> None:
        self._raise()
        self._queue.put(piece)

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
