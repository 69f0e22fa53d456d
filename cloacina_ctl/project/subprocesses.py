"""Runs other programs: the one module that may start a process.

A program is found once, through absolute entries of PATH only, and gets an argument list (never
a shell), a session of its own that is killed as a whole, and an environment from an allow-list:
a build runs third-party code, which must see neither tokens nor signing keys. Its standard output
is passed on line by line, within limits. Nothing is printed here.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
from typing import TYPE_CHECKING

from cloacina_ctl.errors import BuildFailed, Code
from cloacina_ctl.files.staging import reported
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# A line of cargo's JSON holds the rendered text of one message; the largest seen is some 100 KiB.
MAX_LINE_BYTES = 8 << 20
# No build prints this much: something in it writes without end.
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
# `CARGO_REGISTRY_TOKEN` and the like: `cargo fetch` can use them beforehand. For the
# same reason SSH_AUTH_SOCK is not passed on: an agent signs for every client.
_NEVER = ("TOKEN", "SECRET", "PASSWORD", "PASSPHRASE", "CREDENTIAL", "CLOACINA_CTL_")


class Program(NamedTuple):
    """A program to run: an absolute path, its arguments, the folder it runs in."""

    path: str
    arguments: tuple[str, ...]
    folder: str
    environment: Mapping[str, str]


def search_path() -> tuple[str, ...]:
    """Return the folders of PATH that are absolute.

    An empty entry and ``.`` mean the current folder: the author of the project would choose the
    program.
    """
    entries = os.environ.get("PATH", "").split(os.pathsep)
    return tuple(entry for entry in entries if os.path.isabs(entry))


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
) -> int:
    """Run the program to its end and return its exit status, negative for a signal's number.

    Each line of its output and of its messages is given while it runs, without its newline.
    Without ``on_message`` its standard error is ours, so that a terminal shows progress bars.
    Whatever ends this call, the program and all that it started are gone afterwards. Raises
    ``BuildFailed`` where the output breaks its bounds, and ``FileProblem`` where the program
    cannot be started.
    """
    with _started(program, quiet=on_message is not None) as process:
        receivers = [(process.stdout, _Lines(on_output))]
        if on_message:
            receivers.append((process.stderr, _Messages(on_message)))
        streams = {stream.fileno(): lines for stream, lines in receivers if stream}
        _pump(process, streams)
        return process.wait()


@contextlib.contextmanager
def _started(program: Program, *, quiet: bool) -> Iterator[subprocess.Popen[bytes]]:
    """Start the program; afterwards nothing of its session is left."""
    with reported(program.path):
        process = subprocess.Popen(  # noqa: S603 - an absolute path and a list
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
    """End the whole session: its leader by SIGTERM, then the rest by SIGKILL."""
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

    A grandchild may never close the pipe: the program's own end decides.
    """
    left = MAX_OUTPUT_BYTES
    with selectors.DefaultSelector() as selector:
        for fd in streams:
            selector.register(fd, selectors.EVENT_READ)
        while selector.get_map():
            ended = process.poll() is not None
            ready = selector.select(0 if ended else _POLL_SECONDS)
            if ended and not ready:
                break
            for key, _ in ready:
                data = os.read(key.fd, _READ_BYTES)
                left -= len(data)
                if left < 0:
                    raise _endless(f"more than {MAX_OUTPUT_BYTES} bytes of output")
                if data:
                    streams[key.fd].feed(data)
                else:
                    selector.unregister(key.fd)
    for lines in streams.values():
        lines.finish()


class _Lines:
    """Cuts a stream into lines; a line without end is an error."""

    longest = MAX_LINE_BYTES

    def __init__(self, give: Callable[[bytes], None]) -> None:
        self._give = give
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes and give the lines that end in them."""
        first, *others = data.split(b"\n")
        self._keep(first)
        for piece in others:
            self.finish()
            self._keep(piece)

    def finish(self) -> None:
        """Give what is kept as a line; an empty line is none."""
        if self._size:
            self._give(b"".join(self._pieces))
        self._pieces, self._size = [], 0

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._size += len(piece)
            if self._size > self.longest:
                self._too_long()

    def _too_long(self) -> None:
        raise _endless(f"a line of more than {self.longest} bytes")


class _Messages(_Lines):
    """Cuts a stream into lines for people: what is too long comes in parts."""

    longest = 1 << 16

    def __init__(self, give: Callable[[str], None]) -> None:
        super().__init__(lambda line: give(line.decode("utf-8", "replace").rstrip("\r")))

    def _too_long(self) -> None:
        self.finish()


def _endless(what: str) -> BuildFailed:
    return BuildFailed.of(
        Code.BUILD_FAILED,
        f"a program that the build runs wrote {what}, and was ended",
        hint="a build script or macro of the project or of a dependency writes without end",
    )
