"""The processes around a package's code: nothing that it starts outlives the session.

Three of them: this one, which the session knows and which ends as the last one does; the first one,
which only waits; and the one that everything runs in. Where the kernel allows it, the first one is
the first of process numbers of their own. A process can leave its group and its session, but not
that: when it ends, the kernel ends all others. And to a first process most signals mean nothing,
not even its own ``abort``, so the code runs in another.

This one also looks whether the session is still there. The code may hold the interpreter, or stop
its own process; here is nothing but a wait.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import time

from cloacina_ctl.folders import PrivateFolder, hold_private_folder
from cloacina_ctl.runtime.frames import REQUESTS

_STATUS = struct.Struct("<i")
_LEAVING_MS = 1000  # for the code to end by itself, where the session is gone
_REMOVING_ATTEMPTS = 20


def begin_family(path: str, identity: tuple[int, int], *, has_numbers: bool) -> None:
    """Return in the process that the code runs in; this one ends, later, as that one does.

    With ``has_numbers`` the next process that is started has numbers of its own. The private folder
    at ``path`` becomes the current one, and is removed where the session cannot do that any more.
    Raises ``OSError`` where another thing than that of ``identity`` is there: code that ran before
    put it there.
    """
    folder = hold_private_folder(path, identity)
    os.fchdir(folder.fd)
    out, back = os.pipe()
    first = os.fork()
    if first:
        os.close(back)
        _let_go(out, REQUESTS, *folder.descriptors)
        if _outlives_session(out):
            _end_all(first, folder, has_numbers=has_numbers)
        _end_as_told(first, out)
    os.close(out)
    folder.close()
    worker = os.fork()
    if worker:
        _let_go(back)
        _wait_and_tell(worker, back)
    os.close(back)


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


def _wait_and_tell(worker: int, back: int) -> None:
    while True:
        pid, status = os.wait()  # those that lost their parents come here too
        if pid == worker:
            break
    os.write(back, _STATUS.pack(status))
    os._exit(0)


def _outlives_session(out: int) -> bool:
    """Wait until the code has ended or the session has; return whether it was the session.

    Requests come through a pipe that nobody else writes to. To look whether it was hung up takes
    nothing out of it.
    """
    both = select.poll()
    both.register(REQUESTS, 0)
    both.register(out, select.POLLIN)
    ended = {fd for fd, _ in both.poll()}
    if REQUESTS in ended and out not in ended:
        both.unregister(REQUESTS)
        both.poll(_LEAVING_MS)
    return REQUESTS in ended


def _end_all(first: int, folder: PrivateFolder, *, has_numbers: bool) -> None:
    """End what is left of the code, remove ``folder``, and end."""
    if has_numbers:
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)  # comes back when the last one is gone
    else:
        group = os.getpgrp()
        if os.fork():
            signal.pause()  # while this process is there, the number of the group is its own
        os.setsid()
        os.killpg(group, signal.SIGKILL)
    for _ in range(_REMOVING_ATTEMPTS):
        if folder.remove():
            break
        time.sleep(0.05)
    os._exit(0)


def _end_as_told(first: int, out: int) -> None:
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
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
