"""A command line in this process, and a command that does what a test says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import NamedTuple

import pytest

from cloacina_ctl.cli import main
from cloacina_ctl.cli.parsing.declaration import Command, Options


class Outcome(NamedTuple):
    """How a run ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """No colour, no keys, no trust but what a test asks for."""
    monkeypatch.setenv("CLOACINA_CTL_CONFIG_DIR", str(tmp_path / "user"))
    for name in (
        "NO_COLOR",
        "FORCE_COLOR",
        "GITHUB_ACTIONS",
        "PY_COLORS",
        "CLOACINA_CTL_PASSPHRASE_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def cli(capsys):
    """Run a command line in this process."""

    def run(*words: str) -> Outcome:
        status = main.run(words)
        return Outcome(status, *capsys.readouterr())

    return run


@pytest.fixture
def probe(capsys):
    """Run a command whose body is the test's own function."""

    def run(body, *flags: str) -> Outcome:
        command = Command("probe", "What a test does.", Options, body)
        status = main.call(command.with_values(dict.fromkeys(flags, True)))
        return Outcome(status, *capsys.readouterr())

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
        done = subprocess.run(
            ["bash", "-c", shell.replace("$RUN", command)],
            capture_output=True, env={**os.environ, **env}, timeout=30, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Outcome(
            done.returncode,
            done.stdout.decode("utf-8", "replace"),
            done.stderr.decode("utf-8", "replace"),
        )

    return run
