"""The fixtures that several folders of the tests use; what they are made of is in ``support``."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings

from cloacina_ctl.operations import keys
from cloacina_ctl.operations.package import PackageRequest, package
from tests.support.cli import CommandLine, as_program, in_process
from tests.support.machine import need
from tests.support.projects import copied, flow_project
from tests.support.refusals import refuse
from tests.support.user import be_user

# No time decides a test. A quick run tries fewer examples.
settings.register_profile("quick", deadline=None, max_examples=30)
settings.register_profile("whole", deadline=None)
settings.load_profile("whole" if os.environ.get("CI") else "quick")


@pytest.fixture(scope="session")
def users(tmp_path_factory) -> Path:
    """The folder that the folders of all users are in."""
    return tmp_path_factory.mktemp("users")


@pytest.fixture(autouse=True)
def config(users, monkeypatch) -> Path:
    """A user of this test's own: no keys, no trust, no settings."""
    folder = Path(tempfile.mkdtemp(dir=users))
    be_user(folder, monkeypatch)
    return folder


@pytest.fixture
def cli(tmp_path, monkeypatch, capfd) -> CommandLine:
    """Run a command line in this process, in the test's folder."""
    monkeypatch.chdir(tmp_path)
    return in_process(tmp_path, capfd)


@pytest.fixture
def program(tmp_path) -> CommandLine:
    """Run a command line as a process, in the test's folder: where the process matters."""
    return as_program(tmp_path)


@pytest.fixture
def refused(cli, tmp_path):
    """Run a command line that must end badly, for people and for programs, in this process."""
    return refuse(cli, tmp_path)


@pytest.fixture
def place(tmp_path):
    """Put bytes into a file and return its path."""

    def put(data: bytes, name: str = "x.cloacina") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return put


@pytest.fixture
def project(tmp_path) -> Path:
    """The Python fixture, in a folder called `project`."""
    return copied("python_report", tmp_path / "project")


@pytest.fixture
def report(tmp_path) -> Path:
    """The Python fixture, in a folder of its name."""
    return copied("python_report", tmp_path / "python_report")


@pytest.fixture
def tree(tmp_path) -> Path:
    """The Python fixture that is a package tree already."""
    return copied("python_tree", tmp_path / "python_tree")


@pytest.fixture
def crate(tmp_path) -> Path:
    """The Rust fixture."""
    return copied("rust_etl", tmp_path / "rust_etl")


class Packed(NamedTuple):
    """Packages of the Python fixture, and the user whose key `default` signed one of them."""

    user: Path
    signed: Path
    unsigned: Path


@pytest.fixture(scope="session")
def packed(tmp_path_factory) -> Packed:
    """Packages that are made once; a test gets copies."""
    folder = tmp_path_factory.mktemp("packed")
    made = Packed(*(folder / name for name in Packed._fields))
    project = copied("python_report", folder / "project")
    with pytest.MonkeyPatch.context() as patched:
        be_user(made.user, patched)
        keys.generate_key()
        package(PackageRequest(str(project), str(made.signed), keys=keys.signing_keys(())))
        package(PackageRequest(str(project), str(made.unsigned)))
    return made


@pytest.fixture
def signed(tmp_path, project, packed, config) -> Path:
    """A package of the Python fixture, signed by the key `default` of this test's user."""
    shutil.copytree(packed.user, config, dirs_exist_ok=True)
    return Path(shutil.copy(packed.signed, tmp_path / "signed.cloacina"))


@pytest.fixture
def unsigned(tmp_path, project, packed) -> Path:
    """A package of the Python fixture that nobody signed."""
    return Path(shutil.copy(packed.unsigned, tmp_path / "unsigned.cloacina"))


@pytest.fixture
def needs_cargo() -> str:
    """Skip where cargo is not installed; in CI that is a failure."""
    return need("cargo")


@pytest.fixture
def plain_cargo(monkeypatch) -> None:
    """Take away what the environment of the tests tells cargo and the compiler."""
    for name in list(os.environ):
        if name.startswith("CARGO_") and name != "CARGO_HOME":
            monkeypatch.delenv(name)
    monkeypatch.delenv("RUSTFLAGS", raising=False)


@pytest.fixture
def made(tmp_path):
    """Return what makes a signed package of the text of one module."""
    keys.generate_key()

    def make(text: str, name: str = "flow", **more: str) -> Path:
        root = flow_project(tmp_path / f"{name}-project", name, text, **more)
        path = tmp_path / f"{name}.cloacina"
        package(PackageRequest(str(root), str(path), keys=keys.signing_keys(())))
        return path

    return make
