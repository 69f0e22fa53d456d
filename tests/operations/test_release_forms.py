"""Crates of every release with every form of trigger rule, retry and parameter, packed and run.

Each library is built once for good by cargo, as the tests of the hosts have it; ``package`` takes
it from there, so that no release compiles its dependencies a second time.
"""

from __future__ import annotations

import json

import pytest

from cloacina_ctl.errors import Refused
from cloacina_ctl.manifest import BuiltWith, Param, Retry, Trigger
from cloacina_ctl.operations.inspect import inspect
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.run import RunObserver, RunRequest, plan_run, run
from cloacina_ctl.operations.validate import validate
from cloacina_ctl.project.build import cargo
from cloacina_ctl.runtime.scheduler.trigger_rules import read_rule
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.engines import crates

pytestmark = pytest.mark.slow

UNSIGNED = VerificationPolicy(allow_unsigned=True)


@pytest.fixture(params=crates.ALL)
def release(request):
    return request.param


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """Return what packs the crate of a kind for a release."""

    def make(release, kind):
        library = crates.library(release, kind)
        built = cargo.BuiltCrate(str(library), str(tmp_path), BuiltWith("rustc", "release", "host"))
        monkeypatch.setattr(cargo, "build", lambda *_: built)
        path = str(tmp_path / "x.cloacina")
        return path, package(PackageRequest(str(library.parent), path))

    return make


def status(kind):
    return {"type": kind, "task_name": "first"}


def on(key, operator, value):
    return {"type": "ContextValue", "key": key, "operator": operator, "value": value}


def rule(kind, *conditions):
    return {"type": kind, "conditions": list(conditions)}


RULES = {
    "after_success": rule("All", status("TaskSuccess")),
    "after_failure": rule("All", {"type": "TaskFailed", "task_name": "hopeless"}),
    "unlikely": rule("All", status("TaskFailed")),
    "after_skip": rule("All", {"type": "TaskSkipped", "task_name": "unlikely"}),
    "equal": rule("All", on("number", "Equals", 5)),
    "every": rule(
        "All", status("TaskSuccess"), on("number", "NotEquals", 6),
        on("part", "GreaterThan", 0.25), on("part", "LessThan", 1.5),
        on("text", "Contains", "größ"), on("list", "Contains", "two"), on("list", "Contains", 1),
        on("text", "NotContains", '"'),
        on("flag", "Equals", True), on("text", "Exists", True), on("absent", "NotExists", False),
    ),
    "either": rule(
        "Any", status("TaskFailed"), {"type": "TaskSkipped", "task_name": "unlikely"},
        on("number", "Equals", 6),
    ),
    "neither": rule("None", status("TaskFailed"), on("number", "GreaterThan", 10)),
    "skipped": rule("None", status("TaskFailed"), on("number", "Equals", 5)),
    "scored": rule("All", status("TaskSuccess")),
}  # fmt: skip
RETRIES = {
    "first": Retry(attempts=1),
    "fixed": Retry(4, "fixed", 10, 20, jitter=False),
    "linear": Retry(backoff="linear", delay_ms=5, max_delay_ms=50, condition="transient"),
    "exponential": Retry(attempts=2, delay_ms=10, condition="lost, broken"),
    "hopeless": Retry(attempts=5, condition="never"),
}
# What a real engine of 0.12 says of them, its retries apart: see docs/running.md.
ENDS = {
    "first": ("completed", 1), "fixed": ("completed", 3), "linear": ("completed", 2),
    "exponential": ("completed", 2), "hopeless": ("failed", 1), "plain": ("completed", 1),
    "after_success": ("completed", 1), "after_failure": ("completed", 1),
    "unlikely": ("skipped", 0), "after_skip": ("completed", 1), "equal": ("completed", 1),
    "every": ("completed", 1), "either": ("completed", 1), "neither": ("completed", 1),
    "skipped": ("skipped", 0), "scored": ("completed", 1),
}  # fmt: skip


def ends(release):
    return {id_: how for id_, how in ENDS.items() if id_ != "scored" or crates.minor(release) >= 10}


def test_every_form_of_a_task_is_packed_judged_and_run(packed, release):
    path, made = packed(release, "forms")
    said = {str(one.code) for one in made.diagnostics} & {"T011", "T018", "T019", "R008", "R011"}
    assert said == (set() if crates.minor(release) >= 8 else {"T019"})
    (flow,) = inspect(path).manifest.workflows
    tasks = {task.id: task for task in flow.tasks}
    assert tasks.keys() == ends(release).keys()
    assert {id_: task.retry for id_, task in tasks.items() if task.retry} == RETRIES
    assert {
        id_: read_rule(task.trigger_rules)
        for id_, task in tasks.items()
        if task.trigger_rules and task.trigger_rules != "always"
    } == {id_: read_rule(json.dumps(rule)) for id_, rule in RULES.items() if id_ in tasks}
    report = validate(path, load=UNSIGNED).report
    # Crates of the first releases need libraries of databases (B014).
    usual = {"S001", "T012", "T015"} | ({"B014"} if crates.minor(release) < 4 else set())
    assert {str(one.code) for one in report.findings} <= usual
    planned = {task.id: task for layer in plan_run(path, UNSIGNED).layers for task in layer}
    assert planned["fixed"].attempts == 4
    assert planned["plain"].attempts == 3
    lines = []
    watch = RunObserver(output=lines.append)
    outcome = run(RunRequest(path, keep_going=True), UNSIGNED, watch).outcome
    assert {task.id: (task.status, task.attempts) for task in outcome.tasks} == ends(release)
    if crates.minor(release) >= 6:  # before, a library calls the function alone
        assert lines[0] == "first is done"
        assert any(line.startswith("hopeless is not: ") for line in lines)
    else:
        assert lines == []


@pytest.mark.parametrize("release", [one for one in crates.ALL if crates.minor(one) >= 6])
def test_triggers_and_parameters_are_those_of_source_and_code(packed, release):
    path, _ = packed(release, "workflow")
    (flow,) = inspect(path).manifest.workflows
    assert flow.triggers == (
        Trigger("broken", "poll", 3_600_000),
        Trigger("inbox", "poll", 5000, allow_concurrent=True),
        Trigger("nightly", "cron", cron="0 3 * * *"),
        Trigger("silent", "poll", 120_000),
    )
    known = (Param("day", "String"), Param("limit", "u32", "7"))
    assert flow.params == (known if crates.minor(release) >= 9 else ())
    assert (flow.description, flow.author) == ("One task of each kind", "Ada")
    assert validate(path, load=UNSIGNED).report.ok


@pytest.mark.parametrize("release", ["0.10.0", "0.12.0"])
def test_what_a_constructor_makes_is_a_task_of_the_manifest_that_a_server_runs(packed, release):
    path, _ = packed(release, "constructor")
    (flow,) = inspect(path).manifest.workflows
    assert {task.id: task.dependencies for task in flow.tasks} == {
        "find": (), "greet": ("find",), "tell": ("greet",),
    }  # fmt: skip
    assert validate(path, load=UNSIGNED).report.ok
    with pytest.raises(Refused) as refused:
        run(RunRequest(path), UNSIGNED)
    assert refused.value.diagnostics[0].message == (
        "`greet` is made by a constructor of a provider, which only a server can run"
    )
