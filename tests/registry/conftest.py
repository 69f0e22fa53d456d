"""Real packages for a registry, made once, and a user whom they are signed by."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from cloacina_ctl.operations import keys
from cloacina_ctl.operations.package import PackageRequest, package
from tests.support import archives
from tests.support.registries import SCRATCH, make_project
from tests.support.user import be_user


class Made(NamedTuple):
    """The packages: two signed versions, one of them again with other content, one unsigned."""

    user: Path
    first: Path
    second: Path
    changed: Path
    unsigned: Path
    source: Path


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
    with pytest.MonkeyPatch.context() as patched:
        be_user(made.user, patched)
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
    made.source.write_bytes(archives.bz2(archives.source_tar()))
    return made


@pytest.fixture
def user(made, tmp_path, monkeypatch) -> Path:
    """A user with the key that signed, and a registry of this test's own."""
    folder = tmp_path / "user"
    shutil.copytree(made.user, folder)
    be_user(folder, monkeypatch)
    monkeypatch.setenv("CLOACINA_CTL_REGISTRY", str(tmp_path / "registry"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def cli(user, cli):
    """The command, run by that user."""
    return cli


@pytest.fixture
def program(user, program):
    """The command as a process, run by that user."""
    return program
