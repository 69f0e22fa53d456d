"""Running a workflow for real: threads, clock, events."""

import os
import signal
import threading
import time

import pytest

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.manifest.model import Retry, Task, Workflow
from cloacina_ctl.runtime.scheduler.events import TaskEnded, TaskRetrying, TaskStarted
from cloacina_ctl.runtime.scheduler.run import RunOptions, run_workflow
from tests.support.graphs import workflow
from tests.support.sessions import CallingSession, fail, fail_times, time_out
from tests.support.waiting import wait_until

DIAMOND = workflow(a=(), b=("a",), c=("a",), d=("b", "c"))


def statuses(outcome):
    return {task.id: task.status for task in outcome.tasks}


def test_context_flows_from_task_to_task_and_joins():
    outcome = run_workflow(CallingSession(), DIAMOND, {"day": "today"})
    assert outcome.status == "completed"
    assert outcome.context == {"day": "today", "done": ["a", "b", "c", "d"]}
    assert outcome.context_of == "d"
    assert [task.id for task in outcome.tasks] == ["a", "b", "c", "d"]


def test_events_tell_the_whole_run_in_order():
    events = []
    session = CallingSession(b=fail_times(1, "busy"))
    run_workflow(session, workflow(a=(), b=("a",)), {}, events=events.append)
    assert [(type(event), event.task, getattr(event, "attempt", None)) for event in events] == [
        (TaskStarted, "a", 1), (TaskEnded, "a", None), (TaskStarted, "b", 1),
        (TaskRetrying, "b", 1), (TaskStarted, "b", 2), (TaskEnded, "b", None),
    ]  # fmt: skip
    assert events[3].error == "busy"
    assert events[-1].status == "completed"
    assert events[-1].attempts == 2


def test_events_come_in_the_thread_that_runs():
    threads = set()
    run_workflow(CallingSession(), DIAMOND, {}, events=lambda _: threads.add(threading.get_ident()))
    assert threads == {threading.get_ident()}


def test_independent_tasks_run_at_once_and_never_more_than_asked():
    wide = workflow(**{f"t{number}": () for number in range(12)})
    six = threading.Barrier(6)
    session = CallingSession(
        **{f"t{number}": lambda _: six.wait(60) and None for number in range(12)}
    )
    run_workflow(session, wide, {}, RunOptions(jobs=6))
    assert session.most_at_once == 6


def test_a_failure_stops_the_run_and_says_what_was_not_started():
    outcome = run_workflow(CallingSession(b=fail("disk full")), DIAMOND, {}, RunOptions(jobs=1))
    assert outcome.status == "failed"
    assert statuses(outcome) == {
        "a": "completed", "b": "failed", "c": "not-started", "d": "not-started",
    }  # fmt: skip
    assert {task.id: task.error for task in outcome.tasks}["b"] == "disk full"
    assert {task.id: task.attempts for task in outcome.tasks}["b"] == 3


def test_keep_going_runs_what_an_engine_would_run():
    outcome = run_workflow(CallingSession(b=fail()), DIAMOND, {}, RunOptions(keep_going=True))
    assert statuses(outcome) == {
        "a": "completed", "b": "failed", "c": "completed", "d": "completed",
    }  # fmt: skip
    assert outcome.context == {"done": ["a", "c", "d"]}
    assert outcome.status == "failed"


def test_a_delay_is_waited_for_while_others_run():
    late = Retry(attempts=2, backoff="fixed", delay_ms=150, jitter=False)
    tasks = (Task(id="a", retry=late), Task(id="b", retry=late))
    session = CallingSession(a=fail_times(1), b=lambda _: time.sleep(0.05))
    began = time.monotonic()
    outcome = run_workflow(session, Workflow(name="wf", tasks=tasks), {}, RunOptions(jobs=2))
    assert 0.15 <= time.monotonic() - began < 1
    assert {task.id: task.attempts for task in outcome.tasks} == {"a": 2, "b": 1}
    assert sum(task.seconds for task in outcome.tasks) < 0.15, "delays are no time of the task"


def test_the_time_of_an_attempt_is_the_option_else_the_manifest_else_that_of_engines():
    tasks = (Task(id="a", timeout_seconds=7), Task(id="b"))
    session = CallingSession()
    run_workflow(session, Workflow(name="wf", tasks=tasks), {})
    assert session.timeouts == {"a": 7, "b": 300}
    run_workflow(session, Workflow(name="wf", tasks=tasks), {}, RunOptions(timeout=0.5))
    assert session.timeouts == {"a": 0.5, "b": 0.5}


