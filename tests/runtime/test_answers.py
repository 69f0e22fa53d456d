"""What a child says is a stranger's text: each odd shape is refused, whoever wrote it."""

import pytest

from cloacina_ctl.errors import Code, Incompatible, Refused, UsageError
from cloacina_ctl.operations.execution.context import read_context
from cloacina_ctl.runtime.process.decode import (
    failure_of,
    graph_outcome_of,
    metadata_of,
    outcome_of,
)

SAID = {"interface": {"kind": "fidius", "slots": [0, 1, 99]}, "workflow": "flow", "package": "pack"}


def with_task(**fields):
    return {**SAID, "tasks": [{"id": "a", **fields}]}


def test_full_names_of_own_tasks_are_ids():
    names = ["b", "public::pack::flow::c", "public::pack::other::d", "b"]
    (task,) = metadata_of(with_task(dependencies=names), None).tasks
    assert task.dependencies == ("b", "c")
    assert task.others == ("public::pack::other::d",)


def test_methods_beyond_the_known_ones_have_numbers():
    methods = metadata_of(SAID, None).interface.methods
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
        metadata_of(said, "x.cloacina")
    (found,) = refused.value.diagnostics
    assert found.code is Code.PLUGIN_ANSWER
    assert found.where == "x.cloacina"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({}, "an answer without a result and without a failure"),
        ({"ok": 3}, "the result of an answer is not an object"),
        ({"failed": None}, "a failure without a message"),
        ({"failed": 3}, "a failure without a message"),
        ({"failed": {"code": "A001", "message": 3, "hint": 3}}, "a failure without a message"),
    ],
)
def test_a_failure_of_another_shape_says_what_is_wrong_with_it(answer, words):
    error = failure_of(answer, None)
    assert error.diagnostics[0].code is Code.LOAD_FAILED
    assert error.diagnostics[0].message == f"it cannot be loaded: it broke the protocol: {words}"


def test_a_failure_keeps_its_code_and_is_bounded():
    said = {"code": "T004", "message": "x" * 9999, "hint": "h"}
    error = failure_of({"failed": said}, "p")
    assert isinstance(error, Incompatible)
    assert len(str(error)) == 4096
    assert error.diagnostics[0].hint == "h"


def test_results_of_another_shape_fail():
    assert outcome_of({"succeeded": True, "context": "{"}, None).error.startswith("the result is")
    for answer, words in (
        ({"succeeded": True, "context": 3}, "a context that is not a string"),
        ({"succeeded": "yes"}, "a result without success or failure"),
        ({}, "a result without success or failure"),
        ({"succeeded": False, "error": ["no"]}, "an error that is not a string"),
    ):
        assert outcome_of(answer, None).error == f"it broke the protocol: {words}"
    assert outcome_of({"succeeded": False}, None).error == "it gave no reason"
    assert outcome_of({"succeeded": True}, None).context is None
    deep = '{"a": ' + "[" * 100_000
    assert not outcome_of({"succeeded": True, "context": deep}, None).succeeded


def test_outputs_of_another_shape_fail():
    odd = graph_outcome_of({"succeeded": True, "outputs": 3}, None)
    assert (odd.succeeded, odd.error) == (
        False,
        "it broke the protocol: outputs that are not a list",
    )
    assert graph_outcome_of({"succeeded": True, "outputs": ["1", "x"]}, None).outputs == (1, "x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"x": 1e999}', "the result has a number that is too large: 1e999"),
        ('{"x": %s}' % ("7" * 400), "the result has a number of 400 digits"),
        ('{"x": %s}' % ("[" * 128 + "]" * 128), "the result is nested more than 128 deep"),
        ('{"\\ud800": 1}', "the result has half of a surrogate pair in a string"),
        ('{"x": "\ud800"}', "the result has half of a surrogate pair in a string"),
        ('{"x": NaN}', "the result is not a JSON object: '{\"x\": NaN}'"),
        (
            '{"x": [%s0]}' % ("0," * 2_000_000),
            "the result has 2000002 lists, objects and commas; at most 2000000 are allowed",
        ),
    ],
)
def test_a_result_that_could_not_be_kept_fails_its_own_attempt(text, words):
    outcome = outcome_of({"succeeded": True, "context": text}, None)
    assert not outcome.succeeded
    assert outcome.error == words
    graph = graph_outcome_of({"succeeded": True, "outputs": [text]}, None)
    assert graph.error == (None if "NaN" in text else words)


def test_a_result_at_its_bounds_is_kept():
    deep, long = "[" * 127 + "]" * 127, "7" * 300
    text = f'{{"x": {deep}, "y": {long}, "\\ud83d\\ude00": 1e308}}'
    assert outcome_of({"succeeded": True, "context": text}, None).context["\U0001f600"] == 1e308


def test_the_words_of_a_failure_can_be_written_anywhere():
    assert outcome_of({"error": "half \ud800"}, None).error == "half ?"


def test_a_number_that_no_engine_holds_is_refused():
    retry = {"attempts": 3, "delay_ms": 10**400, "max_delay_ms": 1, "backoff": "", "condition": ""}
    with pytest.raises(Refused, match="delay_ms is beyond 64 bits"):
        metadata_of(with_task(retry=retry), None)


def test_a_context_is_given_as_deep_as_one_is_returned():
    for levels, fits in ((127, True), (128, False)):
        text = '{"x": %s}' % ("[" * levels + "]" * levels)
        assert outcome_of({"succeeded": True, "context": text}, None).succeeded is fits
        if fits:
            assert list(read_context(text)) == ["x"]
        else:
            with pytest.raises(UsageError, match="nested more than 128 deep"):
                read_context(text)
