"""Decompression beside everything else: another thread is a few pieces ahead.

zlib, bzip2 and hashing release the interpreter's lock, so one thread decompresses while the other
parses, hashes and writes: as fast as tar with a decompressor in a process of its own.
"""

from __future__ import annotations

import threading
from queue import Queue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

AHEAD = 8  # pieces: 2 MiB


class _Failed:
    """What ended the other thread, to be raised in this one."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def read_ahead(pieces: Iterable[bytes], most: int = AHEAD) -> Generator[bytes, None, None]:
    """Yield ``pieces``, drawn by another thread that is at most ``most`` of them ahead.

    What raises there is raised here, at its place. Leaving early stops the thread. With ``most``
    0 there is none, and this one does the work.
    """
    if not most:
        yield from pieces
        return
    thread = _Thread(pieces, most)
    try:
        while (piece := thread.queue.get()) is not None:
            if isinstance(piece, _Failed):
                raise piece.error
            yield piece
    finally:
        thread.stop()


class _Thread:
    """Draws pieces and puts them into its queue; None is behind the last."""

    def __init__(self, pieces: Iterable[bytes], most: int) -> None:
        self.queue: Queue[bytes | _Failed | None] = Queue(most)
        self._pieces = pieces
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._draw, daemon=True)
        self._thread.start()

    def _draw(self) -> None:
        try:
            for piece in self._pieces:
                self.queue.put(piece)
                if self._stopped.is_set():
                    return
            self.queue.put(None)
        except BaseException as error:  # noqa: BLE001 - carried to the thread that waits for it
            self.queue.put(_Failed(error))

    def stop(self) -> None:
        self._stopped.set()
        while self._thread.is_alive():
            while not self.queue.empty():
                self.queue.get_nowait()
            self._thread.join(0.001)
