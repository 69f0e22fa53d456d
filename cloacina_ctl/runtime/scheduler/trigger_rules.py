"""Trigger rules: whether a task runs, once all its dependencies have ended.

A library states them as JSON; a manifest holds the author's source, in Rust or Python. Both are
parsed here into one value. No code is run to read a rule.
"""

from __future__ import annotations

import ast
import contextlib
import json
import warnings
from typing import TYPE_CHECKING, Any

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeGuard

STATUS_CONDITIONS = {
    "TaskSuccess": "completed", "TaskFailed": "failed", "TaskSkipped": "skipped"
}  # fmt: skip
OPERATORS = frozenset(
    {
        "Equals", "NotEquals", "GreaterThan", "LessThan", "Contains", "NotContains", "Exists",
        "NotExists",
    }
)  # fmt: skip

# The names in the macro and in the decorators.
_RULES = {"all": "All", "all_of": "All", "any": "Any", "any_of": "Any", "none": "None",
          "none_of": "None"}  # fmt: skip
_STATUSES = {"task_success": "TaskSuccess", "task_failed": "TaskFailed",
             "task_skipped": "TaskSkipped"}  # fmt: skip
_SYMBOLS = {"==": "Equals", "eq": "Equals", "!=": "NotEquals", "ne": "NotEquals",
            ">": "GreaterThan", "gt": "GreaterThan", "<": "LessThan", "lt": "LessThan"}  # fmt: skip
_MAX_TEXT = 10_000


class BadRule(Exception):
    """A rule that cannot be read; the text says why."""


class Condition(NamedTuple):
    """One condition: on the status of ``subject``, a task, or on its value in the context."""

    kind: str
    subject: str
    operator: str = ""
    value: Any = None


class TriggerRule(NamedTuple):
    """When a task runs: ``All``, ``Any`` or ``None`` of the conditions hold."""

    kind: str
    conditions: tuple[Condition, ...]

    def tasks(self) -> set[str]:
        """Return the ids of the tasks whose status counts."""
        return {one.subject for one in self.conditions if one.kind in STATUS_CONDITIONS}

    def holds(self, statuses: Mapping[str, str], context: Mapping[str, Any]) -> bool:
        """Return whether the task runs; a task that has no status yet meets no condition."""
        held = (_holds(one, statuses, context) for one in self.conditions)
        if self.kind == "All":
            return all(held)
        return any(held) if self.kind == "Any" else not any(held)


def read_rule(text: str) -> TriggerRule | None:
    """Return the rule in ``text``, JSON or source; None where it is `always`.

    Raises ``BadRule`` where it is not a rule, or is known only when the code runs.
    """
    if len(text) > _MAX_TEXT:
        raise BadRule("it is too long")
    try:
        with contextlib.suppress(json.JSONDecodeError):
            return rule_of_json(json.loads(text))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the author's style
            node = ast.parse(text.strip(), mode="eval").body
        return _rule_of_source(node)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise BadRule("it is neither JSON nor a call of the known rules") from None


def rule_of_json(value: object) -> TriggerRule | None:
    """Return the rule of its JSON, as in libraries; None where it is `Always`.

    A single condition is a rule of kind ``All``. Raises ``BadRule``.
    """
    if not isinstance(value, dict):
        raise BadRule("it is not an object")
    kind = value.get("type")
    if kind == "Always":
        return None
    if kind in ("All", "Any", "None"):
        conditions = value.get("conditions")
        if not isinstance(conditions, list):
            raise BadRule("it has no list of conditions")
        return TriggerRule(kind=kind, conditions=tuple(map(_condition_of_json, conditions)))
    return TriggerRule(kind="All", conditions=(_condition_of_json(value),))


def _condition_of_json(value: object) -> Condition:
    if not isinstance(value, dict):
        raise BadRule("a condition is not an object")
    kind = value.get("type")
    if kind in STATUS_CONDITIONS and isinstance(value.get("task_name"), str):
        return _status(str(kind), value["task_name"])
    if kind == "ContextValue" and isinstance(value.get("key"), str) and "value" in value:
        return _context_value(value["key"], value.get("operator"), value["value"])
    raise BadRule(f"a condition of an unknown form: {kind}")


def _status(kind: str, task: str) -> Condition:
    # Libraries have `tenant::package::workflow::task`; a workflow knows only its own tasks.
    return Condition(kind=kind, subject=task.rpartition("::")[2])


def _context_value(key: str, operator: object, value: object) -> Condition:
    if operator not in OPERATORS:
        raise BadRule(f"no such operator: {operator}")
    return Condition(kind="ContextValue", subject=key, operator=str(operator), value=value)


