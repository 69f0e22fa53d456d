"""Runs a workflow: drives a schedule with threads, each of which waits for one attempt."""

from __future__ import annotations

import queue
import random
import threading
import time
from typing import TYPE_CHECKING, Protocol

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.manifest.graph import find_cycle
from cloacina_ctl.runtime.scheduler.events import (
    TaskEnded,
    TaskResult,
    TaskRetrying,
    TaskStarted,
    WorkflowOutcome,
)
from cloacina_ctl.runtime.scheduler.schedule import Attempt, Schedule, TaskStatus, steps_of
from cloacina_ctl.runtime.scheduler.select import only_task
from cloacina_ctl.runtime.scheduler.trigger_rules import BadRule, read_rule, unknown_tasks
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from cloacina_ctl.manifest.model import Task, Workflow
    from cloacina_ctl.runtime.metadata import TaskOutcome
    from cloacina_ctl.runtime.scheduler.context import Context
    from cloacina_ctl.runtime.scheduler.events import Events
    from cloacina_ctl.runtime.scheduler.schedule import Start, StatusChange
    from cloacina_ctl.runtime.scheduler.trigger_rules import TriggerRule

# Both are defaults of the engines.
DEFAULT_JOBS = 4
DEFAULT_TIMEOUT_SECONDS = 300.0
MAX_TIMEOUT_SECONDS = 365 * 24 * 3600
# Longer waits are split, so that a signal that another thread received is seen in between.
_LONGEST_WAIT_SECONDS = 0.5


class RunsTasks(Protocol):
    """Runs one attempt of a task, as a session does."""

    @property
    def overlays(self) -> bool:
        """Whether a returned context is merged over the task's input, as for compiled tasks."""

    def run_task(self, task_id: str, context: Context, *, timeout: float | None) -> TaskOutcome:
        """Run the task once and return its outcome; called from several threads at once."""


class RunOptions(NamedTuple):
    """How to run: ``jobs`` tasks at once; ``timeout`` in seconds, for each attempt of a task.

    Where ``timeout`` is None, it is that of the manifest, or ``DEFAULT_TIMEOUT_SECONDS``.
    """

    jobs: int = DEFAULT_JOBS
    timeout: float | None = None
    keep_going: bool = False


def run_workflow(
    session: RunsTasks,
    workflow: Workflow,
    context: Context,
    options: RunOptions = RunOptions(),
    events: Events | None = None,
    *,
    stopped: Callable[[WorkflowOutcome], None] | None = None,
) -> WorkflowOutcome:
    """Run the tasks of ``workflow`` by their dependencies and rules, and return the outcome.

    ``events`` is called only in this thread; so is ``stopped``, with the status of each task, where
    the run is interrupted. Raises ``Refused`` for a trigger rule that cannot be read and for an
    unknown dependency. An interrupt (Ctrl-C) is raised at once: running attempts end when the
    caller closes the session.
    """
    rules = read_rules(workflow)
    _refuse_what_never_ends(workflow)
    schedule = Schedule(
        steps_of(workflow.tasks, rules),
        context,
        keep_going=options.keep_going,
        overlays=session.overlays,
    )
    run = _Run(session, workflow, schedule, options, events or (lambda _: None))
    try:
        run.go()
    except KeyboardInterrupt:
        if stopped is not None:
            stopped(run.stopped_outcome())
        raise
    finally:
        run.dismiss()
    return run.outcome()


def run_task(
    session: RunsTasks,
    workflow: Workflow,
    task_id: str,
    context: Context,
    options: RunOptions = RunOptions(),
    events: Events | None = None,
) -> WorkflowOutcome:
    """Run one task of ``workflow`` once, without its dependencies; raises as ``run_workflow``.

    Raises ``UsageError`` for an unknown task.
    """
    return run_workflow(session, only_task(workflow, task_id), context, options, events)


def read_rules(workflow: Workflow) -> dict[str, TriggerRule]:
    """Return the trigger rules by task, without those that say `always`.

    Raises ``Refused`` where one cannot be read, or names an unknown task, for which an engine would
    wait forever.
    """
    known = {task.id for task in workflow.tasks}
    rules = {}
    for task in workflow.tasks:
        rule = _read(task, task.trigger_rules) if task.trigger_rules else None
        if rule is not None:
            _refuse_unknown(task, unknown_tasks(rule, known))
            rules[task.id] = rule
    return rules


