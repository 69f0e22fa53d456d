"""Trigger rules in every spelling, and what they decide."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.runtime.scheduler.trigger_rules import (
    OPERATORS,
    STATUS_CONDITIONS,
    BadRule,
    Condition,
    TriggerRule,
    read_rule,
    spelled,
    unknown_tasks,
)

SCALARS = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.text("ab", max_size=3)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
)
CONDITIONS = st.one_of(
    st.builds(
        Condition, kind=st.sampled_from(sorted(STATUS_CONDITIONS)),
        subject=st.text("ab", min_size=1), operator=st.just(""), value=st.none(),
    ),
    st.builds(
        Condition, kind=st.just("ContextValue"), subject=st.sampled_from("ab"),
        operator=st.sampled_from(sorted(OPERATORS)), value=VALUES,
    ),
)  # fmt: skip
RULES = st.builds(
    TriggerRule,
    kind=st.sampled_from(["All", "Any", "None"]),
    conditions=st.lists(CONDITIONS, max_size=4).map(tuple),
)


def as_json(rule):
    def one(condition):
        if condition.kind in STATUS_CONDITIONS:
            return {"type": condition.kind, "task_name": f"public::pkg::wf::{condition.subject}"}
        return {
            "type": "ContextValue", "key": condition.subject, "operator": condition.operator,
            "value": condition.value,
        }  # fmt: skip

    return json.dumps({"type": rule.kind, "conditions": [one(c) for c in rule.conditions]})


def as_python(rule):
    def one(condition):
        if condition.kind in STATUS_CONDITIONS:
            name = {"TaskSuccess": "success", "TaskFailed": "failed", "TaskSkipped": "skipped"}
            return f"cloaca.task_{name[condition.kind]}({condition.subject!r})"
        return f"context_value({condition.subject!r}, {condition.operator!r}, {condition.value!r})"

    return f"cloaca.{rule.kind.lower()}_of({', '.join(map(one, rule.conditions))})"


@given(RULES)
def test_a_rule_is_the_same_in_json_and_in_python(rule):
    assert read_rule(as_json(rule)) == read_rule(as_python(rule)) == rule


@given(RULES, st.dictionaries(st.sampled_from("ab"), VALUES))
def test_none_is_the_opposite_of_any_and_all_implies_any(rule, context):
    held = {
        kind: rule._replace(kind=kind).holds({"a": "completed", "b": "failed"}, context)
        for kind in ("All", "Any", "None")
    }
    assert held["None"] is not held["Any"]
    assert not held["All"] or held["Any"] or not rule.conditions


@given(st.sampled_from(["a", "b", "c"]), VALUES, st.dictionaries(st.sampled_from("ab"), VALUES))
def test_every_operator_has_its_opposite(key, value, context):
    def holds(operator):
        condition = Condition("ContextValue", key, operator, value)
        return TriggerRule("All", (condition,)).holds({}, context)

    for operator in ("Equals", "Contains", "Exists"):
        assert holds(operator) is not holds(f"Not{operator}")
    assert not (holds("GreaterThan") and holds("LessThan"))


@pytest.mark.parametrize(
    "text",
    ["always", "always()", "cloaca.always()", '{"type": "Always"}', "{'type': 'Always'}"],
)
def test_always_is_no_rule(text):
    assert read_rule(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('all ( task_success ( "a" ) , task_failed("b") )', 'All completed:a failed:b'),
        ('none(task_skipped("a"))', "None skipped:a"),
        ('task_success("a")', "All completed:a"),
        ('{"type": "TaskFailed", "task_name": "public::p::w::a"}', "All failed:a"),
        ('any(context_value("n", greater_than, 3))', "Any n GreaterThan 3"),
        ('context_value("ok", equals, true)', "All ok Equals true"),
        ('cloaca.context_value("n", ">", -1.5)', "All n GreaterThan -1.5"),
        ('cloaca.context_value(key="n", operator="ne", value=None)', "All n NotEquals null"),
        ("any_of()", "Any"),
    ],
)  # fmt: skip
def test_what_authors_write(text, expected):
    def shown(one):
        if one.kind in STATUS_CONDITIONS:
            return f"{STATUS_CONDITIONS[one.kind]}:{one.subject}"
        return f"{one.subject} {one.operator} {spelled(one.value)}"

    rule = read_rule(text)
    assert " ".join([rule.kind, *map(shown, rule.conditions)]) == expected


@pytest.mark.parametrize(
    "text",
    [
        "RULE",
        "make_rule()",
        "all(RULE)",
        "all(*CONDITIONS)",
        "all(always)",
        "all",
        "task_success(TASK)",
        "task_success()",
        'task_success("a", "b")',
        "task_success(3)",
        'context_value("a", "about", 1)',
        'context_value("a", equals, x)',
        'context_value("a", equals)',
        'context_value("a", equals, {1, 2})',
        'context_value("a", equals, "\\ud800")' + "(" * 300,
        "[1]",
        "1",
        "{",
        '{"type": "Sometimes"}',
        '{"type": "All"}',
        '{"type": "All", "conditions": [1]}',
        '{"type": "All", "conditions": [{"type": "ContextValue", "key": "a"}]}',
        '{"type": "All", "conditions": [{"type": "TaskFailed"}]}',
        '{"type": "ContextValue", "key": "a", "operator": "Has", "value": 1}',
        "all(" * 5000,
        "",
        "x" * 20_000,
        "a;b",
        "'\\d'",
    ],
)
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(BadRule):
        read_rule(text)


@pytest.mark.parametrize(
    ("context", "operator", "value", "holds"),
    [
        ({"n": 1}, "Equals", True, False),
        ({"n": 1}, "Equals", 1.0, False),
        ({"n": {"b": 1, "a": 2}}, "Equals", {"a": 2, "b": 1}, True),
        ({"n": True}, "GreaterThan", 0, False),
        ({"n": "2"}, "GreaterThan", 1, False),
        ({"n": 10**400}, "GreaterThan", 1.5, True),
        ({"n": "hello"}, "Contains", "ell", True),
        ({"n": [1, {"a": 1}]}, "Contains", {"a": 1}, True),
        ({"n": [1]}, "Contains", True, False),
        ({"n": {"a": 1}}, "Contains", "a", False),
        ({"n": None}, "Exists", True, True),
        ({}, "Equals", None, False),
    ],
)
def test_values_are_compared_as_json(context, operator, value, holds):
    rule = TriggerRule("All", (Condition("ContextValue", "n", operator, value),))
    assert rule.holds({}, context) is holds


def test_tasks_that_a_rule_names_and_that_are_not_there_are_told():
    rule = read_rule('all(task_success("b"), task_failed("a"), context_value("c", exists, true))')
    assert unknown_tasks(rule, ["b"]) == ["a"]
