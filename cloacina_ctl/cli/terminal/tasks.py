"""A task of a workflow on one line, the same in `inspect` and in `run --plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.terminal.escape import escape
from cloacina_ctl.cli.terminal.units import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cloacina_ctl.cli.terminal.render import Paint

_MAX_ID_WIDTH = 32
_ATTEMPTS_WIDTH = len("3 attempts")


def id_width(ids: Iterable[str]) -> int:
    """Return how wide the column of the tasks' ids is, in characters."""
    return min(max((len(escape(id_)) for id_ in ids), default=0), _MAX_ID_WIDTH)


def task_line(
    id_: str, width: int, attempts: int, needs: Sequence[str], notes: Sequence[str], paint: Paint
) -> str:
    """Return a task: its id, how often it is tried, what it waits for, what else there is to say.

    ``attempts`` counts the first one too. ``needs`` and ``notes`` are escaped already.
    """
    times = count(attempts, "attempt").ljust(_ATTEMPTS_WIDTH)
    arrow = ["← " + ", ".join(needs)] if needs else []
    return f"{escape(id_).ljust(width)}  " + paint(
        "dim", "  ".join([times, *arrow, *notes]).rstrip()
    )
