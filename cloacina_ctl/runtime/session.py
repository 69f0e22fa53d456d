"""A loaded package: its code in a child process, called from here.

A process in which a call crashed or did not end in time is not used again: the next call starts
another one, and calls that are still under way in the old one may end there.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, Diagnostic, Incompatible, Refused, Severity, UsageError
from cloacina_ctl.runtime import amounts
from cloacina_ctl.runtime.answers import described_of, failure_of, outcome_of
from cloacina_ctl.runtime.described import (
    Described,
    GraphOutcome,
    TaskOutcome,
    TriggerOutcome,
)
from cloacina_ctl.runtime.isolation import Child, Died, HostOptions
from cloacina_ctl.runtime.material import PYTHON, Material

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from cloacina_ctl.runtime.answers import Fate

__all__ = [
    "Described",
    "GraphOutcome",
    "Preparation",
    "Session",
    "TaskOutcome",
    "TriggerOutcome",
]


_MAX_WARNINGS = 100
_MAX_BESIDE = 8


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
        self._host: _Host | None = self._loaded(ready.host)
        self._described = ready.host.described
        self.network_is_closed: bool = ready.host.network_is_closed
        if not self.network_is_closed and not ready.options.allow_network:
            self._keep(
                Code.NETWORK_OPEN,
                "the kernel lets nobody close the network here, and the code can use it",
                "allow user namespaces, or allow it the network with --allow-network",
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
    def overlays(self) -> bool:
        """Whether what a task returns is laid over what it got: so for compiled tasks."""
        return self._described.interface.kind != PYTHON

    def describe(self) -> Described:
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
        from cloacina_ctl.runtime.answers import graph_outcome_of

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
            import difflib

            near = difflib.get_close_matches(name, known, 3)
            raise UsageError.of(
                Code.NO_SUCH_TASK,
                f"no {what} of that name in the package: {name}",
                hint=f"did you mean {' or '.join(f'`{one}`' for one in near)}?"
                if near
                else f"it has: {', '.join(known[:20])}"
                if known
                else f"it has no {what} at all",
            )

    def _ask(
        self, request: dict[str, Any], timeout: float | None
    ) -> tuple[dict[str, Any], _Fate | None]:
        """Return the answer, or nothing and what befell the request."""
        try:
            host = self._enter()
        except (Refused, Incompatible) as error:  # it was loaded before, and now it cannot be
            if self._is_closed:
                return {}, _Fate("the session was closed")
            return {}, _Fate(str(error), crashed=True)
        try:
            return host.ask(request, timeout)
        finally:
            with self._changing:
                host.users -= 1
                is_last = not host.users and host.is_spent
            if is_last:
                host.child.kill("a call in it did not end in time")
                host.child.join()

    def _enter(self) -> _Host:
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
                host = self._host = _Host(self._material, self._options)
                host.users += 1
            return self._loaded(host)

    def _loaded(self, host: _Host) -> _Host:
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

    def _keep(self, code: Code, message: str, hint: str) -> None:
        found = Diagnostic(code, message, self._material.where, hint, Severity.WARNING)
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
            self.host = _Host(self.material, options)
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


class _Fate:
    """Why a request has no answer."""

    def __init__(self, words: str, *, crashed: bool = False, timed_out: bool = False) -> None:
        self.words = words
        self.crashed = crashed
        self.timed_out = timed_out


class _Host:
    """One child process with the package in it, and the requests that wait for it."""

    def __init__(self, material: Material, options: HostOptions) -> None:
        self.users = 0
        self.is_spent = False
        self.network_is_closed = False
        self.notice: Callable[[dict[str, Any]], None] = lambda _: None
        self._waiting: dict[int, queue.SimpleQueue[dict[str, Any] | _Fate]] = {}
        self._asked: dict[int, str] = {}
        self._beside = ""
        self._lock = threading.Lock()
        self._last = 0
        self._where = material.where
        self._died: Died | None = None
        self._loaded = self._slot(0)
        self.child = Child(
            options,
            material.folder,
            material.library,
            on_message=self._take,
            on_death=self._die,
        )

    def load(self, order: dict[str, Any], seconds: float) -> None:
        """Have the package loaded. Raises ``Refused`` or ``Incompatible`` where it is not."""
        end = time.monotonic() + seconds
        self.child.send(order, seconds)
        try:
            answer = self._loaded.get(timeout=max(end - time.monotonic(), 0))
        except queue.Empty:
            self._give_up("it was not loaded in time")
            raise Refused.of(
                Code.LOAD_FAILED,
                f"not loaded within {amounts.seconds(seconds)}"
                f"{_words(self.child.output.last_words())}",
                where=self._where,
            ) from None
        try:
            self._take_description(answer)
        except (Refused, Incompatible):
            self._give_up("it was not loaded")
            raise

    def _give_up(self, why: str) -> None:
        self.is_spent = True
        self.child.kill(why)
        self.child.join()

    def _take_description(self, answer: dict[str, Any] | _Fate) -> None:
        if isinstance(answer, _Fate):
            raise Refused.of(
                Code.CRASHED, f"it cannot be loaded: {answer.words}", where=self._where
            )
        loaded = answer.get("ok")
        if not isinstance(loaded, dict):
            raise failure_of(answer.get("failed"), self._where)
        self.described = described_of(loaded.get("described"), self._where)
        self.network_is_closed = loaded.get("network_closed") is True

    def ask(
        self, request: dict[str, Any], timeout: float | None
    ) -> tuple[dict[str, Any], _Fate | None]:
        """Send a request and wait for what becomes of it."""
        with self._lock:
            self._last += 1
            number = self._last
            self._asked[number] = str(request.get("task") or request["do"])
        slot = self._slot(number)
        end = None if timeout is None else time.monotonic() + timeout
        # What is not taken in time has no answer in time, and one that died tells the slot.
        self.child.send({**request, "id": number}, timeout)
        try:
            answer = slot.get(timeout=None if end is None else max(end - time.monotonic(), 0))
        except queue.Empty:
            self.is_spent = True
            words = f"not done within {amounts.seconds(timeout or 0)}"
            return {}, _Fate(words, timed_out=True)
        finally:
            self._waiting.pop(number, None)
            self._asked.pop(number, None)
        if isinstance(answer, _Fate):
            return {}, answer
        return self._unwrapped(answer)

    def _unwrapped(self, answer: dict[str, Any]) -> tuple[dict[str, Any], _Fate | None]:
        done = answer.get("ok")
        if isinstance(done, dict):
            return done, None
        failed = answer.get("failed")
        message = failed.get("message") if isinstance(failed, dict) else None
        return {}, _Fate(f"the host failed: {message}")

    def _slot(self, number: int) -> queue.SimpleQueue[dict[str, Any] | _Fate]:
        slot: queue.SimpleQueue[dict[str, Any] | _Fate] = queue.SimpleQueue()
        with self._lock:
            self._waiting[number] = slot
            died = self._died
        if died is not None:
            slot.put(self._fate(died))
        return slot

    def _take(self, message: dict[str, Any]) -> None:
        number = message.get("id")
        if number is None:
            self.notice(message)
            return
        # `True` would be the first one.
        slot = self._waiting.get(number) if type(number) is int else None
        if slot is not None:
            slot.put(message)

    def _die(self, died: Died) -> None:
        self.is_spent = True
        with self._lock:
            self._died = died
            waiting = list(self._waiting.values())
            self._beside = _beside(sorted(set(self._asked.values())))
        for slot in waiting:
            slot.put(self._fate(died))

    def _fate(self, died: Died) -> _Fate:
        if died.is_expected:
            return _Fate("the session was closed")
        words = f"the process died: {died.words}"
        if self._beside:
            # Whoever of them it was that said it.
            last = f"; the last line printed there: {died.said}" if died.said else ""
            return _Fate(f"{words}{self._beside}{last}", crashed=True)
        return _Fate(f"{words}{_words(died.said)}", crashed=True)


def _beside(names: list[str]) -> str:
    """Return which tasks ran in a process that died, where that leaves open which one it was."""
    if len(names) < 2:
        return ""
    named = [f"`{name}`" for name in names[:_MAX_BESIDE]]
    more = [f"{len(names) - len(named)} more"] if len(names) > len(named) else []
    first, last = (named, more[0]) if more else (named[:-1], named[-1])
    return f"; {', '.join(first)} and {last} ran in it, and one of them may be why"


def _words(said: str | None) -> str:
    return f"; it said: {said}" if said else ""


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
