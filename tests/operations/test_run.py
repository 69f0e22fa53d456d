"""`run` for real: packages of Python code in a child process, from the command line."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support import archives
from tests.support.cli import PROGRAM
from tests.support.json_schemas import judge
from tests.support.plugin_packages import pack
from tests.support.plugins import plugin, raw
from tests.support.runs import ORDERS, lines_of, statuses
from tests.support.terminals import Terminal, cursor_is_back


def test_the_fixture_runs_from_its_orders_to_its_report(cli, signed):
    ran = cli("run", signed, "--context", ORDERS)
    assert ran.status == 0, ran.err
    assert [line.split()[:3] for line in ran.err.splitlines()] == [
        ["✓", id_, "completed"]
        for id_ in ("read_orders", "check_orders", "sum_by_country", "write_report")
    ]
    first, *rest = ran.out.splitlines()
    assert first.startswith("✓ daily_report completed in ")
    assert [line.split()[1] for line in rest[:4]] == [
        "read_orders", "check_orders", "sum_by_country", "write_report",
    ]  # fmt: skip
    assert "AT: 17.40" in ran.out


def test_programs_get_each_event_and_at_the_end_the_answer(cli, signed):
    ran = cli("run", signed, "--context", ORDERS, "--json", "--events")
    assert ran.status == 0
    events, answer = lines_of(ran)
    assert [event["event"] for event in events] == ["task-started", "task-ended"] * 4
    result = answer["result"]
    assert result["status"] == "completed"
    assert result["context"]["sums"] == {"AT": 1740, "DE": 489}
    assert result["context_of"] == "write_report"
    assert set(statuses(answer).values()) == {"completed"}


def test_without_events_programs_get_one_object_as_of_every_verb(cli, signed):
    ran = cli("run", signed, "--context", ORDERS, "--json")
    assert json.loads(ran.out)["result"]["status"] == "completed"
    told = cli("run", signed, "--events")
    assert (told.status, told.err) == (
        2, "error[U001] --events needs --json — add --json, or remove --events\n"
    )  # fmt: skip


def test_the_plan_is_shown_and_nothing_runs(cli, made, tmp_path):
    path = made(
        f"open({str(tmp_path / 'ran')!r}, 'w')\n"
        "@cloaca.task(id='a')\ndef a(context): ...\n"
        "@cloaca.task(id='b', dependencies=['a'], trigger_rules=cloaca.task_success('a'))\n"
        "def b(context): ...\n"
    )
    planned = cli("run", path, "--plan", "--allow-write", tmp_path)
    assert planned.status == 0
    assert planned.out.splitlines()[1:] == [
        "   1. a  3 attempts",
        "   2. b  3 attempts  ← a  if cloaca.task_success('a')",
    ]
    (_, answer) = lines_of(cli("run", path, "--plan", "--json"))
    assert answer["result"]["layers"] == [["a"], ["b"]]
    assert not (tmp_path / "ran").exists()


def test_one_task_runs_alone_with_a_context_from_a_file_or_standard_input(cli, signed, tmp_path):
    (tmp_path / "in.json").write_text('{"orders": [{"country": "AT", "cents": 1}]}')
    ran = cli("run", signed, "--task", "check_orders", "--context", "@in.json", "--json")
    (_, answer) = lines_of(ran)
    assert answer["result"]["context"]["known"] == [{"country": "AT", "cents": 1}]
    assert statuses(answer) == {"check_orders": "completed"}
    again = cli(
        "run", signed, "--task", "check_orders", "--context", "@-",
        stdin=b'{"orders": []}',
    )  # fmt: skip
    assert again.status == 0
    assert "known" in again.out


def test_a_package_comes_from_standard_input_too(cli, signed):
    ran = cli("run", "-", "--context", ORDERS, stdin=signed.read_bytes())
    assert ran.status == 0, ran.err


def test_an_installed_package_runs_by_its_name(cli, signed, tmp_path):
    assert cli("install", signed, "--registry", tmp_path / "registry").status == 0
    for spec in ("daily-report", "daily-report@1.4.0"):
        ran = cli("run", spec, "--registry", tmp_path / "registry", "--context", ORDERS)
        assert ran.status == 0, ran.err
    lost = cli("run", "daily-report@9.9", "--registry", tmp_path / "registry")
    assert lost.status == 8


@pytest.mark.parametrize("words", [(), ("--plan",)])
def test_an_installed_package_that_was_damaged_is_called_so(cli, signed, tmp_path, words):
    registry = tmp_path / "registry"
    assert cli("install", signed, "--registry", registry).status == 0
    (stored,) = (registry / "packages").rglob("*.cloacina")
    stored.chmod(0o600)
    data = bytearray(stored.read_bytes())
    data[600] ^= 1  # in the signature block
    stored.write_bytes(data)
    ran = cli("run", "daily-report", "--registry", registry, *words)
    assert ran.status == 3, ran.err
    assert "error[D007]" in ran.err
    assert "daily-report@1.4.0 is damaged in the registry" in ran.err


def test_what_lies_in_the_folder_takes_the_place_of_nothing_that_is_installed(
    cli, signed, tmp_path, monkeypatch
):
    monkeypatch.setenv("CLOACINA_CTL_REGISTRY", str(tmp_path / "registry"))
    (tmp_path / "daily-report").write_text("no package")
    shadowed = cli("run", "daily-report", "--plan")
    assert shadowed.status == 3, shadowed.err  # nothing is installed: the file is meant
    assert cli("install", signed).status == 0
    assert cli("run", "daily-report", "--plan").status == 0
    (tmp_path / "daily-report").unlink()
    (tmp_path / "daily-report").mkdir()
    assert cli("run", "daily-report", "--plan").status == 0
    assert cli("uninstall", "daily-report").status == 0
    lost = cli("run", "daily-report", "--plan")
    assert lost.status == 8
    assert "D001" in lost.err


def test_the_package_of_another_format_runs_like_the_native_one(cli, signed):
    line = ("convert", signed, "-o", "source.cloacina", "--format", "source", "--lossy")
    assert cli(*line).status == 0
    ran = cli("run", "source.cloacina", "--allow-unsigned", "--context", ORDERS, "--json")
    assert ran.status == 0, ran.err
    (_, answer) = lines_of(ran)
    assert answer["result"]["context"]["sums"] == {"AT": 1740, "DE": 489}


PRINTING = """
import sys
@cloaca.task(id="a")
def a(context):
    print("hello \\x1b[2J there")
    print("and there", file=sys.stderr)
