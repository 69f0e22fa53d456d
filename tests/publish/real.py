"""The real server with its compiler and a PostgreSQL of its own, in a folder that goes away.

``build`` makes the programs once, from crates.io, in the cache outside of the tree: nine minutes of
one processor on an idle machine and 2.2 GB of memory. It needs cargo, protobuf-compiler, libpq-dev,
libssl-dev, pkg-config, cmake and python3-dev; running needs postgresql. ``make test-server`` does
all of it.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.cache import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

RELEASE = "0.12.0"
TENANT = "my_tenant"
ADMIN, WRITE, READ = "clk_admin_of_the_tests", "clk_write_of_the_tests", "clk_read_of_the_tests"
PROGRAMS = ("cloacina-server", "cloacina-compiler")
BUILD = "CLOACINA_CTL_TEST_BUILD_SERVER"
_READY_SECONDS = 60


def programs() -> Path:
    """Return the folder of the programs; skip the test where they are not built and not to be."""
    with locked("server") as cache:
        folder = cache / "server" / RELEASE
        if not all((folder / "bin" / name).exists() for name in PROGRAMS):
            if not os.environ.get(BUILD):
                pytest.skip("the real server is not built; `make test-server` builds it")
            build(folder)
    return folder / "bin"


def build(folder: Path) -> None:
    """Build both programs, gently, without optimisation and without debug information."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "CARGO_TARGET_DIR": str(folder / "target"),
        "CARGO_PROFILE_DEV_DEBUG": "0",
        "CARGO_INCREMENTAL": "0",
        "CARGO_BUILD_JOBS": "1",
        "PYO3_PYTHON": "/usr/bin/python3",  # the system's: the library must be there to run it
    }
    for name in PROGRAMS:
        words = ["nice", "-n", "19", "cargo", "install", name, "--version", RELEASE, "--debug",
                 "--locked", "--ignore-rust-version", "--root", str(folder)]  # fmt: skip
        subprocess.run(words, env=environment, check=True)
    shutil.rmtree(folder / "target")


def postgres_programs() -> Path:
    """Return the folder of PostgreSQL's programs, which is seldom in the path."""
    found = shutil.which("initdb")
    folders = [os.path.dirname(os.path.realpath(found))] if found else []
    folders += sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    if not folders:
        pytest.skip("postgresql is not installed")
    return Path(folders[0])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


class RealServer:
    """Database, server, tenant and compiler. Use it as a context manager.

    ``words`` are further ones for the server's command line.
    """

    def __init__(self, *words: str) -> None:
        self._words = words
        self._bin = programs()
        self._postgres = postgres_programs()
        self._folder = Path(tempfile.mkdtemp(prefix="cloacina-server-", dir="/tmp"))
        self._folder.chmod(0o755)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._database = self._folder / "database"
        self._user: dict[str, str | int] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self._user = {"user": "postgres", "group": "postgres"}
        self.url = f"http://127.0.0.1:{free_port()}"

    def __enter__(self) -> Self:
        try:
            self._start_database()
            self.start()
            self._make_tenant()
            self._start_compiler()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._running.values()):
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._database.exists():
            self._pg("pg_ctl", "-m", "immediate", "stop", check=False)
        shutil.rmtree(self._folder)

    def log(self) -> str:
        """Return what both programs said."""
        return "\n".join(path.read_text("utf-8") for path in sorted(self._folder.glob("*.log")))

    def sql(self, statement: str) -> None:
        """Do what only the server's operator can: change its database."""
        words = ["-q", "-v", "ON_ERROR_STOP=1", "-c", statement, self._environment["DATABASE_URL"]]
        subprocess.run([str(self._postgres / "psql"), *words], check=True)

    def kill(self) -> None:
        """Let the server die at once."""
        process = self._running.pop("cloacina-server")
        process.kill()
        process.wait()

    def start(self) -> None:
        """Start the server, at the address that it had."""
        address = self.url.partition("://")[2]
        self._start(
            "cloacina-server", "--bind", address, "--reconcile-interval-s", "1", *self._words
        )
        self._until(lambda: self.ask("/ready") == b'{"status":"ready"}')

    @contextlib.contextmanager
    def compiler_paused(self) -> Iterator[Callable[[], None]]:
        """Keep packages pending, until the function that this gives is called."""
        process = self._running["cloacina-compiler"]
        process.send_signal(signal.SIGSTOP)
        try:
            yield lambda: process.send_signal(signal.SIGCONT)
        finally:
            process.send_signal(signal.SIGCONT)

    def _pg(self, program: str, *words: str, check: bool = True) -> None:
        subprocess.run(
            [str(self._postgres / program), "-D", str(self._database), *words],
            cwd=self._folder, check=check, stdout=subprocess.DEVNULL, **self._user,
        )  # fmt: skip

    def _start_database(self) -> None:
        self._database.mkdir(mode=0o700)
        if self._user:
            owner = pwd.getpwnam("postgres")
            os.chown(self._database, owner.pw_uid, owner.pw_gid)
        self._pg("initdb", "-U", "cloacina", "--auth=trust", "-E", "UTF8", "--no-sync")
        port = free_port()
        options = (
            f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off "
            f"-c unix_socket_directories={self._database}"
        )
        self._pg("pg_ctl", "-w", "-l", str(self._database / "log"), "-o", options, "start")
        words = ["-h", "127.0.0.1", "-p", str(port), "-U", "cloacina", "cloacina"]
        subprocess.run([str(self._postgres / "createdb"), *words], check=True)
        self._environment = {
            **os.environ,
            "DATABASE_URL": f"postgres://cloacina@127.0.0.1:{port}/cloacina",
            "CLOACINA_BOOTSTRAP_KEY": ADMIN,
            "CLOACINA_DEMO_TENANT_KEYS": f"{TENANT}:{WRITE}:write,{TENANT}:{READ}:read",
        }

    def _start(self, name: str, *words: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [str(self._bin / name), "--home", str(self._folder / name), *words],
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _start_compiler(self) -> None:
        # No memory limit worth the name: cargo's own start reserves more than the default.
        self._start(
            "cloacina-compiler", "--bind", f"127.0.0.1:{free_port()}", "--tenant-schema", TENANT,
            "--poll-interval-ms", "200", "--build-rlimit-mem", "16G",
        )  # fmt: skip

    def _make_tenant(self) -> None:
        self.ask("/v1/tenants", {"name": TENANT})

    def ask(self, path: str, body: object = None) -> bytes:
        """Return what the server says to its administrator."""
        request = urllib.request.Request(self.url + path)
        request.add_header("Authorization", f"Bearer {ADMIN}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            data: bytes = answer.read()
            return data

    def _until(self, is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + _READY_SECONDS
        while True:
            try:
                if is_so():
                    return
            except OSError:
                pass
            if time.monotonic() > end or any(
                one.poll() is not None for one in self._running.values()
            ):
                raise AssertionError(f"the server does not start:\n{self.log()[-4000:]}")
            time.sleep(0.1)


if __name__ == "__main__":
    os.environ[BUILD] = "1"
    sys.stdout.write(f"{programs()}\n")