def _rule_of_source(node: ast.expr) -> TriggerRule | None:
    if isinstance(node, ast.Dict | ast.Constant):
        return rule_of_json(ast.literal_eval(node))
    name = _name(node.func if isinstance(node, ast.Call) else node)
    if name == "always":
        return None
    if name in _RULES and isinstance(node, ast.Call):
        return TriggerRule(
            kind=_RULES[name], conditions=tuple(map(_condition_of_source, node.args))
        )
    return TriggerRule(kind="All", conditions=(_condition_of_source(node),))


def _condition_of_source(node: ast.expr) -> Condition:
    name = _name(node.func) if isinstance(node, ast.Call) else None
    if not isinstance(node, ast.Call) or name not in (*_STATUSES, "context_value"):
        raise BadRule(f"it is known only when the code runs: {ast.unparse(node):.80}")
    if name in _STATUSES:
        (task,) = _arguments(node, "task_name")
        return _status(_STATUSES[name], _text(task))
    key, operator, value = _arguments(node, "key", "operator", "value")
    return _context_value(_text(key), _operator(operator), _literal(value))


def _arguments(call: ast.Call, *names: str) -> list[ast.expr]:
    given = dict(zip(names, call.args, strict=False))
    given.update({word.arg: word.value for word in call.keywords if word.arg})
    if len(call.args) + len(call.keywords) != len(names) or given.keys() != set(names):
        raise BadRule(f"expected the arguments {', '.join(names)}: {ast.unparse(call):.80}")
    return [given[name] for name in names]


def _operator(node: ast.expr) -> str:
    """Return the operator: a name in Rust, a string in Python, in one of several spellings."""
    word = node.id if isinstance(node, ast.Name) else _text(node)
    bare = word.lower().replace("_", "")
    known = {name.lower(): name for name in OPERATORS}
    return _SYMBOLS.get(bare) or known.get(bare) or word


def _text(node: ast.expr) -> str:
    value = _literal(node)
    if not isinstance(value, str):
        raise BadRule(f"expected a string: {ast.unparse(node):.80}")
    return value


def _literal(node: ast.expr) -> object:
    if isinstance(node, ast.Name) and node.id in ("true", "false"):  # Rust's
        return node.id == "true"
    try:
        value = ast.literal_eval(node)
        json.dumps(value, allow_nan=False)
    except (ValueError, TypeError):
        raise BadRule(f"it is known only when the code runs: {ast.unparse(node):.80}") from None
    return value


def _name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _holds(one: Condition, statuses: Mapping[str, str], context: Mapping[str, Any]) -> bool:
    if one.kind in STATUS_CONDITIONS:
        return statuses.get(one.subject) == STATUS_CONDITIONS[one.kind]
    return _COMPARISONS[one.operator](context, one.subject, one.value)


def _equals(context: Mapping[str, Any], key: str, value: object) -> bool:
    return key in context and spelled(context[key]) == spelled(value)


def _contains(context: Mapping[str, Any], key: str, value: object) -> bool:
    found = context.get(key)
    if isinstance(found, str) and isinstance(value, str):
        return value in found
    return isinstance(found, list) and spelled(value) in map(spelled, found)


def _compared(
    is_so: Callable[[float, float], bool],
) -> Callable[[Mapping[str, Any], str, object], bool]:
    def compare(context: Mapping[str, Any], key: str, value: object) -> bool:
        found = context.get(key)
        return is_number(found) and is_number(value) and is_so(found, value)

    return compare


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a number in JSON; in Python, ``True`` is one too."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def spelled(value: object) -> str:
    """Return the same text for equal JSON values only; in JSON, 1 is neither true nor 1.0."""
    return json.dumps(value, sort_keys=True)


_COMPARISONS: dict[str, Callable[[Mapping[str, Any], str, object], bool]] = {
    "Exists": lambda context, key, _: key in context,
    "NotExists": lambda context, key, _: key not in context,
    "Equals": _equals,
    "NotEquals": lambda context, key, value: not _equals(context, key, value),
    "GreaterThan": _compared(lambda one, other: one > other),
    "LessThan": _compared(lambda one, other: one < other),
    "Contains": _contains,
    "NotContains": lambda context, key, value: not _contains(context, key, value),
}


def unknown_tasks(rule: TriggerRule, known: Iterable[str]) -> list[str]:
    """Return the tasks that the rule names and that are not in ``known``, sorted."""
    return sorted(rule.tasks() - set(known))
