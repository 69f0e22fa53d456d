"""A real `cloacinactl daemon` of 0.10 and what it makes of the folder. Slow: the program is large.

The program is one in PATH, or the one that the tests against real programs keep in their cache
(`cargo install cloacinactl --version 0.10.0 --root <cache>/cloacinactl-0.10.0`).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cloacina_ctl.registry.daemon import STAGING
from tests.engines.cache import cache_folder
from tests.registry.test_daemon import source

RELEASE = "0.10.0"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def program() -> str:
    kept = cache_folder() / f"cloacinactl-{RELEASE}" / "bin"
    found = shutil.which("cloacinactl", path=f"{kept}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip("cloacinactl is not installed")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    if said.split() != ["cloacinactl", RELEASE]:
        pytest.skip(f"another release of it: {said}")
    return found


class Daemon:
    """A running daemon: its folder, and what it has said so far."""

    def __init__(self, home: Path, log: Path) -> None:
        self.packages = home / "packages"
        self._log = log

    def said(self, *words: str, seconds: float = 15.0) -> bool:
        """Tell whether a line with all of the words comes."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            lines = self._log.read_text("utf-8", "replace").splitlines()
            if any(all(word in line for word in words) for line in lines):
                return True
            time.sleep(0.1)
        return False


@pytest.fixture
def daemon(program, tmp_path):
    home, log = tmp_path / "daemon", tmp_path / "log"
    home.mkdir()
    with open(log, "wb") as out:
        running = subprocess.Popen(
            [program, "daemon", "start", "--home", str(home)], cwd=home,
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
        started = Daemon(home, log)
        try:
            until = time.monotonic() + 15
            while not started.packages.is_dir() and time.monotonic() < until:
                time.sleep(0.1)
            yield started
        finally:
            running.send_signal(signal.SIGTERM)
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


def test_it_takes_what_was_delivered_and_loads_none_as_its_release_is_said_to(
    cli, daemon, program, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", f"{os.path.dirname(program)}{os.pathsep}{os.environ['PATH']}")
    path = source(tmp_path / "x.cloacina")
    words = ("install", path, "--daemon", daemon.packages, "--allow-unsigned", "--json")
    refused = cli(*words)
    assert (refused.status, refused.json["diagnostics"][0]["code"]) == (6, "D010")
    assert cli(*words, "--force").json["result"]["daemon"] == "0.10"
    assert daemon.said("demo", "no PythonRuntime is attached")


def test_it_does_not_see_what_is_staged_and_takes_a_hidden_package(daemon, tmp_path):
    (daemon.packages / STAGING).write_text("half")
    (daemon.packages / "half.cloacina").write_text("half")
    assert daemon.said("half.cloacina")
    assert not daemon.said(STAGING, seconds=2)
    source(tmp_path / "x").rename(daemon.packages / ".hidden.cloacina")
    assert daemon.said("demo", "PythonRuntime")
