"""The child's side of a session: set limits, load, answer requests, each in a thread of its own."""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import io
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from cloacina_ctl.runtime.host.host import LoadFailure
from cloacina_ctl.runtime.process.framing import (
    ANSWERS,
    CONTROL,
    LENGTH,
    LIBRARY,
    REQUESTS,
    pack,
    unpack,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloacina_ctl.runtime.host.confinement.confine import Confinement
    from cloacina_ctl.runtime.host.host import LoadedHost

    Answer = dict[str, Any]

# The child process writes each line when it is printed, not when a buffer is full: a process that
# ends or is ended loses its buffers, and the output of a task is shown while it runs.

_BY_LINE = 1  # _IOLBF, in the C libraries of Linux and macOS


def print_line_by_line() -> None:
    """Make Python's streams and stdout of C line-buffered; stderr of C and Rust's output are."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    library = ctypes.CDLL(None)
    for name in ("stdout", "__stdoutp"):  # macOS has the second
        with contextlib.suppress(ValueError):
            out = ctypes.c_void_p.in_dll(library, name)
            library.setvbuf(out, None, _BY_LINE, ctypes.c_size_t(0))
            return


_GUARDIAN_SECONDS = 1.0


def serve() -> None:
    """Isolate the process, load the package, and answer requests until the session ends."""
    from cloacina_ctl.runtime.host.confinement import limits
    from cloacina_ctl.runtime.host.confinement.confine import Confinement
    from cloacina_ctl.runtime.host.confinement.memory import MemoryGroup
    from cloacina_ctl.runtime.host.confinement.supervisor import start_supervisor

    limits.lead_own_session()
    _keep_descriptors()
    rules = _read_or_leave()
    limits.lower(rules["limits"])
    if rules["engine"] is not None and rules["engine"]["folder"] is None:
        from cloacina_ctl.runtime.host.engine import installed_engine

        rules["engine"]["folder"] = installed_engine()
    _import_early()
    memory = MemoryGroup(rules["limits"]["memory"])
    confinement = Confinement(rules)
    confinement.enter_namespaces()
    start_supervisor(rules["folder"], tuple(rules["identity"]), confinement, memory)
    if confinement.has_users:
        limits.limit_processes(rules["limits"]["processes"])
    print_line_by_line()
    order = _read_or_leave()
    memory.wait_until_entered()
    serving = _Serving()
    serving.send({"isolation": confinement.report(has_memory=memory.is_there)})
    _thread.start_new_thread(serving.listen, ())
    _load_and_open(serving, confinement, order, rules["engine"])
    # The process lives until the session ends it: this thread has nothing left to do.
    forever = _thread.allocate_lock()
    forever.acquire()
    forever.acquire()


def _load_and_open(
    serving: _Serving,
    confinement: Confinement,
    order: dict[str, Any],
    engine: dict[str, Any] | None,
) -> None:
    """Load the package of the order and serve requests, or report why that failed."""
    try:
        confinement.check_required()
        host = _load(order, engine, serving.send)
        described = host.describe()
    except LoadFailure as failure:
        serving.fail(failure)
    except MemoryError:
        serving.fail(LoadFailure("T003", "not enough memory to load it"))
    else:
        serving.open(host, {"described": described})
        stay = getattr(host, "stay", None)
        if stay is not None:
            stay()


def _import_early() -> None:
    """Import modules that are needed later, while the package is still being verified.

    Later nothing can be written, so a module without bytecode would be compiled in each run;
    such modules are imported here too.
    """
    from cloacina_ctl.runtime.host import native

    compiled = native.__spec__.cached or ""
    folder, _, tag = compiled.rpartition("native.")
    for name in ("python_import", "engine"):
        if not os.path.exists(f"{folder}{name}.{tag}"):
            __import__(f"cloacina_ctl.runtime.host.{name}")


def _keep_descriptors() -> None:
    """Keep only the given descriptors, and do not pass them on to other processes."""
    for fd in (REQUESTS, ANSWERS, LIBRARY, CONTROL):
        with contextlib.suppress(OSError):  # there is no library where Python is loaded
            os.set_inheritable(fd, False)
    os.closerange(CONTROL + 1, 1 << 16)


def _load(
    order: dict[str, Any], engine: dict[str, Any] | None, report: Callable[[Answer], None]
) -> LoadedHost:
    if order["kind"] == "python":
        with contextlib.suppress(OSError):
            os.close(LIBRARY)
        return _load_modules(order, engine, report)
    if engine is not None:
        raise LoadFailure(
            "T013",
            "it is compiled code, and the engine's wheel runs only Python packages",
            "run it without an engine",
        )
    from cloacina_ctl.runtime.host.native import load_library

    return load_library(order)


def _load_modules(
    order: dict[str, Any], engine: dict[str, Any] | None, report: Callable[[Answer], None]
) -> LoadedHost:
    if engine is not None:
        from cloacina_ctl.runtime.host.engine import load_into_engine

        _hide_this_program()
        return load_into_engine(order, engine, report)
    from cloacina_ctl.runtime.host.python_import import load_modules

    _hide_this_program()
    return load_modules(order, report)


def _hide_this_program() -> None:
    """Make the other modules of this program impossible to import for the package."""
    sys.modules["cloacina_ctl"].__path__ = []


def _read_or_leave() -> dict[str, Any]:
    request = _read()
    if request is None:
        _wait_for_the_end()
    if request is None or request.get("do") == "leave":
        os._exit(0)
    return request


def _wait_for_the_end() -> None:
    """Give the guardian time to see that the session is gone: it removes the folder."""
    time.sleep(_GUARDIAN_SECONDS)


class _Serving:
    """Reads requests from one pipe and writes answers to the other."""

    def __init__(self) -> None:
        self._calls: dict[str, Callable[[dict[str, Any]], Answer]] = {}
        self._host: LoadedHost | None = None
        self._writing = _thread.allocate_lock()
        self._busy: set[int] = set()

    def open(self, host: LoadedHost, answer: Answer) -> None:
        """Serve requests for ``host`` from now on."""
        self._host = host
        self._calls = host.calls()
        self.send({"id": 0, "ok": answer})

    def fail(self, failure: LoadFailure) -> None:
        """Report why the package cannot be loaded."""
        words = {"code": failure.code, "message": str(failure), "hint": failure.hint}
        self.send({"id": 0, "failed": words})

    def listen(self) -> None:
        """Start a thread for each request, until the session ends or is gone."""
        while (request := _read()) is not None and request["do"] != "leave":
            _thread.start_new_thread(self._answer, (request,))
        if request is None:
            _wait_for_the_end()
        if self._host is not None and not self._busy:
            self._host.leave()  # a running call still uses it
        flush()
        os._exit(0)

    def _answer(self, request: dict[str, Any]) -> None:
        self._busy.add(request["id"])
        answer: Answer = {"failed": {"message": "the host failed; standard error has the trace"}}
        try:
            answer = {"ok": self._calls[request["do"]](request)}
        except MemoryError:
            answer = {"failed": {"message": "not enough memory"}}
        finally:
            flush()
            self._busy.discard(request["id"])
            self.send({"id": request["id"], **answer})

    def send(self, message: Answer) -> None:
        """Send a message, whole; called from any thread."""
        data = memoryview(pack(message))
        with self._writing, contextlib.suppress(BrokenPipeError):
            while data:
                data = data[os.write(ANSWERS, data) :]


def flush() -> None:
    """Flush the output, so that it arrives before the answer."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or replaced
            stream.flush()


def _read() -> dict[str, Any] | None:
    """Return the next request, None where the session is gone."""
    head = _read_exactly(LENGTH.size)
    if head is None:
        return None
    data = _read_exactly(LENGTH.unpack(head)[0])
    return None if data is None else unpack(data)


def _read_exactly(count: int) -> bytes | None:
    parts = []
    while count:
        part = os.read(REQUESTS, min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
