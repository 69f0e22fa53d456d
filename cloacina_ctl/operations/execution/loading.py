"""What ``run`` is asked for, who watches it, and the package that it loads for that."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Protocol

from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.operations.execution.files import FileAccess, access_of, refusals_explained
from cloacina_ctl.operations.installation.damage import explain_damage
from cloacina_ctl.runtime.package import open_package
from cloacina_ctl.runtime.process.child import HostOptions
from cloacina_ctl.runtime.scheduler.run import DEFAULT_JOBS, MAX_TIMEOUT_SECONDS
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.manifest.model import Workflow
    from cloacina_ctl.progress import Progress
    from cloacina_ctl.runtime.engine import EngineWheel
    from cloacina_ctl.runtime.metadata import (
        GraphOutcome,
        Isolation,
        PackageMetadata,
        TaskOutcome,
        TriggerOutcome,
    )
    from cloacina_ctl.runtime.package import RunnablePackage, Verification
    from cloacina_ctl.runtime.scheduler.events import Event, WorkflowOutcome
    from cloacina_ctl.verification.policy import VerificationPolicy

    Loader = Callable[
        ["RunRequest", VerificationPolicy, "RunObserver"], AbstractContextManager["LoadedPackage"]
    ]

MAX_JOBS = 1000


class RunRequest(NamedTuple):
    """What to run, and how; ``timeout`` is in seconds, for one attempt of a task.

    ``task`` is the only task to run, once, whatever it waits for. ``engine`` is how ``find_engine``
    has it: the wheel that runs the package, instead of our own scheduler. Engines always keep
    going. ``path`` may be a project's folder; with ``quiet`` cargo says nothing while it builds a
    crate. The code reads the current folder, where no keys are in it, and what ``allow_read`` and
    ``allow_write`` name. ``require_isolation`` runs nothing where the kernel gives less than all.
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
    allow_read: tuple[str, ...] = ()
    allow_write: tuple[str, ...] = ()
    require_isolation: bool = False
    quiet: bool = False


class RunObserver(NamedTuple):
    """Who wants to know while it runs. ``begins`` gets the ids of all tasks before the first event.

    ``waits`` gets what is waited for from then on, in words with untrusted names in them; ``warns``
    what is odd about the package, before anything of it runs; ``stopped`` what a run had come to
    that is interrupted, before that is raised. ``output`` gets each line that the code prints,
    unescaped, in a thread of its own; the others are called in the thread that runs.
    """

    begins: Callable[[Sequence[str]], None] | None = None
    event: Callable[[Event], None] | None = None
    output: Callable[[str], None] | None = None
    progress: Progress | None = None
    waits: Callable[[str], None] | None = None
    warns: Callable[[Sequence[Diagnostic]], None] | None = None
    stopped: Callable[[Ran], None] | None = None


class Ran(NamedTuple):
    """How a run ended, and of what; ``trusted_signers`` as ``verify`` has it.

    ``network_is_closed`` says whether the code was without a network, ``only_task`` which task was
    asked for, where it was one.
    """

    path: str
    name: str
    version: str
    content: str
    trusted_signers: tuple[str, ...]
    outcome: WorkflowOutcome
    warnings: tuple[Diagnostic, ...] = ()
    network_is_closed: bool = False
    only_task: str | None = None
    access: FileAccess = FileAccess()
    verification: Verification | None = None


class LoadedCode(Protocol):
    """The code of a package, loaded: a session, or whatever else answers like one."""

    @property
    def overlays(self) -> bool:
        """Whether what a task returns is laid over what it got."""

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What was noticed so far."""

    @property
    def network_is_closed(self) -> bool:
        """Whether the code is without a network."""

    @property
    def isolation(self) -> Isolation:
        """What the code was kept from."""

    def describe(self) -> PackageMetadata:
        """Return what the code says of itself."""

    def run_task(
        self, task_id: str, context: dict[str, Any], *, timeout: float | None
    ) -> TaskOutcome:
        """Run a task once."""

    def poll_trigger(self, name: str, *, timeout: float | None) -> TriggerOutcome:
        """Ask a trigger once."""

    def run_graph(
        self, name: str, inputs: dict[str, Any], *, timeout: float | None
    ) -> GraphOutcome:
        """Run a graph once."""


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
    def trusted_signers(self) -> tuple[str, ...]:
        """The fingerprints of its trusted signers."""

    @property
    def verification(self) -> Verification | None:
        """How long verifying it took; None where it was made here."""

    @property
    def workflows(self) -> tuple[Workflow, ...]:
        """What it holds."""

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What is odd about it."""

    @property
    def session(self) -> LoadedCode:
        """Its code."""


@contextlib.contextmanager
def from_file(
    request: RunRequest, rule: VerificationPolicy, watch: RunObserver
) -> Iterator[LoadedPackage]:
    """Verify the package that is asked for and load it into a child process.

    Of a project's folder a package is made first, and removed when that is loaded and has ended.
    """
    with contextlib.ExitStack() as stack:
        if not os.path.isdir(request.path):
            yield stack.enter_context(_from_package(request, rule, watch))
            return
        from cloacina_ctl.operations.own_project import packaged_for_a_run, renamed

        made = stack.enter_context(
            packaged_for_a_run(request.path, rule, watch.progress, quiet=request.quiet)
        )
        own = request._replace(path=made.path)
        loaded = stack.enter_context(_from_package(own, made.rule, watch))
        warnings = (*made.diagnostics, *renamed(loaded.warnings, made.path, request.path))
        yield loaded._replace(warnings=warnings)


@contextlib.contextmanager
def _from_package(
    request: RunRequest, rule: VerificationPolicy, watch: RunObserver
) -> Iterator[RunnablePackage]:
    output, access = watch.output, access_of(request)
    options = HostOptions(
        allow_network=request.allow_network,
        on_output=None if output is None else lambda _stream, line: output(line),
        one_stream=True,
        engine=None if request.engine is None else _engine(request.engine),
        allow_read=access.reads,
        allow_write=access.writes,
        require_isolation=request.require_isolation,
    )
    opened = open_package(
        request.path,
        rule,
        options,
        watch.progress,
        workflow=request.workflow,
        loads=lambda name: tell_waits(watch, f"loading {name}"),
    )
    with contextlib.ExitStack() as stack:
        with explain_damage(request.path, rule), refusals_explained(access):
            loaded = stack.enter_context(opened)
        notes = () if access.note is None else (access.note,)
        yield loaded._replace(warnings=(*loaded.warnings, *notes))


def _engine(spelled: str) -> EngineWheel:
    from cloacina_ctl.runtime.engine import find_engine

    return find_engine(spelled)


def tell_waits(watch: RunObserver, what: str) -> None:
    """Say what is waited for from now on."""
    if watch.waits is not None:
        watch.waits(what)


def warn(watch: RunObserver, loaded: LoadedPackage) -> None:
    """Say what is odd about a package, before anything of it runs."""
    if watch.warns is not None:
        watch.warns((*loaded.warnings, *loaded.session.warnings))


def refuse_odd_limits(request: RunRequest) -> None:
    """Raise ``UsageError`` for limits that no run can have meant."""
    if not 1 <= request.jobs <= MAX_JOBS:
        raise UsageError.of(Code.USAGE, f"--jobs must be from 1 to {MAX_JOBS}")
    # Written so that what is no number is refused too.
    if request.timeout is not None and not 0 < request.timeout <= MAX_TIMEOUT_SECONDS:
        raise UsageError.of(
            Code.USAGE,
            f"--timeout must be more than 0 and at most {MAX_TIMEOUT_SECONDS} seconds, a year",
        )
