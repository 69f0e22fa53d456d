"""A user of the test's own, packages of every kind, and the command in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from cloacina_ctl.cli import main
from tests.foreign import archives
from tests.hostile.foreign_case import library, v1_manifest
from tests.platforms.workflow_libraries import raw_library

CARGO_TOML = b"""\
[package]
name = "etl"
version = "0.3.0"

[lib]
crate-type = ["cdylib"]

[features]
default = ["packaged"]
packaged = []

[dependencies]
cloacina-workflow = "0.10"
cloacina-workflow-plugin = "0.10"
serde_json = "1"
"""
LIB_RS = b"""\
mod steps;
cloacina_workflow_plugin::package!();
"""
STEPS_RS = b"""\
use cloacina_workflow::*;

#[workflow(name = "etl", author = "Ada", description = "Loads")]
pub mod etl {
    use super::*;

    #[task(id = "extract", dependencies = [])]
    pub async fn extract(context: &mut Context) -> Result<(), TaskError> { Ok(()) }

    #[task(id = "load", dependencies = ["extract"], retry_attempts = 5)]
    pub async fn load(context: &mut Context) -> Result<(), TaskError> { Ok(()) }
}
"""
RUST_TOML = archives.PACKAGE_TOML.replace(b'"python"', b'"rust"').replace(
    b'entry_module = "demo.tasks"\n', b""
)
RUST = {
    "Cargo.lock": b"version = 3\n",
    "Cargo.toml": CARGO_TOML,
    "package.toml": RUST_TOML,
    "src/lib.rs": LIB_RS,
    "src/steps.rs": STEPS_RS,
}
PROVIDER = {
    "package.toml": (
        b'[package]\nname = "files"\nversion = "0.1.0"\ninterface = "constructors"\n'
        b'interface_version = 1\nruntime = "wasm"\n\n[wasm]\ncomponent = "files.wasm"\n\n'
        b'[metadata]\ncategory = "constructor"\nprimitive_kind = "task"\n'
    ),
    "provider.json": b'{"constructors": [{"name": "copy"}, {"name": "move"}]}',
    "files.wasm": b"\0asm\x01\0\0\0",
}


class Said(NamedTuple):
    """How a command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def result(self):
        return json.loads(self.out)["result"]

    @property
    def codes(self) -> set[str]:
        return {found["code"] for found in json.loads(self.out)["diagnostics"]}


@pytest.fixture(autouse=True)
def config(tmp_path_factory, monkeypatch) -> Path:
    """A user without keys or trust, in a folder of the test's own."""
    folder = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("CLOACINA_CTL_CONFIG_DIR", str(folder))
    for name in ("CLOACINA_CTL_SIGNING_KEY", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run a command in the test's folder."""
    monkeypatch.chdir(tmp_path)

    def command(*words: object) -> Said:
        status = main.run([str(word) for word in words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Said(status, said.out, said.err)

    return command


@pytest.fixture
def place(tmp_path):
    """Put bytes into a file and return its path."""

    def put(data: bytes, name: str = "x.cloacina") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return put


def source(files: dict[str, bytes] | None = None, root: str = archives.ROOT) -> bytes:
    """Return a source package."""
    return archives.bz2(archives.source_tar(files, root))


def v1(manifest: object = None, data: bytes | None = None) -> bytes:
    """Return a package of 0.2.0 whose manifest fits its library."""
    made = manifest or v1_manifest()
    return archives.gz(archives.v1_tar(made, library() if data is None else data))  # type: ignore[arg-type]


def v1_of_0_3() -> bytes:
    """Return a package of 0.3.1."""
    made = v1_manifest()
    del made["execution_order"]
    made["package"] |= {"author": "B. Author", "workflow_fingerprint": "ff", "name": "etl-package"}
    made["package"]["description"] = "Loads what there is"
    made["library"]["architecture"] = "x86_64"
    made["library"]["symbols"] = [
        "cloacina_execute_task", "cloacina_get_task_metadata", "get_task_metadata",
    ]  # fmt: skip
    return archives.gz(archives.v1_tar(made, raw_library("0.3").build()))


def v2() -> bytes:
    """Return a Python package of format 2."""
    return archives.gz(archives.v2_tar())
