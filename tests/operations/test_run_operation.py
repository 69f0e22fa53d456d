"""The operation `run`, with tasks that are functions of the test in place of a loaded package."""

import contextlib
import re
from types import SimpleNamespace

import pytest

from cloacina_ctl.cli.terminal import run as show_run
from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.operations.execution.files import access_of
from cloacina_ctl.operations.run import Polled, RunObserver, RunRequest, TaskEnded, poll, run
from cloacina_ctl.runtime.metadata import (
    DescribedInterface,
    DescribedTask,
    PackageMetadata,
    TriggerOutcome,
)
from cloacina_ctl.runtime.package import Verification
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support.graphs import workflow
from tests.support.sessions import CallingSession, fail

DIAMOND = workflow(a=(), b=("a",), c=("a",), d=("b", "c"))


def loader(*workflows, kind="python", told=(), **functions):
    """Return what loads these workflows; the session is closed when the run ends."""
    session = CallingSession(**functions)
    session.warnings = ()
    session.overlays = kind != "python"
    named = {
        task.id: DescribedTask(task.id) for one in workflows or (DIAMOND,) for task in one.tasks
    }
    named.update({task.id: task for task in told})
    session.describe = lambda: PackageMetadata(
        DescribedInterface(kind), "wf", tasks=tuple(named.values())
    )
    session.poll_trigger = lambda name, *, timeout: TriggerOutcome(fires=True, context={"n": 1})
    loaded = SimpleNamespace(
        name="pkg", version="1.0", content="sha256:" + "0" * 64, trusted_signers=(),
        workflows=workflows or (DIAMOND,), warnings=(), session=session, verification=None,
    )  # fmt: skip

    @contextlib.contextmanager
    def load(request, rule, watch):
        yield loaded
        session.closed = True

    load.session = session
    load.loaded = loaded
    return load


def test_a_workflow_runs_from_the_given_context_to_the_final_one():
    load = loader()
    ran = run(RunRequest("x", {"day": 1}), VerificationPolicy(), RunObserver(), load)
    assert ran.outcome.status == "completed"
    assert ran.outcome.context == {"day": 1, "done": ["a", "b", "c", "d"]}
    assert load.session.closed


def test_who_watches_gets_the_tasks_first_and_then_events():
    seen = []
    watch = RunObserver(begins=seen.append, event=seen.append)
    run(RunRequest("x"), VerificationPolicy(), watch, loader())
    assert seen[0] == ["a", "b", "c", "d"]
    assert sum(isinstance(event, TaskEnded) for event in seen) == 4


def test_one_task_runs_once_whatever_it_waits_for_and_however_it_ends():
    load = loader(d=fail("no"))
    ran = run(RunRequest("x", {"day": 1}, task="d"), VerificationPolicy(), RunObserver(), load)
    assert load.session.calls == ["d"]
    assert ran.outcome.status == "failed"
    assert [(task.id, task.attempts) for task in ran.outcome.tasks] == [("d", 1)]
    with pytest.raises(UsageError):
        run(RunRequest("x", task="e"), VerificationPolicy(), RunObserver(), load)


@pytest.mark.parametrize(("kind", "left"), [("python", {"n": 2}), ("fidius", {"n": 2, "old": 1})])
def test_compiled_tasks_lay_their_keys_over_and_python_tasks_return_the_whole(kind, left):
    load = loader(workflow(a=()), kind=kind, a=lambda _: {"n": 2})
    assert (
        run(RunRequest("x", {"old": 1}), VerificationPolicy(), RunObserver(), load).outcome.context
        == left
    )


def test_a_trigger_is_asked_once():
    polled = poll(RunRequest("x"), "t", VerificationPolicy(), RunObserver(), loader())
    assert polled == Polled(
        "x",
        "pkg",
        "1.0",
        "sha256:" + "0" * 64,
        (),
        "t",
        fires=True,
        context={"n": 1},
        error=None,
        network_is_closed=True,
        access=access_of(RunRequest("x")),
    )


@pytest.mark.parametrize(
    "wrong",
    [{"jobs": 0}, {"jobs": 5000}, {"timeout": -1}, {"timeout": 1e30}, {"timeout": float("nan")}],
)
def test_a_limit_that_makes_no_sense_is_refused_before_anything_is_loaded(wrong):
    request = RunRequest("x", **wrong)
    for ask in (run, lambda *rest: poll(rest[0], "t", *rest[1:])):
        with pytest.raises(UsageError, match="must be"):
            ask(request, VerificationPolicy(), RunObserver(), None)


def plain(_style, text):
    return text


