"""The state of one run of a workflow: which task may start when, and with which context.

It has no clock, no random numbers and no threads: the caller passes time and chance, and runs the
tasks. The rules are those of the engines:

- A task is decided once all its dependencies have ended, in any status. Its trigger rule then says
  whether it runs or is skipped; a task without a rule of its own always runs.
- The workflow has failed where a task failed after its last attempt.

Engines continue after a failure, also with the tasks that depend on the failed one
(``keep_going``). Without it, no task without a rule of its own starts after a failure: tasks that
clean up or report have a rule, and run in both cases.
"""

from __future__ import annotations

import enum
import heapq
from typing import TYPE_CHECKING, Any

from cloacina_ctl.manifest.graph import layers
from cloacina_ctl.manifest.model import Retry
from cloacina_ctl.runtime.scheduler.context import merged, overlaid
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.runtime.scheduler.context import Context
    from cloacina_ctl.runtime.scheduler.trigger_rules import TriggerRule

# A failed attempt is repeated by the rules of the engines' ``RetryPolicy``: ``attempts`` counts
# every run of the task, the first one too; the delay follows from the number of the failed attempt,
# and is capped before it is spread by a quarter to both sides.

_TRANSIENT = ("timeout", "connection", "network", "temporary", "unavailable")
_SPREAD = 0.25
# Enough to exceed any `max_delay_ms` of a manifest.
_MAX_DOUBLINGS = 64
_MAX_DELAY_MS = 365 * 24 * 3600 * 1000  # code may compute any number


def is_retried(retry: Retry, attempt: int, error: str, *, timed_out: bool = False) -> bool:
    """Return whether another attempt follows after this one, counted from 1, failed."""
    if attempt >= retry.attempts or retry.condition == "never":
        return False
    if retry.condition == "all":
        return True
    text = error.lower()
    if retry.condition == "transient":
        return timed_out or any(word in text for word in _TRANSIENT)
    return any(word.strip().lower() in text for word in retry.condition.split(","))


def delay_seconds(retry: Retry, attempt: int, chance: float) -> float:
    """Return the seconds between the failure of this attempt, counted from 1, and the next one.

    ``chance``, from 0 to 1, decides the spread where the task has jitter.
    """
    delay = retry.delay_ms
    if retry.backoff == "linear":
        delay *= attempt
    elif retry.backoff == "exponential":
        delay *= 2 ** min(attempt - 1, _MAX_DOUBLINGS)
    delay = min(delay, retry.max_delay_ms, _MAX_DELAY_MS)
    if retry.jitter:
        delay = int(delay * (1 - _SPREAD + 2 * _SPREAD * chance))
    return delay / 1000


