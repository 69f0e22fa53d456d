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
    from collections.abc import Callable, Generator, Iterable

Given = TypeVar("Given")
Made = TypeVar("Made")

AHEAD = 3  # pieces beyond one a thread: enough that no thread waits


def default_jobs() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Task(Generic[Given, Made]):
    """One piece of work under way; ``done`` is released when it is through."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._done = threading.Lock()
        self._done.acquire()
        self._made: list[Made] = []
        self._error: BaseException | None = None

    def run(self, work: Callable[[Given], Made]) -> None:
        try:
            self._made.append(work(self._given))
        except BaseException as error:  # noqa: BLE001 - carried to the thread that waits for it
            self._error = error
        finally:
            self._done.release()

    def result(self) -> Made:
        self._done.acquire()
        if self._error is not None:
            raise self._error
        return self._made.pop()


class _Team(Generic[Given, Made]):
    """Threads that work on the tasks they are given, until ``send_home``."""

    def __init__(self, work: Callable[[Given], Made], size: int) -> None:
        self._work = work
        self._queue: SimpleQueue[_Task[Given, Made] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        for _ in range(size):
            thread = threading.Thread(target=self._serve, daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no more threads: those that started do the work
                break
            self._threads.append(thread)

    def _serve(self) -> None:
        while (task := self._queue.get()) is not None:
            task.run(self._work)

    def put(self, given: Given) -> _Task[Given, Made]:
        task: _Task[Given, Made] = _Task(given)
        if self._threads:
            self._queue.put(task)
        else:
            task.run(self._work)
        return task

    def send_home(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()


def in_order(
    work: Callable[[Given], Made], pieces: Iterable[Given], jobs: int, ahead: int = AHEAD
) -> Generator[Made, None, None]:
    """Yield ``work(piece)`` for each piece, in order, with at most ``jobs + ahead`` under way.

    ``pieces`` is drawn from in the caller's thread. An error of ``work`` is raised at its place;
    leaving early stops the threads after what they have begun.
    """
    if jobs <= 1:
        yield from map(work, pieces)
        return
    team = _Team(work, jobs)
    pending: deque[_Task[Given, Made]] = deque()
    try:
        for piece in pieces:
            pending.append(team.put(piece))
            if len(pending) >= jobs + ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        team.send_home()
