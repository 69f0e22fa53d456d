"""The real packer: built from its published source once, kept outside the tree, started here.

`python -m tests.reference.cloacinactl` builds it: some ten minutes, one job at a time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.cache import VARIABLE, cache_folder, locked

VERSION = "0.10.0"


class Said(NamedTuple):
    """How it ended, and what it said."""

    status: int
    out: str
    err: str


def program() -> Path:
    """Return where the program is, or is to be."""
    return cache_folder() / f"cloacinactl-{VERSION}" / "bin" / "cloacinactl"


def needed() -> Path:
    """Return where the program is; skip the test where nobody has built it."""
    if not program().is_file():
        pytest.skip(f"`make reference` has not built cloacinactl {VERSION} (cache: ${VARIABLE})")
    return program()


def start(folder: Path, *words: object) -> Said:
    """Run it in ``folder``, with a home of its own."""
    environment = {**os.environ, "RUST_BACKTRACE": "0", "HOME": str(folder)}
    done = subprocess.run(
        [needed(), *map(str, words)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def build() -> None:
    """Build it, where the cache has it not yet."""
    with locked("cloacinactl") as cache:
        if program().is_file():
            return
        root, target = cache / f"cloacinactl-{VERSION}", cache / "cloacinactl-target"
        command = ["cargo", "install", "cloacinactl", "--version", VERSION, "--locked", "-j1"]
        places = ["--root", str(root), "--target-dir", str(target)]
        subprocess.run(["nice", "-n", "19", *command, *places], check=True)
        shutil.rmtree(target)


if __name__ == "__main__":
    build()
