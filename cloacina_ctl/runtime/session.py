"""A loaded package: its code runs in a child process and is called from here.

A process in which a call crashed or timed out is not used again: the next call starts another one.
Calls that still run in the old process may end there.
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

    All methods may be called from several threads at once. ``warnings`` are about the package
    while it ran. ``Preparation.load`` makes a session.
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
                "the kernel cannot close the network for the code here, so the code can use it",
                "allow user namespaces, or allow the code the network with --allow-network",
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
                "the memory limit holds for each process of the code, not for all together: "
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
        """The warnings so far, each once."""
        return tuple(self._noticed.values())

    @property
    def network_is_closed(self) -> bool:
        """Whether the code has no network."""
        return self.isolation.network_closed

    @property
    def overlays(self) -> bool:
        """Whether a returned context is merged over the task's input, as for compiled tasks."""
        return self._described.interface.kind != PYTHON

    def describe(self) -> PackageMetadata:
        """Return the metadata that the code declares."""
        return self._described

    def run_task(
        self, task_id: str, context: Mapping[str, Any], *, timeout: float | None = None
    ) -> TaskOutcome:
        """Run a task once with ``context``, within ``timeout`` seconds, and return its outcome.

        Raises ``UsageError`` for an unknown task and for a context that is not a JSON object; a
        failure, a crash or a timeout of the task is an outcome.
        """
        self._require("task", task_id, [task.id for task in self._described.tasks])
        request = {"do": "task", "task": task_id, "context": _context_text(context)}
        answer, fate = self._ask(request, timeout)
        return outcome_of(answer, fate)

    def poll_trigger(self, name: str, *, timeout: float | None = None) -> TriggerOutcome:
        """Poll a trigger once and return whether it fires.

        Raises ``UsageError`` for an unknown trigger and for a cron trigger.
        """
        triggers = {trigger.name: trigger for trigger in self._described.triggers}
        self._require("trigger", name, list(triggers))
        if triggers[name].cron:
            raise UsageError.of(
                Code.NO_SUCH_TASK, f"the trigger `{name}` is a cron trigger and cannot be polled"
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
        """Run a graph once: with the values of its accumulators, or with a context.

        ``inputs`` are JSON values by accumulator for the graph of the package, and the context for
        a graph that tasks call. Raises ``UsageError`` for an unknown graph.
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
        """Run a workflow in the engine; ``listen`` gets its reports, in another thread.

        Return its answer, or nothing and the failure of the call; see `engine_run`.
        """
        self._listen = listen
        text = _context_text(request["context"])
        return self._ask({**request, "do": "workflow", "context": text}, timeout)

    def give_up(self, why: str) -> None:
        """End the process and every call that runs in it, with the reason ``why``."""
        with self._changing:
            host = self._host
        if host is not None:
            host.child.kill(why)

    def close(self) -> None:
        """End the child process and all that it started, and remove its files."""
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
                f"the folder of the code could not be removed: {self._material.left}",
                "remove it yourself",
            )

    def _require(self, what: str, name: str, known: list[str]) -> None:
        if name not in known:
            raise UsageError.of(
                Code.NO_SUCH_TASK,
                f"no such {what} in the package: {name}",
                hint=did_you_mean(name, known, most=3)
                or (f"it has: {', '.join(known[:20])}" if known else f"it has no {what} at all"),
            )

    def _ask(
        self, request: dict[str, Any], timeout: float | None
    ) -> tuple[dict[str, Any], CallFailure | None]:
        """Return the answer, or nothing and why there is none."""
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
        """Return a usable process, a new one if needed, with one more user."""
        with self._loading:
            with self._changing:
                if self._is_closed:
                    raise UsageError.of(Code.USAGE, "the session is closed")
                host = self._host
                if host is not None and not host.is_spent:
                    host.users += 1
                    return host
                # Set before anything is loaded, so that `close` in another thread ends it.
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
            hint = "engines delete the package's files after the import: read them before"
            self._keep(Code.LATE_READ, text, hint)

    def _keep(
        self, code: Code, message: str, hint: str, severity: Severity = Severity.WARNING
    ) -> None:
        found = Diagnostic(code, message, self._material.where, hint, severity)
        if len(self._noticed) < _MAX_WARNINGS:
            self._noticed.setdefault((code, message), found)


class Preparation:
    """A child process that waits to load ``material``, which is filled meanwhile.

    Starting it takes about as long as verifying a package. Use it as a context manager; the process
    of a session that was made from it stays.
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
        """Load the material in the child and return the session, which closes both at its end."""
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
            Code.BAD_CONTEXT, f"the context holds a value that JSON cannot hold: {error}"
        ) from error
