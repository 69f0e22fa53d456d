"""Verbs that take several packages: a failure of one does not stop the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli import exits
from cloacina_ctl.errors import CloacinaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.errors import Diagnostic


def with_each(
    words: Sequence[str], answer: Callable[[str], dict[str, object]], reporter: Reporter
) -> tuple[int, int]:
    """Show the result for each word, in order; return the worst exit status and how many failed.

    ``answer`` prints a result and returns its ``--json`` object; several words give a list of
    these. Raises what ``answer`` raises where there is only one word.
    """
    results: list[dict[str, object]] = []
    found: list[Diagnostic] = []
    status = exits.DONE
    for word in words:
        try:
            result = answer(word)
        except CloacinaError as error:
            if len(words) == 1:
                raise
            found += error.diagnostics
            status = max(status, exits.exit_status(error))
            reporter.problems(error.diagnostics)
            continue
        results.append(result)
    if status:
        reporter.result(results or None, found, ok=False)
    else:
        reporter.result(results[0] if len(words) == 1 else results)
    return status, len(words) - len(results)
