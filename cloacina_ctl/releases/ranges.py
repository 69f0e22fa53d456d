"""Checks whether a release is in the range that a package or a crate requires.

Such ranges are written in two languages, and some signs have different meanings: ``~=0.5`` ends at
1 in one, ``~0.5`` at 0.6 in the other. If the meanings differ the wider one counts: a release is
outside of a range only if it is outside by every meaning.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloacina_ctl.releases.table import Release

    Version = tuple[int, ...]

_CLAUSE = re.compile(r"([<>]=?|==?|~=?|\^)? *([0-9]{1,9}(?:\.[0-9]{1,9}){0,2})(?![0-9])")
_FIRST: Version = (0, 0, 0)
_NONE: Version = (1 << 32,)


def takes_release(text: str, release: Release) -> bool:
    """Return whether the range ``text`` accepts a patch release of the line of ``release``.

    An unreadable clause is ignored.
    """
    low, high = _padded(release.number), _next(release.number)
    for clause in text.split(","):
        found = _CLAUSE.match(clause.strip())
        if found is None:
            continue
        first, end = _bounds(found[1] or "^", tuple(map(int, found[2].split("."))))
        low, high = max(low, first), min(high, end)
    return low < high


def _bounds(sign: str, numbers: Version) -> tuple[Version, Version]:
    """Return the first version that a clause accepts, and the first one after its range."""
    version = _padded(numbers)
    if sign == ">=":
        return version, _NONE
    if sign == ">":
        return (*version[:2], version[2] + 1), _NONE
    if sign == "<":
        return _FIRST, version
    if sign == "<=":
        return _FIRST, _next(numbers)
    if sign == "^":
        leading = next((at for at, number in enumerate(numbers) if number), len(numbers) - 1)
        return version, _next(numbers[: leading + 1])
    if sign == "~=":
        return version, _next(numbers[:-1] or numbers)
    if sign == "~":
        return version, _next(numbers[:2])
    return version, _next(numbers)


def _next(numbers: Version) -> Version:
    """Return the first version after all that begin with ``numbers``."""
    return _padded((*numbers[:-1], numbers[-1] + 1))


def _padded(numbers: Version) -> Version:
    return (*numbers, 0, 0)[:3]
