"""The problems of a manifest and their places, collected while it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloacina_ctl.errors import Code

MAX_PROBLEMS = 100  # a hostile manifest may have a million


class Problem:
    """Something wrong at a place; the place grows from the inside out while reading unwinds."""

    __slots__ = ("code", "message", "steps")

    def __init__(self, code: Code, message: str, *steps: str | int) -> None:
        self.code = code
        self.message = message
        self.steps = list(reversed(steps))

    @property
    def pointer(self) -> str:
        """The place as a JSON pointer (RFC 6901); that of the whole manifest is empty."""
        steps = (str(step).replace("~", "~0").replace("/", "~1") for step in reversed(self.steps))
        return "".join(f"/{step}" for step in steps)


Problems = list[Problem]


def is_enough(bad: Problems) -> bool:
    """Return whether there are enough problems to stop reading."""
    return len(bad) > MAX_PROBLEMS


def under(step: str | int, bad: Problems, known: int) -> None:
    """Put the problems from number ``known`` on under ``step``."""
    for problem in bad[known:]:
        problem.steps.append(step)
