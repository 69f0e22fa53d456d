"""``run``: a workflow, or one task of it, from verified bytes, in a child process.

The rule is that of ``verify``: what it would not pass is never loaded. What the loaded code says of
its tasks is compared with the manifest before anything runs (``runtime.package``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused, UsageError
from cloacina_ctl.operations.execution.files import FileAccess, access_of, refusal_hint
from cloacina_ctl.operations.execution.loading import (
    LoadedCode,
    LoadedPackage,
    Ran,
    RunObserver,
    RunRequest,
    from_file,
    refuse_odd_limits,
    warn,
)
from cloacina_ctl.operations.execution.plan import PlannedTask, RunPlan, plan_run
from cloacina_ctl.operations.execution.single_call import GraphRan, Polled, poll, run_graph
from cloacina_ctl.runtime.scheduler.events import (
    Event,
    TaskEnded,
    TaskResult,
    TaskRetrying,
    TaskStarted,
    WorkflowOutcome,
)
from cloacina_ctl.runtime.scheduler.run import RunOptions, run_workflow
from cloacina_ctl.runtime.scheduler.select import choose_workflow, no_workflow, only_task
from cloacina_ctl.verification.policy import VerificationPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloacina_ctl.manifest.model import Workflow
    from cloacina_ctl.operations.execution.loading import Loader
    from cloacina_ctl.runtime.metadata import PackageMetadata

__all__ = [
    "Event",
    "FileAccess",
    "GraphRan",
    "PlannedTask",
    "Polled",
    "Ran",
    "RunObserver",
    "RunPlan",
    "RunRequest",
    "TaskEnded",
    "TaskResult",
    "TaskRetrying",
    "TaskStarted",
    "WorkflowOutcome",
    "plan_run",
    "poll",
    "refusal_hint",
    "run",
    "run_graph",
]


def run(
    request: RunRequest,
    rule: VerificationPolicy = VerificationPolicy(),
    watch: RunObserver = RunObserver(),
    load: Loader = from_file,
) -> Ran:
    """Verify the package, load it, and run its workflow or one task; return how that went.

    A task that fails is an answer, not an error. Raises what ``verify`` and ``load`` raise,
    ``UsageError`` for a workflow or task that is not there, ``Incompatible`` for a package that has
    graphs alone, and ``Refused`` for a trigger rule that cannot be evaluated.
    """
    refuse_odd_limits(request)
    with load(request, rule, watch) as loaded:
        described = loaded.session.describe()
        if not any(one.tasks for one in loaded.workflows):
            _refuse_no_workflow(described, request.path)
        workflow = choose_workflow(loaded.workflows, request.workflow)
        _refuse_what_is_not_loaded(workflow, described)
        if request.task is not None:
            workflow = only_task(workflow, request.task)
        warn(watch, loaded)
        if watch.begins is not None:
            watch.begins([task.id for task in workflow.tasks])

        def ran(outcome: WorkflowOutcome) -> Ran:
            return _ran(request, loaded, outcome)

        return ran(_run(loaded.session, workflow, request, watch, ran))


def _ran(request: RunRequest, loaded: LoadedPackage, outcome: WorkflowOutcome) -> Ran:
    return Ran(
        path=request.path,
        name=loaded.name,
        version=loaded.version,
        content=loaded.content,
        trusted_signers=loaded.trusted_signers,
        outcome=outcome,
        warnings=(*loaded.warnings, *loaded.session.warnings),
        network_is_closed=loaded.session.network_is_closed,
        only_task=request.task,
        access=access_of(request, loaded.session.isolation),
        verification=loaded.verification,
    )


def _run(
    session: LoadedCode,
    workflow: Workflow,
    request: RunRequest,
    watch: RunObserver,
    ran: Callable[[WorkflowOutcome], Ran],
) -> WorkflowOutcome:
    context = dict(request.context)
    if request.engine is None:
        report = watch.stopped
        options = RunOptions(
            jobs=request.jobs, timeout=request.timeout, keep_going=request.keep_going
        )
        return run_workflow(
            session,
            workflow,
            context,
            options,
            watch.event,
            stopped=None if report is None else lambda outcome: report(ran(outcome)),
        )
    from cloacina_ctl.runtime.engine_run import EngineOptions, run_in_engine
    from cloacina_ctl.runtime.session import Session

    if not isinstance(session, Session):
        raise UsageError.of(Code.USAGE, "the loaded code does not run in an engine")
    asked = EngineOptions(jobs=request.jobs, timeout=request.timeout, only=request.task)
    return run_in_engine(session, workflow, context, asked, watch.event)


def _refuse_no_workflow(described: PackageMetadata, path: str) -> None:
    """Raise ``Incompatible``: there is no workflow, but perhaps there are graphs."""
    fed = described.graph
    names = [*([] if fed is None else [fed.name]), *described.callable_graphs]
    raise no_workflow(names, path)


def _refuse_what_is_not_loaded(workflow: Workflow, described: PackageMetadata) -> None:
    """Raise ``UsageError`` for another workflow than the loaded one, the same tasks or not.

    Raises ``Refused`` for one that a server has to make a part of.
    """
    made = {task.id for task in described.constructors}
    listed = {task.id for task in described.tasks} | made
    absent = [f" with its task `{task.id}`" for task in workflow.tasks if task.id not in listed]
    if absent or described.workflow not in (None, workflow.name):
        raise UsageError.of(
            Code.NO_SUCH_TASK,
            f"the code that can be loaded has the workflow `{described.workflow}`, and not "
            f"`{workflow.name}`{absent[0] if absent else ''}",
        )
    for task in workflow.tasks:
        if task.id in made:
            raise Refused.of(
                Code.UNKNOWN_DEPENDENCY,
                f"`{task.id}` is made by a constructor of a provider, which only a server can run",
                where=task.source,
            )
