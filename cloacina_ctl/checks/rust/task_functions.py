"""Checks the function of a task, and that the workflow's macro sees the task."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from cloacina_ctl.checks.engine import Finding, RuleSet
from cloacina_ctl.checks.rust import macro_tables as tables
from cloacina_ctl.checks.rust.releases import code_of, facts_of, releases_of, span, within
from cloacina_ctl.errors import Code, Severity
from cloacina_ctl.project.rust.macro_uses import TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.model import Project
    from cloacina_ctl.project.rust.macro_uses import MacroUse, Signature

RULES: RuleSet[Project] = RuleSet()

_HANDLES = ("handle", "task_handle")
_BY_VALUE = re.compile(r"(?:[a-z_]+ ?:: ?)*Context ?(?:<.*)?")


def _tasks(project: Project) -> tuple[MacroUse, ...]:
    return tuple(use for use in code_of(project).of("task") if use.item == "function")


@RULES.rule(Code.TASK_SIGNATURE)
def task_signature(project: Project) -> Iterator[Finding]:
    """The macro finds the context by its name, and passes nothing else to the function."""
    waits = within(releases_of(facts_of(project).crate), until=tables.LAST_ASYNC_ONLY)
    for use in _tasks(project):
        if use.signature is not None:
            for message, hint in _wrong(use.signature):
                yield Finding(f"the task `{use.name}` {message}", use.place, hint)
            if waits and not use.signature.is_async:
                message = (
                    f"the task `{use.name}` must be `async` {span(until=tables.LAST_ASYNC_ONLY)}"
                )
                yield Finding(message, use.place, "write `async fn`")


def _wrong(signature: Signature) -> Iterator[tuple[str, str]]:
    names = [name for name, _ in signature.parameters]
    contexts = [one for one in signature.parameters if _is_context(one[0])]
    right = "write `context: &mut Context<serde_json::Value>`"
    if not contexts:
        yield "has no parameter called `context` or `_context`", right
    elif _BY_VALUE.fullmatch(contexts[0][1]):
        yield "takes its context by value", right
    elif [name for name in names if name not in _HANDLES] != [contexts[0][0]]:
        yield "takes more than its context", "read the rest from the context"
    elif not _is_context(names[0]):
        yield "takes its context second", "put the context first, then the handle"
    if signature.returns is None:
        yield "returns nothing", "write `-> Result<(), TaskError>`"


def _is_context(name: str | None) -> bool:
    return name is not None and (name.startswith("context") or name == "_context")


@RULES.rule(Code.LOST_TASK)
def lost_task(project: Project) -> Iterator[Finding]:
    """The workflow's macro looks only for the word `task`: it misses any other spelling."""
    for use in code_of(project).uses:
        if use.macro != "task" or use.workflow is None or use.item != "function":
            continue
        if use.left_out and use.spelling == "task":
            yield Finding(
                f"the task `{use.name}` is left out by `cfg`, and its workflow's macro counts it",
                use.place,
                "put it into a module of its own",
            )
        elif use.left_out:
            continue
        elif use.spelling != "task" or use.behind_cfg:
            how = "`cfg_attr`" if use.behind_cfg else f"`#[{use.spelling}]`"
            yield Finding(
                f"the task `{use.name}` is not in its workflow: the workflow's macro does not see "
                f"{how}, and nothing says so when it builds",
                use.place,
                "import `task` under that name, and write `#[task(…)]`",
            )


@RULES.rule(Code.ID_IN_CRATE)
def id_in_crate(project: Project) -> Iterator[Finding]:
    """The macros compare the ids of the whole crate; G001 checks them in one workflow."""
    if not within(releases_of(facts_of(project).crate), tables.FIRST_UNIQUE_IDS):
        return
    first: dict[str, MacroUse] = {}
    for use in _tasks(project):
        given = use.argument("id")
        id_ = use.name if given is None else given.text if given.kind == TEXT else None
        if id_ is None or use.conditional:
            continue
        earlier = first.setdefault(id_, use)
        if earlier is not use and (use.workflow is None or earlier.workflow != use.workflow):
            message = f"the id `{id_}` is taken in this crate, by {earlier.place}"
            yield Finding(message, use.place, "give one of them another id")


