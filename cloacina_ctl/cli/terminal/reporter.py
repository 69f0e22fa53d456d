"""Where words go: results to standard output, everything else to standard error.

Knows whether there is a terminal and whether color is wanted. With ``--json`` standard output
gets exactly one object, when the verb has ended or failed.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from cloacina_ctl.cli.terminal import render, streams
from cloacina_ctl.cli.terminal.escape import escape_shown
from cloacina_ctl.errors import Severity
from cloacina_ctl.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cloacina_ctl.cli.parsing.declaration import OutputOptions
    from cloacina_ctl.cli.terminal.live import ProgressBar
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.progress import Progress

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def wants_color(choice: str, stream: TextIO | None) -> bool:
    """Decide about color: the flag, then NO_COLOR, then FORCE_COLOR, then the terminal."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return streams.is_terminal(stream) and os.environ.get("TERM") != "dumb"


class Reporter:
    """What a command says, and how: made once, from the common options."""

    def __init__(self, options: OutputOptions, schema: str) -> None:
        self.json = options.json
        self.quiet = options.quiet
        self.verbose = options.verbose
        self.debug = options.debug
        self.schema = schema
        self.color = options.color or "auto"
        self._bar: ProgressBar | None = None
        self._answer: tuple[bool, object, tuple[Diagnostic, ...]] | None = None
        self._asides: tuple[Diagnostic, ...] = ()

    def line(self, text: str = "") -> None:
        """Print one line of the result; nothing with ``--quiet`` or ``--json``."""
        if not (self.quiet or self.json):
            self._print(text)

    def data(self, text: str) -> None:
        """Print the result itself, such as a key or a schema, whatever the options say."""
        self._print(text)

    def note(self, text: str) -> None:
        """Print one line beside the result, on standard error."""
        if not self.quiet:
            self._complain(text)

    def result(
        self, result: object, diagnostics: Iterable[Diagnostic] = (), *, ok: bool = True
    ) -> None:
        """Set what ``--json`` prints when the verb has ended."""
        self._answer = (ok, result, tuple(diagnostics))

    def aside(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Warn of what the verb goes on without, now and in the object of ``--json``."""
        new = tuple(diagnostics)
        self._asides += new
        self.warnings(new)

    def failure(self, diagnostics: Iterable[Diagnostic], result: object = None) -> None:
        """Say what went wrong: on standard error, and in the object of ``--json``."""
        found = tuple(diagnostics)
        self._answer = (False, result, found)
        self._complain_of(found)

    def problems(self, found: Sequence[Diagnostic]) -> None:
        """Say on standard error what went wrong, behind what was printed; the verb goes on."""
        streams.flush()
        self._complain_of(found)

    def _complain_of(self, found: Sequence[Diagnostic]) -> None:
        room = None if self.verbose else render.MAX_ERROR_BYTES
        for line in render.error_lines(found, self._paint_error, room):
            self._complain(line)

    def finish(self, *, ok: bool) -> None:
        """Print the object of ``--json``; raises ``OutputLost`` where what was printed is lost."""
        self.close()
        if self.json:
            ok, result, found = self._answer or (ok, None, ())
            answer = render.answer_json(
                self.schema, ok=ok, result=result, diagnostics=(*found, *self._asides)
            )
            streams.write(render.json_text(answer) + "\n")
        streams.flush()

    def warnings(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Print warnings on standard error, and notes too where more is wanted."""
        for diagnostic in diagnostics:
            if self.quiet or (diagnostic.severity is Severity.NOTE and not self.verbose):
                continue
            self.diagnostic(diagnostic)

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        """Print one diagnostic on one line of standard error."""
        self._complain(self.diagnostic_line(diagnostic, sys.stderr))

    def diagnostic_line(self, diagnostic: Diagnostic, stream: TextIO) -> str:
        """Return one diagnostic as one escaped line, in the colors of ``stream``."""
        paint = self._paint_error if stream is sys.stderr else self.paint
        return render.diagnostic_line(diagnostic, paint)

    def paint(self, style: str, text: str) -> str:
        """Return ``text`` in ``style`` where standard output takes color."""
        return self._paint(sys.stdout, style, text)

    def progress(self) -> Progress | None:
        """Return what shows progress on standard error, or None where it would not be seen."""
        if self.quiet or not streams.is_terminal(sys.stderr) or os.environ.get("TERM") == "dumb":
            return None
        from cloacina_ctl.cli.terminal.live import ProgressBar

        self._bar = ProgressBar(color=wants_color(self.color, sys.stderr))
        return self._bar.update

    def close(self) -> None:
        """Take a progress bar away before anything else is shown."""
        if self._bar is not None:
            self._bar.close()  # and kept: what reports progress may bring it back

    def _print(self, text: str) -> None:
        self.close()
        streams.write(escape_shown(text) + "\n")

    def _complain(self, text: str) -> None:
        self.close()
        streams.complain(escape_shown(redacted(text)) + "\n")

    def _paint_error(self, style: str, text: str) -> str:
        return self._paint(sys.stderr, style, text)

    def _paint(self, stream: TextIO, style: str, text: str) -> str:
        if not wants_color(self.color, stream):
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"
