"""Work on a stream in several threads, results in the order of the stream.

zstd and large hash updates release the interpreter's lock, so threads are enough. This is not
``concurrent.futures``: its import alone (through ``logging``) costs as much as verifying a small
package.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Given = TypeVar("Given")
Made = TypeVar("Made")

AHEAD = 3  # pieces beyond one a thread: enough that no thread waits, little memory


def default_jobs() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Task(Generic[Given, Made]):
    def __init__(self, given: Given) -> None:
        self.given = given
        self.done = threading.Lock()
        self.done.acquire()
        self.made: Made | None = None
        self.error: BaseException | None = None

    def run(self, work: Callable[[Given], Made]) -> None:
        try:
            self.made = work(self.given)
        except BaseException as error:  # noqa: BLE001 - carried to the thread that waits for it
            self.error = error
        finally:
            self.done.release()

    def result(self) -> Made:
        self.done.acquire()
        if self.error is not None:
            raise self.error
        return self.made  # type: ignore[return-value] - set by run, unless it set an error


def in_order(work: Callable[[Given], Made], pieces: Iterable[Given], jobs: int) -> Iterator[Made]:
    """Yield ``work(piece)`` for each piece, in order, with at most ``jobs + AHEAD`` under way.

    ``pieces`` is drawn from in the caller's thread. An error of ``work`` is raised at its place;
    leaving early stops the threads after what they have begun.
    """
    if jobs <= 1:
        yield from map(work, pieces)
        return
    queue: SimpleQueue[_Task[Given, Made] | None] = SimpleQueue()

    def serve() -> None:
        while (task := queue.get()) is not None:
            task.run(work)

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(jobs)]
    pending: deque[_Task[Given, Made]] = deque()
    try:
        for thread in threads:
            thread.start()
        for piece in pieces:
            task: _Task[Given, Made] = _Task(piece)
            pending.append(task)
            queue.put(task)
            if len(pending) >= jobs + AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        while not queue.empty():
            queue.get_nowait()
        for _ in threads:
            queue.put(None)
        for thread in threads:
            thread.join()
