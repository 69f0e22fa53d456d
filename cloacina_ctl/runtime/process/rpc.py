"""Requests to one child process with a package in it, and their answers.

Requests come from several threads and are answered in any order. When the process dies, all waiting
requests fail with the reason.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, Incompatible, Refused
from cloacina_ctl.runtime.process import amounts
from cloacina_ctl.runtime.process.child import Child, HostOptions, ProcessExit
from cloacina_ctl.runtime.process.decode import (
    failure_of,
    isolation_of,
    metadata_of,
    oddness_of,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloacina_ctl.runtime.metadata import Isolation
    from cloacina_ctl.runtime.process.bundle import Material

_MAX_BESIDE = 8


class CallFailure:
    """Why a request has no answer."""

    def __init__(self, words: str, *, crashed: bool = False, timed_out: bool = False) -> None:
        self.words = words
        self.crashed = crashed
        self.timed_out = timed_out


class RpcClient:
    """One child process with the package in it, and the requests that wait for it."""

    def __init__(self, material: Material, options: HostOptions) -> None:
        self.users = 0
        self.is_spent = False
        self.isolation: Isolation | None = None
        self.notice: Callable[[dict[str, Any]], None] = lambda _: None
        self._waiting: dict[int, queue.SimpleQueue[dict[str, Any] | CallFailure]] = {}
        self._asked: dict[int, str] = {}
        self._beside = ""
        self._lock = threading.Lock()
        self._last = 0
        self._where = material.where
        self._died: ProcessExit | None = None
        self._loaded = self._slot(0)
        self.child = Child(
            options,
            material.folder,
            material.held.identity,
            material.library,
            on_message=self._take,
            on_death=self._die,
        )

    def load(self, order: dict[str, Any], seconds: float) -> None:
        """Load the package. Raises ``Refused`` or ``Incompatible`` where that fails."""
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

    def _take_description(self, answer: dict[str, Any] | CallFailure) -> None:
        if isinstance(answer, CallFailure):
            raise Refused.of(
                Code.CRASHED, f"it cannot be loaded: {answer.words}", where=self._where
            )
        loaded = answer.get("ok")
        if not isinstance(loaded, dict):
            raise failure_of(answer, self._where)
        self.described = metadata_of(loaded.get("described"), self._where)

    def ask(
        self, request: dict[str, Any], timeout: float | None
    ) -> tuple[dict[str, Any], CallFailure | None]:
        """Send a request and wait for its answer or its failure."""
        with self._lock:
            self._last += 1
            number = self._last
            self._asked[number] = str(request.get("task") or request["do"])
        slot = self._slot(number)
        end = None if timeout is None else time.monotonic() + timeout
        # A request not read in time has no answer in time; a dead process fills the slot.
        self.child.send({**request, "id": number}, timeout)
        try:
            answer = slot.get(timeout=None if end is None else max(end - time.monotonic(), 0))
        except queue.Empty:
            self.is_spent = True
            words = f"not done within {amounts.seconds(timeout or 0)}"
            return {}, CallFailure(words, timed_out=True)
        finally:
            self._waiting.pop(number, None)
            self._asked.pop(number, None)
        if isinstance(answer, CallFailure):
            return {}, answer
        return self._unwrapped(answer)

    def _unwrapped(self, answer: dict[str, Any]) -> tuple[dict[str, Any], CallFailure | None]:
        done = answer.get("ok")
        if isinstance(done, dict):
            return done, None
        odd = oddness_of(answer)
        if odd is not None:
            return {}, CallFailure(f"it broke the protocol: {odd}")
        return {}, CallFailure(f"the host failed: {plain(answer['failed']['message'])}")

    def _slot(self, number: int) -> queue.SimpleQueue[dict[str, Any] | CallFailure]:
        slot: queue.SimpleQueue[dict[str, Any] | CallFailure] = queue.SimpleQueue()
        with self._lock:
            self._waiting[number] = slot
            died = self._died
        if died is not None:
            slot.put(self._fate(died))
        return slot

    def _take(self, message: dict[str, Any]) -> None:
        number = message.get("id")
        if self.isolation is None:  # the first message, sent before anything is loaded
            self.isolation = isolation_of(message.get("isolation"))
            return
        if number is None:
            self.notice(message)
            return
        # `True` would be the first one.
        slot = self._waiting.get(number) if type(number) is int else None
        if slot is not None:
            slot.put(message)

    def _die(self, died: ProcessExit) -> None:
        self.is_spent = True
        with self._lock:
            self._died = died
            waiting = list(self._waiting.values())
            self._beside = _beside(sorted(set(self._asked.values())))
        for slot in waiting:
            slot.put(self._fate(died))

    def _fate(self, died: ProcessExit) -> CallFailure:
        if died.is_expected:
            return CallFailure("the session was closed")
        words = f"the process died: {died.words}"
        if self._beside:
            # Any of them may have printed it.
            last = f"; the last line printed there: {died.said}" if died.said else ""
            return CallFailure(f"{words}{self._beside}{last}", crashed=True)
        return CallFailure(f"{words}{_words(died.said)}", crashed=True)


def _beside(names: list[str]) -> str:
    """Return the tasks that ran in a process that died, where there were several."""
    if len(names) < 2:
        return ""
    named = [f"`{name}`" for name in names[:_MAX_BESIDE]]
    more = [f"{len(names) - len(named)} more"] if len(names) > len(named) else []
    first, last = (named, more[0]) if more else (named[:-1], named[-1])
    return f"; {', '.join(first)} and {last} ran in it, and one of them may be why"


def _words(said: str | None) -> str:
    return f"; it said: {said}" if said else ""