"""


def test_what_tasks_print_goes_to_standard_error_escaped(cli, made):
    ran = cli("run", made(PRINTING))
    *printed, event = ran.err.splitlines()
    assert printed == ["hello \\x1b[2J there", "and there"]
    assert event.startswith("✓ a  completed  ")
    assert "hello" not in ran.out
    (_, answer) = lines_of(cli("run", "flow.cloacina", "--json"))
    assert answer["ok"] is True
    assert cli("run", "flow.cloacina", "--quiet").err == ""


RETRIED = """
tries = []
@cloaca.task(id="a", retry_attempts=3, retry_delay_ms=10, retry_jitter=False)
def a(context):
    tries.append(1)
    if len(tries) < 3:
        raise ValueError(f"busy {len(tries)}")
    context.set("tries", len(tries))
    return context
@cloaca.task(id="b", dependencies=["a"], retry_attempts=2, retry_delay_ms=0)
def b(context):
    raise KeyError("gone")
@cloaca.task(id="c", dependencies=["b"])
def c(context): ...
@cloaca.task(id="d", dependencies=["b"], trigger_rules=cloaca.task_failed("b"))
def d(context): ...
@cloaca.task(id="e", dependencies=["b"], trigger_rules=cloaca.all_of(cloaca.task_success("b")))
def e(context): ...
"""


def test_attempts_rules_and_a_failure_are_told_to_programs(cli, made):
    ran = cli("run", made(RETRIED), "--json", "--events")
    assert ran.status == 1
    events, answer = lines_of(ran)
    retried = [event for event in events if event["event"] == "task-retrying"]
    assert [(event["task"], event["attempt"]) for event in retried] == [
        ("a", 1), ("a", 2), ("b", 1),
    ]  # fmt: skip
    assert "busy 1" in retried[0]["error"]
    assert retried[0]["delay"] == 0.01
    assert answer["ok"] is False
    assert statuses(answer) == {
        "a": "completed", "b": "failed", "c": "not-started", "d": "completed", "e": "skipped",
    }  # fmt: skip
    codes = [one["code"] for one in answer["diagnostics"] if one["severity"] != "note"]
    assert codes == ["T001"]
    assert answer["result"]["tasks"][0]["attempts"] == 3


def test_attempts_rules_and_a_failure_are_told_to_people(cli, made):
    ran = cli("run", made(RETRIED))
    assert ran.status == 1
    assert ran.out.startswith("✗ flow failed in ")
    assert "5 tasks, 2 completed, 1 failed, 1 skipped, 1 not started" in ran.out
    assert "error[T001]" in ran.err
    assert "gone" in ran.err
    going = cli("run", "flow.cloacina", "--keep-going", "--json")
    assert going.status == 1
    assert statuses(lines_of(going)[1])["c"] == "completed"


@pytest.mark.parametrize("jobs", [2, 6])
def test_as_many_independent_tasks_run_at_once_as_there_are_jobs(cli, made, jobs):
    head = f"import threading\nall_there, here = threading.Barrier({jobs}), []\n"
    body = f"    here.append(1)\n    assert len(here) <= {jobs}\n"
    body += "    all_there.wait(60)\n    here.pop()\n"
    tasks = (
        f"@cloaca.task(id='t{n}', retry_attempts=1)\ndef t{n}(context):\n{body}" for n in range(6)
    )
    path = made(head + "".join(tasks))
    _, answer = lines_of(cli("run", path, "--jobs", jobs, "--json"))
    assert set(statuses(answer).values()) == {"completed"}


TRIGGERS = """
@cloaca.task(id="a")
def a(context): ...
@cloaca.trigger(name="files", on="flow", poll_interval="5s")
def files():
    return cloaca.TriggerResult(True, cloaca.Context({"n": 1}))
