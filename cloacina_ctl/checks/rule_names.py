"""Finds tasks that a trigger rule names by their id alone: engines never stop waiting for those.

Measured in the engines of the wheels 0.10 to 0.12: a rule of a Python task is compared with full
names, ``tenant::package::workflow::task``, not with ids. The macros of Rust write full names.
"""

from __future__ import annotations

import ast
import contextlib
import warnings

_STATUSES = ("task_success", "task_failed", "task_skipped")
HINT = "write `tenant::package::workflow::task`; `cloacina-ctl run` takes both"


def short_names(rule: str) -> list[str]:
    """Return the ids that a rule in Python names without their workflow, sorted."""
    found = set()
    for node in ast.walk(_parsed(rule)):
        if isinstance(node, ast.Call) and _name(node.func) in _STATUSES:
            given = [*node.args[:1], *(word.value for word in node.keywords)]
            texts = [one.value for one in given if isinstance(one, ast.Constant)]
            found |= {text for text in texts if isinstance(text, str) and "::" not in text}
    return sorted(found)


def words(task: str, names: list[str]) -> str:
    """Return the message about such a rule."""
    listed = ", ".join(f"`{name}`" for name in names)
    return f"the trigger rule of the task `{task}` names {listed} by the id alone"


def _parsed(rule: str) -> ast.AST:
    unreadable = (SyntaxError, ValueError, RecursionError, MemoryError)
    with contextlib.suppress(*unreadable), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about the author's style
        return ast.parse(rule.strip(), mode="eval")
    return ast.Module(body=[], type_ignores=[])


def _name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None
