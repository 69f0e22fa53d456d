"""Real wheels of the package index, with the real pip and uv; what is vendored is imported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.packaging.vendoring import VendorRequest
from tests.vendoring.projects import project

pytestmark = pytest.mark.slow
# Asked before a test takes it out of PATH; the test group of the project brings it.
UV = shutil.which("uv", path=os.path.dirname(sys.executable)) or shutil.which("uv")
DEPENDENCIES = '["idna>=3", "attrs", "markupsafe", "cloaca"]'


def make(root: Path, output: Path, **request) -> bytes:
    asked = VendorRequest(wanted=True, **request)
    package(PackageRequest(str(root), str(output), vendor=asked))
    return output.read_bytes()


def imported(path: Path, tmp_path: Path) -> None:
    """Unpack the package and import from it what it vendors, as an engine does."""
    folder = tmp_path / "out"
    subprocess.run(
        [sys.executable, "-m", "cloacina_ctl", "unpack", "--allow-unsigned", path, "-o", folder],
        check=True, capture_output=True,
    )  # fmt: skip
    folders = [folder / "vendor", *folder.glob("platform/*/vendor")]
    text = (
        "import sys; sys.path = [*sys.argv[1:], *sys.path]\n"
        "import attr, idna, markupsafe, markupsafe._speedups\n"
        "assert all(module.__file__.startswith(tuple(sys.argv[1:]))"
        " for module in (attr, idna, markupsafe))\n"
        "assert idna.encode('ä') == b'xn--4ca' and markupsafe.escape('<') == '&lt;'\n"
    )
    subprocess.run([sys.executable, "-I", "-c", text, *map(str, folders)], check=True)


def test_pip_vendors_real_wheels_and_its_lock_makes_the_same_bytes(tmp_path):
    root = project(tmp_path, DEPENDENCIES)
    first = make(root, tmp_path / "a.cloacina")
    assert make(root, tmp_path / "b.cloacina", locked=True, offline=True) == first
    shutil.rmtree(os.environ["CLOACINA_CTL_CACHE_DIR"])
    assert make(root, tmp_path / "c.cloacina", locked=True) == first
    imported(tmp_path / "a.cloacina", tmp_path)


@pytest.mark.skipif(UV is None, reason="uv is not installed")
def test_uv_vendors_the_same(tmp_path, monkeypatch):
    root = project(tmp_path, DEPENDENCIES)
    first = make(root, tmp_path / "a.cloacina")
    (root / "pylock.cloacina.toml").unlink()
    monkeypatch.setenv("PATH", f"{os.path.dirname(UV or '')}{os.pathsep}{os.environ['PATH']}")
    assert make(root, tmp_path / "b.cloacina") == first
    monkeypatch.setattr(sys, "executable", "")
    shutil.rmtree(os.environ["CLOACINA_CTL_CACHE_DIR"])
    monkeypatch.setenv("PATH", os.path.dirname(UV or ""))
    assert make(root, tmp_path / "c.cloacina", locked=True) == first


def test_several_platforms_and_another_python_are_vendored_in_one_package(tmp_path):
    root = project(tmp_path, '["markupsafe"]')
    platforms = ("manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "musllinux_1_2_x86_64")
    make(root, tmp_path / "a.cloacina", python="3.12", platforms=platforms)
    from cloacina_ctl.operations.inspect import inspect

    artifacts = inspect(str(tmp_path / "a.cloacina")).manifest.artifacts
    assert len(artifacts) == 3
    assert {one.machine for one in artifacts} == {"x86_64", "aarch64"}
    assert all("cpython-312" in one.path for one in artifacts)
