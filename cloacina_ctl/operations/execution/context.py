"""The context that a workflow begins with, as it is given on a command line."""

from __future__ import annotations

import codecs
import os
from typing import Any

from cloacina_ctl.errors import Code, Refused, UsageError
from cloacina_ctl.files.staging import reported
from cloacina_ctl.runtime.scheduler.context import MAX_DEPTH
from cloacina_ctl.strict_json import parse_json

MAX_CONTEXT_BYTES = 16 << 20
FROM_FILE = "@"
STDIN = "-"
_MARK = codecs.BOM_UTF8  # editors put it before what they save as UTF-8


def read_context(text: str) -> dict[str, Any]:
    """Return the JSON object that ``text`` spells, or that is in the file behind an ``@``.

    ``@-`` is standard input. Raises ``UsageError`` for what is no object of JSON, ``FileProblem``
    where the file cannot be read.
    """
    where, data = "--context", text.encode("utf-8", "surrogateescape")
    if text.startswith(FROM_FILE):
        where, data = _read(text[len(FROM_FILE) :])
    if len(data) > MAX_CONTEXT_BYTES:
        raise UsageError.of(
            Code.USAGE, f"a context has at most {MAX_CONTEXT_BYTES} bytes", where=where
        )
    try:
        return parse_json(data.removeprefix(_MARK), where, max_depth=MAX_DEPTH)
    except Refused as error:
        first = error.diagnostics[0]
        hint = first.hint or 'such as {"day": "2026-11-20"}'
        if not text.startswith(FROM_FILE) and _is_file(text):
            hint = f"the file of that name is meant by {FROM_FILE}{text}"
        raise UsageError(first._replace(code=Code.USAGE, hint=hint)) from error


def _read(name: str) -> tuple[str, bytes]:
    """Return how the file is called, and what is in it, as far as a context may go."""
    if not name:
        raise UsageError.of(
            Code.USAGE,
            "--context: expected the name of a file behind the @",
            hint=f"{FROM_FILE}{STDIN} is standard input",
        )
    is_stdin = name == STDIN
    where = "standard input" if is_stdin else name
    # Never closed: standard input is the caller's.
    with reported(where), open(0 if is_stdin else name, "rb", closefd=not is_stdin) as file:
        return where, file.read(MAX_CONTEXT_BYTES + 1)


def _is_file(text: str) -> bool:
    try:
        return os.path.isfile(text)
    except ValueError:  # no name that a file could have
        return False
