"""What is wrong with a manifest, and where: found one by one while it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloacina_ctl.errors import Code

MAX_PROBLEMS = 100  # of a hostile manifest of a million wrong fields nobody reads more


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
    """Return whether so much is wrong that reading on would only cost time."""
    return len(bad) > MAX_PROBLEMS


def under(step: str | int, bad: Problems, known: int) -> None:
    """Say of the problems from number ``known`` on that they are under ``step``."""
    for problem in bad[known:]:
        problem.steps.append(step)
