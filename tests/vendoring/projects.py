"""Projects with dependencies, their locks, and what is vendored for them."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.errors import (
    BuildFailed,
    Code,
    Refused,
)
from cloacina_ctl.formats.wheel.reader import digest_of_file
from cloacina_ctl.project.reading import read_project
from cloacina_ctl.vendoring.choice import VendorOptions
from cloacina_ctl.vendoring.declared.requirements import read_requirements
from cloacina_ctl.vendoring.locks.lock import (
    LockedWheel,
    WheelLock,
    lock_bytes,
    write_lock,
)
from cloacina_ctl.vendoring.vendor import Vendored, vendor
from tests.support.elf_builder import X86_64, Elf
from tests.support.trees import TASK, plant

if TYPE_CHECKING:
    from pathlib import Path

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


GLIBC = "manylinux_2_36_x86_64"


# Asked before a test takes it out of PATH; the test group of the project brings it.
UV = shutil.which("uv", path=os.path.dirname(sys.executable)) or shutil.which("uv")


def project(
    tmp_path: Path, dependencies: str, *, python: str | None = ">=3.10", config: str = ""
) -> Path:
    """Plant an ordinary Python project with these dependencies, as TOML."""
    requires = f'requires-python = "{python}"\n' if python else ""
    text = (
        f'[project]\nname = "demo"\nversion = "1.0"\n{requires}dependencies = {dependencies}\n'
        f'[tool.cloacina]\nentry_module = "demo.tasks"\n{config}'
    )
    root = tmp_path / "project"
    return plant(
        root,
        {"pyproject.toml": text, "src/demo/__init__.py": "", "src/demo/tasks.py": TASK},
    )


def uv_that_chooses(folder: Path, *chosen: tuple[str, str, str]) -> Path:
    """Write a uv that chooses these wheels (name, path, SHA-256) and keeps its arguments."""
    packages = (
        "".join(
            f'[[packages]]\nname = "{name}"\nversion = "1.0"\n'
            f'wheels = [{{ url = "file://{path}", hashes = {{ sha256 = "{digest}" }} }}]\n'
            for name, path, digest in chosen
        )
        or "packages = []\n"
    )
    text = (
        "import pathlib, sys\n"
        'pathlib.Path(__file__).with_name("arguments").write_text("\\n".join(sys.argv[1:]))\n'
        'output = [one for one in sys.argv if one.startswith("--output-file=")][0]\n'
        f'text = \'lock-version = "1.0"\\ncreated-by = "uv"\\n\' + {packages!r}\n'
        'pathlib.Path(output.partition("=")[2]).write_text(text)\n'
    )
    return program(folder, "uv", text)


def program(folder: Path, name: str, text: str) -> Path:
    """Write a program of that name, in Python."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


NATIVE = "cp311-cp311-manylinux_2_17_x86_64"


def library(glibc: str = "2.17", machine: int = X86_64, needed: str = "libc.so.6") -> bytes:
    versions = {needed: [(f"GLIBC_{glibc}", 0)]} if glibc else {}
    return Elf(machine=machine, needed=(needed,), versions=versions).build()


def lock(
    root: Path,
    *wheels: Path,
    platforms: tuple[str, ...] = (GLIBC,),
    only: dict[str, tuple[str, ...]] | None = None,
) -> WheelLock:
    """Lock exactly these wheels for Python 3.11, as if somebody had chosen them."""
    locked = []
    for path in wheels:
        name, version = path.name.split("-")[:2]
        name = name.replace("_", "-").lower()
        own = (only or {}).get(path.name, platforms)
        locked.append(LockedWheel(name, version, path.name, digest_of_file(str(path)), own))
    texts = read_requirements(read_project(str(root))).texts
    made = WheelLock("3.11", platforms, texts, tuple(sorted(locked)))
    write_lock(str(root), made, lock_bytes(str(root)))
    return made


def vendored(root: Path, work: Path, house: Path | None = None, **options) -> Vendored:
    folder = work / str(len(os.listdir(work)))
    folder.mkdir()
    given = VendorOptions(**{"wheelhouse": str(house) if house else None, **options})
    return vendor(read_project(str(root)), given, str(folder))


def refused(root: Path, work: Path, house: Path | None = None, **options) -> list[tuple[Code, str]]:
    with pytest.raises((Refused, BuildFailed)) as error:
        vendored(root, work, house, **options)
    return [(one.code, one.message) for one in error.value.diagnostics]


LIBRARY = '[project]\nname = "acme-lib"\nversion = "1.0"\n'


def app(
    tmp_path: Path, dependencies: str = '["acme-lib"]', more: str = "", project: str = ""
) -> Path:
    """Plant a project `app` beside the library that it names, `libs/acme`."""
    text = (
        '[project]\nname = "flow"\nversion = "1.0"\nrequires-python = ">=3.10"\n'
        f'dependencies = {dependencies}\n{project}\n{more}\n'
        '[tool.cloacina]\nentry_module = "demo.tasks"\n'
    )  # fmt: skip
    plant(tmp_path / "libs" / "acme", {"pyproject.toml": LIBRARY, "src/acme_lib/__init__.py": ""})
    files = {"pyproject.toml": text, "src/demo/__init__.py": "", "src/demo/tasks.py": TASK}
    return plant(tmp_path / "app", files)


def save(root: Path, found: Vendored) -> None:
    """Write the new lock, as `package` does."""
    write_lock(str(root), found.new_lock, found.old_lock)


def titles(found: Vendored) -> set[str]:
    return {file.title for file in found.files}
