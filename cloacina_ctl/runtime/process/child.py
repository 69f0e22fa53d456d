"""The child process in which a package's code runs: started, listened to, and ended for sure.

It is started without a shell and without this program's environment, folder, open files or
terminal; ``limits`` says what it gives up before a package is loaded. Whatever it writes is
taken off its hands, so that it never waits, and dropped above a limit. The process that is started
is a guardian: the code runs in another one, which the guardian ends, with all that it started.
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
_LAST_READS = 8  # of what a dead process left: more than a pipe holds


class HostLimits(NamedTuple):
    """What a package's code may use; bytes and seconds, None where nothing limits it.

    ``memory`` is of addresses, ``processes`` counts threads too, ``file_size`` is of each file that
    it writes, ``output`` and ``lines`` all that it writes to stdout and stderr, ``answer`` one
    result. ``load_seconds`` is for being loaded,
    ``stop_seconds`` between the request to end and the end by force.
    """

    cpu_seconds: int | None = 3600
    memory: int | None = 8 * GIB
    open_files: int | None = 1024
    processes: int | None = 1024
    file_size: int | None = 4 * GIB
    output: int = 16 * MIB
    lines: int = 500_000
    answer: int = 32 * MIB  # a context of 16 MiB, whatever escaping makes of it
    load_seconds: float = 60.0
    stop_seconds: float = 1.0


class HostOptions(NamedTuple):
    """How a package's code is run.

    ``environment`` is added to the few variables that it always has; nothing else of this
    process's environment reaches it. ``on_output`` gets each line with ``stdout`` or ``stderr``, as
    text that is not escaped, in a thread of its own. With ``one_stream`` both share one pipe, as on
    a terminal: lines come in the order in which they were written, all of them as ``stderr``. With
    an ``engine`` a Python package is loaded into that, and not into our own host.

    Of files the code can read the system's and its own, and what ``allow_read`` and ``allow_write``
    name. With ``require_isolation`` nothing is loaded where the kernel does not give all of it.
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
    """How the process ended, in words; ``is_expected`` where it was told to.

    ``said`` are the last words that it wrote.
    """

    words: str
    is_expected: bool = False
    said: str | None = None


