"""What some tests need of the machine: programs, absent on a laptop but never in CI, and disks."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.projects import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


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
def small_disk(folder: Path, options: str) -> Iterator[Path]:
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


@contextlib.contextmanager
def as_user(uid: int, groups: tuple[int, ...] = ()) -> Iterator[None]:
    """Be another user for a while, as whom programs are started too: for root alone."""
    before = os.getgroups()
    os.setgroups(groups)
    os.setresgid(uid, uid, 0)
    os.setresuid(uid, uid, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(before)


@contextlib.contextmanager
def folder_of(uid: int) -> Iterator[Path]:
    """A folder that belongs to another user and that everybody can reach: pytest's are closed."""
    with tempfile.TemporaryDirectory() as made:
        os.chown(made, uid, uid)
        os.chmod(made, 0o755)
        yield Path(made)


NOBODY = 65534


@contextlib.contextmanager
def folder_for_all() -> Iterator[Path]:
    """Make a folder that other users can enter: pytest closes its own, also while tests run."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(os.path.realpath(folder))


def python_as_nobody(folder: Path) -> list[str]:
    """Return the words that start this Python as a user who has nothing: for root alone.

    The interpreter may be where only root looks, so it is mounted at ``folder`` as well.
    """
    if os.getuid():
        pytest.skip("only root can be somebody else")
    folder.mkdir(exist_ok=True)
    where = [path for path in sys.path if path.endswith("-packages")]
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    line = [need("unshare"), "-m", "sh", "-c", script, "sh", sys.base_prefix, str(folder)]
    if subprocess.run([*line, "true"], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    line += [need("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    line += ["env", "PYTHONDONTWRITEBYTECODE=1", f"PYTHONPATH={':'.join([str(ROOT), *where])}"]
    return [*line, str(folder / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}")]


def run_program(module: str, *words: object) -> str:
    """Run a module of the tests as a program of its own, and return what it wrote."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, words)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=3600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
