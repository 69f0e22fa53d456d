"""Values in source text that can be read without running it."""

from __future__ import annotations

import ast
import re

_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h)")
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


class Unreadable:
    """Stands for a value that only running the code would tell."""


def literal(node: ast.expr, constants: dict[str, object]) -> object:
    """Return the value of ``node``: a literal, or the name of a constant; else ``Unreadable``."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return constants.get(node.id, Unreadable)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = literal(node.operand, constants)
        return -inner if type(inner) is int else Unreadable
    return Unreadable


def milliseconds(text: str) -> int | None:
    """Return the duration that ``text`` spells, such as ``30s`` or ``500ms``; None if it does not."""
    found = _DURATION.fullmatch(text.strip())
    return int(found[1]) * _UNITS[found[2]] if found else None
