"""``package --format v1``, with the library that a build left there."""

from __future__ import annotations

import json
import tarfile

import pytest

from cloacina_ctl.manifest import Task, Workflow
from cloacina_ctl.operations.packaging import v1
from cloacina_ctl.operations.packaging.build import BuiltLibrary
from cloacina_ctl.platforms import artifact_of, read_library
from tests.support.projects import FIXTURES
from tests.support.workflow_libraries import fidius_library, raw_library

CRATE = FIXTURES / "rust_tutorial"


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Put a library where cargo would have left one: building a real one takes minutes."""

    def leave(elf):
        path = tmp_path / "libsensor_report.so"
        path.write_bytes(elf.build())
        library = read_library(str(path))
        artifact = artifact_of(library, path=f"platform/{library.tag}/{path.name}")
        workflow = Workflow("etl", (Task("extract", source="source/src/jobs.rs:9"),))
        made = BuiltLibrary(
            str(path), path.stat().st_size, artifact, (workflow,), (), library.exports
        )  # fmt: skip
        monkeypatch.setattr(v1, "build_library", lambda *_: made)

    return leave


@pytest.mark.parametrize("words", [("--format", "v1"), ("--runtime", "0.3.1")])
def test_a_crate_of_0_3_becomes_manifest_and_library(cli, built, tmp_path, words):
    built(raw_library("0.3"))
    cli("key", "generate")
    made = cli("package", CRATE, *words, "-o", "x.cloacina", "--json")
    assert made.status == 0
    assert made.json["result"]["sidecar"] == "x.cloacina.sig"
    with tarfile.open(tmp_path / "x.cloacina") as archive:
        members = archive.getmembers()
        manifest = json.load(archive.extractfile("manifest.json"))
    assert [(one.name, one.mode) for one in members] == [
        ("manifest.json", 0o644),
        ("libsensor_report.so", 0o755),
    ]
    assert manifest["package"]["name"] == "sensor-report"
    assert manifest["tasks"][0]["source_location"] == "src/jobs.rs"
    assert cli("verify", "x.cloacina").status == 0
    first = (tmp_path / "x.cloacina").read_bytes()
    cli("package", CRATE, *words, "-o", "x.cloacina", "--force")
    assert (tmp_path / "x.cloacina").read_bytes() == first
    plan = cli("package", CRATE, *words, "--list", "--json").json["result"]
    assert (plan["files"], plan["unbuilt"]) == ([], ["manifest.json", "the library"])


def test_a_library_of_0_2_says_so_by_its_order(cli, built, tmp_path):
    built(raw_library("0.2"))
    assert cli("package", CRATE, "--runtime", "0.2", "-o", "x.cloacina").status == 0
    with tarfile.open(tmp_path / "x.cloacina") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))
    assert manifest["execution_order"] == ["extract"]
    assert manifest["package"]["cloacina_version"] == "0.2.0"


@pytest.mark.parametrize(
    ("elf", "words"), [(raw_library("0.3"), ("--runtime", "0.2")), (fidius_library(), ())]
)
def test_a_library_that_they_cannot_load_is_refused(cli, built, elf, words):
    built(elf)
    answer = cli("package", CRATE, "--format", "v1", *words, "-o", "x.cloacina", "--json")
    assert (answer.status, answer.codes) == (6, ["B011"])


def test_source_has_no_place_in_it(cli):
    answer = cli("package", CRATE, "--format", "v1", "--include-source", "--json")
    assert (answer.status, answer.codes) == (2, ["U001"])
