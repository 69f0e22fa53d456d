"""Trigger rules: functions that return the JSON of a rule or of a condition."""

from __future__ import annotations

from typing import Any

from cloacina_ctl.runtime.host.cloaca_api.context import json_value

Rule = dict[str, Any]

_OPERATORS = {
    "equals": "Equals", "==": "Equals", "eq": "Equals",
    "notequals": "NotEquals", "!=": "NotEquals", "ne": "NotEquals",
    "greaterthan": "GreaterThan", ">": "GreaterThan", "gt": "GreaterThan",
    "lessthan": "LessThan", "<": "LessThan", "lt": "LessThan",
    "contains": "Contains", "notcontains": "NotContains",
    "exists": "Exists", "notexists": "NotExists",
}  # fmt: skip
_STATUSES = ("TaskSuccess", "TaskFailed", "TaskSkipped")
_CONDITIONS = (*_STATUSES, "ContextValue")
_COMBINED = ("All", "Any", "None")


def context_value(key: str, operator: str, value: object) -> Rule:
    """Return the condition on a value of the context."""
    known = _OPERATORS.get(operator.lower().replace("_", ""))
    if known is None:
        names = ", ".join(dict.fromkeys(_OPERATORS.values()))
        raise ValueError(f"the operator of a trigger rule is one of {names}, not: {operator}")
    return {"type": "ContextValue", "key": key, "operator": known, "value": json_value(value)}


def task_success(task_name: str) -> Rule:
    """Return the condition that a task completed."""
    return {"type": "TaskSuccess", "task_name": task_name}


def task_failed(task_name: str) -> Rule:
    """Return the condition that a task failed."""
    return {"type": "TaskFailed", "task_name": task_name}


def task_skipped(task_name: str) -> Rule:
    """Return the condition that a task was skipped."""
    return {"type": "TaskSkipped", "task_name": task_name}


def all_of(*conditions: Rule) -> Rule:
    """Return the rule that all conditions hold."""
    return {"type": "All", "conditions": json_value(conditions)}


def any_of(*conditions: Rule) -> Rule:
    """Return the rule that one of the conditions holds."""
    return {"type": "Any", "conditions": json_value(conditions)}


def none_of(*conditions: Rule) -> Rule:
    """Return the rule that none of the conditions holds."""
    return {"type": "None", "conditions": json_value(conditions)}


def always() -> Rule:
    """Return the rule of a task that always runs."""
    return {"type": "Always"}


def rule_of(given: object) -> Rule:
    """Return the rule of a decorator's argument. Raises ``ValueError`` where it is not one."""
    rule = json_value(given)
    if isinstance(rule, dict) and rule.get("type") in _CONDITIONS:
        rule = {"type": "All", "conditions": [rule]}
    if not _is_rule(rule):
        raise ValueError(
            "`trigger_rules` is not a rule: make it of task_success, task_failed, task_skipped "
            "and context_value, combined by all_of, any_of or none_of"
        )
    return dict(rule)


def _is_rule(rule: object) -> bool:
    if not isinstance(rule, dict):
        return False
    if rule.get("type") == "Always":
        return True
    conditions = rule.get("conditions")
    known = rule.get("type") in _COMBINED and isinstance(conditions, list)
    return known and all(map(_is_condition, conditions or ()))


def _is_condition(one: object) -> bool:
    if not isinstance(one, dict):
        return False
    if one.get("type") in _STATUSES:
        return isinstance(one.get("task_name"), str)
    return (
        one.get("type") == "ContextValue"
        and isinstance(one.get("key"), str)
        and one.get("operator") in _OPERATORS.values()
        and "value" in one
    )