@cloaca.trigger(name="never", on="flow", poll_interval="5s")
def never():
    return cloaca.TriggerResult(False)
@cloaca.trigger(name="broken", on="flow", poll_interval="5s")
def broken():
    raise ValueError("no such queue")
"""


def test_a_trigger_is_asked_once_and_nothing_runs(cli, made):
    path = made(TRIGGERS)
    asked = cli("run", path, "--trigger", "files")
    assert asked.status == 0, asked.err
    assert asked.out.splitlines()[0] == "✓ the trigger `files` fires"
    _, answer = lines_of(cli("run", path, "--trigger", "files", "--json"))
    assert (answer["result"]["fires"], answer["result"]["context"]) == (True, {"n": 1})
    assert "does not fire" in cli("run", path, "--trigger", "never").out
    broken = cli("run", path, "--trigger", "broken", "--json")
    assert broken.status == 1
    assert "no such queue" in lines_of(broken)[1]["diagnostics"][0]["message"]
    assert cli("run", path, "--trigger", "flies").status == 2


def test_an_attempt_that_takes_too_long_ends(cli, made):
    text = "import time\n@cloaca.task(id='a', retry_attempts=1)\ndef a(context): time.sleep(60)\n"
    began = time.monotonic()
    ran = cli("run", made(text), "--timeout", "1")
    assert ran.status == 1
    assert "1 second" in ran.err
    assert time.monotonic() - began < 20


def processes_below(folder):
    found = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if str(folder) in os.readlink(entry):
                found.append(entry)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_and_leaves_nothing(made, tmp_path, number):
    text = (
        "import time\n@cloaca.task(id='a')\ndef a(context):\n    print('running', flush=True)\n"
        "    time.sleep(600)\n"
    )
    path, spare = made(text), tmp_path / "spare"
    spare.mkdir()
    run = subprocess.Popen(
        [*PROGRAM, "run", str(path), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(spare)},
    )  # fmt: skip
    assert run.stderr.readline() == b"running\n"
    run.send_signal(number)
    out, err = run.communicate(timeout=20)
    assert run.returncode == 128 + number
    answer = json.loads(out.splitlines()[-1])
    judge(answer)
    assert (answer["ok"], answer["diagnostics"][0]["code"]) == (False, "X002")
    assert answer["result"]["status"] == "cancelled"
    (task,) = answer["result"]["tasks"]
    assert (task["status"], "error" in task) == ("cancelled", False)
    assert b"Traceback" not in err
    assert list(spare.iterdir()) == []
    assert processes_below(spare) == []


def test_people_see_how_far_a_run_came_that_was_stopped(made):
    text = (
        "import time\n@cloaca.task(id='a')\ndef a(context): ...\n"
        "@cloaca.task(id='b', dependencies=['a'])\ndef b(context):\n    print('running')\n"
        "    time.sleep(600)\n"
        "@cloaca.task(id='c', dependencies=['b'])\ndef c(context): ...\n"
    )
    run = subprocess.Popen(
        [*PROGRAM, "run", str(made(text))],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    while run.stderr.readline() != b"running\n":
        pass
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=20)
    assert run.returncode == 130
    assert [line.split()[:3] for line in out.decode().splitlines()[1:]] == [
        ["✓", "a", "completed"], ["✗", "b", "cancelled"], ["-", "c", "not"],
    ]  # fmt: skip
    assert b"error[X002] stopped by SIGINT" in err


def test_without_a_terminal_each_event_has_a_line(cli, made):
    ran = cli("run", made(RETRIED))
    marks = [line.split()[:3] for line in ran.err.splitlines() if line[0] in "✓✗↻-"]
    assert marks == [
        ["↻", "a", "retrying"], ["↻", "a", "retrying"], ["✓", "a", "completed"],
        ["↻", "b", "retrying"], ["✗", "b", "failed"], ["-", "e", "skipped"],
        ["✓", "d", "completed"],
    ]  # fmt: skip
    assert "✗" not in cli("run", "flow.cloacina", "--quiet").err
    assert "✗" not in cli("run", "flow.cloacina", "--json").err


@pytest.mark.slow
def test_a_task_that_takes_long_is_told_where_there_is_no_terminal(cli, made):
    text = "import time\n@cloaca.task(id='a')\ndef a(context): time.sleep(3.5)\n"
    first, second = cli("run", made(text)).err.splitlines()
    assert first == "▶ a  running"
    assert second.startswith("✓ a  completed  3.5 s")


def test_a_task_that_wants_the_network_is_told_that_it_can_be_allowed(cli, made):
    text = (
        "import socket\n@cloaca.task(id='a', retry_attempts=1)\ndef a(context):\n"
        "    socket.create_connection(('192.0.2.1', 80), timeout=1)\n"
    )
    ran = cli("run", made(text))
    if "T012" in ran.err:
        pytest.skip("the kernel lets no one close the network here")
    assert "--allow-network" in ran.err


def test_a_report_of_one_task_says_which(cli, signed):
    ran = cli("run", signed, "--task", "check_orders", "--context", '{"orders": []}')
    assert ran.out.startswith("✓ task check_orders of daily_report completed in ")


GRAPH = """
@cloaca.passthrough_accumulator
def orders(event):
    return event
