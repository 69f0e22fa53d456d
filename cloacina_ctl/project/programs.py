"""Runs other programs: the one module that may start a process.

A program is found once, through absolute entries of PATH alone, and gets an argument list (never
a shell), a session of its own that is killed as a whole, and an environment from an allow-list:
what a build runs is somebody else's code, and must see neither tokens nor signing keys. Its
standard output comes line by line within a bound. Nothing is printed here.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from cloacina_ctl.staging import reported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# A line of cargo's JSON holds the rendered text of one message; the largest seen is some 100 KiB.
MAX_LINE_BYTES = 8 << 20
# No build says this much: something in it writes without end.
MAX_OUTPUT_BYTES = 1 << 30
# How long a program may take to end after SIGTERM before it is killed.
GRACE_SECONDS = 2.0

_READ_BYTES = 1 << 16
_POLL_SECONDS = 0.1

_PASSED_ON = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TERM", "COLORTERM", "NO_COLOR",
        "TMPDIR", "TEMP", "TMP", "TZ", "SOURCE_DATE_EPOCH", "MAKEFLAGS",
        "CC", "CXX", "AR", "LD", "NM", "RANLIB", "STRIP", "CPP",
        "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "ARFLAGS",
        "CPATH", "LIBRARY_PATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LD_LIBRARY_PATH",
        "SDKROOT", "DEVELOPER_DIR", "MACOSX_DEPLOYMENT_TARGET",
        "http_proxy", "https_proxy", "no_proxy", "all_proxy",
        "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE",
        "CMAKE", "CMAKE_GENERATOR", "PROTOC", "LIBCLANG_PATH", "PYO3_PYTHON",
    }
)  # fmt: skip
_PASSED_ON_PREFIXES = (
    "CARGO_", "RUSTUP_", "RUST", "LC_", "PKG_CONFIG", "CC_", "CXX_", "AR_",
    "CFLAGS_", "CXXFLAGS_", "HOST_", "TARGET_", "OPENSSL_",
)  # fmt: skip
# `CARGO_REGISTRY_TOKEN` and its like: what a build fetches with them, `cargo fetch` can fetch before.
_NEVER = ("TOKEN", "SECRET", "PASSWORD", "PASSPHRASE", "CREDENTIAL", "CLOACINA_CTL_")


class Outcome(NamedTuple):
    """How a program ended: its exit status, negative for the signal that ended it."""

    status: int


class Program(NamedTuple):
    """A program to run: an absolute path, its arguments, the folder it runs in."""

    path: str
    arguments: tuple[str, ...]
    folder: str
    environment: Mapping[str, str]


def search_path(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the folders of PATH that are absolute.

    An empty entry and ``.`` mean the current folder: whoever wrote the project would choose the
    program.
    """
    value = (os.environ if environment is None else environment).get("PATH", "")
    return tuple(entry for entry in value.split(os.pathsep) if os.path.isabs(entry))


def find_program(name: str) -> str | None:
    """Return the absolute path of the program, links not followed: ``cargo`` may be rustup."""
    for folder in search_path():
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that a build may see, and those of ``extra``."""
    kept = {name: value for name, value in os.environ.items() if _is_passed_on(name)}
    kept["PATH"] = os.pathsep.join(search_path())
    kept.update(extra or {})
    return kept


def _is_passed_on(name: str) -> bool:
    upper = name.upper()
    if any(part in upper for part in _NEVER):
        return False
    return name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)


def run(
    program: Program,
    on_output: Callable[[bytes], None],
    on_message: Callable[[str], None] | None = None,
) -> Outcome:
    """Run the program to its end, giving each line of its output and of its messages.

    Lines come without their newline. Without ``on_message`` its standard error is ours, so that
    a terminal shows progress bars. Whatever ends this call, the program and all that it started
    are gone afterwards. Raises ``BuildFailed`` where the output breaks its bounds, and
    ``FileProblem`` where the program cannot be started.
    """
    with _started(program, quiet=on_message is not None) as process:
        streams: dict[int, _Lines] = {}
        if process.stdout:
            streams[process.stdout.fileno()] = _Lines(program.path, on_output)
        if process.stderr and on_message:
            streams[process.stderr.fileno()] = _Pieces(on_message)
        _pump(process, streams)
        return Outcome(status=process.wait())


@contextlib.contextmanager
def _started(program: Program, *, quiet: bool) -> Iterator[subprocess.Popen[bytes]]:
    """Start the program; afterwards nothing of its session is left."""
    with reported(program.path):
        process = subprocess.Popen(
            [program.path, *program.arguments],
            cwd=program.folder,
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if quiet else None,
            start_new_session=True,
            bufsize=0,
        )
    try:
        yield process
    finally:
        _end(process)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole session: politely while its leader lives, then whoever is left."""
    if process.poll() is None:
        _signal(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    _signal(process.pid, signal.SIGKILL)
    process.wait()


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _pump(process: subprocess.Popen[bytes], streams: Mapping[int, _Lines]) -> None:
    """Read until all streams end, or the program has ended and nothing more is there.

    A grandchild may keep the pipe open for ever: the program's own end is what counts.
    """
    total = 0
    with selectors.DefaultSelector() as selector:
        for fd in streams:
            os.set_blocking(fd, False)
            selector.register(fd, selectors.EVENT_READ)
        while selector.get_map():
            ended = process.poll() is not None
            ready = selector.select(0 if ended else _POLL_SECONDS)
            if ended and not ready:
                break
            for key, _ in ready:
                data = os.read(key.fd, _READ_BYTES)
                total += len(data)
                if total > MAX_OUTPUT_BYTES:
                    raise _endless(process.args[0], f"over {MAX_OUTPUT_BYTES} bytes of output")  # type: ignore[index]
                if data:
                    streams[key.fd].feed(data)
                else:
                    selector.unregister(key.fd)
    for lines in streams.values():
        lines.finish()
