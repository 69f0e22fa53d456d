"""Parsing source that may be nested without end, also by an interpreter that trusts its stack.

Python 3.10 turns a syntax tree into objects by recursion that nothing bounds: 200 000 operators in
one expression end the process. From 3.11 on the interpreter raises instead.
"""

from __future__ import annotations

import ast
import sys
import threading

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
