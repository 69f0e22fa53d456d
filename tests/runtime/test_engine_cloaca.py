"""Packages in the released engines: the wheel schedules, and what it did is told as our own runs.

Old releases stand still now and then, also in a script of ten lines: a run that does is tried
again here, and not by `run`, which cannot know what the tasks have done.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import NamedTuple

import pytest

from cloacina_ctl.errors import CloacinaError, Incompatible, Refused
from cloacina_ctl.runtime.engine import EngineWheel
from cloacina_ctl.runtime.engine_run import EngineOptions, run_in_engine
from cloacina_ctl.runtime.loading import load
from cloacina_ctl.runtime.metadata import workflow_of
from cloacina_ctl.runtime.process.bundle import ModuleTree
from cloacina_ctl.runtime.process.child import HostLimits, HostOptions
from cloacina_ctl.runtime.scheduler.events import TaskEnded, TaskRetrying, TaskStarted
from cloacina_ctl.runtime.scheduler.select import only_task
from cloacina_ctl.runtime.session import Preparation
from tests.engines.installed import installed, make_venv
from tests.support.canary import make_canary, seen
from tests.support.plugins import plugin, session_of

# 0.7, 0.8 and 0.9 run too, but of 0.8 and 0.9 most runs stand still.
RELEASES = ("0.4.0", "0.5.1", "0.6.1", "0.10.0", "0.11.1", "0.12.0")
NEWEST = RELEASES[-1]
TRIES = 8

FLOW = """
import cloaca

calls = {"first": 0}

@cloaca.task(id="first", retry_attempts=3, retry_delay_ms=10)
def first(context):
    calls["first"] += 1
    if calls["first"] < 2:
        raise ValueError("not yet")
    context.set("seen", [1])
    return context

@cloaca.task(id="left", dependencies=[first])
def left(context):
    context.set("seen", [1, 2])
    return context

@cloaca.task(id="right", dependencies=["first"])
def right(context):
    context.set("seen", [1, 3])
    return context

@cloaca.task(id="last", dependencies=["left", "right"], retry_attempts=1)
def last(context):
    print("last has it all")
    return None
"""


class Ran(NamedTuple):
    """How a run ended, what was told of it, and what the child printed."""

    outcome: object
    events: list
    lines: list

    @property
    def statuses(self):
        return {task.id: task.status for task in self.outcome.tasks}

    def errors(self):
        return {task.id: task.error for task in self.outcome.tasks if task.error}


@pytest.fixture
def venv(tmp_path):
    """Return what makes a venv with the engine of a release."""

    def make(release):
        folder = tmp_path / f"venv-{release}"
        return folder if folder.exists() else make_venv(release, folder)

    return make


@pytest.fixture
def opened(tmp_path, venv):
    """Return what loads the text of a module into an engine."""

    @contextlib.contextmanager
    def open_it(text, release=NEWEST, engine=None, lines=None, limits=HostLimits()):
        options = HostOptions(
            limits=limits,
            engine=engine or EngineWheel(program=str(venv(release) / "bin" / "python")),
            on_output=None if lines is None else lambda _, line: lines.append(line),
        )
        with Preparation("x.cloacina", options) as ready:
            tree = os.path.join(ready.material.folder, "package")
            os.makedirs(os.path.join(tree, "workflow"))
            with open(os.path.join(tree, "workflow", "entry.py"), "w", encoding="utf-8") as file:
                file.write(text)
            ready.material.take_modules(
                ModuleTree(tree=tree, entry_module="entry", workflow="flow", package="pkg")
            )
            with load(ready) as session:
                yield session

    return open_it


@pytest.fixture
def run(opened):
    """Return what runs the text of a module in an engine."""

    def run_it(text, release=NEWEST, context=None, task=None, **options):
        events, lines = [], []
        with opened(text, release, lines=lines) as session:
            workflow = workflow_of(session.describe())
            if task is not None:
                workflow = only_task(workflow, task)
            asked = EngineOptions(**{"jobs": 4, "only": task, "patience": 5.0, **options})
            outcome = run_in_engine(session, workflow, context or {}, asked, events.append)
        return Ran(outcome, events, lines)

    return run_it


@pytest.mark.engines
@pytest.mark.parametrize("release", RELEASES)
def test_every_release_runs_a_workflow_with_its_own_scheduler_and_merging(run, release):
    for _ in range(TRIES):
        ran = run(FLOW, release, {"x": 1})
        if "stalled" not in (ran.outcome.error or ""):
            break
    outcome = ran.outcome
    assert (outcome.status, outcome.error) == ("completed", None), ran.errors()
    assert outcome.engine == ("cloaca", release)
    assert set(ran.statuses.values()) == {"completed"}
    assert [task.id for task in outcome.tasks] == ["first", "left", "right", "last"]
    assert [task.attempts for task in outcome.tasks] == [2, 1, 1, 1]
    assert sorted(outcome.context["seen"]) == [1, 2, 3]
    assert outcome.context["x"] == 1
    assert outcome.context_of == "last"
    assert "last has it all" in ran.lines
    of_first = [event for event in ran.events if event.task == "first"]
    assert list(map(type, of_first)) == [TaskStarted, TaskRetrying, TaskStarted, TaskEnded]
    assert of_first[1].error == "ValueError: not yet"


@pytest.mark.engines
@pytest.mark.parametrize("release", ["0.10.0", NEWEST])
def test_a_task_that_its_rule_skips_is_skipped_and_one_that_fails_fails(run, release):
    ran = run(
        """
