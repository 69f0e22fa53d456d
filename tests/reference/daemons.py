"""Daemons of the releases that load what is copied: 0.4.0 and 0.5.1, built once, started here.

The program `cloacinactl` was published from 0.6.0 on, and no daemon of it loads anything. Of these
two releases the crates were: `cloacina` 0.4.0 by itself, and 0.5.1 inside the source of the Python
package. So a daemon is built here (`daemon/main.rs`) around the registry, the reconciler, the
loader and the runner of the release.

`python -m tests.reference.daemons` builds them, one job at a time: a quarter of an hour each where
nothing is compiled yet. It needs cargo, a C compiler, libpq-dev and the headers of Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.support.cache import VARIABLE, cache_folder, locked

RELEASES = ("0.4.0", "0.5.1")
_MAIN = Path(__file__).with_name("daemon") / "main.rs"
# Without debug assertions a daemon builds and reads packages as a release does.
_MANIFEST = """\
[package]
name = "daemon"
version = "{release}"
edition = "2021"

[workspace]

[dependencies]
cloacina = {{ {source}, default-features = false, features = ["macros", "postgres", "sqlite"] }}
notify = {{ version = "7", default-features = false }}
tokio = {{ version = "1", features = ["full"] }}
tracing-subscriber = {{ version = "0.3", features = ["env-filter"] }}

[profile.dev]
debug = false
debug-assertions = false
incremental = false
overflow-checks = false
"""


def program(release: str) -> Path:
    """Return where the daemon is, or is to be."""
    return cache_folder() / f"daemon-{release}" / "daemon"


def needed(release: str) -> Path:
    """Return where the daemon is; skip the test where nobody has built it."""
    if not program(release).is_file():
        pytest.skip(f"`make reference` has not built the daemon of {release} (cache: ${VARIABLE})")
    return program(release)


def build(release: str) -> None:
    """Build the daemon, where the cache has it not yet."""
    with locked("daemons") as cache:
        if program(release).is_file():
            return
        crate, target = cache / f"daemon-{release}-crate", cache / "daemon-target"
        (crate / "src").mkdir(parents=True, exist_ok=True)
        shutil.copy(_MAIN, crate / "src" / "main.rs")
        source = _source(release, cache)
        (crate / "Cargo.toml").write_text(_MANIFEST.format(release=release, source=source))
        command = ["nice", "-n", "19", "cargo", "build", "-j1", "--target-dir", str(target)]
        subprocess.run(command, cwd=crate, check=True)
        program(release).parent.mkdir(exist_ok=True)
        part = program(release).with_suffix(".part")
        shutil.copy(target / "debug" / "daemon", part)
        part.rename(program(release))


def _source(release: str, cache: Path) -> str:
    """Return where cargo is to find the crate `cloacina` of a release."""
    if release == "0.4.0":
        return f'version = "={release}"'
    folder = cache / f"cloaca-{release}"
    if not folder.is_dir():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        pip += ["--no-binary", "cloaca", "--dest", str(cache), f"cloaca=={release}"]
        subprocess.run(pip, check=True)
        with tarfile.open(cache / f"{folder.name}.tar.gz") as packed:
            packed.extractall(cache, filter="data")
    return f'path = "{folder}/crates/cloacina"'


if __name__ == "__main__":
    os.environ.setdefault("PYO3_PYTHON", "/usr/bin/python3")  # one whose library the linker finds
    for one in RELEASES:
        build(one)
    shutil.rmtree(cache_folder() / "daemon-target", ignore_errors=True)
