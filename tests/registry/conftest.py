"""Real packages for a registry, made once, and a user whom they are signed by."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from cloacina_ctl.cli import main
from cloacina_ctl.operations import keys
from cloacina_ctl.operations.package import PackageRequest, package
from tests.foreign import archives
from tests.registry.stores import SCRATCH

FIXTURES = Path(__file__).parents[2] / "fixtures"


class Made(NamedTuple):
    """The packages: two signed versions, one of them again with other content, one unsigned."""

    user: Path
    first: Path
    second: Path
    changed: Path
    unsigned: Path
    source: Path


class Said(NamedTuple):
    """How the command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def make_project(folder: Path, version: str, text: str = "") -> str:
    shutil.copytree(FIXTURES / "python_report", folder)
    settings = folder / "pyproject.toml"
    said = settings.read_text().replace('"1.4.0"', f'"{version}"').replace('">=0.6"', '">=0.4"')
    settings.write_text(said)
    (folder / "src" / "daily_report" / "extra.py").write_text(f"# {text}\n")
    return str(folder)


@pytest.fixture
def tmp_path():
    """A folder of this test's own, in memory where that can be."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        yield Path(os.path.realpath(folder))


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    made = Made(*(folder / name for name in Made._fields))
    made.user.mkdir(mode=0o700)
    before = os.environ.get("CLOACINA_CTL_CONFIG_DIR")
    os.environ["CLOACINA_CTL_CONFIG_DIR"] = str(made.user)
    try:
        keys.generate_key()
        signed = keys.signing_keys(())
        for path, version, text, by in (
            (made.first, "1.0.0", "", signed),
            (made.second, "1.1.0", "", signed),
            (made.changed, "1.1.0", "changed", signed),
            (made.unsigned, "1.2.0", "", ()),
        ):
            project = make_project(folder / f"project-{path.name}", version, text)
            package(PackageRequest(project, str(path), keys=by))
    finally:
        os.environ.pop("CLOACINA_CTL_CONFIG_DIR")
        if before is not None:
            os.environ["CLOACINA_CTL_CONFIG_DIR"] = before
    made.source.write_bytes(archives.bz2(archives.source_tar()))
    return made


@pytest.fixture
def user(made, tmp_path, monkeypatch) -> Path:
    """A user with the key that signed, and a registry of this test's own."""
    folder = tmp_path / "user"
    shutil.copytree(made.user, folder)
    for name in ("CLOACINA_CTL_SIGNING_KEY", "CLOACINA_CTL_PASSPHRASE_FILE", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOACINA_CTL_CONFIG_DIR", str(folder))
    monkeypatch.setenv("CLOACINA_CTL_REGISTRY", str(tmp_path / "registry"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def cli(user, capsys):
    """Run the command in this process."""

    def run(*words: object) -> Said:
        status = main.run([str(word) for word in words])
        said = capsys.readouterr()
        return Said(status, said.out, said.err)

    return run


@pytest.fixture
def program(user):
    """Run the command as a program, with bytes on its standard input."""

    def run(*words: object, stdin: bytes = b"") -> Said:
        done = subprocess.run(
            [sys.executable, "-m", "cloacina_ctl", *map(str, words)],
            input=stdin, capture_output=True, check=False, timeout=60,
            env={**os.environ, "PYTHONPATH": str(FIXTURES.parent)},
        )  # fmt: skip
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
