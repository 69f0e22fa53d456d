"""A command line in this process, and a command that does what a test says."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cloacina_ctl.cli import main
from cloacina_ctl.cli.parsing.declaration import Command, Options
from tests.support.cli import Outcome


@pytest.fixture(autouse=True)
def terminal(config, monkeypatch):
    """A terminal of an ordinary kind and width."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def probe(capfd):
    """Run a command whose body is the test's own function."""

    def run(body, *flags: str) -> Outcome:
        command = Command("probe", "What a test does.", Options, body)
        status = main.call(command.with_values(dict.fromkeys(flags, True)))
        return Outcome(status, *capfd.readouterr())

    return run


@pytest.fixture
def process(tmp_path):
    """Run the program as a process, with streams as a test wants them."""

    def run(shell: str, code: str | None = None, **env: str) -> Outcome:
        """Run ``shell``, in which `$RUN` is the program, or the Python ``code``."""
        command = f"{sys.executable} -m cloacina_ctl"
        if code is not None:
            (tmp_path / "code.py").write_text(code)
            command = f"{sys.executable} {tmp_path / 'code.py'}"
        return Outcome.of(
            subprocess.run(
                ["bash", "-c", shell.replace("$RUN", command)],
                capture_output=True, env={**os.environ, **env}, timeout=30, check=False,
                stdin=subprocess.DEVNULL,
            )
        )  # fmt: skip

    return run
