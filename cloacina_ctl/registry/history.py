"""The activation history of a name: its versions in the order of their activation, each once.

The last one is active. Pure functions: sequences of versions in, tuples of versions out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, FileProblem, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence


def activate(history: Sequence[str], version: str) -> tuple[str, ...]:
    """Return the history after ``version`` became active: a rollback leads to the one before."""
    return (*(one for one in history if one != version), version)


def roll_back(
    history: Sequence[str], installed: Sequence[str], to: str | None, where: str
) -> tuple[str, ...]:
    """Return the history one step back, or back to version ``to``.

    The versions that were active after it leave the history: further steps lead further back, never
    forward. A version that is not in the history becomes active as if it had just been installed.
    Raises ``Refused`` where there is no earlier version, ``FileProblem`` where ``to`` is not
    installed.
    """
    if to is None:
        if len(history) < 2:
            raise Refused.of(
                Code.NO_EARLIER,
                "no other version was active before",
                where=where,
                hint=_others(history, installed),
            )
        return tuple(history[:-1])
    if to not in installed:
        raise FileProblem.of(
            Code.NOT_INSTALLED,
            f"this version is not installed: {to}",
            where=where,
            hint=f"installed: {', '.join(installed)}",
        )
    if to in history:
        return tuple(history[: history.index(to) + 1])
    return activate(history, to)


def remaining(history: Sequence[str], installed: Sequence[str]) -> tuple[str, ...]:
    """Return the history of the versions that are still installed.

    If none of them is, the last installed version becomes active.
    """
    return tuple(one for one in history if one in installed) or tuple(installed[-1:])


def _others(history: Sequence[str], installed: Sequence[str]) -> str | None:
    others = [one for one in installed if one not in history]
    return f"name one with --to: {', '.join(others)}" if others else None