class Child:
    """One process. ``on_message`` and ``on_death`` are called in the thread that listens to it."""

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
        self._living = threading.Lock()  # held by whoever needs the process's number to be its own
        self._ending: str | None = None
        self._is_told_to_leave = False
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
        """Send a message; False where the process is gone, or did not take it in time."""
        data = memoryview(pack(message))
        end = None if patience is None else time.monotonic() + patience
        # Another message may be under way to a process that takes nothing any more.
        if not self._sending.acquire(timeout=-1 if patience is None else patience):
            return False
        try:
            if self._is_cut_off:
                return False
            self._is_cut_off = True  # nothing can follow half a message, whatever breaks it off
            left = self._write(data, end)
            self._is_cut_off = 0 < left < len(data)
        finally:
            self._sending.release()
        return not left

    def _write(self, data: memoryview, end: float | None) -> int:
        """Write until all is written, the process is gone, or time is up; return what is left."""
        while data and not self._gone.is_set():
            written = self._write_some(data)
            data = data[written:]
            if not written and end is not None and time.monotonic() >= end:
                break
        return len(data)

    def _write_some(self, data: memoryview) -> int:
        """Write what the pipe takes, and wait a little where it takes nothing."""
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
        """Ask the process to end, and end it by force where it does not; wait until it is gone.

        Where that is interrupted, it is ended by force at once.
        """
        self._is_told_to_leave = True
        patience = self._limits.stop_seconds
        try:
            if self.send({"do": "leave"}, patience) and not self._gone.wait(patience):
                self._tell(ASK_TO_END)
                self._gone.wait(patience)
        finally:
            self._tell(END_BY_FORCE)
            self.join()

    def kill(self, why: str) -> None:
        """Have the process end at once with all that it started; ``why`` is what is said of it."""
        if self._ending is None:
            self._ending = why
        self._tell(END_BY_FORCE)

    def join(self) -> None:
        """Wait until a process that was ended is gone and all that it said was handed on.

        No longer than ``stop_seconds``: whoever it is handed to may take nothing any more.
        """
        if threading.current_thread() is self._listener:
            return
        if not self._gone.wait(max(self._limits.stop_seconds, _DYING_SECONDS)):
            self._end_guardian()
        self._listener.join(_DYING_SECONDS)

    def _tell(self, wish: bytes) -> None:
        """Tell the guardian what to do with the code."""
        with self._living:
            if not self._gone.is_set():
                with contextlib.suppress(BrokenPipeError, BlockingIOError):
                    os.write(self._control, wish)

    def _end_guardian(self) -> None:
        """Kill a guardian that does not do what it is told: without namespaces it can be stopped.

        The kernel then ends the code, and where it gave namespaces all that this started.
        """
        with self._living:  # the number of one that was waited for may belong to another process
            if not self._gone.is_set():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._pid, signal.SIGKILL)

    def _listen(self) -> None:
        """Follow the process until it is gone, and make sure that it is."""
        death = Death(self._pid)
        is_gone = False
        try:
            self._follow(MessageReader(self._limits.answer), death)
            is_gone = True
        finally:
            if not is_gone:  # whoever takes the output raised something
                self.kill("nobody listens to it any more")
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
            # What was printed before an answer is handed on before it.
            for fd in self._take_output(streams & ready if answers is None else streams):
                poll.unregister(fd)
                streams.discard(fd)
            if answers is not None and not self._take_answers(answers, incoming):
                poll.unregister(self._answers)
                broke_off = time.monotonic()
            # After each read: one that escaped may fill the pipes of a process that is gone.
            if death.has_come(ready):
                self._take_rest(incoming)
                return
            # A process that dies closes its pipes first; one that lives on has nothing to say.
            if broke_off is not None and time.monotonic() - broke_off > _DYING_SECONDS:
                self.kill("it broke off the conversation")

    def _take_rest(self, incoming: MessageReader) -> None:
        """Take what is left in the pipes of a process that is gone."""
        self._take_output(set(self._streams))
        for _ in range(_LAST_READS):
            answers = _read(self._answers)
            if not answers or not self._take_answers(answers, incoming):
                return

    def _bury(self, death: Death) -> None:
        with self._living:
            # It led its group, and the first process may be left in it. The number is its own for
            # as long as nobody asked how it ended.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
            status = death.reap()
            self._gone.set()
        death.close()
        with self._sending:
            for fd in (self._requests, self._answers, self._control, *self._streams):
                os.close(fd)
        words = self._ending or _words_of(status)
        expected = self._is_told_to_leave and self._ending is None
        try:
            self.output.end()
        finally:
            said = self.output.last_words()
            self._on_death(ProcessExit(words, is_expected=expected, said=said))

    def _take_output(self, ready: set[int]) -> list[int]:
        """Take what the ready streams hold; return those that ended."""
        ended = []
        for fd in ready:
            while (data := _read(fd)) is not None:
                if not data:
                    ended.append(fd)
                    break
                limit = self.output.take(self._streams[fd], data)
                if limit is not None:
                    self.kill(f"it printed more than {limit}, all that ran in the process together")
                    break
        return ended

    def _take_answers(self, data: bytes, incoming: MessageReader) -> bool:
        """Hand on the answers that are whole with ``data``; False where none can follow."""
        if not data:
            return False
        try:
            for message in incoming.take(data):
                self._on_message(message)
        except TooLarge:
            limit = mebibytes(self._limits.answer)
            self.kill(f"what it returned is larger than {limit}, the limit of one result")
            return False
        except ValueError as error:
            self.kill(f"it broke the protocol: {error}")
            return False
        return True


def _spawn(given: dict[int, int], environment: dict[str, str], program: str | None) -> int:
    """Start the process with the descriptors it gets, by their numbers there."""
    script = os.path.join(
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "host", "__main__.py"
    )
    program = program or sys.executable
    if not program:
        raise FileProblem.of(Code.NOT_FOUND, "no interpreter is known that could be started")
    arguments = [program, "-I", "-S", script]
    actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    actions += [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in given.items()]
    try:
        return os.posix_spawn(program, arguments, environment, file_actions=actions, setsid=True)
    except NotImplementedError:  # the child does it itself, then
        return os.posix_spawn(program, arguments, environment, file_actions=actions, setpgroup=0)


def _environment(options: HostOptions, folder: str) -> dict[str, str]:
    fixed = {
        "PATH": os.defpath,
        "HOME": folder,
        "TMPDIR": folder,
        "LANG": "C.UTF-8",
        "RUST_BACKTRACE": "0",  # a trace of a panic takes half a second
        "PYTHONDONTWRITEBYTECODE": "1",
        "GIT_CONFIG_NOSYSTEM": "1",  # git gives up where it may not read that file
    }
    return {**fixed, **options.environment}


def _moved_up(fd: int) -> int:
    """Return ``fd`` under a number that no descriptor of the child has."""
    import fcntl

    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 16)
    os.close(fd)
    return moved


def _read(fd: int) -> bytes | None:
    """Return what is there; None where nothing is, empty where nothing can come."""
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
    signal.SIGSEGV: "SIGSEGV, an access to memory that is not there",
    signal.SIGBUS: "SIGBUS, an access to memory that is not there",
    signal.SIGABRT: "SIGABRT, its own wish",
    signal.SIGILL: "SIGILL, an instruction that the processor does not have",
    signal.SIGFPE: "SIGFPE, a division that has no result",
    signal.SIGKILL: "SIGKILL, from outside or by the system",
    signal.SIGXCPU: "SIGXCPU, the limit of its time on the processor",
    signal.SIGTERM: "SIGTERM",
}
