"""`package --set-version`: a version from outside, as builds by tag have it."""

from __future__ import annotations

import json
import tarfile

import pytest

from cloacina_ctl.cli.main import run as start
from cloacina_ctl.operations.inspect import inspect
from tests.support.machine import ROOT
from tests.support.trees import TASK, plant, tree

DYNAMIC = (
    '[project]\nname = "demo"\ndynamic = ["version"]\n[tool.cloacina]\nentry_module = "demo"\n'
)


@pytest.fixture
def dynamic(tmp_path, monkeypatch):
    """A project whose version only a build would tell; the current folder is another."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return plant(tmp_path / "project", {"pyproject.toml": DYNAMIC, "demo.py": TASK})


def test_the_package_has_the_version_and_the_project_stays_as_it_is(dynamic, tmp_path, capsys):
    assert start(["package", str(dynamic)]) == 3
    assert "--set-version" in capsys.readouterr().err
    assert start(["package", str(dynamic), "--set-version", "v1.4.0-rc.1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert (result["version"], result["path"]) == ("1.4.0rc1", "demo-1.4.0rc1.cloacina")
    assert inspect("demo-1.4.0rc1.cloacina").manifest.package.version == "1.4.0rc1"
    assert (dynamic / "pyproject.toml").read_text() == DYNAMIC
    assert start(["unpack", "demo-1.4.0rc1.cloacina", "-o", "out", "--allow-unsigned"]) == 0
    assert 'version = "1.4.0rc1"' in (tmp_path / "here" / "out" / "package.toml").read_text()
    assert start(["validate", "demo-1.4.0rc1.cloacina", "--ignore", "S"]) == 0


def test_it_comes_before_the_version_that_a_project_says(tmp_path, capsys):
    root = tree(tmp_path / "tree", {})
    output = tmp_path / "x.cloacina"
    command = ["package", str(root), "-o", str(output), "--set-version", "7.0"]
    assert start([*command, "--format", "source"]) == 0
    with tarfile.open(output) as archive:
        (name,) = [one for one in archive.getnames() if one.endswith("/package.toml")]
        assert name.partition("/")[0].endswith("-7.0")
        assert b'version = "7.0"' in archive.extractfile(name).read()
    assert start(["package", str(root), "--list", "--set-version", "8", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["result"]["root"].endswith("-8")


@pytest.mark.parametrize("version", ["release-7", "", "1.0 beta", "../1.0", "1.0+" + "x" * 61])
def test_a_version_that_is_none_is_a_mistake_on_the_command_line(version, dynamic, capsys):
    assert start(["package", str(dynamic), "--set-version", version]) == 2
    assert "error[U004]" in capsys.readouterr().err


def test_a_crate_has_its_version_compiled_in(capsys):
    crate = ROOT / "fixtures" / "rust_tutorial"
    assert start(["package", str(crate), "--set-version", "2.0.0"]) == 2
    said = capsys.readouterr().err
    assert "error[U004]" in said
    assert "cargo set-version" in said
