"""The command: run in this process, or in one of its own, with one value for how that ended."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pytest

from cloacina_ctl.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = (sys.executable, "-m", "cloacina_ctl")
LIMIT_SECONDS = 900  # a crate's first build takes minutes


class Outcome(NamedTuple):
    """How a command ended and what it wrote."""

    status: int
    out: str
    err: str

    @classmethod
    def of(cls, done: subprocess.CompletedProcess[bytes]) -> Outcome:
        """Return how a process ended; what it wrote need not be UTF-8."""
        out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
        return cls(done.returncode, out, err)

    @property
    def json(self) -> Any:
        """What ``--json`` printed."""
        return json.loads(self.out)

    @property
    def result(self) -> Any:
        """The result in what ``--json`` printed."""
        return self.json["result"]

    @property
    def codes(self) -> list[str]:
        """The codes of the diagnostics in what ``--json`` printed."""
        return [one["code"] for one in self.json["diagnostics"]]


class CommandLine(Protocol):
    """Runs a command line, with ``stdin`` to read and the environment changed by ``env``."""

    def __call__(
        self, *words: object, cwd: Path | None = None, stdin: bytes | None = None, **env: str
    ) -> Outcome: ...


def in_process(folder: Path, capture: pytest.CaptureFixture[str]) -> CommandLine:
    """Return what runs command lines in this process, in ``folder`` where no other is named."""

    def run(
        *words: object, cwd: Path | None = None, stdin: bytes | None = None, **env: str
    ) -> Outcome:
        with pytest.MonkeyPatch.context() as patched, contextlib.ExitStack() as undone:
            patched.chdir(cwd or folder)
            for name, value in env.items():
                patched.setenv(name, str(value))
            if stdin is not None:
                undone.enter_context(_standard_input(stdin))
            status = main.run([str(word) for word in words])
        outcome = Outcome(status, *capture.readouterr())
        assert "this is a bug in" not in outcome.err, outcome.err
        return outcome

    return run


def as_program(folder: Path) -> CommandLine:
    """Return what runs command lines as processes, in ``folder`` where no other is named."""

    def run(
        *words: object, cwd: Path | None = None, stdin: bytes | None = None, **env: str
    ) -> Outcome:
        return Outcome.of(
            subprocess.run(
                [*PROGRAM, *map(str, words)], cwd=cwd or folder, input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None, capture_output=True,
                env={**os.environ, **env}, timeout=LIMIT_SECONDS, check=False,
            )
        )  # fmt: skip

    return run


@contextlib.contextmanager
def _standard_input(data: bytes) -> Iterator[None]:
    """Let descriptor 0 be a pipe with ``data`` in it, which a pipe's buffer must hold."""
    before = os.dup(0)
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    os.dup2(reading, 0)
    os.close(reading)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)
