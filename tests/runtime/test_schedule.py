"""The state machine, driven with made-up time and chance."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloacina_ctl.manifest.model import Retry, Task
from cloacina_ctl.runtime.scheduler.schedule import (
    Attempt,
    Schedule,
    ScheduledTask,
    TaskStatus,
    steps_of,
)
from cloacina_ctl.runtime.scheduler.trigger_rules import read_rule
from tests.support.graphs import steps

ENDED = {"completed", "failed", "skipped", "not-started"}


def drive(schedule, how, *, jobs=4, seed=0):
    """Run a schedule to its end in made-up time; return all changes and starts, in order."""
    chance = random.Random(seed)
    now = 0.0
    told = list(schedule.begin())
    starts = []
    running = []
    while not schedule.is_done:
        begun = list(schedule.take(now, jobs - len(running)))
        starts += [(now, start) for start in begun]
        running += begun
        if running:
            start = running.pop(chance.randrange(len(running)))
            now += chance.random()
            told += schedule.finish(start.task, how(start), now, chance.random())
        else:
            assert schedule.next_at() is not None, "nothing runs and nothing will"
            now = max(now, schedule.next_at())
    assert not running
    assert schedule.next_at() is None
    assert list(schedule.take(now + 1e9, jobs)) == []
    return told, starts


def attempts_by(seed):
    """Return what makes attempts succeed or fail by chance, the same for the same attempt."""

    def how(start):
        chance = random.Random(f"{seed} {start.task} {start.attempt}")
        if chance.random() < 0.6:
            return Attempt(succeeded=True, context={**start.context, start.task: start.attempt})
        return Attempt(succeeded=False, error=chance.choice(["it happens often", "bad network"]))

    return how


@settings(max_examples=60, deadline=None)
@given(steps(), st.integers(0, 9), st.integers(1, 5), st.booleans())
def test_every_task_ends_once_after_all_that_it_waits_for(made, seed, jobs, keep_going):
    schedule = Schedule(made, {}, keep_going=keep_going, overlays=False)
    told, starts = drive(schedule, attempts_by(seed), jobs=jobs, seed=seed)
    ends = [change.task for change in told if change.status.value in ENDED]
    assert sorted(ends) == sorted(step.id for step in made)
    needs = {step.id: step.needs for step in made}
    for id_ in ends:
        assert all(ends.index(need) < ends.index(id_) for need in needs[id_])
    most = {step.id: max(1, step.retry.attempts) for step in made}
    for change in told:
        assert change.attempts <= most[change.task]
    for id_ in needs:
        counted = [start.attempt for _, start in starts if start.task == id_]
        assert counted == list(range(1, len(counted) + 1))
    assert [change.task for change in schedule.standing()] == [
        id_ for layer in schedule.layers for id_ in layer
    ]


@settings(max_examples=60, deadline=None)
@given(steps(), st.integers(0, 9), st.integers(1, 5))
def test_with_keep_going_each_ending_is_what_an_engine_decides(made, seed, jobs):
    """Once all needs have ended the rule decides, by how it stands with the tasks at that time."""
    schedule = Schedule(made, {}, keep_going=True, overlays=False)
    told, _ = drive(schedule, attempts_by(seed), jobs=jobs, seed=seed)
    final = {change.task: change.status for change in schedule.standing()}
    assert TaskStatus.NOT_STARTED not in final.values()
    order = [change.task for change in told if change.status.value in ENDED]
    for step in made:
        if step.rule is None:
            assert final[step.id] is not TaskStatus.SKIPPED
        elif step.rule.tasks() <= set(step.needs):
            before = {id_: final[id_].value for id_ in order[: order.index(step.id)]}
            assert step.rule.holds(before, {}) is (final[step.id] is not TaskStatus.SKIPPED)
    failed = TaskStatus.FAILED in final.values()
    assert schedule.status is (TaskStatus.FAILED if failed else TaskStatus.COMPLETED)


@settings(max_examples=40, deadline=None)
@given(steps(), st.integers(0, 9), st.integers(1, 5))
def test_without_keep_going_nothing_without_a_rule_starts_after_a_failure(made, seed, jobs):
    schedule = Schedule(made, {}, keep_going=False, overlays=False)
    free = {step.id for step in made if step.rule is None}
    begun_after: list[str] = []
    how = attempts_by(seed)

    def watched(start):
        if schedule.status is TaskStatus.FAILED and start.task in free:
            begun_after.append(start.task)
        return how(start)

    drive(schedule, watched, jobs=1, seed=seed)
    assert begun_after == []
    again = Schedule(made, {}, keep_going=False, overlays=False)
    drive(again, how, jobs=jobs, seed=seed)
    assert (again.status is TaskStatus.FAILED) >= any(
        change.status is TaskStatus.NOT_STARTED for change in again.standing()
    )


@settings(max_examples=40, deadline=None)
@given(steps(), st.integers(0, 9))
def test_a_task_gets_what_those_that_it_waits_for_left_and_nothing_else(made, seed):
    schedule = Schedule(made, {"given": 0}, keep_going=True, overlays=False)
    _, starts = drive(schedule, attempts_by(seed), seed=seed)
    final = {change.task: change for change in schedule.standing()}
    needs = {step.id: step.needs for step in made}

    def left_by(id_):
        if final[id_].status is not TaskStatus.COMPLETED:
            return {}
        return {**given_to(id_), id_: final[id_].attempts}

    def given_to(id_):
        if not needs[id_]:
            return {"given": 0}
        return {key: value for need in needs[id_] for key, value in left_by(need).items()}

    for _, start in starts:
        assert start.context == given_to(start.task)


@settings(max_examples=60, deadline=None)
@given(steps(), st.integers(0, 9), st.booleans())
def test_the_same_chances_give_the_same_run(made, seed, keep_going):
    runs = [
        drive(Schedule(order, {}, keep_going=keep_going, overlays=False), attempts_by(seed), seed=3)
        for order in (made, list(reversed(made)))
    ]
    assert runs[0] == runs[1]


def one(id_, *needs, rule=None, retry=Retry(attempts=1)):
    return ScheduledTask(id=id_, needs=needs, rule=read_rule(rule) if rule else None, retry=retry)


def run(made, how, context=None, **options):
    settled = {"keep_going": False, "overlays": False, **options}
    schedule = Schedule(made, context or {}, **settled)
    drive(schedule, how)
    return schedule, {change.task: change.status.value for change in schedule.standing()}


def failing(*ids):
    def how(start):
        if start.task in ids:
            return Attempt(succeeded=False, error="no")
        return Attempt(succeeded=True, context=None)

    return how


CLEANED = (
    one("build"),
    one("ship", "build"),
    one("alarm", "ship", rule='any(task_failed("build"), task_failed("ship"))'),
    one("report", "alarm", rule='all(task_success("alarm"))'),
)


def test_a_task_with_a_rule_for_failures_runs_after_one():
    schedule, statuses = run(CLEANED, failing("build"))
    assert statuses == {
        "build": "failed", "ship": "not-started", "alarm": "completed", "report": "completed",
    }  # fmt: skip
    assert schedule.status is TaskStatus.FAILED


def test_engines_go_on_with_what_waits_for_a_failure_and_so_does_keep_going():
    _, statuses = run(CLEANED, failing("build"), keep_going=True)
    assert statuses["ship"] == "completed"


def test_a_rule_that_does_not_hold_skips_and_the_workflow_completes():
    schedule, statuses = run(CLEANED, failing())
    assert statuses == {
        "build": "completed", "ship": "completed", "alarm": "skipped", "report": "skipped",
    }  # fmt: skip
    assert schedule.status is TaskStatus.COMPLETED


def test_a_rule_sees_the_context_of_the_needs_where_the_last_wins():
    made = (
        one("a"),
        one("b"),
        one("c", "a", "b", rule='context_value("list", equals, "b")'),
        one("d", "a", "b", rule='context_value("list", contains, "a")'),
    )

    def how(start):
        return Attempt(succeeded=True, context={**start.context, "list": start.task})

    assert run(made, how)[1] == {
        "a": "completed", "b": "completed", "c": "completed", "d": "skipped",
    }  # fmt: skip


@pytest.mark.parametrize(("overlays", "left"), [(True, {"kept": 1, "new": 2}), (False, {"new": 2})])
def test_what_a_task_returns_is_laid_over_or_is_the_whole(overlays, left):
    how = lambda start: Attempt(succeeded=True, context={"new": 2})  # noqa: E731
    schedule, _ = run([one("a")], how, {"kept": 1}, overlays=overlays)
    assert schedule.context == left


@pytest.mark.parametrize("overlays", [True, False])
def test_a_task_that_returns_nothing_hands_on_what_it_got(overlays):
    schedule, _ = run([one("a"), one("b", "a")], failing(), {"kept": 1}, overlays=overlays)
    assert schedule.context == {"kept": 1}
    assert schedule.context_of == "b"


def test_where_nothing_completes_the_context_is_the_first_one():
    schedule, _ = run([one("a")], failing("a"), {"kept": 1})
    assert schedule.context == {"kept": 1}
    assert schedule.context_of is None


def test_of_two_that_complete_at_once_the_greater_id_leaves_its_context():
    schedule = Schedule([one("a"), one("b")], {}, keep_going=False, overlays=False)
    schedule.begin()
    starts = {start.task: start for start in schedule.take(0.0, 9)}
    for id_ in ("b", "a"):
        assert starts[id_]
        schedule.finish(id_, Attempt(succeeded=True, context={"of": id_}), 1.0, 0.5)
    assert schedule.context == {"of": "b"}


def test_a_task_is_tried_again_when_its_delay_is_over_and_not_before():
    retry = Retry(attempts=2, delay_ms=1000, jitter=False)
    schedule = Schedule([one("a", retry=retry)], {}, keep_going=False, overlays=False)
    schedule.begin()
    assert [start.attempt for start in schedule.take(5.0, 1)] == [1]
    (change,) = schedule.finish("a", Attempt(succeeded=False, error="x"), 5.0, 0.5)
    assert (change.status, change.delay, change.error) == (TaskStatus.RETRYING, 1.0, "x")
    assert schedule.next_at() == 6.0
    assert list(schedule.take(5.9, 1)) == []
    assert [start.attempt for start in schedule.take(6.0, 1)] == [2]
    (change,) = schedule.finish("a", Attempt(succeeded=False), 6.5, 0.5)
    assert (change.status, change.error) == (TaskStatus.FAILED, "it gave no reason")


def test_a_task_that_waits_for_another_attempt_fails_when_another_failed_for_good():
    retry = Retry(attempts=9, delay_ms=1000)
    made = [one("a"), one("b", retry=retry), one("c", retry=retry), one("d")]
    schedule = Schedule(made, {}, keep_going=False, overlays=False)
    schedule.begin()
    assert [start.task for start in schedule.take(0.0, 3)] == ["a", "b", "c"]
    schedule.finish("b", Attempt(succeeded=False, error="b"), 0.1, 0.5)
    changes = schedule.finish("a", Attempt(succeeded=False, error="a"), 0.2, 0.5)
    assert [(change.task, change.status.value) for change in changes] == [
        ("a", "failed"), ("d", "not-started"), ("b", "failed"),
    ]  # fmt: skip
    (last,) = schedule.finish("c", Attempt(succeeded=False, error="c"), 0.3, 0.5)
    assert last.status is TaskStatus.FAILED
    assert schedule.is_done


def test_tasks_start_layer_by_layer_and_by_name():
    made = [one("z"), one("a", "z"), one("m"), one("b")]
    schedule = Schedule(made, {}, keep_going=False, overlays=False)
    schedule.begin()
    assert schedule.layers == [["b", "m", "z"], ["a"]]
    assert [start.task for start in schedule.take(0.0, 2)] == ["b", "m"]
    assert [start.task for start in schedule.take(0.0, 2)] == ["z"]


def test_tasks_of_a_manifest_without_retry_settings_have_those_of_the_engines():
    (step,) = steps_of([Task(id="a", dependencies=("b",))], {})
    assert step == ScheduledTask(id="a", needs=("b",), retry=Retry())


def test_ten_thousand_tasks_in_a_row_need_no_deep_stack():
    made = [one("t0")] + [one(f"t{n}", f"t{n - 1}") for n in range(1, 10_000)]
    _, statuses = run(made, failing("t0"))
    assert set(statuses.values()) == {"failed", "not-started"}
