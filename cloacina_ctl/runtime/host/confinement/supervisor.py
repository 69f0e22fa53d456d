"""The processes around a package's code: no process that it starts outlives the session.

There are three: the guardian, which the session starts and which ends like the worker; the first
process, which only waits; and the worker, in which the code runs. Where the kernel allows it, the
first process is number 1 of a process namespace. A process can leave its group and its session, but
not its namespace: when number 1 ends, the kernel kills all others in it. Number 1 ignores most
signals, even its own ``abort``, so the code runs in another process.

The code may hold the interpreter lock, or stop its own process and group. It leads a group of its
own and has no number of the guardian, which only waits: for the end of the code, and for commands
of the session by a pipe; the session is gone when the pipe is closed. If the guardian is killed,
the kernel kills the first process, and so the others.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import time
from typing import TYPE_CHECKING

from cloacina_ctl.files.folders import PrivateFolder, hold_private_folder
from cloacina_ctl.runtime.host.confinement.kernel import die_with_parent, inherit_orphans, is_linux
from cloacina_ctl.runtime.process.framing import ASK_TO_END, CONTROL, END_BY_FORCE

if TYPE_CHECKING:
    from cloacina_ctl.runtime.host.confinement.confine import Confinement
    from cloacina_ctl.runtime.host.confinement.memory import MemoryGroup

_NUMBER = struct.Struct("<i")
_REMOVING_ATTEMPTS = 20
_STDERR = 2


def start_supervisor(
    path: str, identity: tuple[int, int], confinement: Confinement, memory: MemoryGroup
) -> None:
    """Return in the worker, where the code runs; this process ends later, with the same status.

    The private folder at ``path`` becomes the current one, and is removed where the session cannot
    do that any more. The namespaces were entered before; the rest of ``confinement`` is done here.
    Raises ``OSError`` where ``path`` has not that ``identity``: earlier code replaced it.
    """
    folder = hold_private_folder(path, identity)
    os.fchdir(folder.fd)
    out, back = os.pipe()
    if is_linux():
        inherit_orphans()
    first = os.fork()
    if first:
        os.close(back)
        confinement.drop_rights()
        _let_go(out, CONTROL, _STDERR, *folder.descriptors, *memory.descriptors)
        _Guardian(first, out, memory, has_numbers=confinement.has_numbers).guard(folder)
    os.close(out)
    folder.close()
    confinement.make_root()
    confinement.drop_rights()
    _end_with_parent(back)
    worker = os.fork()
    if worker:
        _let_go(back)
        _wait_and_report(worker, back, has_numbers=confinement.has_numbers)
    os.close(back)
    os.close(CONTROL)
    os.setsid()
    _end_with_parent(None)
    confinement.enter_rules()
    memory.begin_to_enter()


def _let_go(*kept: int) -> None:
    """Close all descriptors but ``kept``, and block all signals.

    A waiting process must not hold a pipe open that others watch, nor be ended by a signal that the
    code sends to its group.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    start = 0
    for fd in sorted(kept):
        os.closerange(start, fd)
        start = fd + 1
    os.closerange(start, 1 << 16)


def _end_with_parent(pipe: int | None) -> None:
    """Make the kernel end this process with its parent; ``pipe`` leads to the parent."""
    if not is_linux():
        return
    die_with_parent()
    if pipe is not None:  # it may have ended already, and then the pipe is closed
        poll = select.poll()
        poll.register(pipe, 0)
        if poll.poll(0):
            os._exit(1)


def _wait_and_report(worker: int, back: int, *, has_numbers: bool) -> None:
    def ask_to_end(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker, signal.SIGTERM)

    os.write(back, _NUMBER.pack(worker))
    signal.signal(signal.SIGTERM, ask_to_end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
    while True:
        pid, status = os.wait()  # orphans are waited for here too
        if pid == worker:
            break
    if not has_numbers:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker, signal.SIGKILL)
    os.write(back, _NUMBER.pack(status))
    os._exit(0)


class _Guardian:
    """The process that the session started. ``first`` is its child, which reports by ``out``."""

    def __init__(self, first: int, out: int, memory: MemoryGroup, *, has_numbers: bool) -> None:
        self._first = first
        self._out = out
        self._memory = memory
        self._has_numbers = has_numbers
        self._said = b""

    def guard(self, folder: PrivateFolder) -> None:
        """Wait until the code ends or must end, end its other processes, and end like the code."""
        has_session = self._wait()
        self._end_all()
        if self._memory.was_exceeded():
            with contextlib.suppress(OSError):  # stderr may be closed
                os.write(_STDERR, b"all its processes together reached the memory limit\n")
        self._memory.remove()
        if not (has_session and self._has_session()):
            for _ in range(_REMOVING_ATTEMPTS):
                if folder.remove():
                    break
                time.sleep(0.05)
        self._end_like_code()

    def _wait(self) -> bool:
        """Wait until the code ends or must end; return whether the session is still there."""
        both = select.poll()
        both.register(CONTROL, select.POLLIN)
        both.register(self._out, select.POLLIN)
        while True:
            ready = {fd for fd, _ in both.poll()}
            if self._out in ready:
                said = os.read(self._out, _NUMBER.size)
                self._said += said
                if not said or len(self._said) >= 2 * _NUMBER.size:
                    return True
            if CONTROL in ready:
                command = os.read(CONTROL, 1)
                if command != ASK_TO_END:
                    return command == END_BY_FORCE
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._first, signal.SIGTERM)

    def _has_session(self) -> bool:
        """Return whether the session is there: its end may be why the code ended."""
        poll = select.poll()
        poll.register(CONTROL, 0)
        return not poll.poll(0)

    def _end_all(self) -> None:
        """End all processes of the code; return when they are gone."""
        if not self._has_numbers and len(self._said) >= _NUMBER.size:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(_NUMBER.unpack_from(self._said)[0], signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._first, signal.SIGKILL)
        os.waitpid(self._first, 0)  # with a process namespace it returns after the last one
        while children := _children():
            for pid in children:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.wait()

    def _end_like_code(self) -> None:
        status = int(signal.SIGKILL)
        if len(self._said) >= 2 * _NUMBER.size:
            (status,) = _NUMBER.unpack_from(self._said, _NUMBER.size)
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _children() -> list[int]:
    """Return the children of this process, as far as the system lists them."""
    with contextlib.suppress(OSError), open(f"/proc/self/task/{os.getpid()}/children") as file:
        return list(map(int, file.read().split()))
    return []
