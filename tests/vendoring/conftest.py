"""Projects with dependencies, and a user with a cache of their own."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.vendoring.projects import UV

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _user(config, monkeypatch):
    """A cache that is empty, a place for scratch folders, no uv, no settings of pip."""
    monkeypatch.setenv("CLOACINA_CTL_CACHE_DIR", str(config / "cache"))
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
