"""The answers of ``run --trigger`` and ``run --graph`` as lines for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.terminal.escape import escape
from cloacina_ctl.cli.terminal.run import context_lines, isolation_hint, package_as_json, value_text
from cloacina_ctl.cli.terminal.run_table import MARKS
from cloacina_ctl.errors import Code, Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.cli.terminal.render import Paint
    from cloacina_ctl.operations.run import GraphRan, Polled


def polled_lines(polled: Polled, paint: Paint, *, verbose: bool) -> Iterator[str]:
    """Yield whether the trigger fires, and with which context."""
    if polled.error is not None:
        return
    fires = "fires" if polled.fires else "does not fire"
    yield f"{paint('green', '✓')} the trigger `{escape(polled.trigger)}` {fires}"
    yield from context_lines(polled.context or {}, paint, verbose=verbose)


def polled_as_json(polled: Polled) -> dict[str, object]:
    """Return what ``--json`` has of a trigger that was asked."""
    return {
        **package_as_json(polled),
        "trigger": polled.trigger,
        "fires": polled.fires,
        "context": polled.context,
        "trusted_signers": list(polled.trusted_signers),
    }


def poll_problems(polled: Polled) -> tuple[Diagnostic, ...]:
    """Return an error where the trigger failed."""
    if polled.error is None:
        return ()
    message = f"the trigger `{polled.trigger}` failed: {polled.error}"
    hint = isolation_hint(polled.error, polled.access, is_closed=polled.network_is_closed)
    return (Diagnostic(Code.TASK_FAILED, message, where=polled.path, hint=hint),)


def graph_lines(ran: GraphRan, paint: Paint, *, verbose: bool) -> Iterator[str]:
    """Yield how the graph ended, and what its last nodes gave."""
    style, mark = MARKS[ran.status]
    yield f"{paint(style, mark)} the graph `{escape(ran.graph)}` {ran.status}"
    if ran.outputs:
        yield paint("bold", "outputs")
    for value in ran.outputs:
        yield f"  {value_text(value, verbose=verbose)}"


def graph_as_json(ran: GraphRan) -> dict[str, object]:
    """Return what ``--json`` has of a graph that ran."""
    return {
        **package_as_json(ran),
        "graph": ran.graph,
        "status": ran.status,
        "outputs": list(ran.outputs),
        **({} if ran.error is None else {"error": ran.error}),
        "trusted_signers": list(ran.trusted_signers),
    }


def graph_problems(ran: GraphRan) -> tuple[Diagnostic, ...]:
    """Return an error where the graph failed."""
    if ran.error is None:
        return ()
    message = f"the graph `{ran.graph}` failed: {ran.error}"
    hint = isolation_hint(ran.error, ran.access, is_closed=ran.network_is_closed)
    if hint is None and ran.absent:
        hint = f"--context has no value for: {', '.join(ran.absent)}"
    return (Diagnostic(Code.TASK_FAILED, message, where=ran.path, hint=hint),)
