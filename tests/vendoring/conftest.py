"""Projects with dependencies, and a user with a cache of their own."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from tests.project.trees import TASK, plant

if TYPE_CHECKING:
    from pathlib import Path


GLIBC = "manylinux_2_36_x86_64"
# Asked before a test takes it out of PATH; the test group of the project brings it.
UV = shutil.which("uv", path=os.path.dirname(sys.executable)) or shutil.which("uv")


@pytest.fixture(autouse=True)
def _user(tmp_path_factory, monkeypatch):
    """A cache that is empty, a place for scratch folders, no uv, no settings of pip."""
    folder = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("CLOACINA_CTL_CACHE_DIR", str(folder / "cache"))
    monkeypatch.setenv("CLOACINA_CTL_CONFIG_DIR", str(folder / "config"))
    places = ("PIP_INDEX", "PIP_EXTRA_INDEX", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CONSTRAINT")
    for name in [one for one in os.environ if one.startswith(("UV_", *places))]:
        monkeypatch.delenv(name)
    entries = os.environ.get("PATH", "").split(os.pathsep)
    without = [one for one in entries if not os.path.exists(os.path.join(one, "uv"))]
    monkeypatch.setenv("PATH", os.pathsep.join(without))


@pytest.fixture
def work(tmp_path) -> Path:
    """A scratch folder, as `package` hands one to whoever unpacks."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def house(tmp_path) -> Path:
    """A wheelhouse."""
    folder = tmp_path / "house"
    folder.mkdir()
    return folder


@pytest.fixture(
    params=[pytest.param("pip", marks=pytest.mark.slow), pytest.param("uv", marks=pytest.mark.slow)]
)
def chooser(request, monkeypatch, tmp_path):
    """The program that chooses versions, the real one."""
    if request.param == "uv":
        assert UV is not None
        monkeypatch.setenv("PATH", f"{os.path.dirname(UV)}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    return request.param


@pytest.fixture
def no_pip(monkeypatch):
    """A machine without pip and without uv."""
    monkeypatch.setattr(sys, "executable", "")
    monkeypatch.setenv("PATH", "")


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
