"""Packages of every legacy kind: good ones, whose parts a test replaces."""

from __future__ import annotations

from typing import Any

from tests.support import archives
from tests.support.workflow_libraries import ETL, raw_library

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


def library() -> bytes:
    """Return a library as release 0.2 leaves it."""
    return raw_library("0.2").build()


def v1_manifest() -> dict[str, Any]:
    """Return the manifest of format 1 that fits ``library``."""
    tasks = [{"id": id_, "dependencies": [*needs]} for id_, needs in sorted(ETL.items())]
    return archives.v1_manifest(tasks=tasks)


def source(files: dict[str, bytes] | None = None, root: str = archives.ROOT) -> bytes:
    """Return a source package."""
    return archives.bz2(archives.source_tar(files, root))


def v1(manifest: Any = None, data: bytes | None = None) -> bytes:
    """Return a package of 0.2.0; its manifest, as a value or as bytes, fits its library."""
    text = manifest if isinstance(manifest, bytes) else archives.pretty(manifest or v1_manifest())
    return archives.gz(archives.v1_tar(text, library() if data is None else data))


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


def version_of(version: str = "1.0.0", **files: bytes) -> bytes:
    """Return a source package of that version, with its files replaced."""
    toml = archives.PACKAGE_TOML.replace(b'"1.0.0"', b'"%s"' % version.encode())
    return source({**archives.SOURCE, "package.toml": toml, **files}, f"demo-{version}")
