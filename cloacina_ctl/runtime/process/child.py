"""The child process in which a package's code runs: starts it, reads from it, always ends it.

It is started without a shell and without this program's environment, folder, open files or
terminal; ``limits`` has the limits that it sets before a package is loaded. Its output is always
read, so that it never blocks, and dropped above a limit. The started process is a guardian: the
code runs in another process, which the guardian ends, with all that the code started.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.files.staging import reported
from cloacina_ctl.runtime.process.amounts import mebibytes
from cloacina_ctl.runtime.process.exit import LOOK_MS, Death
from cloacina_ctl.runtime.process.framing import (
    ANSWERS,
    ASK_TO_END,
    CONTROL,
    END_BY_FORCE,
    LIBRARY,
    REQUESTS,
    pack,
)
from cloacina_ctl.runtime.process.grants import grants_of
from cloacina_ctl.runtime.process.incoming import MessageReader, TooLarge
from cloacina_ctl.runtime.process.output import OutputLines
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloacina_ctl.runtime.engine import EngineWheel

    Message = dict[str, Any]
    OnOutput = Callable[[str, str], None]

MIB, GIB = 1 << 20, 1 << 30
_DYING_SECONDS = 0.5
_LAST_READS = 8  # from a dead process: more than a pipe holds


class HostLimits(NamedTuple):
    """The limits of a package's code in bytes and seconds; None means unlimited.

    ``memory`` limits addresses, ``processes`` counts threads too, ``file_size`` is for each file
    that it writes, ``output`` and ``lines`` are for stdout and stderr together, ``answer`` is for
    one result. ``load_seconds`` is the time to load, ``stop_seconds`` the time between the request
    to end and the end by force.
    """

    cpu_seconds: int | None = 3600
    memory: int | None = 8 * GIB
    open_files: int | None = 1024
    processes: int | None = 1024
    file_size: int | None = 4 * GIB
    output: int = 16 * MIB
    lines: int = 500_000
    answer: int = 32 * MIB  # a context of 16 MiB, however it is escaped
    load_seconds: float = 60.0
    stop_seconds: float = 1.0


class HostOptions(NamedTuple):
    """How a package's code is run.

    ``environment`` is added to the few variables that it always has; it gets nothing else of this
    process's environment. ``on_output`` gets ``stdout`` or ``stderr`` and each line as unescaped
    text, in a thread of its own. With ``one_stream`` both share one pipe, as on a terminal: lines
    come in the order in which they were written, all as ``stderr``. With an ``engine`` a Python
    package is loaded into that engine, not into our own host.

    The code can read the system's files, its own, and the paths of ``allow_read`` and
    ``allow_write``. With ``require_isolation`` nothing is loaded where isolation is incomplete.
    """

    limits: HostLimits = HostLimits()
    allow_network: bool = False
    environment: Mapping[str, str] = {}
    on_output: OnOutput | None = None
    one_stream: bool = False
    engine: EngineWheel | None = None
    allow_read: tuple[str, ...] = ()
    allow_write: tuple[str, ...] = ()
    require_isolation: bool = False


class ProcessExit(NamedTuple):
    """How the process ended, in words; ``is_expected`` where it was asked to end.

    ``said`` is the last line that it wrote.
    """

    words: str
    is_expected: bool = False
    said: str | None = None


class Child:
    """One process. ``on_message`` and ``on_death`` are called in the thread that reads from it."""

    def __init__(
        self,
        options: HostOptions,
        folder: str,
        identity: tuple[int, int],
        library: int | None,
        *,
        on_message: Callable[[Message], None],
        on_death: Callable[[ProcessExit], None],
    ) -> None:
        self._limits = options.limits
        self._on_message = on_message
        self._on_death = on_death
        self._sending = threading.Lock()
        self._living = threading.Lock()  # held while the process's number must stay its own
        self._ending: str | None = None
        self._was_asked_to_leave = False
        self._is_cut_off = False
        self._gone = threading.Event()
        limits = options.limits
        self.output = OutputLines(limits.output, limits.lines, options.on_output)
        grants = grants_of(options)
        self._open(options, folder, library)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.send(
            {
                "limits": options.limits._asdict(),
                "network": options.allow_network,
                "folder": folder,
                "identity": identity,
                "grants": grants,
                "required": options.require_isolation,
                "engine": options.engine and {"folder": options.engine.folder},
            }
        )

    def _open(self, options: HostOptions, folder: str, library: int | None) -> None:
        pipes: list[int] = []
        try:
            with reported("the child process"):
                for _ in range(5):
                    pipes += map(_moved_up, os.pipe())
                request_out, self._requests, self._answers, answer_in = pipes[:4]
                self._streams = {pipes[4]: "stdout", pipes[6]: "stderr"}
                control_out, self._control = pipes[8:10]
                out = pipes[7] if options.one_stream else pipes[5]
                given = {1: out, 2: pipes[7], REQUESTS: request_out, ANSWERS: answer_in}
                given[CONTROL] = control_out
                if library is not None:
                    pipes.append(_moved_up(os.dup(library)))
                    given[LIBRARY] = pipes[-1]
                program = options.engine.program if options.engine else None
                self._pid = _spawn(given, _environment(options, folder), program)
        except BaseException:
            for fd in pipes:
                os.close(fd)
            raise
        for fd in {*given.values(), pipes[5]}:
            os.close(fd)
        for fd in (self._requests, self._answers, self._control, *self._streams):
            os.set_blocking(fd, False)

    def send(self, message: Message, patience: float | None = None) -> bool:
        """Send a message; return False where the process is gone or did not read it in time."""
        data = memoryview(pack(message))
        end = None if patience is None else time.monotonic() + patience
        # Another thread may be sending to a process that reads nothing any more.
        if not self._sending.acquire(timeout=-1 if patience is None else patience):
            return False
        try:
            if self._is_cut_off:
                return False
            self._is_cut_off = True  # nothing can follow half a message
            left = self._write(data, end)
            self._is_cut_off = 0 < left < len(data)
        finally:
            self._sending.release()
        return not left

    def _write(self, data: memoryview, end: float | None) -> int:
        """Write until done, the process is gone or time is up; return the bytes left."""
        while data and not self._gone.is_set():
            written = self._write_some(data)
            data = data[written:]
            if not written and end is not None and time.monotonic() >= end:
                break
        return len(data)

    def _write_some(self, data: memoryview) -> int:
        """Write as much as the pipe takes; wait a little where it is full."""
        try:
            return os.write(self._requests, data)
        except BlockingIOError:
            poll = select.poll()
            poll.register(self._requests, select.POLLOUT)
            poll.poll(LOOK_MS)
        except BrokenPipeError:
            self._gone.wait(LOOK_MS / 1000)
        return 0

    def leave(self) -> None:
        """Ask the process to end, by force if it does not, and wait until it is gone.

        An interrupt ends it by force at once.
        """
        self._was_asked_to_leave = True
        patience = self._limits.stop_seconds
        try:
            if self.send({"do": "leave"}, patience) and not self._gone.wait(patience):
                self._command(ASK_TO_END)
                self._gone.wait(patience)
        finally:
            self._command(END_BY_FORCE)
            self.join()

    def kill(self, why: str) -> None:
        """End the process at once with all that it started; ``why`` is reported as the reason."""
        if self._ending is None:
            self._ending = why
        self._command(END_BY_FORCE)

    def join(self) -> None:
        """Wait until a process that was ended is gone and its output is delivered.

        Waits no longer than ``stop_seconds``: the receiver of the output may block.
        """
        if threading.current_thread() is self._listener:
            return
        if not self._gone.wait(max(self._limits.stop_seconds, _DYING_SECONDS)):
            self._end_guardian()
        self._listener.join(_DYING_SECONDS)

    def _command(self, command: bytes) -> None:
        """Send the guardian a command: to ask the code to end, or to end it by force."""
        with self._living:
            if not self._gone.is_set():
                with contextlib.suppress(BrokenPipeError, BlockingIOError):
                    os.write(self._control, command)

    def _end_guardian(self) -> None:
        """Kill a guardian that does not obey: without namespaces the code can stop it.

        The kernel then ends the code and, where there are namespaces, all that the code started.
        """
        with self._living:  # after a wait the number may belong to another process
            if not self._gone.is_set():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._pid, signal.SIGKILL)

    def _listen(self) -> None:
        """Read from the process until it is gone, and make sure that it is."""
        death = Death(self._pid)
        is_gone = False
        try:
            self._follow(MessageReader(self._limits.answer), death)
            is_gone = True
        finally:
            if not is_gone:  # the receiver of the output raised
                self.kill("its output could not be delivered")
                death.wait()
            self._bury(death)

    def _follow(self, incoming: MessageReader, death: Death) -> None:
        poll = select.poll()
        for fd in (self._answers, *self._streams, *death.watched):
            poll.register(fd, select.POLLIN)
        streams = set(self._streams)
        broke_off: float | None = None
        while True:
            patience = death.patience if broke_off is None else LOOK_MS
            ready = {fd for fd, _ in poll.poll(patience)}
            answers = _read(self._answers) if self._answers in ready else None
            # Output that was printed before an answer is delivered before it.
            for fd in self._take_output(streams & ready if answers is None else streams):
                poll.unregister(fd)
                streams.discard(fd)
            if answers is not None and not self._take_answers(answers, incoming):
                poll.unregister(self._answers)
                broke_off = time.monotonic()
            # After each read: an escaped process may still fill the pipes.
            if death.has_come(ready):
                self._take_rest(incoming)
                return
            # A dying process closes its pipes first; a living one without a pipe is of no use.
            if broke_off is not None and time.monotonic() - broke_off > _DYING_SECONDS:
                self.kill("it closed its pipe for answers")

    def _take_rest(self, incoming: MessageReader) -> None:
        """Read the rest from the pipes of a process that is gone."""
        self._take_output(set(self._streams))
        for _ in range(_LAST_READS):
            answers = _read(self._answers)
            if not answers or not self._take_answers(answers, incoming):
                return

    def _bury(self, death: Death) -> None:
        with self._living:
            # It led its group, and the first process may be left in it. The number stays its own
            # until it is reaped.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
            status = death.reap()
            self._gone.set()
        death.close()
        with self._sending:
            for fd in (self._requests, self._answers, self._control, *self._streams):
                os.close(fd)
        words = self._ending or _words_of(status)
        expected = self._was_asked_to_leave and self._ending is None
        try:
            self.output.end()
        finally:
            said = self.output.last_words()
            self._on_death(ProcessExit(words, is_expected=expected, said=said))

    def _take_output(self, ready: set[int]) -> list[int]:
        """Read the ready streams; return those that ended."""
        ended = []
        for fd in ready:
            while (data := _read(fd)) is not None:
                if not data:
                    ended.append(fd)
                    break
                limit = self.output.take(self._streams[fd], data)
                if limit is not None:
                    self.kill(f"it printed more than {limit}, all tasks in the process together")
                    break
        return ended

    def _take_answers(self, data: bytes, incoming: MessageReader) -> bool:
        """Deliver the answers that ``data`` completes; return False where none can follow."""
        if not data:
            return False
        try:
            for message in incoming.take(data):
                self._on_message(message)
        except TooLarge:
            limit = mebibytes(self._limits.answer)
            self.kill(f"its result is larger than {limit}, the limit for one result")
            return False
        except ValueError as error:
            self.kill(f"it broke the protocol: {error}")
            return False
        return True


def _spawn(given: dict[int, int], environment: dict[str, str], program: str | None) -> int:
    """Start the process with the given descriptors, by their numbers in the child."""
    script = os.path.join(
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "host", "__main__.py"
    )
    program = program or sys.executable
    if not program:
        raise FileProblem.of(Code.NOT_FOUND, "the path of the Python interpreter is unknown")
    arguments = [program, "-I", "-S", script]
    actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    actions += [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in given.items()]
    try:
        return os.posix_spawn(program, arguments, environment, file_actions=actions, setsid=True)
    except NotImplementedError:  # then the child does it itself
        return os.posix_spawn(program, arguments, environment, file_actions=actions, setpgroup=0)


def _environment(options: HostOptions, folder: str) -> dict[str, str]:
    fixed = {
        "PATH": os.defpath,
        "HOME": folder,
        "TMPDIR": folder,
        "LANG": "C.UTF-8",
        "RUST_BACKTRACE": "0",  # a trace of a panic takes half a second
        "PYTHONDONTWRITEBYTECODE": "1",
        "GIT_CONFIG_NOSYSTEM": "1",  # git fails where it may not read that file
    }
    return {**fixed, **options.environment}


def _moved_up(fd: int) -> int:
    """Return ``fd`` moved to a number that no descriptor of the child has."""
    import fcntl

    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 16)
    os.close(fd)
    return moved


def _read(fd: int) -> bytes | None:
    """Return the available bytes: None where there are none yet, empty at the end."""
    try:
        return os.read(fd, 256 << 10)
    except BlockingIOError:
        return None


def _words_of(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"it was ended by {_SIGNALS.get(number) or f'signal {number}'}"
    return f"it ended with status {os.waitstatus_to_exitcode(status)}"


_SIGNALS: dict[int, str] = {
    signal.SIGSEGV: "SIGSEGV, an invalid memory access",
    signal.SIGBUS: "SIGBUS, an invalid memory access",
    signal.SIGABRT: "SIGABRT, it aborted itself",
    signal.SIGILL: "SIGILL, an instruction that the processor does not have",
    signal.SIGFPE: "SIGFPE, an invalid division",
    signal.SIGKILL: "SIGKILL, from outside or by the system",
    signal.SIGXCPU: "SIGXCPU, the limit of its processor time",
    signal.SIGTERM: "SIGTERM",
}
