"""`inspect` of packages of other generations: one view, one shape, facts from the code."""

from __future__ import annotations

import json

import pytest

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.inspection import legacy_contents
from cloacina_ctl.operations.inspect import inspect
from tests.support import archives
from tests.support.json_schemas import judge
from tests.support.legacy import PROVIDER, RUST, source, v1, v1_manifest, v1_of_0_3, v2
from tests.support.projects import ROOT

# Where `package` has built it: in a folder for the checkout's own path.
BUILT = ROOT / "fixtures/rust_tutorial/target/cloacina-ctl"
FIXTURE = next(BUILT.glob("*/release/libsensor_report.so"), None)
EVERY = {
    "v1": v1(),
    "v1-0.3": v1_of_0_3(),
    "v2": v2(),
    "source": source(),
    "source-rust": source(RUST),
    "provider": source(PROVIDER, "files-0.1.0"),
}


@pytest.mark.parametrize("kind", EVERY)
def test_one_shape_for_all(cli, place, kind):
    place(EVERY[kind])
    for words in ((), ("--files",)):
        said = cli("inspect", "x.cloacina", "--json", *words)
        judge(json.loads(said.out))
        assert said.result["format"] == kind.partition("-")[0]
        assert ("files" in said.result) is bool(words)
    assert cli("inspect", "x.cloacina").status == 0
    assert cli("inspect", "x.cloacina", "--files").status == 0


def test_a_package_of_0_2_shows_what_its_own_program_promised(cli, place):
    place(v1())
    said = cli("inspect", "x.cloacina")
    assert said.out.startswith("demo 1.0.0  rust workflow package, v1 of Cloacina 0.2\n")
    assert "by cloacina-ctl 0.2.0" in said.out
    assert "loaded by   Cloacina 0.2, 0.3\n" in said.out
    assert "stated for  x86_64-unknown-linux-gnu\n" in said.out
    assert "workflow etl  3 tasks" in said.out
    order = [said.out.index(f"{number}. {task}") for number, task in
             ((1, "extract"), (2, "transform"), (3, "load"))]  # fmt: skip
    assert order == sorted(order)
    assert "manylinux_2_34_x86_64  x86_64 linux, glibc from 2.34" in said.out
    assert "plugin c-abi-0.2" in said.out
    assert "Packaged workflow" not in said.out
    assert "Task: " not in said.out


def test_a_package_of_0_3_shows_author_and_fingerprint(cli, place):
    place(v1_of_0_3())
    manifest = cli("inspect", "x.cloacina", "--json").result["manifest"]
    (workflow,) = manifest["workflows"]
    assert manifest["package"]["authors"] == ["B. Author"]
    assert manifest["package"]["description"] == "Loads what there is"
    assert (workflow["name"], workflow["author"]) == ("etl", "B. Author")
    assert workflow["fingerprint"] == "0123456789abcdef"
    assert manifest["artifacts"][0]["interface"]["kind"] == "c-abi-0.3"
    assert cli("inspect", "x.cloacina", "--json").result["tool"]["name"] == "cloacina"


def test_where_the_library_cannot_be_read_the_manifest_is_shown(place):
    found = inspect(str(place(v1(data=b"\xcf\xfa\xed\xfe" + bytes(100)))))
    assert [task.id for task in found.manifest.workflows[0].tasks] == [
        "extract",
        "load",
        "transform",
    ]
    assert found.manifest.artifacts[0].path == "libdemo.so"
    assert found.manifest.artifacts[0].platform == ""
    assert found.original is not None
    assert found.original.library.filename == "libdemo.so"


def test_a_source_package_gets_its_tasks_from_its_sources(cli, place):
    place(source())
    result = cli("inspect", "x.cloacina", "--json").result
    (workflow,) = result["manifest"]["workflows"]
    assert [task["id"] for task in workflow["tasks"]] == ["extract", "load"]
    assert workflow["tasks"][1]["source"] == "workflow/demo/tasks.py:10"
    requires = {"cloacina": None, "dependencies": None, "python": ">=3.10"}
    assert result["manifest"]["requires"] == requires
    assert result["manifest"]["artifacts"] is None
    assert result["tool"] is None
    assert result["original"]["interface_version"] == 1
    assert result["releases"] == ["0.4", "0.5", "0.8", "0.9", "0.10", "0.11", "0.12"]


def test_a_crate_is_read_across_its_files(cli, place):
    place(source(RUST))
    result = cli("inspect", "x.cloacina", "--json").result
    (workflow,) = result["manifest"]["workflows"]
    assert (workflow["name"], workflow["author"]) == ("etl", "Ada")
    assert workflow["tasks"][1]["retry"]["attempts"] == 5
    assert workflow["tasks"][1]["source"].startswith("src/steps.rs:")
    assert result["manifest"]["requires"]["cloacina"] == "0.10"
    assert result["releases"] == ["0.10"]


