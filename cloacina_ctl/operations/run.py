"""``run``: a workflow, one task of it, or a trigger, from verified bytes, in a child process.

The rule is that of ``verify``: what it would not pass is never loaded. What the loaded code says of
its tasks is compared with the manifest before anything runs (``runtime.package``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from cloacina_ctl.authenticity import Rule
from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.operations.run_plan import PlannedTask, RunPlan, plan_run
from cloacina_ctl.runtime.choosing import choose_workflow, only_task
from cloacina_ctl.runtime.events import (
    Event,
    TaskEnded,
    TaskResult,
    TaskRetrying,
    TaskStarted,
    WorkflowOutcome,
)
from cloacina_ctl.runtime.isolation import HostOptions
from cloacina_ctl.runtime.package import open_package
from cloacina_ctl.runtime.run import (
    DEFAULT_JOBS,
    DEFAULT_TIMEOUT_SECONDS,
    RunOptions,
    run_workflow,
)
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.manifest.model import Workflow
    from cloacina_ctl.progress import Progress
    from cloacina_ctl.runtime.described import Described, TaskOutcome, TriggerOutcome
    from cloacina_ctl.runtime.engine import Engine

    Loader = Callable[["RunRequest", Rule, "Watch"], AbstractContextManager["LoadedPackage"]]

__all__ = [
    "Event",
    "PlannedTask",
    "Polled",
    "Ran",
    "RunPlan",
    "RunRequest",
    "TaskEnded",
    "TaskResult",
    "TaskRetrying",
    "TaskStarted",
    "Watch",
    "WorkflowOutcome",
    "plan_run",
    "poll",
    "run",
]


class RunRequest(NamedTuple):
    """What to run, and how; ``timeout`` is in seconds, for one attempt of a task.

    ``task`` is the only task to run, once, whatever it waits for. ``engine`` is how ``find_engine``
    has it: the wheel that runs the package, instead of our own scheduler. Engines always keep
    going.
    """

    path: str
    context: Mapping[str, Any] = {}
    workflow: str | None = None
    task: str | None = None
    jobs: int = DEFAULT_JOBS
    timeout: float | None = None
    keep_going: bool = False
    allow_network: bool = False
    engine: str | None = None


class Watch(NamedTuple):
    """Who wants to know while it runs. ``begins`` gets the ids of all tasks before the first event.

    ``output`` gets each line that the code prints, unescaped, in a thread of its own; the others
    are called in the thread that runs.
    """

    begins: Callable[[Sequence[str]], None] | None = None
    event: Callable[[Event], None] | None = None
    output: Callable[[str], None] | None = None
    progress: Progress | None = None


class Ran(NamedTuple):
    """How a run ended, and of what; ``vouched_by`` as ``verify`` has it."""

    path: str
    name: str
    version: str
    content: str
    vouched_by: tuple[str, ...]
    outcome: WorkflowOutcome
    warnings: tuple[Diagnostic, ...] = ()


class Polled(NamedTuple):
    """What a trigger answered; ``error`` where it failed."""

    path: str
    name: str
    version: str
    content: str
    vouched_by: tuple[str, ...]
    trigger: str
    fires: bool
    context: dict[str, Any] | None
    error: str | None
    warnings: tuple[Diagnostic, ...] = ()


class LoadedCode(Protocol):
    """The code of a package, loaded: a session, or whatever else answers like one."""

    @property
    def overlays(self) -> bool:
        """Whether what a task returns is laid over what it got."""

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What was noticed so far."""

    def describe(self) -> Described:
        """Return what the code says of itself."""

    def run_task(
        self, task_id: str, context: dict[str, Any], *, timeout: float | None
    ) -> TaskOutcome:
        """Run a task once."""

    def poll_trigger(self, name: str, *, timeout: float | None) -> TriggerOutcome:
        """Ask a trigger once."""


class LoadedPackage(Protocol):
    """A package that was verified and loaded, as ``runtime.Loaded`` is."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def version(self) -> str:
        """Its version."""

    @property
    def content(self) -> str:
        """Its identity."""

    @property
    def vouched_by(self) -> tuple[str, ...]:
        """Who vouches for it, by fingerprint."""

    @property
    def workflows(self) -> tuple[Workflow, ...]:
        """What it holds."""

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What is odd about it."""

    @property
    def session(self) -> LoadedCode:
        """Its code."""


