"""Runs a workflow in the engine of a session and reports it like a run of our own scheduler.

Reports of the child process during the run become events; the result is what the engine has
recorded at the end. If the engine died, stalled or hung, the result is what was reported so far.
"""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.manifest.graph import layers
from cloacina_ctl.runtime.engine import NAME
from cloacina_ctl.runtime.process.decode import MAX_ERROR, outcome_of
from cloacina_ctl.runtime.scheduler.events import (
    EngineUsed,
    TaskEnded,
    TaskResult,
    TaskRetrying,
    TaskStarted,
    WorkflowOutcome,
)
from cloacina_ctl.runtime.scheduler.schedule import TaskStatus
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.manifest.model import Workflow
    from cloacina_ctl.runtime.process.decode import Fate
    from cloacina_ctl.runtime.scheduler.context import Context
    from cloacina_ctl.runtime.scheduler.events import Events
    from cloacina_ctl.runtime.session import Session

    Message = dict[str, Any]

# The engine allows a workflow an hour, and then reports the timeout itself.
LONGEST_SECONDS = 3600.0 + 60.0
# Old releases sometimes lock up at their start: no task has run then, so they are started again.
_START_SECONDS = 20.0
_STARTS = 3
_STILL_SECONDS = 30.0
# Longer waits are split, so that a signal that another thread received is seen in between.
_LONGEST_WAIT_SECONDS = 0.5
_STATUSES = {
    "completed": TaskStatus.COMPLETED,
    "failed": TaskStatus.FAILED,
    "skipped": TaskStatus.SKIPPED,
}


class EngineOptions(NamedTuple):
    """How the engine runs: ``jobs`` and ``timeout`` as in ``RunOptions``; ``only`` one task.

    ``patience`` is how many seconds it may stall, ``start`` how many it has to begin.
    """

    jobs: int
    timeout: float | None = None
    only: str | None = None
    patience: float = _STILL_SECONDS
    start: float = _START_SECONDS


def run_in_engine(
    session: Session,
    workflow: Workflow,
    context: Context,
    options: EngineOptions,
    events: Events | None = None,
) -> WorkflowOutcome:
    """Run ``workflow``, or one task of it, in the engine that the package is loaded into.

    ``events`` is called in this thread alone. Raises ``Refused`` for a trigger rule by which the
    engine would wait forever. An interrupt (Ctrl-C) is raised at once: the run ends when the
    caller closes the session.
    """
    for _ in range(_STARTS):
        run = _Run(session, workflow, context, options, events or (lambda _: None))
        run.go()
        if run.has_begun:
            break
    return run.outcome()


class _Seen:
    """What was reported about one task."""

    def __init__(self) -> None:
        self.status = TaskStatus.WAITING
        self.attempts = 0
        self.seconds = 0.0
        self.since = 0.0
        self.error: str | None = None


