"""Makes the packages of the matrix, by our own command, as a user does.

A package is made for the release that it is handed to, where `package --runtime` knows a form for
it; else for the nearest release that has one, to hear what the engine says of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.engines import crates, stock
from tests.support.machine import need
from tests.support.wheels import wheel

PROJECTS = Path(__file__).with_name("projects")
FIRST_SOURCE, LAST_V1 = "0.4", "0.3"
SINCE_0_6 = ("0.6.1", "0.8.0", "0.10.0", "0.11.1", "0.12.0")


class Made(NamedTuple):
    """A package, and for a crate the library that the compiler service would hand over."""

    package: Path
    library: Path | None = None


def ctl(folder: Path, *words: object) -> str:
    """Run the command in ``folder`` as a user without keys; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "cloacina_ctl", *map(str, words)],
        cwd=folder,
        env={**os.environ, "CLOACINA_CTL_CONFIG_DIR": str(folder / "user")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_v1(release: str) -> bool:
    """Tell whether the release is one of those that load `v1` packages alone."""
    return release in ("0.2.0", "0.3.1")


def runtime(release: str) -> str:
    """Return the runtime to make a `source` package for."""
    return FIRST_SOURCE if is_v1(release) else release.rpartition(".")[0]


def _package(project: Path, folder: Path, *options: object) -> Path:
    out = folder / "made.cloacina"
    ctl(folder, "package", project, "-o", out, "--no-sign", *options)
    return out


def python(release: str, folder: Path) -> Made:
    """A Python project with modules, a data file and a template."""
    return Made(_package(crates.FIXTURES / "python_report", folder, "--runtime", runtime(release)))


def everywhere(release: str, folder: Path) -> Made:
    """The same project, made for 0.6 whatever the release of the engine."""
    return Made(_package(crates.FIXTURES / "python_report", folder, "--runtime", "0.6"))


def converted(release: str, folder: Path) -> Made:
    """The same project as a native package, converted."""
    project = Path(shutil.copytree(crates.FIXTURES / "python_report", folder / "project"))
    settings = project / "pyproject.toml"
    # As it is it needs 0.6, and is converted for no release before.
    settings.write_text(settings.read_text().replace('">=0.6"', '">=0.4"'))
    native = _package(project, folder)
    out = folder / "converted.cloacina"
    options = ("--runtime", runtime(release), "--allow-unsigned", "--lossy")
    ctl(folder, "convert", native, "-o", out, *options)
    return Made(out)


def vendored(release: str, folder: Path) -> Made:
    """A Python project with a dependency from a wheel."""
    house = folder / "wheelhouse"
    code = "def centimetres(feet):\n    return round(feet * 30.48, 2)\n"
    wheel(house, "feet-and-metres", {"feet_and_metres/__init__.py": code})
    project = Path(shutil.copytree(PROJECTS / "vendored", folder / "project"))
    options = ("--vendor", "--wheelhouse", house, "--runtime", runtime(release))
    return Made(_package(project, folder, *options))


def padded(release: str, folder: Path) -> Made:
    """A Python project that compresses to less than a tenth."""
    project = Path(shutil.copytree(PROJECTS / "padded", folder / "project"))
    (project / "src" / "zones" / "zones.csv").write_text("zone 7, far away\n" * 40_000)
    return Made(_package(project, folder, "--pad", "--runtime", runtime(release)))


def graph(release: str, folder: Path) -> Made:
    """A computation graph with its reactor: no tasks."""
    project = Path(shutil.copytree(PROJECTS / "graph", folder / "project"))
    # 0.4 has no graphs; 0.5 is the one release that must be told, and takes the key.
    if release not in SINCE_0_6:
        with open(project / "package.toml", "a", encoding="utf-8") as manifest:
            manifest.write('package_type = ["computation_graph"]\n')
        release = "0.5.1"
    return Made(_package(project, folder, "--runtime", runtime(release)))


def graph_task(release: str, folder: Path) -> Made:
    """A workflow one task of which invokes a computation graph."""
    return Made(_package(PROJECTS / "graph_task", folder, "--runtime", runtime(release)))


def crate(release: str, folder: Path) -> Made:
    """A crate that depends on the release of the engine."""
    release = "0.4.0" if is_v1(release) else release
    project = crates.crate_for(release, folder)
    package = _package(project, folder, "--runtime", runtime(release))
    return Made(package, None if release in ("0.4.0", "0.5.1") else _built(package, folder))


def foreign_crate(release: str, folder: Path) -> Made:
    """A crate that depends on 0.6, whatever the release of the engine."""
    project = crates.crate_for(crates.OWN, folder)
    package = _package(project, folder, "--runtime", runtime(crates.OWN))
    return Made(package, None if release in ("0.4.0", "0.5.1") else _built(package, folder))


def _built(package: Path, folder: Path) -> Path:
    """Return the library that comes out of the packed sources."""
    ctl(folder, "unpack", package, "-o", folder / "unpacked", "--allow-unsigned")
    return crates.build(folder / "unpacked")


def v1(release: str, folder: Path) -> Made:
    """A crate of the first generation, with its library."""
    need("cargo")
    options = ("--runtime", LAST_V1, "--locked")
    return Made(_package(crates.FIXTURES / "rust_tutorial", folder, *options))


def converted_v1(release: str, folder: Path) -> Made:
    """The same crate as a native package, converted."""
    need("cargo")
    native = _package(crates.FIXTURES / "rust_tutorial", folder, "--locked")
    out = folder / "converted.cloacina"
    options = ("--runtime", LAST_V1, "--allow-unsigned", "--lossy")
    ctl(folder, "convert", native, "-o", out, *options)
    return Made(out)


def first(release: str, folder: Path) -> Made:
    """A library of 0.2, in its own layout."""
    library = folder / "libfirst.so"
    source = PROJECTS / "first.c"
    options = ("-shared", "-fPIC", "-O1", "-o", str(library), str(source))
    subprocess.run([need("cc"), *options], check=True, capture_output=True)
    package = folder / "first.cloacina"
    package.write_bytes(stock.v1_package("first", library.name, library.read_bytes(), ["count"]))
    return Made(package)
