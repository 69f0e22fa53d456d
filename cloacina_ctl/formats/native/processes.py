"""Parts of one large job in several processes, since threads share the interpreter's lock.

Reading a package is hashing, decompressing and a little Python for each file; threads wait for each
other here, and each has memory of its own. A fork takes three milliseconds, and each process then
does its part alone. The first part is done in this process, so that one part needs no other one.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
from typing import TYPE_CHECKING, TypeVar

from cloacina_ctl import errors
from cloacina_ctl.errors import CloacinaError, Code, Diagnostic, FileProblem, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Advance = Callable[[int], None]

Part = TypeVar("Part")

_STOPPING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
_COUNT_BYTES = 8
_END = (1 << 8 * _COUNT_BYTES) - 1  # no count: what follows is the outcome
_REPORT_EVERY = 4 << 20
_CODES = {code.value: code for code in Code}


def can_fork() -> bool:
    """Return whether this process may fork: other threads would be missing in the copy.

    False on macOS, where the system's own libraries do not survive a fork.
    """
    return sys.platform == "linux" and threading.active_count() == 1


def in_processes(
    work: Callable[[Part, Advance], None], parts: Sequence[Part], advance: Advance
) -> None:
    """Do ``work`` on each of ``parts``, all at once; ``advance`` takes how much more is done.

    ``work`` gets a part and a function for its progress, and returns nothing. Raises the error of
    the first part that failed; in every case, no process is left.
    """
    helpers: list[_Helper] = []
    try:
        for part in parts[1:]:
            helpers.append(_Helper(work, part, [helper.pipe for helper in helpers]))

        def advance_all(count: int) -> None:
            advance(count)
            for helper in helpers:
                advance(helper.heard())

        work(parts[0], advance_all)
        for helper in helpers:
            _wait_for(helper, helpers, advance)
            helper.finish()
    finally:
        for helper in helpers:
            helper.end()


def _wait_for(helper: _Helper, helpers: Sequence[_Helper], advance: Advance) -> None:
    while not helper.silent:
        select.select([one.pipe for one in helpers if not one.silent], [], [])
        advance(sum(one.heard() for one in helpers))


class _Helper:
    """A process that works on one part, and its reports so far."""

    def __init__(
        self, work: Callable[[Part, Advance], None], part: Part, others: Sequence[int]
    ) -> None:
        self.pipe, theirs = os.pipe()
        self.silent = False
        self._said = b""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        try:
            self._pid = os.fork()
            if not self._pid:
                _be_helper(work, part, theirs, [*others, self.pipe])
        except BaseException:
            os.close(self.pipe)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(theirs)
        os.set_blocking(self.pipe, False)

    def heard(self) -> int:
        """Return the progress since the last call, without waiting."""
        while not self.silent:
            try:
                said = os.read(self.pipe, 1 << 16)
            except BlockingIOError:
                break
            self.silent = not said
            self._said += said
        count = 0
        while len(self._said) >= _COUNT_BYTES:
            number = int.from_bytes(self._said[:_COUNT_BYTES], "little")
            if number == _END:
                break
            count += number
            self._said = self._said[_COUNT_BYTES:]
        return count

    def finish(self) -> None:
        """Raise the error of the part, if it failed."""
        if len(self._said) < _COUNT_BYTES:
            raise FileProblem.of(
                Code.IO,
                "a process of this run was ended by the system, which may lack memory",
                hint="try again with `--jobs 1`",
            )
        _raise(json.loads(self._said[_COUNT_BYTES:]))

    def end(self) -> None:
        """End the process if it still runs."""
        os.close(self.pipe)
        os.kill(self._pid, signal.SIGKILL)  # it is ours until it is waited for
        os.waitpid(self._pid, 0)


def _be_helper(
    work: Callable[[Part, Advance], None], part: Part, pipe: int, others: Sequence[int]
) -> None:
    """Do the part and end the process: no later code of the parent may run here."""
    outcome: object = None
    try:
        for number in _STOPPING:
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
        for other in others:
            os.close(other)  # so that this process notices when the other one is gone
        work(part, _reporting(pipe))
    except CloacinaError as error:
        outcome = [type(error).__name__, *error.diagnostics]
    except BaseException:  # noqa: BLE001 - reported to the waiting process
        import traceback

        outcome = traceback.format_exc()
    finally:
        try:
            said = _END.to_bytes(_COUNT_BYTES, "little") + json.dumps(outcome).encode()
            while said:
                said = said[os.write(pipe, said) :]
        finally:
            os._exit(0)


def _reporting(pipe: int) -> Advance:
    waiting = 0

    def advance(count: int) -> None:
        nonlocal waiting
        waiting += count
        if waiting >= _REPORT_EVERY:
            os.write(pipe, waiting.to_bytes(_COUNT_BYTES, "little"))
            waiting = 0

    return advance


def _raise(outcome: object) -> None:
    if isinstance(outcome, list):
        kind, *rows = outcome
        diagnostics = (
            Diagnostic(_CODES[code], message, where, hint, Severity(severity))
            for code, message, where, hint, severity, _ in rows  # no reader locates what it finds
        )
        raise getattr(errors, kind)(*diagnostics)
    if outcome is not None:
        raise RuntimeError(f"in another process of this run:\n{outcome}")
