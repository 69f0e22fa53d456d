"""Projects to package, a user with keys, and the installed command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from cloacina_ctl.operations import keys
from cloacina_ctl.operations.package import PackageRequest, package

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"


class Outcome(NamedTuple):
    """How the command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def config(tmp_path_factory, monkeypatch) -> Path:
    """A user of this test's own: no keys, no trust."""
    folder = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("CLOACINA_CTL_CONFIG_DIR", str(folder))
    for name in (
        "CLOACINA_CTL_SIGNING_KEY",
        "CLOACINA_CTL_PASSPHRASE_FILE",
        "NO_COLOR",
        "FORCE_COLOR",
    ):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def cli(tmp_path):
    """Run the installed command in the test's folder."""

    def run(
        *words: str, cwd: Path | None = None, stdin: bytes | None = None, **env: str
    ) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "cloacina_ctl", *map(str, words)],
            cwd=cwd or tmp_path,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env={**os.environ, **env},
            timeout=900,  # a crate's first build takes minutes
            check=False,
        )
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of the Python fixture that a test may change."""
    return Path(shutil.copytree(FIXTURES / "python_report", tmp_path / "project"))


@pytest.fixture
def signed(tmp_path, project) -> Path:
    """A package of the Python fixture, signed by the key `default` of this test's user."""
    keys.generate_key()
    path = tmp_path / "signed.cloacina"
    package(PackageRequest(str(project), str(path), keys=keys.signing_keys(())))
    return path


@pytest.fixture
def unsigned(tmp_path, project) -> Path:
    """A package of the Python fixture that nobody signed."""
    path = tmp_path / "unsigned.cloacina"
    package(PackageRequest(str(project), str(path)))
    return path