import cloaca

@cloaca.task(id="bad", retry_attempts=2, retry_delay_ms=5)
def bad(context):
    raise KeyError("no")

@cloaca.task(id="rescue", dependencies=["bad"],
             trigger_rules=cloaca.all_of(cloaca.task_failed("public::pkg::flow::bad")))
def rescue(context):
    context.set("rescued", True)
    return context

@cloaca.task(id="good", dependencies=["bad"],
             trigger_rules=cloaca.all_of(cloaca.task_success("public::pkg::flow::bad")))
def good(context):
    return context
""",
        release,
    )
    assert ran.outcome.status == "failed"
    assert ran.statuses == {"bad": "failed", "rescue": "completed", "good": "skipped"}
    assert "KeyError: 'no'" in ran.errors()["bad"]
    assert ran.outcome.tasks[0].attempts == 2
    assert ran.outcome.context == {"rescued": True}
    assert ran.outcome.error is None


@pytest.mark.engines
def test_a_rule_with_a_short_name_by_which_the_engine_waits_for_ever_is_refused(opened):
    text = """
import cloaca

@cloaca.task(id="a")
def a(context):
    return context

@cloaca.task(id="b", dependencies=["a"], trigger_rules=cloaca.task_success("a"))
def b(context):
    return context
"""
    with opened(text) as session:
        workflow = workflow_of(session.describe())
        with pytest.raises(Refused, match="would wait forever") as caught:
            run_in_engine(session, workflow, {}, EngineOptions(jobs=1))
        assert "public::pkg::flow::a" in caught.value.diagnostics[0].hint
        alone = only_task(workflow, "b")
        outcome = run_in_engine(session, alone, {"x": 1}, EngineOptions(jobs=1, only="b"))
    assert (outcome.status, outcome.context) == ("completed", {"x": 1})


@pytest.mark.engines
@pytest.mark.parametrize("release", ["0.4.0", NEWEST])
def test_one_task_alone_runs_once_in_the_engine_whatever_it_waits_for(run, release):
    text = """
import cloaca

def note(task, context):
    print(f"{task} is done")

@cloaca.task(id="a")
def a(context):
    print("a ran")
    return context

@cloaca.task(id="b", dependencies=["a"], retry_attempts=3, retry_delay_ms=1, on_success=note)
def b(context, handle):
    print("b has a", type(handle).__name__)
    context.set("b", type(context).__module__)
    return context
