"""A loaded package: its code in a child process, called from here.

A process in which a call crashed or did not end in time is not used again: the next call starts
another one, and calls that are still under way in the old one may end there.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, Diagnostic, Incompatible, Refused, Severity, UsageError
from cloacina_ctl.runtime.metadata import (
    GraphOutcome,
    Isolation,
    PackageMetadata,
    TaskOutcome,
    TriggerOutcome,
)
from cloacina_ctl.runtime.process.bundle import PYTHON, Material
from cloacina_ctl.runtime.process.child import HostOptions
from cloacina_ctl.runtime.process.decode import outcome_of
from cloacina_ctl.runtime.process.rpc import CallFailure, RpcClient
from cloacina_ctl.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from cloacina_ctl.runtime.process.decode import Fate

__all__ = [
    "GraphOutcome",
    "PackageMetadata",
    "Preparation",
    "Session",
    "TaskOutcome",
    "TriggerOutcome",
]


_MAX_WARNINGS = 100


class Session:
    """One loaded package. Use it as a context manager; ``close`` ends the child process.

    All methods may be called from several threads at once. ``warnings`` are what was noticed about
    the package while it ran. ``Preparation.load`` makes one, and says what it raises.
    """

    def __init__(self, ready: Preparation) -> None:
        self._material = ready.material
        self._options = ready.options
        self._changing = threading.Lock()  # held for moments
        self._loading = threading.Lock()  # held while a package is loaded again
        self._is_closed = False
        self._noticed: dict[tuple[Code, str], Diagnostic] = {}
        self._listen: Callable[[dict[str, Any]], None] | None = None
        self._host: RpcClient | None = self._loaded(ready.host)
        self._described = ready.host.described
        self.isolation = ready.host.isolation or Isolation()
        if not self.network_is_closed and not ready.options.allow_network:
            self._keep(
                Code.NETWORK_OPEN,
                "the kernel lets nobody close the network here, and the code can use it",
                "allow user namespaces, or allow it the network with --allow-network",
            )
        if self.isolation.missing:
            self._keep(
                Code.PARTLY_ISOLATED,
                "the kernel isolates the code only in part here; missing: "
                f"{', '.join(self.isolation.missing)}",
                "allow user namespaces; without, `multiprocessing` needs --allow-write /dev/shm, "
                "and `run --require-isolation` runs nothing",
                Severity.NOTE,
            )
        if ready.options.limits.memory is not None and not self.isolation.memory_together:
            self._keep(
                Code.PARTLY_ISOLATED,
                "the limit of memory holds for each process of the code, not for all together: "
                "no control group can be made here",
                "run it as a user to whom systemd delegates a group, as `systemd-run --user "
                "--scope` does",
                Severity.NOTE,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What was noticed so far, each thing once."""
        return tuple(self._noticed.values())

    @property
    def network_is_closed(self) -> bool:
        """Whether the code is without a network."""
        return self.isolation.network_closed

    @property
    def overlays(self) -> bool:
        """Whether what a task returns is laid over what it got: so for compiled tasks."""
        return self._described.interface.kind != PYTHON

    def describe(self) -> PackageMetadata:
        """Return what the code says of itself."""
        return self._described

    def run_task(
        self, task_id: str, context: Mapping[str, Any], *, timeout: float | None = None
    ) -> TaskOutcome:
        """Run a task once with ``context`` and return how that ended, within ``timeout`` seconds.

        Raises ``UsageError`` for a task that is not there and for a context that is no JSON object;
        whatever the task does, and however it ends, is an outcome.
        """
        self._require("task", task_id, [task.id for task in self._described.tasks])
        request = {"do": "task", "task": task_id, "context": _context_text(context)}
        answer, fate = self._ask(request, timeout)
        return outcome_of(answer, fate)

    def poll_trigger(self, name: str, *, timeout: float | None = None) -> TriggerOutcome:
        """Ask a trigger once whether it fires, and return what it says.

        Raises ``UsageError`` for a trigger that is not there, or that goes by the clock.
        """
        triggers = {trigger.name: trigger for trigger in self._described.triggers}
        self._require("trigger", name, list(triggers))
        if triggers[name].cron:
            raise UsageError.of(
                Code.NO_SUCH_TASK, f"the trigger `{name}` goes by the clock, and cannot be asked"
            )
        answer, fate = self._ask({"do": "trigger", "trigger": name}, timeout)
        ended = outcome_of(answer, fate)
        return TriggerOutcome(
            fires=ended.succeeded and bool(answer.get("fires")),
            context=ended.context,
            error=ended.error,
            crashed=ended.crashed,
            timed_out=ended.timed_out,
        )

    def run_graph(
        self,
        name: str,
        inputs: Mapping[str, Any],
        *,
        timeout: float | None = None,
    ) -> GraphOutcome:
        """Run a graph once: with what its accumulators hold, or with a context.

        ``inputs`` are JSON values by the name of the accumulator for the graph of the package, and
        the context for one that tasks call. Raises ``UsageError`` for a graph that is not there.
        """
        from cloacina_ctl.runtime.process.decode import graph_outcome_of

        graph = self._described.graph
        own = () if graph is None else (graph.name,)
        self._require("graph", name, [*own, *self._described.callable_graphs])
        text = _context_text(inputs)
        if name in own:
            cache = {key: json.dumps(value) for key, value in inputs.items()}
            request: dict[str, Any] = {"do": "graph", "inputs": cache}
        else:
            request = {"do": "callable_graph", "graph": name, "context": text}
        return graph_outcome_of(*self._ask(request, timeout))

    def run_in_engine(
        self, request: Mapping[str, Any], listen: Callable[[dict[str, Any]], None], timeout: float
    ) -> tuple[dict[str, Any], Fate | None]:
        """Have the engine run a workflow; ``listen`` gets what it tells, in another thread.

        Return its answer, or nothing and what befell it; `engine_run` says what both mean.
        """
        self._listen = listen
        text = _context_text(request["context"])
        return self._ask({**request, "do": "workflow", "context": text}, timeout)

    def give_up(self, why: str) -> None:
        """End the process, and with it every call that is under way; ``why`` is said of it."""
        with self._changing:
            host = self._host
        if host is not None:
            host.child.kill(why)

    def close(self) -> None:
        """End the child process and all that it started, and remove what it was given."""
        with self._changing:
            self._is_closed = True
            host, self._host = self._host, None
        try:
            if host is not None:
                host.child.leave()
        finally:
            self._material.close()
        if self._material.left is not None:
            self._keep(
                Code.IO,
                f"a folder that the code was given could not be removed: {self._material.left}",
                "remove it yourself",
            )

    def _require(self, what: str, name: str, known: list[str]) -> None:
        if name not in known:
            raise UsageError.of(
                Code.NO_SUCH_TASK,
                f"no {what} of that name in the package: {name}",
                hint=did_you_mean(name, known, most=3)
                or (f"it has: {', '.join(known[:20])}" if known else f"it has no {what} at all"),
            )

    def _ask(
        self, request: dict[str, Any], timeout: float | None
    ) -> tuple[dict[str, Any], CallFailure | None]:
        """Return the answer, or nothing and what befell the request."""
        try:
            host = self._enter()
        except (Refused, Incompatible) as error:  # it was loaded before, and now it cannot be
            if self._is_closed:
                return {}, CallFailure("the session was closed")
            return {}, CallFailure(str(error), crashed=True)
        try:
            return host.ask(request, timeout)
        finally:
            with self._changing:
                host.users -= 1
                is_last = not host.users and host.is_spent
            if is_last:
                host.child.kill("a call in it did not end in time")
                host.child.join()

    def _enter(self) -> RpcClient:
        """Return a process that can be used, a new one where there is none, with one user more."""
        with self._loading:
            with self._changing:
                if self._is_closed:
                    raise UsageError.of(Code.USAGE, "the session is closed")
                host = self._host
                if host is not None and not host.is_spent:
                    host.users += 1
                    return host
                # Known before anything is loaded in it, so that whoever closes the session ends it.
                host = self._host = RpcClient(self._material, self._options)
                host.users += 1
            return self._loaded(host)

    def _loaded(self, host: RpcClient) -> RpcClient:
        host.notice = self._notice
        host.load(self._material.order(), self._options.limits.load_seconds)
        return host

    def _notice(self, message: dict[str, Any]) -> None:
        if "event" in message and self._listen is not None:
            self._listen(message)
            return
        code, text = message.get("code"), message.get("message")
        if code == Code.LATE_READ.value and isinstance(text, str):
            hint = "real engines delete the package's files once it is imported: read them before"
            self._keep(Code.LATE_READ, text, hint)

    def _keep(
        self, code: Code, message: str, hint: str, severity: Severity = Severity.WARNING
    ) -> None:
        found = Diagnostic(code, message, self._material.where, hint, severity)
        if len(self._noticed) < _MAX_WARNINGS:
            self._noticed.setdefault((code, message), found)


class Preparation:
    """A child process that is ready to load what ``material`` is still to be given.

    Starting it takes about as long as verifying a package. Use it as a context manager; what a
    session was made of outlives it.
    """

    def __init__(self, where: str | None, options: HostOptions = HostOptions()) -> None:
        self.options = options
        self.material = Material(where)
        self._is_open = True
        try:
            self.host = RpcClient(self.material, options)
        except BaseException:
            self.material.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_open:
            self._is_open = False
            try:
                self.host.child.kill("there was nothing to load")
                self.host.child.join()
            finally:
                self.material.close()

    def load(self) -> Session:
        """Let the child load the material and return the session, which closes both at its end."""
        session = Session(self)
        self._is_open = False
        return session


def _context_text(context: Mapping[str, Any]) -> str:
    if not isinstance(context, dict):
        raise UsageError.of(
            Code.BAD_CONTEXT, f"the context must be a JSON object, found: {type(context).__name__}"
        )
    try:
        return json.dumps(context, allow_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError.of(
            Code.BAD_CONTEXT, f"the context holds what JSON cannot: {error}"
        ) from error
