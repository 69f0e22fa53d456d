"""The Rust fixture for each release: its source as it is, on the crates of that release.

A library loads where the releases of its crates and of the engine fit, so each engine gets a crate
of its own. What is compiled is kept in the cache; cargo builds one crate at a time.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.engines.cache import cache_folder, locked
from tests.tools import need

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
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
    """Run cargo with a target folder of our own."""
    done = subprocess.run(
        ["cargo", *words],
        cwd=folder,
        env={**os.environ, "CARGO_TARGET_DIR": str(target_folder())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
