"""The processes around a package's code: nothing that it starts outlives the session.

Three of them: the guardian, which the session knows and which ends as the last one does; the first
one, which only waits; and the one that everything runs in. Where the kernel allows it, the first
one is the first of process numbers of their own. A process can leave its group and its session, but
not that: when it ends, the kernel ends all others. And to a first process most signals mean
nothing, not even its own ``abort``, so the code runs in another.

The code may hold the interpreter, or stop its own process and its group. It leads a group of its
own, and cannot even name the guardian, which does nothing but wait: for the end of the code, and
for the session, which says by a pipe what is to be done, and which is gone where that hangs up.
Where the guardian is killed, the kernel kills the first one, and so the others.
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
    """Return in the process that the code runs in; this one ends, later, as that one does.

    The private folder at ``path`` becomes the current one, and is removed where the session cannot
    do that any more. The namespaces were entered before; the rest of ``confinement`` is done on the
    way. Raises ``OSError`` where another thing than that of ``identity`` is there: code that ran
    before put it there.
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
        _wait_and_tell(worker, back, has_numbers=confinement.has_numbers)
    os.close(back)
    os.close(CONTROL)
    os.setsid()
    _end_with_parent(None)
    confinement.enter_rules()
    memory.begin_to_enter()


def _let_go(*kept: int) -> None:
    """Close all but ``kept``: whoever waits must not keep a pipe open that others watch.

    And hear no signal that the code sends to all of its group.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    start = 0
    for fd in sorted(kept):
        os.closerange(start, fd)
        start = fd + 1
    os.closerange(start, 1 << 16)


def _end_with_parent(pipe: int | None) -> None:
    """Have the kernel end this process where its parent ends; ``pipe`` leads to the parent."""
    if not is_linux():
        return
    die_with_parent()
    if pipe is not None:  # it may have ended before, and then nobody reads there
        poll = select.poll()
        poll.register(pipe, 0)
        if poll.poll(0):
            os._exit(1)


def _wait_and_tell(worker: int, back: int, *, has_numbers: bool) -> None:
    def ask_to_end(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker, signal.SIGTERM)

    os.write(back, _NUMBER.pack(worker))
    signal.signal(signal.SIGTERM, ask_to_end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
    while True:
        pid, status = os.wait()  # those that lost their parents come here too
        if pid == worker:
            break
    if not has_numbers:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker, signal.SIGKILL)
    os.write(back, _NUMBER.pack(status))
    os._exit(0)


class _Guardian:
    """The process that the session knows. ``first`` is its child, which tells through ``out``."""

    def __init__(self, first: int, out: int, memory: MemoryGroup, *, has_numbers: bool) -> None:
        self._first = first
        self._out = out
        self._memory = memory
        self._has_numbers = has_numbers
        self._said = b""

    def guard(self, folder: PrivateFolder) -> None:
        """Wait until the code has ended or is to end, end what is left of it, and end as it did."""
        has_session = self._wait()
        self._end_all()
        if self._memory.was_exceeded():
            with contextlib.suppress(OSError):  # nobody may read it any more
                os.write(_STDERR, b"all its processes together reached the limit of memory\n")
        self._memory.remove()
        if not (has_session and self._is_listened_to()):
            for _ in range(_REMOVING_ATTEMPTS):
                if folder.remove():
                    break
                time.sleep(0.05)
        self._end_as_told()

    def _wait(self) -> bool:
        """Return once the code has ended or is to end; whether there still is a session."""
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
                wish = os.read(CONTROL, 1)
                if wish != ASK_TO_END:
                    return wish == END_BY_FORCE
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._first, signal.SIGTERM)

    def _is_listened_to(self) -> bool:
        """Return whether the session is there: the code may have ended first because it is not."""
        poll = select.poll()
        poll.register(CONTROL, 0)
        return not poll.poll(0)

    def _end_all(self) -> None:
        """End what is left of the code; return when it is gone."""
        if not self._has_numbers and len(self._said) >= _NUMBER.size:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(_NUMBER.unpack_from(self._said)[0], signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._first, signal.SIGKILL)
        os.waitpid(self._first, 0)  # with numbers of their own it comes back after the last one
        while children := _children():
            for pid in children:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.wait()

    def _end_as_told(self) -> None:
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
    """Return the children of this process, as far as the system tells them."""
    with contextlib.suppress(OSError), open(f"/proc/self/task/{os.getpid()}/children") as file:
        return list(map(int, file.read().split()))
    return []
