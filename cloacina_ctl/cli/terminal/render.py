"""Diagnostics as lines for people, and the one JSON object for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.terminal.escape import escape, shorten
from cloacina_ctl.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cloacina_ctl.errors import Diagnostic

    Paint = Callable[[str, str], str]

MAX_ERROR_BYTES = 4096
_MAX_PLACE_BYTES = 600
_MAX_MESSAGE_BYTES = 1400
_MAX_HINT_BYTES = 400
_MAX_READ_BYTES = 1 << 16
_STYLES = {"error": "red", "warning": "yellow", "note": "cyan"}


def diagnostic_line(found: Diagnostic, paint: Paint) -> str:
    """Return a diagnostic as one escaped line of less than 2.5 KiB."""
    severity = found.severity.value
    line = paint(_STYLES[severity], f"{severity}[{found.code}]") + " "
    if found.where:
        line += f"{_shown(found.where, _MAX_PLACE_BYTES)}: "
    line += _shown(found.message, _MAX_MESSAGE_BYTES)
    if found.hint:
        line += paint("dim", f" — {_shown(found.hint, _MAX_HINT_BYTES)}")
    return line


def _shown(text: str, size: int) -> str:
    """Return ``text`` without secrets, escaped and short.

    Cut before too, for it may be as long as a package; but secrets are sought before that.
    """
    safe = redacted(shorten(text, _MAX_READ_BYTES))
    return shorten(escape(shorten(safe, size)), size)


def error_lines(found: Sequence[Diagnostic], paint: Paint, room: int | None) -> list[str]:
    """Return one line for each diagnostic, as many as ``room`` bytes hold, and how many more."""
    lines: list[str] = []
    for one in found:
        line = diagnostic_line(one, paint)
        if room is not None:
            room -= len(line.encode("utf-8", "backslashreplace")) + 1
            if room < 100 and lines:
                lines.append(f"... and {len(found) - len(lines)} more; --verbose shows all")
                break
        lines.append(line)
    return lines


def answer_json(
    schema: str, *, ok: bool, result: object, diagnostics: Iterable[Diagnostic]
) -> dict[str, object]:
    """Return the object that every verb prints with ``--json``."""
    return {
        "schema": schema,
        "ok": ok,
        "result": result,
        "diagnostics": [_diagnostic_json(one) for one in diagnostics],
    }


def _diagnostic_json(found: Diagnostic) -> dict[str, object]:
    place = found.location
    return {
        "code": str(found.code),
        "severity": found.severity.value,
        "message": redacted(found.message),
        "where": None if found.where is None else redacted(found.where),
        "file": None if place is None else redacted(place.file),
        "line": None if place is None else place.line,
        "column": None if place is None else place.column,
        "hint": None if found.hint is None else redacted(found.hint),
        "doc_url": found.code.page,
    }


def json_text(value: object) -> str:
    r"""Return ``value`` as JSON in ASCII: valid UTF-8, and harmless on any terminal.

    A half of a surrogate pair, which file names that are not UTF-8 give and which readers of JSON
    refuse, is spelt in the string like ``\udc80``.
    """
    import json

    text = json.dumps(value, allow_nan=False)
    if "\\ud" in text:
        import re

        # In turn: a backslash that is itself escaped; a whole pair; a half.
        pattern = r"\\\\|\\ud[89ab]..\\ud[c-f]..|\\(ud[89a-f]..)"
        text = re.sub(pattern, lambda m: f"\\\\{m[1]}" if m[1] else m[0], text)
    return text
