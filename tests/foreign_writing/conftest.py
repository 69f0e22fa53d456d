"""A user of each test's own, small projects, and the command in this process."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from cloacina_ctl.cli import main

FIXTURES = Path(__file__).parents[2] / "fixtures"


class Outcome(NamedTuple):
    """How the command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def codes(self):
        return [one["code"] for one in self.json["diagnostics"]]


@pytest.fixture(autouse=True)
def config(tmp_path_factory, monkeypatch) -> Path:
    """A user of this test's own: no keys, no trust."""
    folder = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("CLOACINA_CTL_CONFIG_DIR", str(folder))
    for name in ("CLOACINA_CTL_SIGNING_KEY", "CLOACINA_CTL_PASSPHRASE_FILE", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def cli(tmp_path, monkeypatch, capsys):
    """Run the command in the test's folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words) -> Outcome:
        status = main.run([str(word) for word in words])
        said = capsys.readouterr()
        return Outcome(status, said.out, said.err)

    return run


def copied(name: str, folder: Path) -> Path:
    """Return a copy of the fixture in ``folder`` that a test may change."""
    return Path(
        shutil.copytree(FIXTURES / name, folder / name, ignore=shutil.ignore_patterns("target"))
    )


@pytest.fixture
def tree(tmp_path) -> Path:
    return copied("python_tree", tmp_path)


@pytest.fixture
def report(tmp_path) -> Path:
    return copied("python_report", tmp_path)


@pytest.fixture
def crate(tmp_path) -> Path:
    return copied("rust_etl", tmp_path)
