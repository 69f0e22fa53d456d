"""Checks the arguments and places of Cloacina's macros, by the tables of `macro_tables`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloacina_ctl.checks.engine import Finding, RuleSet
from cloacina_ctl.checks.rust import macro_tables as tables
from cloacina_ctl.checks.rust.releases import code_of, facts_of, releases_of, span, within
from cloacina_ctl.errors import Code, Severity
from cloacina_ctl.project.rust.macro_uses import (
    BOOLEAN,
    CALL,
    GROUP,
    INTEGER,
    LIST,
    OTHER,
    TEXT,
    WORD,
)
from cloacina_ctl.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.model import Project
    from cloacina_ctl.project.rust.macro_uses import Expression, MacroArgument, MacroUse
    from cloacina_ctl.releases.table import Release

RULES: RuleSet[Project] = RuleSet()

_INT_32 = range(-(2**31), 2**31)
_ON = {"function": "a function", "mod": "a module", "struct": "a struct"}
_ONE_TEXT = {"invokes": "computation_graph", "trigger": "reactor"}
_ONCE = ("invokes", "post_invocation", "trigger", "graph", "name", "accumulators", "criteria")


def _known_uses(project: Project) -> Iterator[tuple[MacroUse, tables.Macro]]:
    """Yield the uses of macros in a permitted place, in a release that has them."""
    releases = releases_of(facts_of(project).crate)
    for use in code_of(project).uses:
        macro = tables.MACROS.get(use.macro)
        if macro is None or use.item != macro.item or use.left_out:
            continue
        if any(within((one,), macro.since, macro.until) for one in releases):
            yield use, macro


def shown(use: MacroUse) -> str:
    """Return how a macro is named in a message."""
    return f"`{use.macro}!`" if use.item == "macro" else f"`#[{use.macro}]`"


@RULES.rule(Code.TASK_ARGUMENT)
def unknown_argument(project: Project) -> Iterator[Finding]:
    """An unknown argument is refused; the hint depends on the release."""
    releases = releases_of(facts_of(project).crate)
    for use, macro in _known_uses(project):
        for argument in use.arguments:
            key = macro.keys.get(argument.name)
            if argument.name and key is None:
                message = f"{shown(use)} takes no argument `{argument.name}`"
                yield Finding(message, use.place, did_you_mean(argument.name, macro.keys))
            elif key is not None and not any(_knows(key, one) for one in releases):
                message = f"{shown(use)} takes `{argument.name}` {span(key.since, key.until)}"
                yield Finding(message, use.place, "remove it, or depend on such a release")


def _knows(key: tables.Key, release: Release) -> bool:
    return within((release,), key.since, key.until)


@RULES.rule(Code.MACRO_ARGUMENT)
def wrong_argument(project: Project) -> Iterator[Finding]:
    """Arguments that are missing, repeated, or of a kind that the macro does not read."""
    releases = releases_of(facts_of(project).crate)
    for use, macro in _known_uses(project):
        for argument in use.arguments:
            said = _wrong(argument, macro, use)
            if said is not None:
                yield Finding(f"{shown(use)}: {said}", use.place)
            elif argument.name == "retry_backoff" and argument.value.text not in tables.BACKOFFS:
                yield Finding(
                    f"{shown(use)}: no such backoff: `{argument.value.text}`; the macro reads "
                    "`exponential`",
                    use.place,
                    f"write one of {', '.join(tables.BACKOFFS)}",
                    Severity.WARNING,
                )
        if any(one.value.kind == OTHER for one in use.arguments) and use.macro != "task":
            continue  # the macro may read more than one argument there
        there = {argument.name for argument in use.arguments}
        for name, until in macro.required.items():
            if name not in there and within(releases, until=until):
                which = f" {span(until=until)}" if until is not None else ""
                message = f"{shown(use)} needs the argument `{name}`{which}"
                yield Finding(message, use.place, _hint_for_missing(use, name))
        yield from (Finding(f"{shown(use)}: {said}", use.place) for said in _together(use))


def _hint_for_missing(use: MacroUse, name: str) -> str:
    return f'write `{name} = "{use.name}"`' if use.macro == "task" else f"write `{name} = …`"


def _wrong(argument: MacroArgument, macro: tables.Macro, use: MacroUse) -> str | None:
    """Return the problem of one known argument, None if there is none."""
    if not argument.name:
        return "there is an extra comma"
    key = macro.keys.get(argument.name)
    if key is None:
        return None
    if not _is(argument, key.takes):
        return f"`{argument.name}` takes {key.takes}"
    called = _ONE_TEXT.get(argument.name)
    if called is not None and use.macro != "reactor":
        value = argument.value
        if value.kind != CALL or value.text != called or [p.kind for p in value.parts] != [TEXT]:
            return f'`{argument.name}` takes `{called}("name")`'
    if argument.name == "runtime" and argument.value.text not in tables.CONSTRUCTOR_RUNTIMES:
        return f"`runtime` is one of {', '.join(tables.CONSTRUCTOR_RUNTIMES)}"
    if argument.name in ("interval", "flush_interval"):
        return None if is_duration(argument.value.text, "ms|s|m") else _NO_DURATION
    return None


_NO_DURATION = "a duration is a whole number followed by ms, s or m"


def is_duration(text: str, units: str) -> bool:
    """Return whether the macros accept ``text`` as a duration."""
    return re.fullmatch(rf"\+?[0-9]+(?:{units})", text.strip()) is not None


def _is(argument: MacroArgument, takes: str) -> bool:
    value = argument.value
    if takes == tables.GROUP:
        return argument.sign == "(" and value.kind == GROUP
    if argument.sign != "=":
        return False
    if takes == tables.TEXT:
        return value.kind == TEXT
    if takes == tables.TEXTS:
        return value.kind == LIST and all(part.kind == TEXT for part in value.parts)
    if takes == tables.INTEGER:
        return value.kind == INTEGER and bool(value.text) and int(value.text) in _INT_32
    if takes == tables.BOOLEAN:
        return value.kind == BOOLEAN
    if takes == tables.BRACES:
        return value.kind == GROUP and value.text == "{"
    return value.kind != OTHER or bool(value.text)


def _together(use: MacroUse) -> Iterator[str]:
    """Yield the problems of combinations of arguments."""
    names = [argument.name for argument in use.arguments]
    if use.macro in ("task", "computation_graph", "reactor"):
        for name in _ONCE:
            if names.count(name) > 1:
                yield f"`{name}` is given twice"
    if use.macro == "task" and "post_invocation" in names and "invokes" not in names:
        yield "`post_invocation` needs `invokes = computation_graph(…)` beside it"
    if use.macro == "workflow":
        yield from _named_twice(use)
    if use.macro in ("constructor", "reactor"):
        yield from _grants(use.argument("grants"))
    if use.macro == "reactor":
        yield from _reactor(use)


def _named_twice(use: MacroUse) -> Iterator[str]:
    seen: set[str] = set()
    for what in ("params", "secrets"):
        value = use.argument(what)
        for part in value.parts if value is not None else ():
            name = part.text.partition(":")[0].strip()
            if name in seen:
                yield f"two inputs are called `{name}`"
            seen.add(name)


def _grants(value: Expression | None) -> Iterator[str]:
    for part in value.parts if value is not None else ():
        kind = part.text.partition("=")[0].strip()
        if kind not in tables.GRANTS:
            yield f"no such grant: `{kind}`; there are {', '.join(tables.GRANTS)}"


def _reactor(use: MacroUse) -> Iterator[str]:
    listed, criteria = use.argument("accumulators"), use.argument("criteria")
    names = [part.text for part in listed.parts] if listed is not None else []
    if listed is not None and (listed.kind != LIST or not names):
        yield "`accumulators` takes a list of at least one name"
    elif len(set(names)) < len(names):
        yield "`accumulators` names one twice"
    if criteria is not None:
        if criteria.kind not in (CALL, WORD) or criteria.text not in ("when_any", "when_all"):
            yield "`criteria` takes `when_any(…)` or `when_all(…)`"
        for part in criteria.parts:
            if part.kind == WORD and part.text not in names:
                yield f"`criteria` names `{part.text}`, which is none of `accumulators`"
    there = {argument.name for argument in use.arguments}
    if len(there & {"from", "constructor"}) == 1:
        yield "`from` and `constructor` go together"
    if "constructor" not in there and there & {"config", "grants", "runtime"}:
        yield "`config`, `grants` and `runtime` go with `constructor`"


@RULES.rule(Code.MACRO_PLACE)
def wrong_place(project: Project) -> Iterator[Finding]:
    """A macro on the wrong kind of item, of another release, or on a module in another file."""
    releases = releases_of(facts_of(project).crate)
    uses = code_of(project).uses
    for use in uses:
        macro = tables.MACROS.get(use.macro)
        if macro is None or use.left_out or use.item == "macro":
            continue
        if not any(within((one,), macro.since, macro.until) for one in releases):
            message = f"{shown(use)} exists {span(macro.since, macro.until)}"
            hint = f"write {macro.instead}" if macro.instead else "depend on such a release"
            yield Finding(message, use.place, hint)
        elif use.item != macro.item:
            yield Finding(f"{shown(use)} must be on {_ON[macro.item]}", use.place)
        elif use.item == "mod" and not use.has_body:
            yield Finding(
                f"{shown(use)} is on `mod {use.name};`, and rustc gives no macro the file",
                use.place,
                f"write `mod {use.name} {{ … }}` with the text of that file in it",
            )
        elif use.macro == "workflow" and _is_empty(use, uses):
            yield Finding(
                f"the workflow's module `{use.name}` has no task that its macro sees",
                use.place,
                "put a function with `#[task(…)]` directly into it",
            )


def _is_empty(workflow: MacroUse, uses: tuple[MacroUse, ...]) -> bool:
    inside = [use for use in uses if use.workflow == workflow.place]
    return not any(use.macro in ("task", "constructor") for use in inside)
