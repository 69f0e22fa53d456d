"""Reports Python source that this program's Python, or an older one, cannot parse.

Source that a newer Python may parse is not checked here: the Python that runs a package need not
be installed on this machine.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cloacina_ctl.checks.engine import Finding
from cloacina_ctl.project.python.stdlib_names import NEWEST, OLDEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.project.model import SyntaxProblem
    from cloacina_ctl.project.python.syntax import NewerSyntax

_HERE = sys.version_info[1]
_FAR = 40  # no real specifier begins later


def is_for_newer(problem: SyntaxProblem, requires: str | None, *, packed: bool) -> bool:
    """Return whether a Python that is newer than this one, and in ``requires``, may parse it.

    A project that supports this Python has to be parsed by it; a package need not be: it may run
    even if its author claimed too many versions.
    """
    if not problem.is_grammar:
        return False
    minors = minors_of(requires, _FAR)
    if _HERE in minors and not packed:
        return False
    return any(minor > _HERE for minor in minors if minor <= NEWEST or _HERE not in minors)


def refused(problem: SyntaxProblem, requires: str | None) -> tuple[str, str, str | None]:
    """Return message, place and hint for source that has to be parsed here."""
    if not problem.is_grammar:
        return problem.message, problem.place, None
    message = f"not valid Python 3.{_HERE}: {problem.message}"
    if _HERE in minors_of(requires, _FAR) and _HERE < NEWEST:
        where = f"it is for {requires}" if requires else "there is no `requires-python`"
        hint = f"if a newer Python reads it, set `requires-python`: {where}"
        return message, problem.place, hint
    return message, problem.place, None


def not_checked(problem: SyntaxProblem, requires: str | None) -> tuple[str, str, str]:
    """Return message, place and hint for source that another Python has to parse."""
    newer = [minor for minor in minors_of(requires, _FAR) if minor > _HERE]
    only = _HERE not in minors_of(requires, _FAR)
    needed = f"it is for Python {requires}" if only and requires else "a newer one may read it"
    message = f"not checked: this program runs on Python 3.{_HERE}, and {needed}: {problem.message}"
    with_ = f"3.{newer[0]}" if only and newer else f"3.{NEWEST}"
    return message, problem.place, f"run cloacina-ctl with Python {with_} or newer"


def too_new(found: Iterable[NewerSyntax], requires: str | None) -> Iterator[Finding]:
    """Yield syntax that the oldest Python in ``requires`` does not have."""
    newer = [one for one in found if requires]
    oldest = min(minors_of(requires, _FAR), default=_FAR) if newer else _FAR
    for one in newer:
        if one.minor > oldest:
            yield Finding(
                f"{one.what} needs Python 3.{one.minor}, and it is for {requires}",
                one.place,
                f'set `requires-python = ">=3.{one.minor}"`',
            )


def minors_of(requires: str | None, last: int = NEWEST) -> list[int]:
    """Return the minor versions of Python 3, up to ``last``, that a specifier accepts."""
    if requires is None:
        return list(range(OLDEST, last + 1))
    from cloacina_ctl.vendoring.target import accepted_minors

    return accepted_minors(requires, last)
