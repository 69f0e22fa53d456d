"""What a child says is a stranger's text: each odd shape is refused, whoever wrote it."""

import pytest

from cloacina_ctl.errors import Code, Incompatible, Refused
from cloacina_ctl.runtime.answers import described_of, failure_of, graph_outcome_of, outcome_of

SAID = {"interface": {"kind": "fidius", "slots": [0, 1, 99]}, "workflow": "flow", "package": "pack"}


def with_task(**fields):
    return {**SAID, "tasks": [{"id": "a", **fields}]}


def test_full_names_of_own_tasks_are_ids():
    names = ["b", "public::pack::flow::c", "public::pack::other::d", "b"]
    (task,) = described_of(with_task(dependencies=names), None).tasks
    assert task.dependencies == ("b", "c")
    assert task.others == ("public::pack::other::d",)


def test_methods_beyond_the_known_ones_have_numbers():
    methods = described_of(SAID, None).interface.methods
    assert methods == ("get_task_metadata", "execute_task", "method_99")


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        {},
        {"interface": []},
        {"interface": {"kind": 3}},
        {"interface": {"kind": "x", "slots": ["1"]}},
        {"interface": {"kind": "x", "abi": "2"}},
        {"interface": {"kind": "x", "abi": True}},
        {**SAID, "workflow": 3},
        {**SAID, "tasks": {}},
        {**SAID, "tasks": [3]},
        {**SAID, "tasks": [{"id": "a"}, {"id": "a"}]},
        with_task(id=None),
        with_task(dependencies=[1]),
        with_task(retry=3),
        with_task(retry={"attempts": 1}),
        {**SAID, "inputs": [{"a": 1}]},
        {**SAID, "reactors": [{"name": "x", "reaction_mode": "y", "inputs": [{"config": 3}]}]},
    ],
)
def test_a_description_of_another_shape_is_refused(said):
    with pytest.raises(Refused) as refused:
        described_of(said, "x.cloacina")
    (found,) = refused.value.diagnostics
    assert found.code is Code.PLUGIN_ANSWER
    assert found.where == "x.cloacina"


@pytest.mark.parametrize("failed", [None, 3, {}, {"code": "A001", "message": 3, "hint": 3}])
def test_a_failure_of_another_shape_is_a_failure_all_the_same(failed):
    error = failure_of(failed, None)
    assert error.diagnostics[0].code is Code.LOAD_FAILED
    assert error.diagnostics[0].message == "it cannot be loaded"


def test_a_failure_keeps_its_code_and_is_bounded():
    error = failure_of({"code": "T004", "message": "x" * 9999, "hint": "h"}, "p")
    assert isinstance(error, Incompatible)
    assert len(str(error)) == 4096
    assert error.diagnostics[0].hint == "h"


def test_results_of_another_shape_fail():
    assert outcome_of({"succeeded": True, "context": "{"}, None).error.startswith("the result is")
    assert outcome_of({"succeeded": True, "context": 3}, None).error.startswith("the result is")
    assert outcome_of({"succeeded": "yes"}, None).error == "it did not say why"
    assert outcome_of({"succeeded": True}, None).context is None
    deep = '{"a": ' + "[" * 100_000
    assert not outcome_of({"succeeded": True, "context": deep}, None).succeeded


def test_outputs_of_another_shape_are_none():
    assert graph_outcome_of({"succeeded": True, "outputs": 3}, None).outputs == ()
    assert graph_outcome_of({"succeeded": True, "outputs": ["1", "x"]}, None).outputs == (1, "x")
