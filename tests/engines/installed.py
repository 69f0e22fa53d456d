"""The released engines, fetched from PyPI once and kept."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.engines import libc
from tests.support.cache import locked

# Release → what it is called on PyPI, and how its module is called.
RELEASES = {
    "0.2.0": ("cloaca-sqlite", "cloaca_sqlite"),
    "0.3.1": ("cloaca", "cloaca"),
    "0.4.0": ("cloaca", "cloaca"),
    "0.5.1": ("cloaca", "cloaca"),
    "0.6.1": ("cloaca", "cloaca"),
    "0.8.0": ("cloaca", "cloaca"),
    "0.10.0": ("cloaca", "cloaca"),
    "0.11.1": ("cloaca", "cloaca"),
    "0.12.0": ("cloaca", "cloaca"),
}
# pip judges wheels by the host's libc; these run on another one, so the tags are named.
_TAGS = tuple(f"manylinux_2_{minor}" for minor in (39, 38, 35, 34, 28, 17))


class Engine(NamedTuple):
    """A release that can be started: the words that start Python on it, and where it lies."""

    release: str
    module: str
    python: tuple[str, ...]
    folder: Path


def installed(release: str) -> Engine:
    """Return the engine of ``release``, fetched where the cache has it not yet."""
    if sys.platform != "linux":
        pytest.skip("the engines are run on Linux alone")
    distribution, module = RELEASES[release]
    with locked("engines") as cache:
        folder = cache / "engines" / release
        if not folder.is_dir():
            _fetch(f"{distribution}=={release}", folder)
    return Engine(release, module, _python(), folder)


def _fetch(requirement: str, folder: Path) -> None:
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    machine = os.uname().machine
    tags = [word for tag in _TAGS for word in ("--platform", f"{tag}_{machine}")]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    done = subprocess.run(
        [*pip, "--only-binary=:all:", *tags, "--target", str(part), requirement],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        words = f"cannot fetch {requirement}: {done.stderr.strip()}"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    part.rename(folder)


def _python() -> tuple[str, ...]:
    """Return the words that start the interpreter beneath this one, whatever libc it needs."""
    program = os.path.realpath(sys.executable)
    newer = libc.loader()
    if not newer:
        return (program,)
    return (*newer, "--argv0", program, program)


def make_venv(release: str, folder: Path) -> Path:
    """Make a venv that has the engine, and whose interpreter starts on the libc that it needs."""
    engine = installed(release)
    *_, program = engine.python
    packages = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (folder / "bin").mkdir(parents=True)
    packages.mkdir(parents=True)
    (packages / "site-packages").symlink_to(engine.folder)
    (folder / "pyvenv.cfg").write_text(f"home = {os.path.dirname(program)}\n")
    python = folder / "bin" / "python"
    if engine.python == (program,):
        python.symlink_to(program)
        return folder
    loader = engine.python[: engine.python.index("--argv0")]
    words = " ".join(map(shlex.quote, loader))
    python.write_text(f'#!/bin/sh\nexec {words} --argv0 "$0" {shlex.quote(program)} "$@"\n')
    python.chmod(0o755)
    return folder
