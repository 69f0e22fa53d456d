"""Commands of a page with what they print, and what they print here and now."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

# What another run says otherwise: fingerprints and digests, whole or their beginning, times, sizes
# of what was compressed, and how long something took, with what aligns it.
_VARIABLE = re.compile(
    r"\b(?:[0-9a-f]{64}|[0-9a-f]{16})\b|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ| +[\d.]+ m?s\b"
)
_ON_A_BUSY_MACHINE = re.compile(r" \(verified [^)]*\)")
_UNSET = ("CLOACINA_CTL_SIGNING_KEY", "CLOACINA_CTL_PASSPHRASE_FILE", "FORCE_COLOR")


def steps_of(block: str) -> list[tuple[str, list[str]]]:
    """Return each command of a block of a page with the lines that follow it."""
    lines = block.strip().removeprefix("```console\n").partition("\n```")[0]
    pieces = re.split(r"^\$ ", lines, flags=re.MULTILINE)[1:]
    return [(piece.split("\n")[0], piece.rstrip().split("\n")[1:]) for piece in pieces]


def normal(lines: list[str]) -> list[str]:
    """Return the lines without what differs from run to run."""
    return [_VARIABLE.sub("…", _ON_A_BUSY_MACHINE.sub("", line)) for line in lines]


def said_by(line: str, folder: Path) -> list[str]:
    """Run a command of a page in ``folder``, with a user of its own there; return what it says."""
    program, *words = shlex.split(line)
    assert program == "cloacina-ctl"
    environment = {key: value for key, value in os.environ.items() if key not in _UNSET}
    for name in ("CONFIG_DIR", "REGISTRY"):
        environment[f"CLOACINA_CTL_{name}"] = str(folder / name.lower())
    done = subprocess.run(
        [sys.executable, "-m", "cloacina_ctl", *words],
        cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (line, done.stderr.decode())
    # A terminal shows the course of a run in a table that goes again, and cargo what it compiles.
    is_result = words[0] == "run" or "--locked" in words
    said = done.stdout if is_result else done.stdout + done.stderr
    return normal(said.decode().splitlines())