def test_the_report_says_how_each_task_ended_and_what_is_left():
    load = loader(b=fail("disk \x1b[31m full"))
    ran = run(
        RunRequest("x", {"long": "é" * 300}, jobs=1), VerificationPolicy(), RunObserver(), load
    )
    lines = list(show_run.ran_lines(ran, plain, verbose=False))
    assert lines[0].startswith("✗ wf failed in ")
    assert lines[0].endswith("4 tasks, 1 completed, 1 failed, 2 not started")
    assert [line.split()[:3] for line in lines[1:6]] == [
        ["✓", "a", "completed"], ["✗", "b", "failed"], ["disk", "\\x1b[31m", "full"],
        ["-", "c", "not"], ["-", "d", "not"],
    ]  # fmt: skip
    assert lines[6] == "context"
    assert all(line.isprintable() and len(line) < 250 for line in lines)
    verbose = list(show_run.ran_lines(ran, plain, verbose=True))
    assert "é" * 300 in verbose[-1]
    (problem,) = show_run.run_problems(ran)
    assert problem.code is Code.TASK_FAILED
    assert problem.message == "the task `b` failed, 3 attempts: disk \x1b[31m full"


def test_a_report_of_very_many_tasks_ends():
    many = workflow(**{f"t{number}": () for number in range(300)})
    ran = run(RunRequest("x"), VerificationPolicy(), RunObserver(), loader(many))
    lines = list(show_run.ran_lines(ran, plain, verbose=False))
    assert lines[201] == "  … and 100 more tasks"
    assert lines[0] == lines[-1], "the verdict is where it is seen"
    assert len(list(show_run.ran_lines(ran, plain, verbose=True))) > 301


def test_a_task_that_failed_is_always_in_the_report():
    many = workflow(**{f"t{number:03}": () for number in range(300)})
    ran = run(
        RunRequest("x", keep_going=True),
        VerificationPolicy(),
        RunObserver(),
        loader(many, t290=fail("no")),
    )
    lines = list(show_run.ran_lines(ran, plain, verbose=False))
    (at,) = [number for number, line in enumerate(lines) if "✗ t290" in line]
    assert lines[at + 1 : at + 3] == ["      no", "  … and 99 more tasks"]


def test_an_error_for_want_of_a_network_says_how_to_allow_it():
    load = loader(workflow(a=()), a=fail("OSError: [Errno 101] Network is unreachable"))
    for closed in (True, False):
        load.session.network_is_closed = closed
        ran = run(RunRequest("x", {}, task="a"), VerificationPolicy(), RunObserver(), load)
        (problem,) = show_run.run_problems(ran)
        assert ("--allow-network" in (problem.hint or "")) is closed


def test_who_watches_a_run_that_is_stopped_gets_what_it_had_come_to():
    def stop(_event):
        raise KeyboardInterrupt

    seen = []
    flow = workflow(a=(), b=())
    watch = RunObserver(event=stop, stopped=seen.append)
    with pytest.raises(KeyboardInterrupt):
        run(RunRequest("x"), VerificationPolicy(), watch, loader(flow))
    (ran,) = seen
    assert ran.outcome.status == "cancelled"
    assert [task.status for task in ran.outcome.tasks] == ["cancelled", "not-started"]


@pytest.mark.parametrize(("took", "told"), [(0.1, ""), (3.3, " (verified 393.0 MiB in 3.3 s)")])
def test_a_verification_that_people_had_to_wait_for_is_in_the_summary(took, told):
    load = loader(workflow(a=()))
    load.loaded.verification = Verification(393 << 20, took)
    ran = run(RunRequest("x"), VerificationPolicy(), RunObserver(), load)
    summary = next(iter(show_run.ran_lines(ran, plain, verbose=False)))
    assert re.fullmatch(rf"✓ wf completed in \S+ \w+{re.escape(told)}: 1 task", summary)
    assert show_run.ran_as_json(ran)["verification"] == {"bytes": 393 << 20, "seconds": took}


def test_a_text_of_several_lines_is_shown_as_what_it_is():
    report = "Orders\n======\nAT: \x1b[2J 17\n" + "more\n" * 60
    ran = run(
        RunRequest("x", {"report": report}),
        VerificationPolicy(),
        RunObserver(),
        loader(workflow(a=())),
    )
    lines = list(show_run.ran_lines(ran, plain, verbose=False))
    at = lines.index("  report")
    assert lines[at + 1 : at + 4] == ["    Orders", "    ======", "    AT: \\x1b[2J 17"]
    assert lines[at + 41] == "    … and 23 more lines"
    assert "    more" in list(show_run.ran_lines(ran, plain, verbose=True))[-2]


def test_code_that_has_another_workflow_than_was_chosen_is_told():
    load = loader(DIAMOND, told=())
    load.session.describe = lambda: PackageMetadata(DescribedInterface("python"), "other")
    with pytest.raises(UsageError, match="has the workflow `other`, and not `wf`"):
        run(RunRequest("x"), VerificationPolicy(), RunObserver(), load)