def _read(task: Task, text: str) -> TriggerRule | None:
    try:
        return read_rule(text)
    except BadRule as why:
        words = str(why) if text[:80] in str(why) else f"{why}: {text:.200}"
        raise Refused.of(
            Code.TRIGGER_RULE,
            f"the trigger rule of the task `{task.id}` cannot be read, {words}",
            where=task.source,
            hint="write it where the task is declared, as a call of the rules with literal values",
        ) from why


def _refuse_what_never_ends(workflow: Workflow) -> None:
    """Refuse tasks that would wait forever: metadata of code is not checked like a manifest."""
    needs = {task.id: task.dependencies for task in workflow.tasks}
    for task in workflow.tasks:
        _refuse_unknown_dependencies(task, needs)
    cycle = find_cycle(needs)
    if cycle:
        names = " ← ".join(f"`{id_}`" for id_ in [*cycle, cycle[0]])
        raise Refused.of(Code.CYCLE, f"tasks that wait for each other: {names}")


def _refuse_unknown_dependencies(task: Task, known: Collection[str]) -> None:
    unknown = [f"`{name}`" for name in task.dependencies if name not in known]
    if unknown:
        raise Refused.of(
            Code.UNKNOWN_DEPENDENCY,
            f"the task `{task.id}` waits for unknown tasks: {', '.join(unknown)}",
            where=task.source,
            hint="tasks that a provider's constructor makes run only on a server",
        )


def _refuse_unknown(task: Task, unknown: list[str]) -> None:
    if unknown:
        names = ", ".join(f"`{name}`" for name in unknown)
        raise Refused.of(
            Code.UNKNOWN_DEPENDENCY,
            f"the trigger rule of the task `{task.id}` names unknown tasks: {names}",
            where=task.source,
        )


class _Ended(NamedTuple):
    """An attempt that a thread has finished."""

    start: Start
    how: Attempt | None
    seconds: float
    raised: BaseException | None = None


