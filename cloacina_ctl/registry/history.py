"""Whose turn it is: the order in which the versions of a name were active, each at most once.

The last one is active. Pure: lists of versions in, lists of versions out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, FileProblem, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence


def activate(turns: Sequence[str], version: str) -> tuple[str, ...]:
    """Return the turns after ``version`` became active: a step back leads to the one before."""
    return (*(one for one in turns if one != version), version)


def step_back(
    turns: Sequence[str], installed: Sequence[str], to: str | None, where: str
) -> tuple[str, ...]:
    """Return the turns one step back, or back to version ``to``.

    What was active in between has had its turn: further steps lead further back, never forth. A
    version without a turn becomes active as if it had just been installed. Raises ``Refused`` where
    there is nothing to go back to, and ``FileProblem`` where ``to`` is not installed.
    """
    if to is None:
        if len(turns) < 2:
            raise Refused.of(
                Code.NO_EARLIER,
                "no other version was active before",
                where=where,
                hint=_others(turns, installed),
            )
        return tuple(turns[:-1])
    if to not in installed:
        raise FileProblem.of(
            Code.NOT_INSTALLED,
            f"this version is not installed: {to}",
            where=where,
            hint=f"installed: {', '.join(installed)}",
        )
    if to in turns:
        return tuple(turns[: turns.index(to) + 1])
    return activate(turns, to)


def without(turns: Sequence[str], gone: str, left: Sequence[str]) -> tuple[str, ...]:
    """Return the turns without the version ``gone``; ``left`` are those that stay, as they came.

    Where all that had a turn are gone, the one that came last gets it.
    """
    rest = tuple(one for one in turns if one != gone)
    return rest or tuple(left[-1:])


def _others(turns: Sequence[str], installed: Sequence[str]) -> str | None:
    others = [one for one in installed if one not in turns]
    return f"name one with --to: {', '.join(others)}" if others else None
