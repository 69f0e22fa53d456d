"""Finds the statements that an import runs, and the meaning of names, from the syntax tree.

An import does not run bodies of functions, nor code for type checkers or ``python -m``.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE = "cloaca"

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Function(NamedTuple):
    """A function, by its ``__name__``."""

    name: str


class EngineName(NamedTuple):
    """A name of the engine's module; an empty name is the module itself."""

    name: str = ""


class Elsewhere(NamedTuple):
    """A name of another module: its dotted name, relative by ``level`` dots."""

    module: str
    level: int
    name: str


class NotConstant(NamedTuple):
    """A value that is known only at run time."""


UNREADABLE = NotConstant()


def executed(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements that importing the module may run, in the order of the source."""
    waiting = list(reversed(tree.body))
    while waiting:
        statement = waiting.pop()
        yield statement
        waiting.extend(reversed(_inner(statement)))


def _inner(statement: ast.stmt) -> list[ast.stmt]:
    if isinstance(statement, FunctionNode):
        return []
    if isinstance(statement, ast.If) and not _may_be_true(statement.test):
        return statement.orelse
    if isinstance(statement, ast.Match):
        return [inner for case in statement.cases for inner in case.body]
    found: list[ast.stmt] = list(getattr(statement, "body", ()))
    for handler in getattr(statement, "handlers", ()):
        found += handler.body
    return [*found, *getattr(statement, "orelse", ()), *getattr(statement, "finalbody", ())]


def _may_be_true(test: ast.expr) -> bool:
    """Return whether the condition may hold in an import: not TYPE_CHECKING, not ``__main__``."""
    if isinstance(test, ast.Name | ast.Attribute):
        name = test.id if isinstance(test, ast.Name) else test.attr
        return name != "TYPE_CHECKING"
    if isinstance(test, ast.Compare) and isinstance(test.left, ast.Name):
        return test.left.id != "__name__"
    return True


def names_of(tree: ast.Module) -> dict[str, object]:
    """Return the meaning of the module's top-level names.

    A plain value, the syntax of a list, :class:`Function`, :class:`EngineName`, :class:`Elsewhere`,
    or :data:`UNREADABLE` for a name that is bound twice or to anything else.
    """
    names: dict[str, object] = {}
    for statement in executed(tree):
        for name, value in _bindings(statement, names):
            if isinstance(names.get(name), EngineName):
                continue  # `cloaca = None` where the import fails: there is no engine then
            known = name in names and names[name] != value and not isinstance(value, EngineName)
            names[name] = UNREADABLE if known else value
    return names


def _bindings(statement: ast.stmt, names: dict[str, object]) -> Iterator[tuple[str, object]]:
    if isinstance(statement, FunctionNode | ast.ClassDef):
        yield statement.name, Function(statement.name)
    elif isinstance(statement, ast.Import):
        for alias in statement.names:
            name = alias.asname or alias.name.partition(".")[0]
            yield name, EngineName() if alias.name == MODULE else Elsewhere(alias.name, 0, "")
    elif isinstance(statement, ast.ImportFrom):
        yield from _imported(statement)
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from _assigned(target, _value(statement.value, names))
    elif isinstance(statement, ast.AnnAssign):
        if statement.value is not None:
            yield from _assigned(statement.target, _value(statement.value, names))
    elif isinstance(statement, ast.AugAssign | ast.For | ast.AsyncFor):
        yield from _assigned(statement.target, UNREADABLE)


def _assigned(target: ast.expr, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(target, ast.Name):
        yield target.id, value
        return
    for node in ast.walk(target):  # several at once
        if isinstance(node, ast.Name):
            yield node.id, UNREADABLE


def _imported(statement: ast.ImportFrom) -> Iterator[tuple[str, object]]:
    module = statement.module or ""
    for alias in statement.names:
        name = alias.asname or alias.name
        if module != MODULE or statement.level:
            yield name, Elsewhere(module, statement.level, alias.name)
        elif alias.name == "*":
            yield from ((word, EngineName(word)) for word in ("task", "trigger", "WorkflowBuilder"))
        else:
            yield name, EngineName(alias.name)


def _value(node: ast.expr, names: dict[str, object]) -> object:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return node
    if isinstance(node, ast.Name):
        return names.get(node.id, UNREADABLE)
    engine = engine_name(node, names)
    return UNREADABLE if engine is None else EngineName(engine)


def engine_name(node: ast.expr, names: dict[str, object]) -> str | None:
    """Return the name of the engine's module that ``node`` refers to, or None."""
    if isinstance(node, ast.Name):
        value = names.get(node.id)
        return value.name if isinstance(value, EngineName) else None
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.attr if names.get(node.value.id) == EngineName() else None
    return None
