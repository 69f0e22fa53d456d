"""Asking a person before what cannot be undone; a script says by options what it wants."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cloacina_ctl.cli.terminal import streams
from cloacina_ctl.cli.terminal.escape import escape_shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.cli.terminal.reporter import Reporter


def can_ask(reporter: Reporter) -> bool:
    """Return whether a person can be asked: input and errors are a terminal, and no --json."""
    return not reporter.json and streams.is_terminal(sys.stdin) and streams.is_terminal(sys.stderr)


def answer(lines: Iterable[str], prompt: str) -> str:
    """Show ``lines``, also where --quiet wants no others, and return the line that is typed.

    It comes without the spaces around it, and empty where the person ends the input.
    """
    shown = escape_shown("".join(f"{line}\n" for line in lines) + prompt)
    streams.complain(shown)
    line = sys.stdin.readline()
    if not line:
        streams.complain("\n")  # the end of input leaves the cursor behind the question
    return line.strip()