class _Run:
    """One run: the schedule, the threads, the clock."""

    def __init__(
        self,
        session: RunsTasks,
        workflow: Workflow,
        schedule: Schedule,
        options: RunOptions,
        events: Events,
    ) -> None:
        self._workflow = workflow
        self._schedule = schedule
        self._events = events
        self._began = time.monotonic()
        self._spent: dict[str, float] = {}
        self._since: dict[str, float] = {}
        self._running = 0
        self._jobs = max(1, min(options.jobs, len(workflow.tasks)))
        self._chance = random.Random().random  # noqa: S311 - spreads delays, hides nothing
        self._workers = _Workers(_attempts_of(session, workflow.tasks, options))

    def go(self) -> None:
        """Run until every task has ended."""
        self._report(self._schedule.begin())
        while not self._schedule.is_done:
            self._start()
            ended = self._workers.next_ended(self._patience())
            if ended is not None:
                self._finish(ended)

    def dismiss(self) -> None:
        """Let the threads end, each after its current attempt."""
        self._workers.dismiss()

    def outcome(self) -> WorkflowOutcome:
        """Return the outcome, once all tasks have ended."""
        return WorkflowOutcome(
            workflow=self._workflow.name,
            status=self._schedule.status.value,
            context=self._schedule.context,
            context_of=self._schedule.context_of,
            tasks=tuple(map(self._result, self._schedule.standing())),
            seconds=self._now(),
        )

    def stopped_outcome(self) -> WorkflowOutcome:
        """Return the outcome of an interrupted run: it and its unfinished tasks are cancelled."""
        tasks = map(self._stopped, self._schedule.standing())
        return self.outcome()._replace(status=TaskStatus.CANCELLED.value, tasks=tuple(tasks))

    def _stopped(self, change: StatusChange) -> TaskResult:
        result = self._result(change)
        if change.status is TaskStatus.RUNNING:
            spent = result.seconds + self._now() - self._since.get(change.task, self._now())
            return result._replace(status=TaskStatus.CANCELLED.value, seconds=spent)
        if change.status is TaskStatus.RETRYING:
            return result._replace(status=TaskStatus.CANCELLED.value)
        if change.status is TaskStatus.WAITING:
            return result._replace(status=TaskStatus.NOT_STARTED.value)
        return result

    def _start(self) -> None:
        for start in self._schedule.take(self._now(), self._jobs - self._running):
            self._running += 1
            self._since[start.task] = self._now()
            self._events(TaskStarted(task=start.task, attempt=start.attempt, at=self._now()))
            self._workers.begin(start)

    def _finish(self, ended: _Ended) -> None:
        self._running -= 1
        id_ = ended.start.task
        self._spent[id_] = self._spent.get(id_, 0.0) + ended.seconds
        if ended.how is None:
            raise ended.raised or RuntimeError("an attempt ended without a result")
        self._report(self._schedule.finish(id_, ended.how, self._now(), self._chance()))

    def _patience(self) -> float:
        """Return the seconds to wait for a thread: until the next delayed attempt is due."""
        next_at = self._schedule.next_at()
        if next_at is None or self._running >= self._jobs:
            return _LONGEST_WAIT_SECONDS
        return min(max(next_at - self._now(), 0.0), _LONGEST_WAIT_SECONDS)

    def _report(self, changes: Iterable[StatusChange]) -> None:
        for change in changes:
            if change.status is TaskStatus.RETRYING:
                self._events(
                    TaskRetrying(
                        task=change.task,
                        attempt=change.attempts,
                        at=self._now(),
                        error=change.error or "",
                        delay=change.delay or 0.0,
                    )
                )
            else:
                result = self._result(change)
                self._events(
                    TaskEnded(
                        task=result.id,
                        status=result.status,
                        attempts=result.attempts,
                        at=self._now(),
                        seconds=result.seconds,
                        error=result.error,
                    )
                )

    def _result(self, change: StatusChange) -> TaskResult:
        return TaskResult(
            id=change.task,
            status=change.status.value,
            attempts=change.attempts,
            seconds=self._spent.get(change.task, 0.0),
            error=change.error,
        )

    def _now(self) -> float:
        return time.monotonic() - self._began


class _Workers:
    """Threads that run attempts, as many as needed at once. One thread uses this object."""

    def __init__(self, run: Callable[[Start], Attempt]) -> None:
        self._run = run
        self._todo: queue.SimpleQueue[Start | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[_Ended] = queue.SimpleQueue()
        self._threads = 0
        self._busy = 0

    def begin(self, start: Start) -> None:
        """Let a thread run the attempt."""
        self._busy += 1
        if self._busy > self._threads:
            self._threads += 1
            # An attempt must not keep the program alive after an interrupt.
            threading.Thread(target=self._work, daemon=True).start()
        self._todo.put(start)

    def next_ended(self, patience: float) -> _Ended | None:
        """Return an ended attempt, None where none ends within ``patience`` seconds."""
        try:
            ended = self._ended.get(timeout=patience)
        except queue.Empty:
            return None
        self._busy -= 1
        return ended

    def dismiss(self) -> None:
        """End every thread after its current attempt."""
        for _ in range(self._threads):
            self._todo.put(None)

    def _work(self) -> None:
        while (start := self._todo.get()) is not None:
            began = time.monotonic()
            how, raised = None, None
            try:
                how = self._run(start)
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
                raised = error
            self._ended.put(_Ended(start, how, time.monotonic() - began, raised))


def _attempts_of(
    session: RunsTasks, tasks: Iterable[Task], options: RunOptions
) -> Callable[[Start], Attempt]:
    """Return the function that runs an attempt in a session, with the task's time limit."""
    limits = {
        task.id: min(
            options.timeout or task.timeout_seconds or DEFAULT_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS
        )
        for task in tasks
    }

    def attempt(start: Start) -> Attempt:
        limit = limits[start.task]
        outcome = session.run_task(start.task, start.context, timeout=limit)
        return Attempt(
            succeeded=outcome.succeeded,
            context=outcome.context,
            error=outcome.error,
            timed_out=outcome.timed_out,
        )

    return attempt
