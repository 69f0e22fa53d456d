"""Finds newer syntax, from the syntax tree of a Python that has it.

Not seen, for the tree does not show it: f-strings that only Python 3.12 reads (quotes of their own
kind, backslashes and comments inside), and `except` with several types and no parentheses (3.14).
"""

from __future__ import annotations

import ast
import re
import sys
import threading
from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Python 3.10 turns a syntax tree into objects by recursion that nothing bounds: 200 000 operators
# in one expression end the process. From 3.11 on the interpreter raises instead.

# An operator and an operand a level: 65 000 levels need less than the usual 8 MiB (measured).
_SAFE_CHARACTERS = 1 << 17
# Enough for 2 MiB of source, 1 000 000 levels; address space alone unless it is used.
_STACK_BYTES = 512 << 20


def parse_source(source: str) -> ast.Module:
    """Return the syntax tree; raise what ``ast.parse`` does, ``RecursionError`` included."""
    if sys.version_info >= (3, 11) or len(source) <= _SAFE_CHARACTERS:
        return ast.parse(source)
    return parse_on_large_stack(source)


def parse_on_large_stack(source: str) -> ast.Module:
    """Return the syntax tree, made by a thread whose stack holds any nesting."""
    found: list[ast.Module] = []
    problems: list[Exception] = []

    def parse() -> None:
        try:
            found.append(ast.parse(source))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            problems.append(error)

    usual = threading.stack_size(_STACK_BYTES)
    try:
        thread = threading.Thread(target=parse)
        thread.start()
    except RuntimeError as error:  # no address space left for such a stack
        raise MemoryError from error
    finally:
        threading.stack_size(usual)
    thread.join()
    if problems:
        raise problems[0]
    return found[0]


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
    """Yield the syntax in a module that Python 3.10 does not have, each kind once."""
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
