"""`run --plan`: the order of tasks from the manifest, by the rule of `verify`, loading nothing."""

import pytest

from cloacina_ctl.cli.terminal.run import plan_lines
from cloacina_ctl.errors import Code, Incompatible, NotTrusted, Refused, UsageError
from cloacina_ctl.manifest.model import Retry, Task, Workflow
from cloacina_ctl.operations.execution.plan import plan_run
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.packaging.target import choose_target
from cloacina_ctl.operations.run import RunRequest, run, run_graph
from cloacina_ctl.runtime.scheduler.select import choose_workflow, only_task
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support import archives
from tests.support.plugins import raw

ALLOWED = VerificationPolicy(allow_unsigned=True)


def ids(plan):
    return [[task.id for task in layer] for layer in plan.layers]


def test_the_plan_has_the_layers_of_the_manifest(signed):
    plan = plan_run(str(signed), VerificationPolicy())
    assert plan.workflow == "daily_report"
    assert ids(plan) == [["read_orders"], ["check_orders"], ["sum_by_country"], ["write_report"]]
    attempts = {task.id: task.attempts for layer in plan.layers for task in layer}
    assert attempts == {
        "read_orders": 5, "check_orders": 3, "sum_by_country": 3, "write_report": 1,
    }  # fmt: skip


def test_attempts_count_the_first_one_whatever_the_settings_say():
    def attempts(**settings):
        return Task(id="a", retry=Retry(**settings)).attempts

    assert Task(id="a").attempts == 3
    assert [attempts(attempts=n) for n in (0, 1, 2)] == [1, 1, 2]
    assert attempts(attempts=5, condition="never") == 1


def test_inspect_and_the_plan_tell_the_same_attempts_in_the_same_words(cli, signed):
    tasks = [
        "   1. read_orders     5 attempts",
        "   2. check_orders    3 attempts  ← read_orders",
        "   3. sum_by_country  3 attempts  ← check_orders",
        "   4. write_report    1 attempt   ← check_orders, sum_by_country",
    ]
    for verb in ("inspect", "run --plan"):
        lines = cli(*verb.split(), signed).out.splitlines()
        assert [line for line in lines if "attempt" in line or "retr" in line] == tasks


def test_nobody_vouches_and_so_nothing_is_shown(unsigned):
    with pytest.raises(NotTrusted):
        plan_run(str(unsigned), VerificationPolicy())
    assert plan_run(str(unsigned), ALLOWED).name == "daily-report"


def test_a_pin_that_does_not_hold_ends_it(signed):
    with pytest.raises(NotTrusted) as caught:
        plan_run(str(signed), VerificationPolicy(version="9.9.9"))
    assert caught.value.diagnostics[0].code is Code.PIN_MISMATCH


def test_a_rule_that_only_running_would_tell_is_refused_with_its_place(project, tmp_path):
    source = project / "src" / "daily_report" / "tasks.py"
    text = source.read_text().replace(
        'dependencies=["read_orders"])', 'dependencies=["read_orders"], trigger_rules=make())'
    )
    source.write_text(text.replace("import cloaca\n", "import cloaca\nmake = cloaca.always\n", 1))
    path = str(tmp_path / "x.cloacina")
    package(PackageRequest(str(project), path))
    with pytest.raises(Refused) as caught:
        plan_run(path, ALLOWED)
    (found,) = caught.value.diagnostics
    assert found.code is Code.TRIGGER_RULE
    assert found.where.startswith("workflow/daily_report/tasks.py:")
    assert found.message.count("make()") == 1
    assert "literal values" in found.hint


TWO = (Workflow(name="etl", tasks=(Task(id="load"), Task(id="clean", dependencies=("load",)))),
       Workflow(name="report", tasks=(Task(id="write"),)))  # fmt: skip


def test_of_several_workflows_one_must_be_named():
    assert choose_workflow(TWO, "report").name == "report"
    with pytest.raises(UsageError, match="several workflows: `etl`, `report`"):
        choose_workflow(TWO, None)
    with pytest.raises(UsageError) as caught:
        choose_workflow(TWO, "reprot")
    assert caught.value.diagnostics[0].hint == "did you mean `report`?"
    with pytest.raises(UsageError, match="no workflow"):
        choose_workflow((), None)


def test_a_task_alone_waits_for_nothing_and_runs_once():
    (task,) = only_task(TWO[0], "clean").tasks
    assert (task.id, task.dependencies, task.retry.attempts) == ("clean", (), 1)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("laod", "did you mean `load`?"), ("zzz", "it has `load`, `clean`"), ("load\x1b" * 99, "it")],
)
def test_a_task_that_does_not_exist_is_told_with_the_near_ones(name, hint):
    with pytest.raises(UsageError) as caught:
        only_task(TWO[0], name)
    (found,) = caught.value.diagnostics
    assert found.code is Code.NO_SUCH_TASK
    assert found.hint.startswith(hint)


def test_sources_without_a_workflow_that_can_be_read_are_to_be_built(tmp_path):
    path = tmp_path / "x.cloacina"
    toml = archives.PACKAGE_TOML.replace(b'"python"', b'"rust"').replace(b"entry", b"# ")
    files = {
        "package.toml": toml,
        "Cargo.toml": b'[package]\nname = "demo"\nversion = "1.0.0"\n',
        "src/lib.rs": b'include!(concat!(env!("OUT_DIR"), "/flow.rs"));\n',
    }
    path.write_bytes(archives.bz2(archives.source_tar(files)))
    with pytest.raises(Incompatible) as caught:
        plan_run(str(path), ALLOWED)
    assert caught.value.diagnostics[0].code is Code.NEEDS_BUILD


def test_a_package_of_the_first_releases_that_names_no_workflow_goes_by_its_own_name(tmp_path):
    path = tmp_path / "x.cloacina"
    path.write_bytes(archives.gz(archives.v1_tar(None, raw(3).read_bytes())))
    plan = plan_run(str(path), ALLOWED)
    assert plan.workflow == plan.name
    (head, *_) = plan_lines(plan, lambda _style, text: text)
    assert head.startswith(f"workflow {plan.name}  ")


GRAPH = """import cloaca
@cloaca.reactor(name="risk", accumulators=["orders"], mode="when_any")
class Risk: ...
with cloaca.ComputationGraphBuilder("score", reactor=Risk, graph={"t": {"inputs": ["orders"]}}):
    @cloaca.node
    def t(values):
        return sum(values)
"""


def test_a_package_that_has_a_graph_alone_says_how_to_run_that(tmp_path):
    project = tmp_path / "project"
    (project / "src" / "flow").mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        '[project]\nname = "flow"\nversion = "1.0.0"\n'
        '[tool.cloacina]\nentry_module = "flow.tasks"\nworkflow_name = "flow"\n'
    )
    (project / "src" / "flow" / "__init__.py").write_text("")
    (project / "src" / "flow" / "tasks.py").write_text(GRAPH)
    path = str(tmp_path / "x.cloacina")
    package(PackageRequest(str(project), path, target=choose_target("source", None)))
    for ask, hint in ((plan_run, "--graph NAME"), (run_it, "--graph score runs it once")):
        with pytest.raises(Incompatible, match="no workflow") as caught:
            ask(path, ALLOWED)
        (found,) = caught.value.diagnostics
        assert found.code is Code.NO_SUCH_TASK
        assert hint in found.hint
    ran = run_graph(RunRequest(path, {"orders": [1, 2]}), "score", ALLOWED)
    assert (ran.status, ran.outputs) == ("completed", (3,))


def run_it(path, rule):
    return run(RunRequest(path), rule)
