"""Events and results of a run; ``at`` is in seconds since it began."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    Events = Callable[["Event"], None]


class TaskStarted(NamedTuple):
    """An attempt began; the first is 1."""

    task: str
    attempt: int
    at: float


class TaskRetrying(NamedTuple):
    """An attempt failed, and the next one begins after ``delay`` seconds."""

    task: str
    attempt: int
    at: float
    error: str
    delay: float


class TaskEnded(NamedTuple):
    """A task ended, with no attempt to follow; the rest is as in ``TaskResult``."""

    task: str
    status: str
    attempts: int
    at: float
    seconds: float
    error: str | None = None


Event = TaskStarted | TaskRetrying | TaskEnded


class TaskResult(NamedTuple):
    """How a task ended; ``seconds`` is the time that its attempts took together.

    ``status`` is ``completed``, ``failed``, ``skipped`` by its rule, ``not-started``, or
    ``cancelled`` where the run was stopped while the task ran or waited for its next attempt.
    """

    id: str
    status: str
    attempts: int
    seconds: float
    error: str | None = None


class EngineUsed(NamedTuple):
    """The engine that ran a workflow, where it was not our own scheduler."""

    name: str
    version: str


class WorkflowOutcome(NamedTuple):
    """How a workflow ended: ``completed``, ``failed`` or ``cancelled``, and all its tasks by layer.

    ``context`` is that of ``context_of``, the task that completed last, or the context of the run
    where none did. ``error`` is why an ``engine`` did not finish the run.
    """

    workflow: str
    status: str
    context: dict[str, object]
    context_of: str | None
    tasks: tuple[TaskResult, ...]
    seconds: float
    engine: EngineUsed | None = None
    error: str | None = None
