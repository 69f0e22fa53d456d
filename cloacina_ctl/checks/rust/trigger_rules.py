"""Checks trigger rules of tasks, and the times of `#[trigger]`, as the macros read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloacina_ctl.checks.engine import Finding, RuleSet
from cloacina_ctl.checks.rust import macro_tables as tables
from cloacina_ctl.checks.rust.macro_arguments import is_duration
from cloacina_ctl.checks.rust.releases import code_of
from cloacina_ctl.errors import Code
from cloacina_ctl.project.rust.macro_uses import BOOLEAN, CALL, FLOAT, INTEGER, TEXT, WORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.model import Project
    from cloacina_ctl.project.rust.macro_uses import Expression, MacroUse

RULES: RuleSet[Project] = RuleSet()

_FIELDS = range(5, 8)
_WHICH = f"{', '.join(tables.RULE_FUNCTIONS)}, {', '.join(tables.RULE_GROUPS)} and always"


@RULES.rule(Code.RULE_REFUSED)
def trigger_rule(project: Project) -> Iterator[Finding]:
    """The macro reads a rule word by word: an unknown word is an error."""
    for use in code_of(project).of("task"):
        rule = use.argument("trigger_rules")
        said = _rule(rule) if rule is not None else None
        if said is not None:
            yield Finding(f"the trigger rule of the task `{use.name}`: {said}", use.place)


def _rule(rule: Expression) -> str | None:
    """Return the problem of a rule; a group takes conditions, but no group."""
    if rule.kind == WORD:
        return None if rule.text == "always" else f"no such rule: `{rule.text}`; there are {_WHICH}"
    if rule.kind == CALL and rule.text in tables.RULE_GROUPS:
        return next(filter(None, map(_condition, rule.parts)), None)
    return _condition(rule)


def _condition(one: Expression) -> str | None:
    if one.kind == CALL and one.text in tables.RULE_GROUPS:
        return f"`{one.text}(…)` cannot stand inside of another"
    if one.kind != CALL or one.text not in tables.RULE_FUNCTIONS:
        return f"no such rule: `{one.text[:80]}`; there are {_WHICH}"
    if len(one.parts) != tables.RULE_FUNCTIONS[one.text]:
        return f"`{one.text}` takes {tables.RULE_FUNCTIONS[one.text]} arguments"
    if one.parts[0].kind != TEXT:
        return f"the first argument of `{one.text}` is a text in quotes"
    return _comparison(*one.parts[1:]) if len(one.parts) > 1 else None


def _comparison(operator: Expression, value: Expression) -> str | None:
    if operator.kind != WORD or operator.text not in tables.RULE_OPERATORS:
        return f"no such operator: `{operator.text[:80]}`"
    plain = value.kind in (TEXT, BOOLEAN, INTEGER, FLOAT)
    if not plain or (value.text.startswith("-") and value.kind != TEXT):
        return f"the value must be a literal without a sign: `{value.text[:80]}`"
    return None


@RULES.rule(Code.TRIGGER_REFUSED)
def trigger_time(project: Project) -> Iterator[Finding]:
    """A trigger polls or has a schedule, but not both."""
    for use in code_of(project).of("trigger"):
        if use.item == "function":
            for said in _time(use):
                yield Finding(f"the trigger `{use.name}`: {said}", use.place)


def _time(use: MacroUse) -> Iterator[str]:
    interval, cron = use.argument("poll_interval"), use.argument("cron")
    if interval is None and cron is None:
        yield "it needs `poll_interval` or `cron`"
    elif interval is not None and cron is not None:
        yield "it takes `poll_interval` or `cron`, not both"
    elif interval is not None and interval.kind == TEXT:
        if not is_duration(interval.text, "ms|s|m|h"):
            yield f"not a duration: `{interval.text[:80]}`; write 100ms, 5s, 2m or 1h"
    elif cron is not None and cron.kind == TEXT:
        yield from _cron(cron.text)


def _cron(text: str) -> Iterator[str]:
    fields = text.split()
    if len(fields) not in _FIELDS:
        yield f"a cron expression has 5 to 7 fields, `{text[:80]}` has {len(fields)}"
    for field in fields:
        if not re.fullmatch(r"[0-9,*/-]+", field):
            yield f"a field of a cron expression has only digits and , - * /: `{field[:80]}`"