"""
    for _ in range(TRIES):
        ran = run(text, release, {"x": 1}, task="b")
        if "stalled" not in (ran.outcome.error or ""):
            break
    assert ran.outcome.status == "completed", ran
    assert ran.outcome.context == {"x": 1, "b": "builtins"}
    assert "b has a TaskHandle" in ran.lines
    assert "b is done" in ran.lines
    assert "a ran" not in ran.lines
    failing = run(FLOW, NEWEST, task="first")
    assert failing.outcome.tasks[0].attempts == 1
    assert failing.statuses == {"first": "failed"}


@pytest.mark.engines
def test_the_engine_keeps_the_time_of_a_task_and_how_many_run_at_once(run):
    ran = run(
        """
import threading
import time
import cloaca

inside = []
most = []

def count(context):
    inside.append(1)
    most.append(len(inside))
    time.sleep(0.3)
    inside.pop()
    context.set("most", max(most))
    return context

@cloaca.task(id="a")
def a(context):
    return count(context)

@cloaca.task(id="b")
def b(context):
    return count(context)

@cloaca.task(id="slow", dependencies=["a", "b"], retry_attempts=1)
def slow(context):
    threading.Event().wait()
""",
        jobs=1,
        timeout=0.5,
    )
    assert ran.statuses == {"a": "completed", "b": "completed", "slow": "failed"}
    assert "timeout" in ran.errors()["slow"]
    assert ran.outcome.context["most"] == 1


@pytest.mark.engines
@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("os.abort()", "SIGABRT"),
        ("os.kill(os.getpid(), 9)", "SIGKILL"),
        ("os._exit(3)", "status 3"),
    ],
)
def test_an_engine_that_dies_fails_the_run_and_the_task_that_ran(run, statement, words):
    ran = run(
        f"""
import os
import cloaca

@cloaca.task(id="a")
def a(context):
    return context

@cloaca.task(id="b", dependencies=["a"])
def b(context):
    {statement}

@cloaca.task(id="c", dependencies=["b"])
def c(context):
    return context
"""
    )
    assert ran.outcome.status == "failed"
    assert words in ran.outcome.error
    assert ran.statuses == {"a": "completed", "b": "failed", "c": "not-started"}
    assert words in ran.errors()["b"]


@pytest.mark.engines
def test_an_engine_that_stands_still_is_ended(run):
    ran = run(
        """
import glob
import os
import subprocess
import sys
import cloaca

LOSE = '''
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=10) as engine:
    engine.execute("update task_executions set status = 'Running' where task_name like '%::b'")
'''

@cloaca.task(id="a")
def a(context):
    (database,) = glob.glob(os.path.join(os.environ["HOME"], "engine-*", "engine.db"))
    subprocess.run([sys.executable, "-I", "-S", "-c", LOSE, database], check=True)
    return context

@cloaca.task(id="b", dependencies=["a"])
def b(context):
    return context
""",
        patience=2.0,
    )
    assert ran.outcome.status == "failed"
    assert ran.outcome.error == "the engine stalled: it did nothing for 2 s"
    assert ran.statuses == {"a": "completed", "b": "not-started"}


@pytest.mark.engines
@pytest.mark.parametrize("statement", ["raise SystemExit(3)", "sys.exit()", "import not_there"])
def test_a_module_that_cannot_be_imported_is_refused_as_without_an_engine(opened, statement):
    with pytest.raises(Refused, match="importing `entry`"), opened(f"import sys\n{statement}\n"):
        pass


@pytest.mark.engines
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import cloaca\n", "registered no tasks"),
        (
            "import cloaca\n@cloaca.task(id='a', dependencies=['z'])\ndef a(c):\n    return c\n",
            "Missing dependency",
        ),
    ],
)
def test_what_the_engine_refuses_is_refused_in_its_words(opened, text, words):
    with pytest.raises(Refused, match=words), opened(text):
        pass


@pytest.mark.engines
def test_a_package_finds_the_engine_and_nothing_that_is_installed_beside_it(run, opened):
    ran = run(
        """
import os
import sys
import cloaca

@cloaca.task(id="a", retry_attempts=1)
def a(context):
    context.set("path", [part for part in sys.path if "site-packages" in part])
    context.set("names", sorted(os.environ))
    context.set("here", os.getcwd() == os.environ["HOME"])
    return context
