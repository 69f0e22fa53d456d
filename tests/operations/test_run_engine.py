"""`run --engine cloaca`: the engine's own wheel, from the command line."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys

import pytest

from cloacina_ctl.errors import UsageError
from cloacina_ctl.operations.run import RunRequest, poll
from tests.engines.installed import make_venv
from tests.support.runs import ORDERS, lines_of, statuses

TWO_TASKS = """
@cloaca.task(id="a")
def a(context):
    print("a ran")
    context.set("a", 1)
    return context

@cloaca.task(id="b", dependencies=["a"], retry_attempts=1)
def b(context):
    {statement}
"""


@pytest.fixture
def engine(tmp_path):
    """The newest engine, in a venv: its word for the command line."""
    return f"cloaca={make_venv('0.12.0', tmp_path / 'venv')}"


@pytest.fixture
def wheel(tmp_path):
    """Return what makes a folder with a wheel that this machine cannot load."""

    def make(folder):
        (folder / "cloaca").mkdir(parents=True)
        (folder / "cloaca-0.12.0.dist-info").mkdir()
        (folder / "cloaca" / "__init__.py").write_text(
            'raise ImportError("libc.so.6: version `GLIBC_2.39\' not found")\n'
        )
        return folder

    return make


@pytest.mark.engines
def test_the_fixture_runs_in_the_engine_from_its_orders_to_its_report(cli, signed, engine):
    ran = cli("run", signed, "--engine", engine, "--context", ORDERS)
    assert ran.status == 0, ran.err
    assert ran.out.startswith("✓ daily_report completed with cloaca 0.12.0 in ")
    assert "AT: 17.40" in ran.out


@pytest.mark.engines
def test_programs_get_the_same_answer_and_who_ran_it(cli, signed, engine):
    line = ("run", signed, "--engine", engine, "--context", ORDERS)
    ran = cli(*line, "--json", "--events")
    events, answer = lines_of(ran)
    ours = lines_of(cli("run", signed, "--context", ORDERS, "--json"))[1]
    assert answer["result"]["engine"] == {"name": "cloaca", "version": "0.12.0"}
    assert "engine" not in ours["result"]
    for key in ("status", "context", "context_of", "workflow", "content"):
        assert answer["result"][key] == ours["result"][key]
    assert statuses(answer) == statuses(ours)
    assert {event["event"] for event in events} == {"task-started", "task-ended"}


@pytest.mark.engines
def test_a_task_that_fails_is_exit_1_and_a_diagnostic(cli, made, engine):
    package = made(TWO_TASKS.format(statement="raise KeyError('gone')"))
    ran = cli("run", package, "--engine", engine, "--json")
    assert ran.status == 1
    _, answer = lines_of(ran)
    assert statuses(answer) == {"a": "completed", "b": "failed"}
    assert [one["code"] for one in answer["diagnostics"]] == ["T001"]
    assert "KeyError: 'gone'" in answer["diagnostics"][0]["message"]
    assert "a ran" in ran.err


@pytest.mark.engines
def test_an_engine_that_dies_is_exit_1_with_what_had_been_done(cli, made, engine):
    package = made(TWO_TASKS.format(statement="import os; os.abort()"))
    ran = cli("run", package, "--engine", engine, "--json")
    assert ran.status == 1
    _, answer = lines_of(ran)
    assert statuses(answer) == {"a": "completed", "b": "failed"}
    assert [one["code"] for one in answer["diagnostics"]] == ["T014", "T001"]


@pytest.mark.engines
def test_ctrl_c_ends_the_engine_and_leaves_nothing(made, engine, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    package = made(TWO_TASKS.format(statement="print('here', flush=True)\n    while True: pass"))
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cloacina_ctl", "run", str(package), "--engine", engine],
        stdin=end,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(place)},
        start_new_session=True,
    )
    with process:
        for line in process.stderr:
            if b"here" in line:
                break
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        assert process.wait(30) == 130
    os.close(terminal)
    os.close(end)
    assert list(place.iterdir()) == []


@pytest.mark.engines
def test_one_task_and_a_plan_go_with_an_engine(cli, made, engine):
    package = made(TWO_TASKS.format(statement="context.set('b', 2); return context"))
    ran = cli("run", package, "--engine", engine, "--task", "b", "--json")
    assert ran.status == 0, ran.err
    assert lines_of(ran)[1]["result"]["context"] == {"b": 2}
    assert cli("run", package, "--engine", "cloaca=/not/there", "--plan").status == 0
    near = cli("run", package, "--engine", engine, "--task", "c")
    assert (near.status, "no such task in the package: c" in near.err) == (2, True)


def test_an_engine_that_is_not_installed_is_said_with_what_to_install(cli, signed):
    ran = cli("run", signed, "--engine", "cloaca")
    assert ran.status == 6
    assert "error[T013] the engine `cloaca` is not installed beside this program" in ran.err
    assert "pip install cloaca" in ran.err
    assert ran.out == ""


def test_the_wheel_beside_this_program_is_the_one_that_is_meant(program, signed, wheel, tmp_path):
    folder = wheel(tmp_path / "lib" / "site-packages")
    ran = program("run", signed, "--engine", "cloaca", PYTHONPATH=str(folder))
    assert ran.status == 6
    assert "cloaca 0.12.0 cannot be loaded: ImportError: libc.so.6: version `GLIBC_2.39'" in ran.err
    assert "Traceback" not in ran.err


def test_a_folder_of_pip_is_named_by_its_path(cli, signed, wheel, tmp_path):
    ran = cli("run", signed, "--engine", f"cloaca={wheel(tmp_path / 'target')}")
    assert (ran.status, "GLIBC_2.39" in ran.err) == (6, True)


@pytest.mark.parametrize(
    ("word", "status", "words"),
    [
        ("airflow", 2, "no such engine: airflow"),
        ("cloaca=", 2, "no such engine: cloaca="),
        ("cloaca=/not/there", 8, "no engine is there"),
        ("cloaca=.", 6, "neither the package `cloaca` nor an interpreter"),
    ],
)
def test_an_engine_that_is_spelled_wrong_is_one_clear_error(cli, signed, word, status, words):
    ran = cli("run", signed, "--engine", word)
    assert (ran.status, words in ran.err) == (status, True), ran.err


def test_a_trigger_is_asked_without_an_engine(cli, signed):
    ran = cli("run", signed, "--engine", "cloaca", "--trigger", "t")
    assert (ran.status, "--engine" in ran.err) == (2, True)
    with pytest.raises(UsageError, match="cannot be asked in an engine"):
        poll(RunRequest(path=str(signed), engine="cloaca"), "t")


@pytest.mark.engines
def test_what_nobody_signed_is_not_even_loaded_by_an_engine(cli, made, engine, tmp_path):
    package = made(f"open({str(tmp_path / 'loaded')!r}, 'w').close()\n" + TWO_TASKS)
    data = bytearray(package.read_bytes())
    data[len(data) // 2] ^= 1
    package.write_bytes(data)
    ran = cli("run", package, "--engine", engine, "--allow-write", tmp_path)
    assert ran.status in (3, 4)
    assert not (tmp_path / "loaded").exists()
