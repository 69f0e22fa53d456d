"""The context that a workflow begins with, as it is given on a command line."""

from __future__ import annotations

from typing import Any

from cloacina_ctl.archive.foreign.json_text import parse_json
from cloacina_ctl.errors import Code, Refused, UsageError
from cloacina_ctl.staging import reported

MAX_CONTEXT_BYTES = 16 << 20
FROM_FILE = "@"
STDIN = "-"


def read_context(text: str) -> dict[str, Any]:
    """Return the JSON object that ``text`` spells, or that is in the file behind an ``@``.

    ``@-`` is standard input. Raises ``UsageError`` for what is no object of JSON, ``FileProblem``
    where the file cannot be read.
    """
    where = "--context"
    if text.startswith(FROM_FILE):
        where = text[len(FROM_FILE) :]
        # Never closed: standard input is the caller's.
        with (
            reported(where),
            open(0 if where == STDIN else where, "rb", closefd=where != STDIN) as file,
        ):
            data = file.read(MAX_CONTEXT_BYTES + 1)
    else:
        data = text.encode("utf-8", "surrogateescape")
    if len(data) > MAX_CONTEXT_BYTES:
        raise UsageError.of(
            Code.USAGE, f"a context has at most {MAX_CONTEXT_BYTES} bytes", where=where
        )
    try:
        return parse_json(data, where)
    except Refused as error:
        first = error.diagnostics[0]
        raise UsageError(
            first._replace(code=Code.USAGE, hint=first.hint or 'such as {"day": "2026-11-20"}')
        ) from error