"""
    )
    assert ran.outcome.status == "completed", ran
    assert ran.outcome.context["path"] == []
    assert ran.outcome.context["here"] is True
    assert "CLOACINA_CTL_CONFIG_DIR" not in ran.outcome.context["names"]


@pytest.mark.engines
def test_a_file_that_is_read_after_the_import_is_noticed(opened):
    text = """
import cloaca

@cloaca.task(id="a")
def a(context):
    open(__file__).read()
    return context
"""
    with opened(text) as session:
        run_in_engine(session, workflow_of(session.describe()), {}, EngineOptions(jobs=1))
        assert [one.code.value for one in session.warnings if one.code.value != "T012"] == ["T009"]


@pytest.mark.engines
def test_nothing_of_a_run_is_left(opened, tmp_path, monkeypatch):
    place = tmp_path / "place with a space"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    with opened(FLOW) as session:
        outcome = run_in_engine(session, workflow_of(session.describe()), {}, EngineOptions(jobs=2))
        assert outcome.status == "completed", outcome
        assert list(place.rglob("engine.db"))
    assert list(place.iterdir()) == []


@pytest.mark.engines
def test_a_release_that_cannot_run_packages_is_refused_by_name(opened, tmp_path):
    folder = tmp_path / "old"
    shutil.copytree(installed("0.3.1").folder, folder)
    with (
        pytest.raises(Incompatible, match=r"cloaca 0\.3\.1; the known releases are 0\.4 to 0\.12"),
        opened(FLOW, engine=EngineWheel(folder=str(folder))),
    ):
        pass


def test_a_wheel_that_this_machine_cannot_load_is_refused_in_the_loaders_words(opened, tmp_path):
    (tmp_path / "cloaca").mkdir()
    (tmp_path / "cloaca-0.12.0.dist-info").mkdir()
    (tmp_path / "cloaca" / "__init__.py").write_text(
        'raise ImportError("version `GLIBC_2.39\' not found")\n'
    )
    with (
        pytest.raises(Incompatible, match=r"0\.12\.0 cannot be loaded: .*GLIBC_2\.39") as caught,
        opened(FLOW, engine=EngineWheel(folder=str(tmp_path))),
    ):
        pass
    assert "--engine cloaca=PATH" in caught.value.diagnostics[0].hint


def test_a_folder_that_does_not_say_which_release_it_is_is_refused(opened, tmp_path):
    (tmp_path / "cloaca").mkdir()
    (tmp_path / "cloaca" / "__init__.py").write_text("")
    with (
        pytest.raises(Incompatible, match="the release of the engine there is unknown"),
        opened(FLOW, engine=EngineWheel(folder=str(tmp_path))),
    ):
        pass


@pytest.mark.parametrize("program", ["/bin/true", "/bin/sh", "/etc/passwd"])
def test_a_program_that_is_no_interpreter_is_an_error_and_no_hang(opened, program):
    with (
        pytest.raises(CloacinaError),
        opened(FLOW, engine=EngineWheel(program=program), limits=HostLimits(load_seconds=10.0)),
    ):
        pass


def test_compiled_code_is_not_for_the_wheel():
    options = HostOptions(engine=EngineWheel(folder="/nowhere"))
    with (
        pytest.raises(Incompatible, match="compiled code"),
        session_of(plugin(500), options=options),
    ):
        pass


@pytest.mark.engines
def test_a_task_is_not_called_past_the_engine_that_it_is_loaded_into(opened):
    with opened(FLOW) as session:
        outcome = session.run_task("first", {})
    assert not outcome.succeeded
    assert "run_in_engine" in outcome.error


@pytest.mark.engines
def test_a_link_in_the_place_of_the_folder_leads_nowhere_in_an_engine_too(
    run, tmp_path, monkeypatch
):
    base = tmp_path / "tmp"
    base.mkdir()
    monkeypatch.setenv("TMPDIR", str(base))
    canary = make_canary(tmp_path / "canary")
    before = seen(canary)
    run(
        f"""
import os
import cloaca

@cloaca.task(id="a")
def a(context):
    home = os.environ["HOME"]
    os.chdir("/")
    os.rename(home, home + "-away")
    os.symlink({str(canary)!r}, home)
    return context
"""
    )
    assert os.listdir(base) == []
    assert seen(canary) == before
