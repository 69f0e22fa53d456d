"""Programs that some tests compare with: absent on a laptop they skip, absent in CI they fail."""

from __future__ import annotations

import os
import shutil
import subprocess

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