def from_file(
    request: RunRequest, rule: Rule, watch: Watch
) -> AbstractContextManager[LoadedPackage]:
    """Verify the package that is asked for and load it into a child process."""
    told = watch.output
    options = HostOptions(
        allow_network=request.allow_network,
        on_output=None if told is None else lambda _stream, line: told(line),
        engine=None if request.engine is None else _engine(request.engine),
    )
    return open_package(request.path, rule, options, watch.progress, workflow=request.workflow)


def _engine(spelled: str) -> Engine:
    from cloacina_ctl.runtime.engine import find_engine

    return find_engine(spelled)


def run(
    request: RunRequest, rule: Rule = Rule(), watch: Watch = Watch(), load: Loader = from_file
) -> Ran:
    """Verify the package, load it, and run its workflow or one task; return how that went.

    A task that fails is an answer, not an error. Raises what ``verify`` and ``load`` raise,
    ``UsageError`` for a workflow or task that is not there, and ``Refused`` for a trigger rule that
    nobody can judge.
    """
    with load(request, rule, watch) as loaded:
        workflow = choose_workflow(loaded.workflows, request.workflow)
        _refuse_what_is_not_loaded(workflow, loaded.session.describe())
        if request.task is not None:
            workflow = only_task(workflow, request.task)
        if watch.begins is not None:
            watch.begins([task.id for task in workflow.tasks])
        outcome = _run(loaded.session, workflow, request, watch)
        return Ran(
            path=request.path,
            name=loaded.name,
            version=loaded.version,
            content=loaded.content,
            vouched_by=loaded.vouched_by,
            outcome=outcome,
            warnings=(*loaded.warnings, *loaded.session.warnings),
        )


def _run(
    session: LoadedCode, workflow: Workflow, request: RunRequest, watch: Watch
) -> WorkflowOutcome:
    context = dict(request.context)
    if request.engine is None:
        options = RunOptions(
            jobs=request.jobs, timeout=request.timeout, keep_going=request.keep_going
        )
        return run_workflow(session, workflow, context, options, watch.event)
    from cloacina_ctl.runtime.engine_run import EngineOptions, run_in_engine
    from cloacina_ctl.runtime.session import Session

    if not isinstance(session, Session):
        raise UsageError.of(Code.USAGE, "what is loaded is in no engine")
    asked = EngineOptions(jobs=request.jobs, timeout=request.timeout, only=request.task)
    return run_in_engine(session, workflow, context, asked, watch.event)


def poll(
    request: RunRequest,
    trigger: str,
    rule: Rule = Rule(),
    watch: Watch = Watch(),
    load: Loader = from_file,
) -> Polled:
    """Verify the package, load it, and ask ``trigger`` once whether it fires; raises as ``run``.

    Raises ``UsageError`` where that is to be done by an engine.
    """
    if request.engine is not None:
        raise UsageError.of(
            Code.USAGE,
            "a trigger cannot be asked in an engine: its wheel does not give away the context that "
            "a trigger fires with",
            hint="ask it without --engine",
        )
    with load(request, rule, watch) as loaded:
        timeout = request.timeout or DEFAULT_TIMEOUT_SECONDS
        answer = loaded.session.poll_trigger(trigger, timeout=timeout)
        return Polled(
            path=request.path,
            name=loaded.name,
            version=loaded.version,
            content=loaded.content,
            vouched_by=loaded.vouched_by,
            trigger=trigger,
            fires=answer.fires,
            context=answer.context,
            error=answer.error,
            warnings=(*loaded.warnings, *loaded.session.warnings),
        )


def _refuse_what_is_not_loaded(workflow: Workflow, described: Described) -> None:
    """Raise ``UsageError`` where the code has other tasks: what is loaded is one workflow."""
    told = {task.id for task in described.tasks}
    absent = [task.id for task in workflow.tasks if task.id not in told]
    if absent:
        raise UsageError.of(
            Code.NO_SUCH_TASK,
            f"the code that can be loaded has the workflow `{described.workflow}`, and not "
            f"`{workflow.name}` with its task `{absent[0]}`",
        )