@RULES.rule(Code.PACKAGE_MACRO_TWICE)
def package_macro_twice(project: Project) -> Iterator[Finding]:
    """Each `package!()` makes a plugin, and a module `_ffi` in its place."""
    uses = [use for use in code_of(project).of("package") if not use.conditional]
    for use in uses[1:]:
        message = f"`package!()` is used already, at {uses[0].place}"
        yield Finding(message, use.place, "remove one of them")


@RULES.rule(Code.OTHER_RESULT)
def other_result(project: Project) -> Iterator[Finding]:
    """The generated code names `Result` with two arguments."""
    for result in code_of(project).results:
        yield Finding(
            f"the workflow's module sees {result.name} instead of the standard `Result`, and the "
            "code that the macros write there names it with two arguments",
            result.place,
            "give it another name, or keep it out of the module",
        )


@RULES.rule(Code.PANIC_ABORTS, Severity.WARNING)
def panic_aborts(project: Project) -> Iterator[Finding]:
    """A panic that aborts ends the host's process, with all its tasks."""
    for profile in facts_of(project).crate.aborting:
        yield Finding(
            f'`panic = "abort"` in the profile `{profile}`: a panic of a task would end the host',
            "Cargo.toml",
            "remove it",
        )


@RULES.rule(Code.OF_OTHER_RELEASE)
def of_other_release(project: Project) -> Iterator[Finding]:
    """Names, methods and arguments that packages of the crate's release do not have."""
    crate = facts_of(project).crate
    releases = releases_of(crate)
    yield from _imports(project)
    yield from _package_macro(project)
    with_engine = "cloacina" in crate.dependencies
    for use in _tasks(project):
        handle = use.signature is not None and any(
            name in _HANDLES for name, _ in use.signature.parameters
        )
        if handle and not with_engine and within(releases, until=tables.LAST_HANDLE_OF_ENGINE):
            yield Finding(
                f"the task `{use.name}` takes a handle, which packages have from 0.11 on",
                use.place,
                tables.IMPORTS["cloacina_workflow_plugin::TaskHandle"].hint,
            )
        last = tables.LAST_INVOKES_OF_ENGINE
        if use.argument("invokes") and not with_engine and within(releases, (0, 6), last):
            yield Finding(
                f"the task `{use.name}` invokes a graph, which packages can from 0.10 on",
                use.place,
                "take `invokes` out, or depend on 0.10 or later",
            )


def _package_macro(project: Project) -> Iterator[Finding]:
    if within(releases_of(facts_of(project).crate), until=(0, 5)):
        for use in code_of(project).of("package"):
            message = (
                "`package!()` exists from 0.6 on: up to 0.5 the workflow's macro does its work"
            )
            yield Finding(message, use.place, "remove it, or depend on 0.6 or later")


def _imports(project: Project) -> Iterator[Finding]:
    releases, code = releases_of(facts_of(project).crate), code_of(project)
    for imported in code.imports:
        known = tables.IMPORTS.get(imported.name)
        if known and not any(within((one,), known.since, known.until) for one in releases):
            words = span(known.since, known.until)
            yield Finding(f"`{imported.name}` exists {words}", imported.place, known.hint)
    for method, times in Counter(one.name for one in code.methods).items():
        hint = tables.METHODS.get(method)
        if hint is not None and within(releases, until=(0, tables.METHODS_SINCE[1] - 1)):
            place = next(one.place for one in code.methods if one.name == method)
            more = f", {times} times" if times > 1 else ""
            message = f"`Context::{method}` exists {span(tables.METHODS_SINCE)}{more}"
            yield Finding(message, place, hint)