@cloaca.reactor(name="risk", accumulators=["orders"], mode="when_any")
class Risk: ...
with cloaca.ComputationGraphBuilder("score", reactor=Risk, graph={"total": {"inputs": ["orders"]}}):
    @cloaca.node
    def total(values):
        return sum(values)
with cloaca.ComputationGraphBuilder("count", graph={"many": {}}):
    @cloaca.node
    def many(context):
        return len(context["orders"])
"""


def test_a_graph_runs_once_with_what_its_accumulators_hold(cli, made):
    path = made(GRAPH + "@cloaca.task(id='a')\ndef a(context): ...\n")
    ran = cli("run", path, "--graph", "score", "--context", '{"orders": [3, 4]}')
    assert ran.status == 0, ran.err
    assert ran.out.splitlines() == ["✓ the graph `score` completed", "outputs", "  7"]
    (_, answer) = lines_of(
        cli("run", path, "--graph", "count", "--context", '{"orders": [3, 4]}', "--json")
    )
    assert (answer["result"]["status"], answer["result"]["outputs"]) == ("completed", [2])
    failed = cli("run", path, "--graph", "score", "--context", '{"orders": ["x"]}', "--json")
    assert failed.status == 1
    (_, answer) = lines_of(failed)
    assert answer["result"]["status"] == "failed"
    assert "TypeError" in answer["result"]["error"]
    empty = cli("run", path, "--graph", "score")
    assert (empty.status, "no value for: orders" in empty.err) == (1, True)
    lost = cli("run", path, "--graph", "score", "--context", '{"order": []}')
    assert (lost.status, "T007" in lost.err, "orders" in lost.err) == (2, True, True)
    near = cli("run", path, "--graph", "scor")
    assert (near.status, "did you mean `score`" in near.err) == (2, True)


def test_a_compiled_graph_runs_once_too(cli, tmp_path):
    path = pack(tmp_path / "x.cloacina", plugin(500))
    line = ("run", path, "--allow-unsigned", "--json", "--graph")
    (_, answer) = lines_of(cli(*line, "market", "--context", '{"ticks": {"price": 1}}'))
    assert answer["result"]["outputs"] == [{"sum": 3}]
    failed = cli(*line, "market")
    assert failed.status == 1
    (_, answer) = lines_of(failed)
    assert answer["result"]["error"] == "no input"
    (_, answer) = lines_of(cli(*line, "score", "--context", '{"a": 1}'))
    assert answer["result"]["outputs"] == [{"a": 1}, "score"]


def test_what_is_odd_about_a_package_is_told_before_it_runs(cli, tmp_path):
    made = archives.v1_manifest()
    path = tmp_path / "old.cloacina"
    path.write_bytes(archives.gz(archives.v1_tar(made, raw(3).read_bytes())))
    ran = cli("run", path, "--allow-unsigned")
    assert ran.status == 0, ran.err
    lines = ran.err.splitlines()
    assert [line for line in lines if "T011" in line] == lines[:4]
    assert "running collect" in lines[4:]


def test_what_nobody_vouches_for_is_never_loaded(cli, project, tmp_path):
    source = project / "src" / "daily_report" / "__init__.py"
    source.write_text(f"open({str(tmp_path / 'loaded')!r}, 'w')\n")
    cli("package", project, "--no-sign", "-o", "x.cloacina")
    refused = cli("run", "x.cloacina", "--allow-write", tmp_path)
    assert refused.status == 4
    assert not (tmp_path / "loaded").exists()
    assert cli("run", "x.cloacina", "--plan").status == 4
    words = ("--allow-unsigned", "--context", ORDERS, "--allow-write", tmp_path)
    assert cli("run", "x.cloacina", *words).status == 0
    assert (tmp_path / "loaded").exists()


def test_a_damaged_package_is_never_loaded(cli, signed, tmp_path):
    data = bytearray(signed.read_bytes())
    data[-200] ^= 1
    (tmp_path / "y.cloacina").write_bytes(data)
    assert cli("run", "y.cloacina").status == 3


def test_the_plan_of_a_package_of_another_format(cli, signed):
    line = ("convert", signed, "-o", "source.cloacina", "--format", "source", "--lossy")
    assert cli(*line).status == 0
    assert cli("run", "source.cloacina", "--plan").status == 4
    planned = cli("run", "source.cloacina", "--plan", "--allow-unsigned", "--json")
    assert planned.status == 0, planned.err
    (_, answer) = lines_of(planned)
    assert answer["result"]["layers"][0] == ["read_orders"]


SLOW = """
import time
@cloaca.task(id="slow")
def slow(context):
    time.sleep(0.9)
    print("still \\x1b[2J here", flush=True)
    time.sleep(0.3)
"""


def test_on_a_terminal_a_table_shows_what_runs_and_is_gone_at_the_end(made):
    path = made(SLOW)
    ended = Terminal(*PROGRAM, "run", path).end()
    assert ended.status == 0
    assert "still \\x1b[2J here" in ended.err
    assert "0 of 1 task ended" in ended.err
    assert cursor_is_back(ended.err)
    assert ended.out.startswith("✓ flow completed in 1.")