def test_an_attempt_that_was_not_done_in_time_failed_for_a_passing_reason():
    retry = Retry(attempts=2, delay_ms=0, condition="transient")
    tasks = (Task(id="a", retry=retry), Task(id="b", retry=retry))
    session = CallingSession(a=time_out, b=fail("killed"))
    outcome = run_workflow(session, Workflow("wf", tasks), {}, RunOptions(keep_going=True))
    assert {task.id: task.attempts for task in outcome.tasks} == {"a": 2, "b": 1}


def test_compiled_tasks_lay_what_they_return_over_what_they_got():
    session = CallingSession(a=lambda _: {"new": 1})
    session.overlays = True
    outcome = run_workflow(session, workflow(a=()), {"old": 1})
    assert outcome.context == {"old": 1, "new": 1}


def test_a_rule_decides_whether_a_task_runs():
    ruled = workflow(a=(), b=("a",))
    told = '{"type": "All", "conditions": [{"type": "TaskFailed", "task_name": "p::w::a"}]}'
    ruled = ruled._replace(tasks=(ruled.tasks[0], ruled.tasks[1]._replace(trigger_rules=told)))
    assert statuses(run_workflow(CallingSession(), ruled, {}))["b"] == "skipped"
    assert statuses(run_workflow(CallingSession(a=fail()), ruled, {}))["b"] == "completed"


@pytest.mark.parametrize(
    ("rule", "code"),
    [("RULE", Code.TRIGGER_RULE), ('task_success("elsewhere")', Code.UNKNOWN_DEPENDENCY)],
)
def test_a_rule_that_nobody_can_judge_stops_the_run_before_it_begins(rule, code):
    session = CallingSession()
    tasks = (Task(id="a", source="workflow/x.py:3"), Task(id="b", trigger_rules=rule))
    with pytest.raises(Refused) as caught:
        run_workflow(session, Workflow(name="wf", tasks=tasks), {})
    assert caught.value.diagnostics[0].code is code
    assert session.calls == []


def test_a_task_that_may_take_for_ever_may_take_a_year():
    session = CallingSession()
    flow = Workflow(name="wf", tasks=(Task(id="a", timeout_seconds=10**15),))
    assert run_workflow(session, flow, {}).status == "completed"
    assert session.timeouts == {"a": 365 * 24 * 3600}


def test_a_dependency_that_is_no_task_stops_the_run_before_it_begins():
    session = CallingSession()
    with pytest.raises(Refused) as refused:
        run_workflow(session, workflow(a=(), b=("a", "greet")), {})
    (found,) = refused.value.diagnostics
    assert found.code is Code.UNKNOWN_DEPENDENCY
    assert "the task `b` waits for unknown tasks: `greet`" in str(refused.value)
    assert session.calls == []


def test_tasks_that_wait_for_each_other_stop_the_run_before_it_begins():
    session = CallingSession()
    with pytest.raises(Refused, match="`b` ← `c` ← `b`") as refused:
        run_workflow(session, workflow(a=(), b=("a", "c"), c=("b",)), {})
    assert refused.value.diagnostics[0].code is Code.CYCLE
    assert session.calls == []


def test_what_a_session_raises_is_raised():
    def broken(_context):
        raise Refused.of(Code.DAMAGED_LIBRARY, "the library is no longer there")

    with pytest.raises(Refused):
        run_workflow(CallingSession(b=broken), DIAMOND, {})


def test_an_interrupt_ends_the_run_at_once_and_leaves_no_thread_that_starts_more():
    release = threading.Event()
    session = CallingSession(a=lambda _: release.wait(10))
    before = threading.active_count()
    timer = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_workflow(session, DIAMOND, {})
    assert time.monotonic() - began < 5
    release.set()
    wait_until(lambda: threading.active_count() <= before)
    assert session.calls == ["a"]


def test_a_thousand_trivial_tasks_take_less_than_a_millisecond_each():
    many = workflow(**{f"t{number}": () for number in range(1000)})
    session = CallingSession(**{f"t{number}": lambda _: None for number in range(1000)})
    began = time.process_time()
    assert run_workflow(session, many, {}).status == "completed"
    assert time.process_time() - began < 1.0