class _Run:
    """One run, followed until the engine answers, dies or is given up."""

    def __init__(
        self,
        session: Session,
        workflow: Workflow,
        context: Context,
        options: EngineOptions,
        events: Events,
    ) -> None:
        self._session = session
        self._workflow = workflow
        self._context = context
        self._options = options
        self._events = events
        self._tasks = {task.id: _Seen() for task in workflow.tasks}
        self._reports: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._answer: Message = {}
        self._fate: Fate | None = None
        self._raised: BaseException | None = None
        self._given_up: str | None = None
        self._began = time.monotonic()
        self.has_begun = False

    def go(self) -> None:
        """Follow the run to its end."""
        threading.Thread(target=self._ask, daemon=True).start()
        while (message := self._next()) is not None:
            self._take(message)
        if self._raised is not None:
            raise self._raised
        refused = self._answer.get("refused")
        if isinstance(refused, dict):
            words = _text(refused.get("message")) or "the engine would wait forever"
            raise Refused.of(Code.TRIGGER_RULE, words, hint=_text(refused.get("hint")))
        self.has_begun = self.has_begun or self._fate is None
        if self._fate is None:
            self._settle()

    def outcome(self) -> WorkflowOutcome:
        """Return how it went."""
        given = {"succeeded": True, "context": self._answer.get("context"), "error": None}
        ended = outcome_of(given, self._fate)
        results = tuple(self._result(id_, seen) for id_, seen in self._in_order())
        has_failed = any(task.status == TaskStatus.FAILED.value for task in results)
        error = self._error() or ended.error
        completed = not (has_failed or error) and self._answer.get("status") == "Completed"
        context_of = self._answer.get("context_of")
        return WorkflowOutcome(
            workflow=self._workflow.name,
            status=(TaskStatus.COMPLETED if completed else TaskStatus.FAILED).value,
            context=self._context if ended.context is None else ended.context,
            context_of=None
            if ended.context is None or context_of not in self._tasks
            else context_of,
            tasks=results,
            seconds=self._now(),
            engine=EngineUsed(NAME, self._session.describe().engine or ""),
            # A failed task is the reason then; the engine reports only how many failed.
            error=None if completed or (has_failed and self._fate is None) else error,
        )

    def _ask(self) -> None:
        options = self._options
        request = {
            "context": self._context,
            "jobs": options.jobs,
            "timeout": None if options.timeout is None else math.ceil(options.timeout),
            "only": options.only,
            "patience": options.patience,
        }
        try:
            self._answer, self._fate = self._session.run_in_engine(
                request, self._reports.put, LONGEST_SECONDS
            )
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._raised = error
        self._reports.put(None)

    def _next(self) -> Message | None:
        """Return the next report of the child, None once it has answered or died."""
        while self._reports.empty():
            with contextlib.suppress(queue.Empty):
                return self._reports.get(timeout=_LONGEST_WAIT_SECONDS)
            if not self.has_begun and self._now() > self._options.start:
                self._give_up(f"the engine did not start within {self._options.start:g} s")
        return self._reports.get()

    def _give_up(self, why: str) -> None:
        if self._given_up is None:
            self._given_up = why
            self._session.give_up(why)

    def _take(self, message: Message) -> None:
        self.has_begun = True
        kind, id_ = message["event"], message.get("task")
        if kind == "still":
            patience = self._options.patience
            self._give_up(f"the engine stalled: it did nothing for {patience:g} s")
        seen = self._tasks.get(id_) if isinstance(id_, str) else None
        if seen is None or not isinstance(id_, str):
            return
        if kind == "started":
            self._start(id_, seen, message)
        elif kind == "spent":
            seen.seconds += _number(message.get("seconds"))
            seen.error = _text(message.get("error"))
            seen.since = self._now()
        elif kind == "retrying":
            self._retry(id_, seen, message)
        elif kind == "ended":
            self._end(id_, seen, str(message.get("status")), message)

    def _start(self, id_: str, seen: _Seen, message: Message) -> None:
        if seen.status is TaskStatus.RUNNING and seen.error:
            # 0.7 does not record every retry.
            failed = {"attempt": seen.attempts, "error": seen.error}
            self._retry(id_, seen, {**failed, "delay": self._now() - seen.since})
        seen.status = TaskStatus.RUNNING
        seen.attempts = int(_number(message.get("attempt"))) or seen.attempts + 1
        seen.error = None
        self._events(TaskStarted(task=id_, attempt=seen.attempts, at=self._now()))

    def _retry(self, id_: str, seen: _Seen, message: Message) -> None:
        seen.status = TaskStatus.RETRYING
        seen.error = _text(message.get("error"))
        self._events(
            TaskRetrying(
                task=id_,
                attempt=int(_number(message.get("attempt"))),
                at=self._now(),
                error=seen.error or "it did not end in time",
                delay=round(_number(message.get("delay")), 6),
            )
        )

    def _end(self, id_: str, seen: _Seen, said: str, message: Message) -> None:
        status = _STATUSES.get(said.lower())
        if status is None or seen.status in _STATUSES.values():
            return
        seen.status = status
        if status is TaskStatus.SKIPPED:
            seen.attempts = 0
        else:
            seen.attempts = max(seen.attempts, int(_number(message.get("attempt"))))
        seen.error = None
        if status is TaskStatus.FAILED:
            seen.error = _text(message.get("error")) or "the engine gives no reason"
        result = self._result(id_, seen)
        self._events(
            TaskEnded(
                task=id_,
                status=result.status,
                attempts=result.attempts,
                at=self._now(),
                seconds=result.seconds,
                error=result.error,
            )
        )

    def _settle(self) -> None:
        """Take the recorded status of tasks whose end the engine did not report."""
        tasks = self._answer.get("tasks")
        for message in tasks if isinstance(tasks, list) else ():
            id_ = message.get("task") if isinstance(message, dict) else None
            seen = self._tasks.get(id_) if isinstance(id_, str) else None
            if seen is not None and isinstance(id_, str):
                self._end(id_, seen, str(message.get("status")), message)

    def _result(self, id_: str, seen: _Seen) -> TaskResult:
        if seen.status in (TaskStatus.RUNNING, TaskStatus.RETRYING):
            words = self._error() or "the engine ended before the task did"
            return TaskResult(id_, TaskStatus.FAILED.value, seen.attempts, seen.seconds, words)
        status = TaskStatus.NOT_STARTED if seen.status is TaskStatus.WAITING else seen.status
        return TaskResult(id_, status.value, seen.attempts, seen.seconds, seen.error)

    def _in_order(self) -> list[tuple[str, _Seen]]:
        needs = {task.id: task.dependencies for task in self._workflow.tasks}
        return [(id_, self._tasks[id_]) for layer in layers(needs) for id_ in layer]

    def _error(self) -> str | None:
        """Return why the engine did not finish the run, None where it did."""
        if self._given_up is not None:
            return self._given_up
        if self._fate is not None:
            return self._fate.words
        return _text(self._answer.get("error"))

    def _now(self) -> float:
        return time.monotonic() - self._began


def _text(said: object) -> str | None:
    return said[:MAX_ERROR] if isinstance(said, str) and said else None


def _number(said: object) -> float:
    return float(said) if isinstance(said, (int, float)) else 0.0
