"""What some tests need of the machine: programs, absent on a laptop but never in CI, and disks."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest


def need(program: str) -> str:
    """Return where ``program`` is; skip the test without it, but never in CI."""
    found = shutil.which(program)
    if found is not None and program == "cargo" and not _answers(found):
        found = None  # rustup's stand-in, without a toolchain behind it
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{program} is not installed, and in CI it must be")
        pytest.skip(f"{program} is not installed")
    return found


def _answers(program: str) -> bool:
    done = subprocess.run([program, "--version"], capture_output=True, check=False)
    return done.returncode == 0


@contextlib.contextmanager
def small_disk(folder: Path, options: str):
    """Mount a disk in memory at ``folder``: for root on Linux alone."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
