"""A session whose tasks are functions of the test, run in its own process: real, and quick."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code
from cloacina_ctl.runtime.metadata import Isolation, TaskOutcome

if TYPE_CHECKING:
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.runtime.session import Session

Context = Mapping[str, Any]
Function = Callable[[Context], Any]


class CallingSession:
    """Calls a function for each task; what it raises is the task's failure.

    A function takes the context and returns one, or None. A task without a function adds its own
    id to the context's `done`.
    """

    overlays = False
    network_is_closed = True
    isolation = Isolation(network_closed=True)

    def __init__(self, **functions: Function) -> None:
        self.functions = functions
        self.calls: list[str] = []
        self.timeouts: dict[str, float | None] = {}
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def run_task(self, task_id: str, context: Context, *, timeout: float | None) -> TaskOutcome:
        with self._lock:
            self.calls.append(task_id)
            self.timeouts[task_id] = timeout
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            function = self.functions.get(task_id, _note(task_id))
            return TaskOutcome(succeeded=True, context=function(context), error=None)
        except TimeoutError:
            return TaskOutcome(succeeded=False, context=None, error="late", timed_out=True)
        except RuntimeError as error:
            return TaskOutcome(succeeded=False, context=None, error=str(error))
        finally:
            with self._lock:
                self.at_once -= 1


def _note(task_id: str) -> Function:
    return lambda context: {**context, "done": [*context.get("done", ()), task_id]}


def fail(words: str = "no") -> Function:
    """Return a function of a task that fails with these words."""

    def function(_context: Context) -> None:
        raise RuntimeError(words)

    return function


def fail_times(times: int, words: str = "no") -> Function:
    """Return a function that fails so many times and then succeeds."""
    left = [words] * times

    def function(_context: Context) -> None:
        if left:
            raise RuntimeError(left.pop())

    return function


def time_out(_context: Context) -> None:
    """Be a task that was not done in time."""
    raise TimeoutError


def noticed(session: Session) -> list[Diagnostic]:
    """Return what a session noticed of a package, without what this machine does not give."""
    return [one for one in session.warnings if one.code is not Code.PARTLY_ISOLATED]
