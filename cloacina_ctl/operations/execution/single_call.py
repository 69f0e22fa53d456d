"""``run --trigger`` and ``run --graph``: one call into a package, and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.operations.execution.files import FileAccess, access_of
from cloacina_ctl.operations.execution.loading import (
    LoadedPackage,
    RunObserver,
    RunRequest,
    from_file,
    refuse_odd_limits,
    tell_waits,
    warn,
)
from cloacina_ctl.runtime.scheduler.run import DEFAULT_TIMEOUT_SECONDS
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification.policy import VerificationPolicy

if TYPE_CHECKING:
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.operations.execution.loading import Loader


class Polled(NamedTuple):
    """What a trigger answered; ``error`` where it failed."""

    path: str
    name: str
    version: str
    content: str
    trusted_signers: tuple[str, ...]
    trigger: str
    fires: bool
    context: dict[str, Any] | None
    error: str | None
    warnings: tuple[Diagnostic, ...] = ()
    network_is_closed: bool = False
    access: FileAccess = FileAccess()


class GraphRan(NamedTuple):
    """How a graph ended: ``outputs`` are the values of its last nodes, none where it failed.

    ``absent`` are its accumulators for which no value was given.
    """

    path: str
    name: str
    version: str
    content: str
    trusted_signers: tuple[str, ...]
    graph: str
    status: str
    outputs: tuple[object, ...]
    error: str | None
    warnings: tuple[Diagnostic, ...] = ()
    network_is_closed: bool = False
    access: FileAccess = FileAccess()
    absent: tuple[str, ...] = ()


def poll(
    request: RunRequest,
    trigger: str,
    rule: VerificationPolicy = VerificationPolicy(),
    watch: RunObserver = RunObserver(),
    load: Loader = from_file,
) -> Polled:
    """Verify the package, load it, and ask ``trigger`` once whether it fires; raises as ``run``.

    Raises ``UsageError`` where that is to be done by an engine.
    """
    _refuse_engine(
        request,
        "a trigger cannot be asked in an engine: its wheel does not give away the context that "
        "a trigger fires with",
        "ask it without --engine",
    )
    refuse_odd_limits(request)
    with load(request, rule, watch) as loaded:
        warn(watch, loaded)
        tell_waits(watch, f"asking the trigger {trigger}")
        timeout = request.timeout or DEFAULT_TIMEOUT_SECONDS
        answer = loaded.session.poll_trigger(trigger, timeout=timeout)
        return Polled(
            *_of(request, loaded),
            trigger=trigger,
            fires=answer.fires,
            context=answer.context,
            error=answer.error,
            warnings=(*loaded.warnings, *loaded.session.warnings),
            network_is_closed=loaded.session.network_is_closed,
            access=access_of(request, loaded.session.isolation),
        )


def run_graph(
    request: RunRequest,
    graph: str,
    rule: VerificationPolicy = VerificationPolicy(),
    watch: RunObserver = RunObserver(),
    load: Loader = from_file,
) -> GraphRan:
    """Verify the package, load it, and run ``graph`` once; raises as ``run``.

    The context of ``request`` holds the values of the graph's accumulators by name, or is what a
    graph gets that tasks call. Raises ``UsageError`` for a graph or an accumulator that is not
    there, and where an engine is to do it.
    """
    _refuse_engine(
        request,
        "a graph cannot be run in an engine: its wheel runs workflows",
        "run it without --engine",
    )
    refuse_odd_limits(request)
    with load(request, rule, watch) as loaded:
        absent = _absent_inputs(loaded, graph, request)
        warn(watch, loaded)
        tell_waits(watch, f"running the graph {graph}")
        timeout = request.timeout or DEFAULT_TIMEOUT_SECONDS
        answer = loaded.session.run_graph(graph, dict(request.context), timeout=timeout)
        return GraphRan(
            *_of(request, loaded),
            graph=graph,
            status="completed" if answer.succeeded else "failed",
            outputs=answer.outputs,
            error=answer.error,
            warnings=(*loaded.warnings, *loaded.session.warnings),
            network_is_closed=loaded.session.network_is_closed,
            access=access_of(request, loaded.session.isolation),
            absent=absent,
        )


def _of(request: RunRequest, loaded: LoadedPackage) -> tuple[str, str, str, str, tuple[str, ...]]:
    return request.path, loaded.name, loaded.version, loaded.content, loaded.trusted_signers


def _refuse_engine(request: RunRequest, why: str, hint: str) -> None:
    if request.engine is not None:
        raise UsageError.of(Code.USAGE, why, hint=hint)


def _absent_inputs(loaded: LoadedPackage, graph: str, request: RunRequest) -> tuple[str, ...]:
    """Return the accumulators of the graph that get no value; what a task calls has none.

    Raises ``UsageError`` for a value that no accumulator takes.
    """
    fed = loaded.session.describe().graph
    if fed is None or fed.name != graph:
        return ()
    names = [one.name for one in fed.inputs]
    unknown = sorted(request.context.keys() - set(names))
    if unknown and names:
        raise UsageError.of(
            Code.NO_SUCH_TASK,
            f"the graph `{graph}` has no accumulator of that name: {unknown[0]}",
            hint=f"--context has their values by name, and they are: {', '.join(names[:20])}",
        )
    return tuple(name for name in names if name not in request.context)
