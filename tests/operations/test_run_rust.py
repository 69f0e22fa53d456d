"""The tutorial's story and the guide's crate, from the build to the report of a run."""

import json
import shutil

import pytest

from tests.support.machine import need
from tests.support.projects import FIXTURES
from tests.support.runs import lines_of, statuses

pytestmark = pytest.mark.slow

OPTIONS = ("--locked", "-o", "x.cloacina")


@pytest.fixture
def packaged(cli):
    """Return what builds a fixture and packages it, signed, as `x.cloacina`."""
    need("cargo")
    assert cli("key", "generate").status == 0

    def make(name):
        made = cli("package", FIXTURES / name, *OPTIONS)
        assert made.status == 0, made.err

    return make


def test_the_tutorial_from_the_crate_to_the_final_report(cli, packaged):
    """Three tasks in a row, with two, three and one attempts, and context that flows."""
    packaged("rust_tutorial")
    planned = cli("run", "x.cloacina", "--plan")
    assert [line.split()[1:4] for line in planned.out.splitlines()[1:]] == [
        ["read_sensors", "2", "attempts"], ["drop_bad_values", "3", "attempts"],
        ["write_report", "1", "attempt"],
    ]  # fmt: skip
    ran = cli("run", "x.cloacina")
    assert ran.status == 0, ran.err
    assert 'final_report  {"count": 3, "sum": 60}' in ran.out
    events, answer = lines_of(cli("run", "x.cloacina", "--json", "--events"))
    assert [event["task"] for event in events if event["event"] == "task-started"] == [
        "read_sensors", "drop_bad_values", "write_report",
    ]  # fmt: skip
    assert answer["result"]["context"]["final_report"] == {"count": 3, "sum": 60}


def test_a_task_of_the_tutorial_that_fails_is_tried_as_often_as_it_says(cli, packaged):
    packaged("rust_tutorial")
    ran = cli("run", "x.cloacina", "--task", "write_report", "--json")
    assert ran.status == 1
    _, answer = lines_of(ran)
    assert "`good_values` is not there" in answer["diagnostics"][0]["message"]
    assert answer["result"]["tasks"][0]["attempts"] == 1


def test_one_task_of_the_tutorial_with_a_context_of_ones_own(cli, packaged, tmp_path):
    packaged("rust_tutorial")
    (tmp_path / "in.json").write_text('{"values": [1, -100, 2], "kept": true}')
    line = ("run", "x.cloacina", "--task", "drop_bad_values", "--context", "@in.json", "--json")
    _, answer = lines_of(cli(*line))
    assert answer["result"]["context"] == {
        "values": [1, -100, 2], "kept": True, "good_values": [1, 2],
    }  # fmt: skip


def test_the_crate_of_the_guide_runs_with_a_join(cli, packaged):
    packaged("rust_etl")
    line = ("run", "x.cloacina", "--json", "--events", "--jobs", "2")
    events, answer = lines_of(cli(*line))
    assert set(statuses(answer).values()) == {"completed"}
    assert answer["result"]["context"]["report"] == "3195 cents, 1 bad orders"
    order = [event["task"] for event in events if event["event"] == "task-started"]
    assert (order[0], order[-1]) == ("load_orders", "report")


def test_a_library_for_another_machine_is_not_loaded(cli, packaged, tmp_path):
    """The tag of the artifact decides before a byte of it is read."""
    from cloacina_ctl.formats.file_index import Tool
    from cloacina_ctl.formats.native.writer import PackageWriter
    from cloacina_ctl.formats.plan import PlannedFile, make_plan
    from cloacina_ctl.manifest import parse
    from cloacina_ctl.paths import MemberPath

    packaged("rust_etl")
    assert cli("unpack", "x.cloacina", "-o", "there", "--metadata").status == 0
    there = tmp_path / "there"
    manifest = parse((there / "manifest.json").read_bytes())
    (artifact,) = manifest.artifacts
    foreign = artifact._replace(
        platform="manylinux_2_34_s390x", machine="s390x",
        path=f"platform/manylinux_2_34_s390x/{artifact.path.rsplit('/', 1)[1]}",
    )  # fmt: skip
    moved = tmp_path / "library.so"
    shutil.copy(there / artifact.path, moved)
    planned = PlannedFile(
        MemberPath.parse(foreign.path), str(moved), moved.stat().st_size, False, "a test"
    )
    with PackageWriter(str(tmp_path / "y.cloacina")) as writer:
        written = writer.write_payload(make_plan("orders-etl-0.2.0", [planned]))
        other = manifest._replace(artifacts=(foreign,), contents=written.contents)
        writer.write_head(other, written, Tool("tests", "1"))
        writer.commit()
    told = cli("run", "y.cloacina", "--allow-unsigned", "--json")
    assert told.status == 6, told.err
    assert json.loads(told.out)["diagnostics"][0]["code"] == "B011"
    assert "s390x" in told.err
