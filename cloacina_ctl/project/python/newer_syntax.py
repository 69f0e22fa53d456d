"""Syntax that came to the language later, by the syntax tree of a Python that knows it.

Not seen, for the tree does not show it: f-strings that only Python 3.12 reads (quotes of their own
kind, backslashes and comments inside), and `except` with several types and no parentheses (3.14).
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Nearly no module has any of it, and walking a tree takes as long as making it.
_HINT = re.compile(
    rb"except\s*\*|\btype\s+\w+\s*[\[=]|\b(?:def|class)\s+\w+\s*\[|\b[tT][rR]?['\"]|\[\s*\*|,\s*\*"
)
_STATEMENTS = {
    "TryStar": (11, "`except*`"),
    "TypeAlias": (12, "a `type` statement"),
    "TemplateStr": (14, "a template string"),
}


class NewerSyntax(NamedTuple):
    """Syntax at ``place`` that Python 3.``minor`` is the first to have."""

    place: str
    minor: int
    what: str


def newer_syntax(
    tree: ast.Module, source: list[bytes], place_of: Callable[[ast.AST], str]
) -> Iterator[NewerSyntax]:
    """Yield what no Python 3.10 reads in a module, each kind once."""
    if not any(_HINT.search(line) for line in source):
        return
    seen: set[tuple[int, str]] = set()
    for node in ast.walk(tree):
        found = _since(node)
        if found is not None and found not in seen:
            seen.add(found)
            yield NewerSyntax(place_of(node), *found)


def _since(node: ast.AST) -> tuple[int, str] | None:
    known = _STATEMENTS.get(type(node).__name__)
    if known is not None:
        return known
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
        # `a[*b]` is a tuple without parentheses, and `a[(*b,)]` one with them.
        inner = node.slice
        if any(isinstance(one, ast.Starred) for one in inner.elts) and inner.elts:
            first = inner.elts[0]
            if inner.col_offset == first.col_offset and inner.lineno == first.lineno:
                return 11, "an index with `*`"
    parameters = getattr(node, "type_params", None)
    if not parameters:
        return None
    if any(getattr(one, "default_value", None) is not None for one in parameters):
        return 13, "a type parameter with a default"
    return 12, "type parameters"