class TaskStatus(str, enum.Enum):
    """The status of a task. The last five are final; only the caller sets `CANCELLED`."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_STARTED = "not-started"
    CANCELLED = "cancelled"


class ScheduledTask(NamedTuple):
    """A task as it is scheduled; ``rule`` is None where it always runs."""

    id: str
    needs: tuple[str, ...] = ()
    retry: Retry = Retry()
    rule: TriggerRule | None = None


class Start(NamedTuple):
    """An attempt, counted from 1, that begins now, and the context that the task gets."""

    task: str
    attempt: int
    context: Context


class Attempt(NamedTuple):
    """How an attempt ended: ``context`` is what the task returned, None where it returned none."""

    succeeded: bool
    context: Context | None = None
    error: str | None = None
    timed_out: bool = False


class StatusChange(NamedTuple):
    """A new status of a task; ``delay`` is in seconds, where it is retried."""

    task: str
    status: TaskStatus
    attempts: int
    error: str | None = None
    delay: float | None = None


class _Progress:
    """What is known of one task while the run lasts."""

    __slots__ = ("attempts", "error", "input", "missing", "status", "step")

    def __init__(self, step: ScheduledTask) -> None:
        self.step = step
        self.status = TaskStatus.WAITING
        self.missing = len(set(step.needs))
        self.attempts = 0
        self.error: str | None = None
        self.input: Context = {}


class Schedule:
    """One run. Every need of a step must be a step, without cycles."""

    def __init__(
        self, steps: Iterable[ScheduledTask], context: Context, *, keep_going: bool, overlays: bool
    ) -> None:
        """Prepare the run: nothing has started yet.

        With ``overlays`` a returned context is merged over the input, as for compiled tasks; Python
        tasks return the whole context.
        """
        self._tasks = {step.id: _Progress(step) for step in steps}
        self._context = context
        self._keep_going = keep_going
        self._overlays = overlays
        self.layers = layers({id_: task.step.needs for id_, task in self._tasks.items()})
        self._order = {id_: at for at, id_ in enumerate(id_ for one in self.layers for id_ in one)}
        self._needed_by: dict[str, list[str]] = {id_: [] for id_ in self._tasks}
        for id_ in self._order:
            for need in set(self._tasks[id_].step.needs):
                self._needed_by[need].append(id_)
        self._statuses = dict.fromkeys(self._tasks, TaskStatus.WAITING.value)
        self._outputs: dict[str, Context] = {}
        self._ready: list[tuple[int, str]] = []
        self._delayed: list[tuple[float, int, str]] = []
        self._left = len(self._tasks)
        self._stopping = False
        self._last: tuple[float, str] | None = None
        self.context_of: str | None = None

    def begin(self) -> tuple[StatusChange, ...]:
        """Decide about the tasks without dependencies; call it once, before anything else."""
        free = [id_ for id_ in self._order if not self._tasks[id_].missing]
        return tuple(self._check(free))

    def take(self, now: float, most: int) -> Iterator[Start]:
        """Yield up to ``most`` attempts that may begin at ``now``, in seconds; each has begun."""
        while self._delayed and self._delayed[0][0] <= now:
            _, order, id_ = heapq.heappop(self._delayed)
            heapq.heappush(self._ready, (order, id_))
        for _ in range(min(most, len(self._ready))):
            task = self._tasks[heapq.heappop(self._ready)[1]]
            task.attempts += 1
            self._set(task, TaskStatus.RUNNING)
            yield Start(task=task.step.id, attempt=task.attempts, context=dict(task.input))

    def next_at(self) -> float | None:
        """Return when the next delayed attempt may begin, None where none is delayed."""
        return self._delayed[0][0] if self._delayed else None

    def finish(self, id_: str, how: Attempt, now: float, chance: float) -> tuple[StatusChange, ...]:
        """Record how the running attempt ended; return the changes, in order.

        ``chance`` is from 0 to 1; the delay before another attempt is spread by it.
        """
        task = self._tasks[id_]
        if how.succeeded:
            self._keep(task, how.context, now)
            return tuple(self._end(task, TaskStatus.COMPLETED))
        task.error = how.error or "it gave no reason"
        retry = task.step.retry
        again = is_retried(retry, task.attempts, task.error, timed_out=how.timed_out)
        if again and not self._is_held_back(task.step):
            delay = delay_seconds(retry, task.attempts, chance)
            self._set(task, TaskStatus.RETRYING)
            heapq.heappush(self._delayed, (now + delay, self._order[id_], id_))
            return (self._change(task, delay),)
        return tuple(self._end(task, TaskStatus.FAILED))

    @property
    def is_done(self) -> bool:
        """Whether every task has ended."""
        return not self._left

    @property
    def status(self) -> TaskStatus:
        """Return how the workflow ended: failed where a task did."""
        failed = any(task.status is TaskStatus.FAILED for task in self._tasks.values())
        return TaskStatus.FAILED if failed else TaskStatus.COMPLETED

    @property
    def context(self) -> Context:
        """Return the final context as in the engines: of the task that completed last.

        Of several at the same moment, the one with the greatest id; where none completed, the
        context that the run began with.
        """
        return self._context if self.context_of is None else self._outputs[self.context_of]

    def standing(self) -> tuple[StatusChange, ...]:
        """Return the status of every task, in the order of the layers."""
        return tuple(self._change(self._tasks[id_]) for id_ in self._order)

    def _check(self, ids: list[str]) -> Iterator[StatusChange]:
        """Decide about tasks whose needs have all ended, and about those that follow from it."""
        for id_ in ids:  # grows during the loop
            task = self._tasks[id_]
            rule = task.step.rule
            if rule is not None and not rule.holds(self._statuses, overlaid(self._inputs(task))):
                ended = TaskStatus.SKIPPED
            elif self._is_held_back(task.step):
                ended = TaskStatus.NOT_STARTED
            else:
                task.input = merged(self._inputs(task))
                heapq.heappush(self._ready, (self._order[id_], id_))
                continue
            ids += self._settle(task, ended)
            yield self._change(task)

    def _inputs(self, task: _Progress) -> list[Context]:
        if not task.step.needs:
            return [self._context]
        return [self._outputs[need] for need in task.step.needs if need in self._outputs]

    def _keep(self, task: _Progress, returned: Context | None, now: float) -> None:
        output = task.input if returned is None else returned
        self._outputs[task.step.id] = {**task.input, **output} if self._overlays else output
        if self._last is None or (now, task.step.id) > self._last:
            self._last = (now, task.step.id)
            self.context_of = task.step.id

    def _end(self, task: _Progress, status: TaskStatus) -> Iterator[StatusChange]:
        following = self._settle(task, status)
        yield self._change(task)
        if status is TaskStatus.FAILED and not self._keep_going and not self._stopping:
            self._stopping = True
            yield from self._hold_back()
        yield from self._check(following)

    def _hold_back(self) -> Iterator[StatusChange]:
        """End tasks that have not begun, and tasks that wait for another attempt."""
        waiting = [id_ for _, id_ in sorted(self._ready)]
        delayed = [id_ for *_, id_ in sorted(self._delayed)]
        held = [id_ for id_ in (*waiting, *delayed) if self._is_held_back(self._tasks[id_].step)]
        gone = set(held)
        self._ready = [one for one in self._ready if one[-1] not in gone]
        self._delayed = [one for one in self._delayed if one[-1] not in gone]
        heapq.heapify(self._ready)
        heapq.heapify(self._delayed)
        for id_ in held:
            task = self._tasks[id_]
            following = self._settle(
                task, TaskStatus.FAILED if task.attempts else TaskStatus.NOT_STARTED
            )
            yield self._change(task)
            yield from self._check(following)

    def _is_held_back(self, step: ScheduledTask) -> bool:
        return self._stopping and step.rule is None

    def _settle(self, task: _Progress, status: TaskStatus) -> list[str]:
        """Set the final status of a task and return the tasks that waited only for it."""
        self._set(task, status)
        self._left -= 1
        free = []
        for id_ in self._needed_by[task.step.id]:
            waiting = self._tasks[id_]
            waiting.missing -= 1
            if not waiting.missing:
                free.append(id_)
        return free

    def _set(self, task: _Progress, status: TaskStatus) -> None:
        task.status = status
        self._statuses[task.step.id] = status.value

    def _change(self, task: _Progress, delay: float | None = None) -> StatusChange:
        return StatusChange(
            task=task.step.id,
            status=task.status,
            attempts=task.attempts,
            error=None if task.status is TaskStatus.COMPLETED else task.error,
            delay=delay,
        )


def steps_of(tasks: Iterable[Any], rules: dict[str, TriggerRule]) -> tuple[ScheduledTask, ...]:
    """Return the steps for the tasks of a manifest; one without retry settings has the default."""
    return tuple(
        ScheduledTask(
            id=task.id,
            needs=task.dependencies,
            retry=task.retry or Retry(),
            rule=rules.get(task.id),
        )
        for task in tasks
    )
