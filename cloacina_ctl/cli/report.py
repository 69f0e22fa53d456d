"""Where words go: results to standard output, everything else to standard error.

Knows whether there is a terminal, whether colour is wanted, what the streams can hold; never
raises for a stream that is closed.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from cloacina_ctl.cli.escape import escape
from cloacina_ctl.errors import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.cli.command import Values
    from cloacina_ctl.cli.progress import ProgressBar
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.operations.progress import Progress

MAX_LINE = 4096
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_SEVERITY_STYLE = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


class Reporter:
    """What a command says, and how: made once, from the common options."""

    def __init__(self, values: Values, schema: str) -> None:
        self.json: bool = values["json"]
        self.quiet: bool = values["quiet"]
        self.verbose: bool = values["verbose"]
        self.debug: bool = values["debug"]
        self.schema = schema
        self._color = values["color"]
        self._bar: ProgressBar | None = None

    def line(self, text: str = "") -> None:
        """Print one line of the result; nothing with ``--quiet`` or ``--json``."""
        if not (self.quiet or self.json):
            self._write(sys.stdout, text)

    def data(self, text: str) -> None:
        """Print the result itself, such as a key or a schema, whatever the options say."""
        self._write(sys.stdout, text)

    def note(self, text: str) -> None:
        """Print one line beside the result, on standard error."""
        if not self.quiet:
            self._write(sys.stderr, text)

    def result(
        self, result: object, diagnostics: Iterable[Diagnostic] = (), *, ok: bool = True
    ) -> None:
        """Print the JSON object of the verb, where ``--json`` asks for it."""
        if self.json:
            self._print_object(ok, result, diagnostics)

    def failure(self, diagnostics: Iterable[Diagnostic], result: object = None) -> None:
        """Print what went wrong: as JSON on standard output, and for people on standard error."""
        found = tuple(diagnostics)
        if self.json:
            self._print_object(False, result, found)
        for diagnostic in found:
            self.diagnostic(diagnostic)

    def warnings(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Print warnings on standard error, and notes too where more is wanted."""
        for diagnostic in diagnostics:
            if self.quiet or (diagnostic.severity is Severity.NOTE and not self.verbose):
                continue
            self.diagnostic(diagnostic)

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        """Print one diagnostic on one line of standard error."""
        self._write(sys.stderr, self.diagnostic_line(diagnostic, sys.stderr))

    def diagnostic_line(self, diagnostic: Diagnostic, stream: TextIO) -> str:
        """Return one diagnostic as one escaped line of bounded length."""
        severity = diagnostic.severity
        head = self._paint(
            stream, _SEVERITY_STYLE[severity], f"{severity.value}[{diagnostic.code}]"
        )
        where = f"{escape(diagnostic.where)}: " if diagnostic.where else ""
        line = where + escape(diagnostic.message)
        if len(line) > MAX_LINE // 2:
            line = line[: MAX_LINE // 2] + "…"
        hint = ""
        if diagnostic.hint:
            hint = self._paint(stream, "dim", f" — {escape(diagnostic.hint)[: MAX_LINE // 4]}")
        return f"{head} {line}{hint}"

    def paint(self, style: str, text: str) -> str:
        """Return ``text`` in ``style`` where standard output takes colour."""
        return self._paint(sys.stdout, style, text)

    def progress(self) -> Progress | None:
        """Return what shows progress on standard error, or None where nobody would see it."""
        if self.quiet or not _is_terminal(sys.stderr) or os.environ.get("TERM") == "dumb":
            return None
        from cloacina_ctl.cli.progress import ProgressBar

        self._bar = ProgressBar(color=self._takes_color(sys.stderr))
        return self._bar.update

    def close(self) -> None:
        """Take a progress bar away before anything else is shown."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _write(self, stream: TextIO | None, text: str) -> None:
        """Write a line, spelling out what the stream's encoding cannot hold."""
        self.close()
        if stream is None:
            return
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")

    def _print_object(self, ok: bool, result: object, diagnostics: Iterable[Diagnostic]) -> None:  # noqa: FBT001 - the object's own order
        import json

        found = [
            {
                "code": str(one.code),
                "severity": one.severity.value,
                "message": one.message,
                "where": one.where,
                "hint": one.hint,
            }
            for one in diagnostics
        ]
        value = {"schema": self.schema, "ok": ok, "result": result, "diagnostics": found}
        self._write(sys.stdout, json.dumps(value))

    def _paint(self, stream: TextIO, style: str, text: str) -> str:
        if not self._takes_color(stream):
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"

    def _takes_color(self, stream: TextIO) -> bool:
        if self._color != "auto":
            return bool(self._color == "always")
        if os.environ.get("NO_COLOR"):
            return False
        if os.environ.get("FORCE_COLOR"):
            return True
        return _is_terminal(stream) and os.environ.get("TERM") != "dumb"


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False
