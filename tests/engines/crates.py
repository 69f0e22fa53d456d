"""Crates for each release: the Rust fixture as it is, and small ones with all that a release knows.

A library loads where the releases of its crates and of the engine fit, so each engine gets a crate
of its own. What is compiled is kept in the cache; cargo builds one crate at a time.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.cache import cache_folder, locked
from tests.support.machine import need
from tests.support.projects import FIXTURES

PROJECTS = Path(__file__).with_name("projects") / "releases"
OWN = "0.6.1"  # the release that the fixture is written for
_RANGES = {
    "0.4.0": ">=0.4, <0.5",
    "0.5.1": ">=0.5, <0.6",
    "0.8.0": ">=0.8, <0.9",
    "0.10.0": ">=0.10, <0.11",
    "0.11.1": ">=0.11, <0.13",
    "0.12.0": ">=0.12, <0.13",
}


def target_folder() -> Path:
    """Return where cargo keeps what it compiled for the engines."""
    return cache_folder() / "target"


def crate_for(release: str, folder: Path) -> Path:
    """Return a copy of the fixture, in ``folder``, that depends on the crates of ``release``."""
    need("cargo")
    crate = folder / "crate"
    shutil.copytree(FIXTURES / "rust_etl", crate, ignore=shutil.ignore_patterns("target"))
    if release == OWN:
        return crate
    manifest = crate / "Cargo.toml"
    text = manifest.read_text().replace(f"={OWN}", f"={release}")
    text = re.sub(r'requires_cloacina = ".*"', f'requires_cloacina = "{_RANGES[release]}"', text)
    if release in ("0.4.0", "0.5.1"):  # these have neither the crate nor the macro
        text = re.sub(r"cloacina-computation-graph = .*\n", "", text)
        lib = crate / "src" / "lib.rs"
        lib.write_text(lib.read_text().replace("cloacina_workflow_plugin::package!();", ""))
    manifest.write_text(text)
    cargo("update", "--quiet", "--workspace", folder=crate)
    return crate


def build(crate: Path) -> Path:
    """Return the library of ``crate``, built as the compiler service builds it."""
    with locked("cargo"):
        # 0.12 asks for a compiler that is newer than it needs.
        flags = ("--release", "--lib", "--locked", "--ignore-rust-version")
        cargo("build", "--quiet", *flags, folder=crate)
        built = target_folder() / "release" / "liborders_etl.so"
        return Path(shutil.copy(built, crate.parent / built.name))


def cargo(*words: str, folder: Path) -> None:
    """Run cargo with a target folder of our own.

    No crate is optimized there, the fixture neither: else it would compile all that the small
    crates of its release depend on a second time, and for twice as long.
    """
    ours = {"CARGO_TARGET_DIR": str(target_folder()), "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0"}
    done = subprocess.run(
        ["cargo", *words],
        cwd=folder,
        env={**os.environ, **ours},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


# What was measured of each: ABI, interface, wire and methods (tests/runtime/test_releases.py).
ALL = (
    "0.2.0", "0.3.1", "0.4.0", "0.5.1", "0.6.1", "0.7.0", "0.8.0", "0.9.0", "0.10.0", "0.11.0",
    "0.11.1", "0.12.0",
)  # fmt: skip


def minor(release: str) -> int:
    """Return the second number of a release, the only one in which ours differ."""
    return int(release.split(".")[1])


def library(release: str, kind: str = "workflow", profile: str = "release") -> Path:
    """Return a library of ``release`` from the source ``kind`` of ours, built once for good.

    ``profile`` is of cargo: ``release`` or ``debug``.
    """
    need("cargo")
    name = f"{kind}_{release.replace('.', '_')}"  # cargo takes libraries of one name for one
    files = {"Cargo.toml": _manifest(release, name), "src/lib.rs": _source(kind, minor(release))}
    crate = cache_folder() / "crates" / f"{kind}-{release}"
    digest = hashlib.sha256("".join(files.values()).encode()).hexdigest()[:16]
    built = crate / f"{profile}-{digest}.so"
    if built.exists():
        return built
    if minor(release) == 2:
        _need_databases()
    with locked("cargo"):
        if not built.exists():
            for path, text in files.items():
                _write(crate / path, text)
            flags = ("--lib", "--ignore-rust-version", "--profile", _PROFILES[profile])
            cargo("build", "--quiet", *flags, folder=crate)
            part = shutil.copy(target_folder() / profile / f"lib{name}.so", f"{built}.part")
            Path(part).rename(built)
    return built


def _need_databases() -> None:
    """Skip the test, but never in CI, where no library can be linked with what 0.2 asks for."""
    command = [need("cc"), "-shared", "-o", os.devnull, "-x", "c", os.devnull, "-lpq", "-lsqlite3"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        words = "libpq-dev and libsqlite3-dev are not installed, and 0.2 needs both"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)


_PROFILES = {"release": "release", "debug": "dev"}


def _write(path: Path, text: str) -> None:
    """Write a file that is not the same already: cargo goes by the time of it."""
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _source(kind: str, wanted: int) -> str:
    """Return the source without what stands between marks of other releases."""

    def chosen(block: re.Match[str]) -> str:
        first, last = (int(end[2:]) if end else None for end in block.group(1, 2))
        fits = (first is None or first <= wanted) and (last is None or wanted <= last)
        return block[3] if fits else ""

    text = (PROJECTS / f"{kind}.rs").read_text()
    return re.sub(r"(?s) *//\{ (\S*?)\.\.(\S*)\n(.*?) *//\}\n", chosen, text)


def _manifest(release: str, library: str) -> str:
    return _HEAD.format(library) + "".join(f"{line}\n" for line in dependencies(release))


# What the code that the macros write names; the rest of a release comes with these.
_HEAD = """\
[package]
name = "release-kinds"
version = "1.0.0"
edition = "2021"
publish = false

[workspace]

[features]
default = ["packaged"]
packaged = []

[lib]
name = "{}"
crate-type = ["cdylib"]

[profile.release]
opt-level = 0

[profile.dev]
debug = false

[dependencies]
"""


def dependencies(release: str) -> list[str]:
    """Return what a crate of ``release`` depends on, line by line."""
    common = ['async-trait = "0.1"', 'chrono = "0.4"', 'serde_json = "1.0"']
    if minor(release) <= 3:  # the engine, whole
        features = 'default-features = false, features = ["macros", "sqlite"]'
        return [
            *common,
            f'cloacina = {{ version = "={release}", {features} }}',
            # Newer macros of that line name crates that the engine of it does not bring.
            f'cloacina-macros = "={release}"',
            'tokio = { version = "1.35", features = ["full"] }',
            'tracing = "0.1"',
        ]
    names = ["workflow-plugin", "macros", *(["computation-graph"] if minor(release) > 4 else ())]
    # The code that 0.5 writes for a graph names the runtime as well.
    runtime = 'tokio = { version = "1", features = ["rt-multi-thread", "time"] }'
    return [
        *common,
        *([runtime] if minor(release) == 5 else ()),
        f'cloacina-workflow = {{ version = "={release}", features = ["packaged"] }}',
        *(f'cloacina-{name} = "={release}"' for name in names),
    ]
