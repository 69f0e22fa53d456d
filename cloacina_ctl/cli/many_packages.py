"""A verb that takes several packages: one that fails does not keep the others from their answer."""

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
    """Show the answer for each word, in order; return the worst exit status and how many failed.

    ``answer`` shows it to people and returns what ``--json`` has of it: of one word that object,
    of several a list. Raises what ``answer`` raises where there is one word alone.
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
