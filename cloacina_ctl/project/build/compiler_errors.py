"""Explains errors of rustc about a crate by the missing step.

The macros of Cloacina write code, so rustc often names something that the author never wrote.
Errors that are not in the table are left to rustc's own words, which were shown by then.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, Diagnostic
from cloacina_ctl.project.rust.cloacina_crates import add_command, package_of
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.project.model import Crate

_SHOWN = 5


class _Said(NamedTuple):
    """One error: its code, its text with all notes, its place; whether it is in generated code."""

    code: str
    text: str
    place: str | None
    by_macro: bool


class _Cause(NamedTuple):
    """The pattern of an error, and its meaning and hint; both texts may name its groups."""

    pattern: re.Pattern[str]
    meaning: str
    hint: str
    codes: tuple[str, ...] = ()


def _cause(pattern: str, meaning: str, hint: str, *codes: str) -> _Cause:
    return _Cause(re.compile(pattern), meaning, hint, codes)


_ONE_RELEASE = "name one release of all crates of Cloacina in Cargo.toml"
_CAUSES = (
    _cause(
        r"(?:multiple|two) different versions of crate `(cloacina\w*)`",
        "two releases of `{0}` are in the build",
        f"{_ONE_RELEASE}: `{{add}}`",
    ),
    _cause(
        r"`TaskHandle` in `cloacina_workflow_plugin`|cloacina_workflow_plugin::TaskHandle",
        "packages have a `TaskHandle` only from 0.11 on",
        "take the parameter out, or depend on 0.11 or later",
    ),
    _cause(
        r"cannot find `package` in `cloacina_workflow_plugin`",
        "`package!()` exists from 0.6 on",
        "remove it, or depend on 0.6 or later",
    ),
    _cause(
        r"no method named `(is_cancelled|cancelled|is_slot_held)`",
        "the handle of a package has no `{0}`",
        "it has `defer_until` and `task_execution_id`",
        "E0599",
    ),
    _cause(
        r"no method named `(get_required|insert_as|get_as)`",
        "`Context::{0}` exists from 0.8 on",
        "write `get` or `insert`, or depend on 0.8 or later",
        "E0599",
    ),
    _cause(
        r"(?:function `(\w+)_task`|struct `\w+Task`) is private",
        "a task's function is private",
        "write `pub(super)` or `pub` in front of each task",
        "E0603",
    ),
    _cause(
        r"name `_ffi` is defined multiple times|symbol `fidius_\w+` is already defined",
        "`package!()` is used twice",
        "remove one of them",
    ),
    _cause(
        r"requires 'id' attribute|must contain at least one #\[task\]",
        "the workflow's macro sees no task, or one without an `id`",
        'write `#[task(id = "…", …)]` directly in the module; `validate` shows which are wrong',
    ),
    _cause(
        r"Unknown attribute: '?package\b",
        "`package` is an argument of 0.2 and 0.3",
        "remove it: the package is the crate's name now",
    ),
    _cause(
        r"must have a 'context' parameter",
        "a task's parameter has another name",
        "write `context: &mut Context<serde_json::Value>`",
    ),
    _cause(r"Duplicate task ID '([^']*)'", "the id `{0}` is twice in the crate", "change one"),
    _cause(
        r"cannot declare cache inputs",
        "a graph that tasks call names inputs of a reactor",
        "take the names in parentheses from its first nodes",
    ),
    _cause(
        r"file modules in proc macro input",
        "a macro is on a module in a file of its own",
        "write `mod name {{ … }}` with the text of that file in it",
        "E0658",
    ),
    _cause(
        r"type alias takes [01] generic arguments? but 2",
        "the tasks see a `Result` with fewer than two arguments",
        "give it another name, or keep it out of the workflow's module",
        "E0107",
    ),
    _cause(
        r"cannot find attribute `packaged_workflow`|no `packaged_workflow` in",
        "`#[packaged_workflow]` is of 0.2 and 0.3",
        "write `#[workflow(name = …)]`",
    ),
    _cause(r"cannot find macro `workflow`", "`workflow!` is of 0.2 and 0.3", "write `#[workflow]`"),
)
_NO_CRATE = re.compile(
    r"(?:cannot find (?:module or )?crate|unlinked crate|unresolved import|can't find crate for"
    r"|use of undeclared crate or module|cannot find(?=.* in the crate root))"
    r" `(?:::)?([a-z]\w*)[`:]"
)


def explain(
    messages: Iterable[dict[str, Any]], crate: Crate, folder: str
) -> tuple[Diagnostic, ...]:
    """Return the meaning of the compiler's messages about ``crate``, the author's own lines first.

    ``messages`` are objects as cargo prints them; their paths are relative to ``folder``.
    """
    said = sorted(_errors(messages, crate, folder), key=lambda one: one.by_macro)
    found: dict[tuple[str, str], Diagnostic] = {}
    for one in said:
        explained = _explained(one, crate)
        if explained is not None:
            diagnostic = Diagnostic(Code.BUILD_FAILED, explained[0], one.place, explained[1])
            found.setdefault(explained, diagnostic)
    return tuple(found.values())[:_SHOWN]


def _errors(messages: Iterable[dict[str, Any]], crate: Crate, folder: str) -> Iterator[_Said]:
    manifest = os.path.join(crate.root, "Cargo.toml")
    for message in messages:
        inner = message.get("message")
        ours = os.path.realpath(str(message.get("manifest_path"))) == os.path.realpath(manifest)
        if not ours or not isinstance(inner, dict) or inner.get("level") != "error":
            continue
        code = inner.get("code")
        rendered = str(inner.get("rendered"))
        yield _Said(
            code=str(code.get("code")) if isinstance(code, dict) else "",
            text=f"{inner.get('message')}\n{rendered}",
            place=_place(inner.get("spans"), folder, crate.root),
            by_macro="originates in the" in rendered,
        )


def _place(spans: object, folder: str, root: str) -> str | None:
    """Return file and line; for generated code those of the macro."""
    for span in spans if isinstance(spans, list) else []:
        if isinstance(span, dict) and span.get("is_primary"):
            name, line = str(span.get("file_name")), span.get("line_start")
            path = os.path.relpath(os.path.join(folder, name), root)
            return None if path.startswith(os.pardir) else f"{path}:{line}"
    return None


def _explained(one: _Said, crate: Crate) -> tuple[str, str] | None:
    for cause in _CAUSES:
        found = cause.pattern.search(one.text)
        if found is not None and (not cause.codes or one.code in cause.codes):
            groups = [group or "" for group in found.groups()]
            add = add_command(package_of(groups[0]), crate) if groups else ""
            return cause.meaning.format(*groups), cause.hint.format(*groups, add=add)
    missing = _NO_CRATE.search(one.text)
    return None if missing is None else _not_there(missing[1], crate, by_macro=one.by_macro)


def _not_there(name: str, crate: Crate, *, by_macro: bool) -> tuple[str, str] | None:
    if name == "cloacina" and by_macro:
        return (
            "a task takes a handle (packages: from 0.11 on) or invokes a graph (from 0.10 on)",
            "remove it, or depend on such a release",
        )
    if name == "cloacina":
        return "a package has no crate `cloacina`", "write `cloacina_workflow` instead of it"
    if name in ("crate", "self", "super", "std", "core"):
        return None
    whose = "the macros name" if by_macro else "the code names"
    command = add_command(package_of(name), crate)
    return f"{whose} the crate `{name}`, which is not a dependency", f"run `{command}`"
