"""What `package` learns from the library that it just built, by loading it."""

import pytest

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.manifest.model import Param, Task, Trigger, Workflow
from cloacina_ctl.operations.packaging.build import (
    describe_library,
    merge_described,
    merge_trigger_rules,
)
from cloacina_ctl.platforms import read_library
from cloacina_ctl.platforms.library import LibraryGraph
from cloacina_ctl.runtime.metadata import (
    DescribedInterface,
    DescribedTask,
    DescribedTrigger,
    PackageMetadata,
)
from tests.support.plugins import plugin

TASKS = (("after", ("echo",)), ("echo", ()), ("sleep", ()))
GRAPH = LibraryGraph(tasks=TASKS, name="flow", fingerprint="00ff")
RULE = '{"type": "TaskFailed", "task_name": "public::p::flow::a"}'


def built(**changes):
    """Return a library of this machine, and what its file shows: a graph, as real ones have."""
    path = str(plugin(500))
    return path, read_library(path)._replace(**{"graphs": (GRAPH,), **changes})


def test_the_loaded_library_says_its_tasks_and_its_interface():
    path, library = built()
    described = describe_library(path, library)
    assert described is not None
    assert described.interface.abi == 500
    (graph,) = merge_described(library, described).graphs
    assert graph.name == "flow"
    assert dict(graph.tasks) == {**dict(TASKS), "fetch": ()}  # which a constructor makes
    assert graph.fingerprint == "00ff"


def test_a_trigger_rule_that_a_file_never_shows_is_no_disagreement():
    path = str(plugin(500, RULED=1))
    described = describe_library(path, read_library(path)._replace(graphs=(GRAPH,)))
    assert described is not None
    rules = {task.id: task.trigger_rules for task in described.tasks}
    assert "TaskFailed" in rules["after"]
    flow = Workflow("flow", (Task("after", ("echo",)),))
    (workflow,), _ = merge_trigger_rules((flow,), described, path)
    assert [task.trigger_rules for task in workflow.tasks] == [rules["after"]]


@pytest.mark.parametrize("graphs", [(), (GRAPH, GRAPH._replace(name="other"))])
def test_what_no_package_is_made_of_is_not_loaded(graphs):
    path, library = built(graphs=graphs)
    assert describe_library(path, library) is None


def test_a_library_for_another_machine_is_not_loaded():
    path, library = built(tag="manylinux_2_17_s390x")
    assert describe_library(path, library) is None


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (
            GRAPH._replace(tasks=TASKS[1:]),
            "the code has a task that its file does not have: after",
        ),
        (
            GRAPH._replace(tasks=(("after", ()), *TASKS[1:])),
            "the task `after` waits for echo, and its file says nothing",
        ),
        (
            GRAPH._replace(fingerprint="ff00"),
            "the fingerprint is 00ff, and its file says ff00",
        ),
        (GRAPH._replace(name="wolf"), "the workflow is `flow`, and its file says `wolf`"),
    ],
)
def test_a_library_that_is_not_what_its_file_says_is_refused(graph, words):
    path, library = built(graphs=(graph,))
    with pytest.raises(Refused) as refused:
        describe_library(path, library)
    (found,) = refused.value.diagnostics
    assert (found.code, found.message) == (Code.CODE_DISAGREES, words)
    assert "--no-load" in (found.hint or "")


def test_a_library_whose_file_says_another_interface_is_refused():
    path, library = built()
    (plugin_,) = library.plugins
    lying = library._replace(plugins=(plugin_._replace(version=1),))
    with pytest.raises(Refused, match="version of its interface"):
        describe_library(path, lying)


def told(rule):
    tasks = (DescribedTask("a"), DescribedTask("b", ("a",), trigger_rules=rule))
    return PackageMetadata(DescribedInterface("fidius"), "flow", tasks=tasks)


@pytest.mark.parametrize(
    ("written", "rule", "settled"),
    [
        ('task_failed("a")', RULE, 'task_failed("a")'), (None, RULE, RULE), ("RULE", RULE, RULE),
        (None, '{"type": "Always"}', None), ("RULE", '{"type": "Always"}', None),
        ("RULE", None, "RULE"),
    ],
)  # fmt: skip
def test_the_trigger_rule_that_runs_is_the_one_of_the_manifest(written, rule, settled):
    flow = Workflow("flow", (Task("a"), Task("b", ("a",), trigger_rules=written)))
    (workflow,), found = merge_trigger_rules((flow,), told(rule), "x")
    assert found == ()
    assert [task.trigger_rules for task in workflow.tasks] == [None, settled]


def test_a_trigger_rule_that_the_source_spells_otherwise_is_an_error():
    flow = Workflow("flow", (Task("a"), Task("b", ("a",), trigger_rules='task_success("a")')))
    _, (found,) = merge_trigger_rules((flow,), told(RULE), "x")
    assert found.message.startswith("the trigger rule of the task `b` is {")
    assert found.message.endswith('and the source says task_success("a")')


SLOTS = '[{"name": "day", "required": true}]'


def test_triggers_and_parameters_that_the_source_does_not_show_are_the_codes():
    nightly = DescribedTrigger("nightly", "flow", "30000ms", "0 3 * * *")
    inbox = DescribedTrigger("inbox", "flow", "5000ms")
    code = told(None)._replace(
        triggers=(nightly, inbox),
        inputs=((("slots_json", SLOTS), ("surface_kind", "workflow"), ("surface_name", "flow")),),
    )
    written = Trigger("nightly", "cron", cron="0 3 * * *", timezone="Europe/Vienna")
    flow = Workflow("flow", (Task("a"), Task("b", ("a",))), triggers=(written,))
    (workflow,), found = merge_trigger_rules((flow,), code, "x")
    assert found == ()
    assert workflow.triggers == (Trigger("inbox", "poll", 5000), written)
    assert workflow.params == (Param("day", "any"),)


def test_a_trigger_that_the_source_spells_otherwise_is_an_error_with_a_way_round():
    code = told(None)._replace(triggers=(DescribedTrigger("inbox", "flow", "5000ms"),))
    flow = Workflow("flow", (Task("a"),), triggers=(Trigger("inbox", "poll", 9000),))
    _, found = merge_trigger_rules((flow,), code, "x")
    assert found[-1].message == (
        "the trigger `inbox` is polled every 5000 ms, and the source says polled every 9000 ms"
    )
    assert "--no-load" in (found[-1].hint or "")
