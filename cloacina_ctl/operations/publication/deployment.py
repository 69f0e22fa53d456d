"""What happens on the server once it has a package: build, load, run; each with an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from cloacina_ctl.errors import BuildFailed, Code, NetworkProblem
from cloacina_ctl.server.bounded_socket import Patience
from cloacina_ctl.server.client import Server, ServerPackage, ServerRefused, TaskRun
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.operations.publication.checks import CheckedPackage

_Found = TypeVar("_Found")

UNDER_WAY = frozenset({"pending", "building"})
BUILT, FAILED = "success", "failed"
COMPLETED = "Completed"
_ENDED = frozenset({COMPLETED, "Failed", "Cancelled"})
_PASSING = frozenset({Code.UNREACHABLE, Code.NO_ANSWER, Code.SERVER_FAILED})
_MAX_LOG = 64 << 10
_MAX_SHOWN = 900  # of a compiler's words in one message


class DeploymentStep(NamedTuple):
    """What the server is at: ``what`` is ``build``, ``load``, ``run``, or ``log``.

    ``text`` is the server's status, or for ``log`` the compiler's words in their lines.
    """

    what: str
    text: str
    seconds: float


Watch = Callable[[DeploymentStep], None]


class Pace(NamedTuple):
    """How often the server is asked, and how long is waited for what it does on its own; seconds.

    Servers look for packages to load every 5 seconds (the default of 0.10 and 0.12), once the
    tenant is awake: ``awake`` is two such turns. ``away`` is for a server that restarts.
    """

    first: float = 0.3
    longest: float = 2.0
    awake: float = 12.0
    load: float = 60.0
    start: float = 60.0
    away: float = 60.0
    patience: Patience = Patience()

    def begin(self, seconds: float, watch: Watch | None) -> Wait:
        """Begin to wait, so many seconds in all."""
        return Wait(self, seconds, watch)


class Wait:
    """One wait for all that follows an upload."""

    def __init__(self, pace: Pace, seconds: float, watch: Watch | None) -> None:
        self.pace = pace
        self._begun = time.monotonic()
        self._end = self._begun + seconds
        self._watch = watch
        self._pause = pace.first

    def report(self, what: str, text: str) -> None:
        """Report a step to the observer."""
        if self._watch is not None:
            self._watch(DeploymentStep(what, text, time.monotonic() - self._begun))

    def until(self, seconds: float) -> float:
        """Return the moment at which a stage of so many seconds ends, or the whole wait."""
        self._pause = self.pace.first
        return min(self._end, time.monotonic() + seconds)

    def pause(self, end: float) -> bool:
        """Wait a little longer than before; False where ``end`` has come."""
        left = end - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(left, self._pause))
        self._pause = min(self.pace.longest, self._pause * 1.3)
        return True


class Run(NamedTuple):
    """One execution: its id there, how it ended, and each task."""

    execution: str
    status: str
    tasks: tuple[TaskRun, ...]

    @property
    def completed(self) -> bool:
        """Whether all went well."""
        return self.status == COMPLETED


def await_build(
    server: Server, package_id: str, checked: CheckedPackage, wait: Wait
) -> ServerPackage:
    """Return the package as the server has built it.

    Raises ``BuildFailed``, or ``NetworkProblem`` where it is not built in time.
    """
    end = wait.until(float("inf"))
    while True:
        package = _through_outages(lambda: _package(server, package_id, checked), wait, "build")
        status = package.build_status
        wait.report("build", status or BUILT)
        if status in (None, BUILT):
            return package
        if status == FAILED:
            raise _build_failed(server, package, wait)
        if status not in UNDER_WAY:
            raise _nonsense(server, f"a build that is {status[:80]}")
        if not wait.pause(end):
            raise NetworkProblem.of(
                Code.NOT_BUILT,
                f"{checked.name} {checked.version} is {status} when the wait is over",
                where=server.address.url,
                hint="run the same command again; a package that stays pending has no compiler"
                if status == "pending"
                else "run the same command again to keep waiting",
            )


def await_tasks(
    server: Server, package: ServerPackage, checked: CheckedPackage, wait: Wait
) -> ServerPackage:
    """Return the package with the tasks that the server lists; raises where it lists none in time.

    A package without tasks, of computation graphs alone, cannot prove itself like this.
    """
    package = _look_for_tasks(server, package, checked, wait, wait.pace.load)
    if _lists_none(package, checked):
        raise NetworkProblem.of(
            Code.NOT_LOADED,
            f"the build succeeded, and the server lists no task of {checked.name} "
            f"{checked.version}: it has not loaded it",
            where=server.address.url,
            hint="servers load a tenant's packages from its first execution on, and --run makes "
            "one; of a tenant that is in use, the server's log says why it does not load it",
        )
    return package


def run_once(
    server: Server,
    package: ServerPackage,
    checked: CheckedPackage,
    context: dict[str, Any],
    wait: Wait,
) -> tuple[ServerPackage, Run]:
    """Run the workflow once; return the package with its tasks, and how the execution ended.

    An awake tenant loads the package by itself, and only then is it not an older version that
    runs. A tenant that has not been used since the server's start sleeps; an execution, which is
    refused, wakes it.
    """
    workflow = package.workflow or checked.workflow or checked.name
    package = _look_for_tasks(server, package, checked, wait, wait.pace.awake)
    execution = None
    if _lists_none(package, checked):
        execution = _wake(server, workflow, context, wait)
        package = await_tasks(server, package, checked, wait)
    if execution is None:
        execution = _start(server, workflow, context, wait)
    end = wait.until(float("inf"))
    while True:
        status = _through_outages(lambda: server.status(execution), wait, "run")
        wait.report("run", status)
        if status in _ENDED:
            break
        if not wait.pause(end):
            raise NetworkProblem.of(
                Code.NO_ANSWER,
                f"the execution {execution} is {status} when the wait is over",
                where=server.address.url,
                hint="it continues on the server",
            )
    return package, Run(execution, status, server.task_runs(execution))


def _through_outages(ask: Callable[[], _Found], wait: Wait, what: str) -> _Found:
    """Return what ``ask`` returns, also where the server is away in between: builds take long."""
    end = None
    while True:
        try:
            return ask()
        except NetworkProblem as error:  # noqa: PERF203 - to ask again is what the loop is for
            if error.diagnostics[0].code not in _PASSING:
                raise
            if end is None:
                end = wait.until(wait.pace.away)
            wait.report(what, "the server does not answer")
            if not wait.pause(end):
                raise


def _look_for_tasks(
    server: Server, package: ServerPackage, checked: CheckedPackage, wait: Wait, seconds: float
) -> ServerPackage:
    end = wait.until(seconds)
    while _lists_none(package, checked):
        wait.report("load", "not loaded yet")
        if not wait.pause(end):
            break
        package = _package(server, package.id, checked)
    return package


def _lists_none(package: ServerPackage, checked: CheckedPackage) -> bool:
    return package.tasks == () and bool(checked.tasks)


def _wake(server: Server, workflow: str, context: dict[str, Any], wait: Wait) -> str | None:
    """Return the execution that was started; None for the refusal that wakes the tenant."""
    try:
        return _execute(server, workflow, context)
    except ServerRefused as error:
        if not _is_not_yet(error):
            raise _not_run(server, error) from error
        wait.report("run", "not known yet")
        return None


def _start(server: Server, workflow: str, context: dict[str, Any], wait: Wait) -> str:
    """Start it; just after it was loaded it may still be refused."""
    end = wait.until(wait.pace.start)
    while True:
        try:
            return _execute(server, workflow, context)
        except ServerRefused as error:
            if not _is_not_yet(error) or not wait.pause(end):
                raise _not_run(server, error) from error
        wait.report("run", "not known yet")


def _execute(server: Server, workflow: str, context: dict[str, Any]) -> str:
    try:
        return server.execute(workflow, context)
    except ServerRefused:
        raise
    except NetworkProblem as error:
        first = error.diagnostics[0]
        hint = "it may have started; it is not started a second time"
        raise NetworkProblem(first._replace(hint=hint)) from error


def _not_run(server: Server, error: ServerRefused) -> NetworkProblem:
    return NetworkProblem.of(
        Code.RUN_REFUSED,
        f"it is published, and not run: {error.said.text}",
        where=server.address.url,
    )


def _is_not_yet(error: ServerRefused) -> bool:
    said = error.said
    if said.status == 404:
        return said.code == "workflow_not_found"
    return said.code == "execution_failed" and "not found in registry" in said.words


def _package(server: Server, package_id: str, checked: CheckedPackage) -> ServerPackage:
    package = server.package(package_id)
    if package is None:
        raise _nonsense(server, f"no package {package_id}, which it made itself")
    if (package.name, package.version) != (checked.name, checked.version):
        raise _nonsense(server, f"{package.name[:80]} {package.version[:80]}, which is another")
    return package


def _nonsense(server: Server, what: str) -> NetworkProblem:
    return NetworkProblem.of(Code.BAD_ANSWER, f"the server says {what}", where=server.address.url)


def _build_failed(server: Server, package: ServerPackage, wait: Wait) -> BuildFailed:
    log = (package.build_error or "").strip()[-_MAX_LOG:]
    if log:
        wait.report("log", log)
    said = f": {_telling(log)}" if log else ", and the server does not say why"
    return BuildFailed.of(
        Code.SERVER_BUILD_FAILED,
        f"the build of {package.name} {package.version} on the server failed{said}",
        where=server.address.url,
        hint="fix the source and raise the version: this one cannot be reused, even if deleted",
    )


def _telling(log: str) -> str:
    """Return the lines of a compiler's output that say what is wrong, on one line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [
        f"{line} {after}" if line.endswith(":") else line
        for line, after in zip(lines, [*lines[1:], ""], strict=True)
        if line.startswith("error")
    ]
    return "; ".join(errors or lines[-3:])[:_MAX_SHOWN]
