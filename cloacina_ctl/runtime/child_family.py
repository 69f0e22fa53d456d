"""Process numbers of their own for a package's code: nothing that it starts outlives it.

A process can leave its group and its session, but not the first process of its numbers: when that
ends, the kernel ends all others. Three processes then: this one, which the session knows and which
ends as the last one does; the first one, which only waits, because to a first process most signals
mean nothing, not even its own ``abort``; and the one that everything runs in.
"""

from __future__ import annotations

import os
import signal
import struct

_STATUS = struct.Struct("<i")


def move_to_own_numbers() -> None:
    """Return in a process of a new family; this process ends, later, as that one does."""
    out, back = os.pipe()
    first = os.fork()
    if first:
        os.close(back)
        _end_as_told(first, out)
    os.close(out)
    worker = os.fork()
    if worker:
        _wait_and_tell(worker, back)
    os.close(back)


def _let_go(kept: int) -> None:
    """Close all but ``kept``: whoever waits must not keep a pipe open that others watch."""
    os.closerange(0, kept)
    os.closerange(kept + 1, 1 << 16)


def _wait_and_tell(worker: int, back: int) -> None:
    _let_go(back)
    while True:
        pid, status = os.wait()  # those that lost their parents come here too
        if pid == worker:
            break
    os.write(back, _STATUS.pack(status))
    os._exit(0)


def _end_as_told(first: int, out: int) -> None:
    # The request to end is for the one that can hear it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _let_go(out)
    data = os.read(out, _STATUS.size)
    os.waitpid(first, 0)
    if len(data) < _STATUS.size:
        os._exit(1)
    (status,) = _STATUS.unpack(data)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