def test_triggers_and_graphs_of_a_source_manifest_are_shown(place):
    more = b"""\
graph_name = "g"
reaction_mode = "when_any"

[[metadata.accumulators]]
name = "in"
config = { a = "1" }

[[metadata.triggers]]
name = "poll"
workflow = "demo"
poll_interval = "5s"

[[metadata.triggers]]
name = "cron"
workflow = "demo"
poll_interval = "5s"
cron_expression = "* * * * *"
"""
    files = {**archives.SOURCE, "package.toml": archives.PACKAGE_TOML + more}
    found = inspect(str(place(source(files))))
    (workflow,), (graph,) = found.manifest.workflows, found.manifest.graphs
    assert [(one.kind, one.poll_interval_ms) for one in workflow.triggers] == [
        ("poll", 5000), ("cron", None),
    ]  # fmt: skip
    assert (graph.name, graph.reaction_mode, graph.accumulators[0].config) == (
        "g", "when_any", (("a", "1"),),
    )  # fmt: skip
    assert found.releases == ("0.4", "0.5")


def test_a_minimal_manifest_is_resolved_as_releases_do(place):
    minimal = b'[package]\nname = "my-demo"\nversion = "1"\n'
    files = {"package.toml": minimal, "workflow/my_demo/tasks.py": archives.TASKS_PY}
    found = inspect(str(place(source(files, "my-demo-1"))))
    assert (found.manifest.language, found.manifest.entry_module) == ("python", "my_demo.tasks")
    assert [task.id for task in found.manifest.workflows[0].tasks] == ["extract", "load"]
    assert found.releases == ()
    neither = inspect(str(place(source({"package.toml": minimal}, "my-demo-1"))))
    assert (neither.manifest.language, neither.manifest.workflows) == (None, ())


def test_a_provider_is_shown_as_what_it_is(cli, place):
    place(source(PROVIDER, "files-0.1.0"))
    said = cli("inspect", "x.cloacina")
    assert said.out.startswith("files 0.1.0  constructor provider\n")
    assert "offers      copy, move\n" in said.out
    result = cli("inspect", "x.cloacina", "--json").result
    assert result["original"]["constructors"] == ["copy", "move"]
    assert result["manifest"]["workflows"] is None


def test_format_2_takes_tasks_from_its_modules(place):
    found = inspect(str(place(v2())))
    (workflow,) = found.manifest.workflows
    assert [(task.id, task.source) for task in workflow.tasks] == [
        ("extract", "workflow/demo/tasks.py:5"), ("load", "workflow/demo/tasks.py:10"),
    ]  # fmt: skip
    assert found.format == "v2"
    assert found.releases == ()


def test_a_rust_package_of_format_2_takes_them_from_its_library(place):
    from tests.support.workflow_libraries import raw_library

    made = archives.v2_manifest(language="rust", rust={"library_path": "lib/libdemo.so"})
    stream = archives.entry("manifest.json", archives.pretty(made))
    stream += archives.entry("lib/libdemo.so", raw_library("0.3").build()) + archives.END
    found = inspect(str(place(archives.gz(stream))))
    assert [task.id for task in found.manifest.workflows[0].tasks] == [
        "extract",
        "load",
        "transform",
    ]
    assert found.manifest.artifacts[0].machine == "x86_64"


def test_a_large_library_goes_through_a_file_without_a_name(place, monkeypatch, tmp_path):
    monkeypatch.setattr(legacy_contents, "MAX_IN_MEMORY", 1000)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    found = inspect(str(place(v1())))
    assert found.manifest.artifacts[0].machine == "x86_64"
    assert [path.name for path in tmp_path.iterdir()] == ["x.cloacina"]


def test_a_package_on_standard_input(cli, place, monkeypatch):
    import os

    path = place(source())
    read, write = os.pipe()
    os.write(write, path.read_bytes())
    os.close(write)
    saved = os.dup(0)
    os.dup2(read, 0)
    try:
        said = cli("inspect", "-", "--json")
    finally:
        os.dup2(saved, 0)
        os.close(read)
    assert said.result["format"] == "source"


@pytest.mark.skipif(FIXTURE is None, reason="the fixture crate is not built")
def test_a_library_that_a_real_release_built(cli, place):
    tasks = [
        {"id": "final_report", "dependencies": ["validate_readings"]},
    ]
    manifest = {**v1_manifest(), "tasks": tasks}
    place(archives.gz(archives.v1_tar(manifest, FIXTURE.read_bytes())))
    result = cli("inspect", "x.cloacina", "--json").result
    (artifact,) = result["manifest"]["artifacts"]
    assert artifact["platform"].startswith("manylinux_")
    assert result["manifest"]["workflows"][0]["tasks"]
    assert "M017" in cli("validate", "x.cloacina", "--json").codes


def test_an_archive_that_lies_is_refused_before_anything_is_shown(place):
    with pytest.raises(Refused) as caught:
        inspect(str(place(source() + b"x")))
    assert caught.value.diagnostics[0].code is Code.BAD_STREAM
