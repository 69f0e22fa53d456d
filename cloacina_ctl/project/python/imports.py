"""Finds the modules that a Python source requires, from its syntax tree.

An import that may fail without harm does not count: one in a `try` whose handler catches the
failure, under `suppress`, in a branch, a loop or a `match`; and in a function, unless the function
is a task and each of its runs reaches the import.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

_CATCHES = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


class Import(NamedTuple):
    """An import that has to succeed: of ``module``, relative by ``level`` dots, at ``place``.

    ``task`` is the function around it, None for an import at the top of the module; ``names``
    are those that are taken of the module.
    """

    module: str
    level: int
    place: str
    task: str | None = None
    names: tuple[str, ...] = ()


def needed_imports(
    tree: ast.Module,
    place_of: Callable[[ast.AST], str],
    is_task: Callable[[FunctionNode], bool],
) -> Iterator[Import]:
    """Yield the imports of a module that have to succeed, in no order."""
    waiting: list[tuple[ast.stmt, str | None]] = [(one, None) for one in tree.body]
    while waiting:
        statement, task = waiting.pop()
        place = place_of(statement)
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                yield Import(alias.name, 0, place, task)
        elif isinstance(statement, ast.ImportFrom):
            names = tuple(alias.name for alias in statement.names)
            yield Import(statement.module or "", statement.level, place, task, names)
        elif isinstance(statement, FunctionNode):
            if task is None and is_task(statement):
                waiting += [(one, statement.name) for one in statement.body]
        else:
            waiting += [(one, task) for one in _always_run(statement)]


def _always_run(statement: ast.stmt) -> list[ast.stmt]:
    """Return the statements in a compound one that run whenever it does."""
    if isinstance(statement, ast.ClassDef):
        return statement.body
    if isinstance(statement, ast.With | ast.AsyncWith):
        return [] if any(map(_suppresses, statement.items)) else statement.body
    if not isinstance(statement, ast.Try) and type(statement).__name__ != "TryStar":
        return []
    tried: ast.Try = statement  # type: ignore[assignment]  # both have the same fields
    if any(_takes_failure(handler.type) for handler in tried.handlers):
        return tried.finalbody
    return [*tried.body, *tried.orelse, *tried.finalbody]


def _suppresses(item: ast.withitem) -> bool:
    called = item.context_expr
    return isinstance(called, ast.Call) and any(map(_takes_failure, called.args))


def _takes_failure(caught: ast.expr | None) -> bool:
    """Return whether a handler of these exceptions catches a failed import; None is all."""
    if caught is None:
        return True
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(_last_name(name) in _CATCHES for name in names)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
