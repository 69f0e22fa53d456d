"""For which versions of Python the vendored wheels are complete, out of those of the project."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.utils import parse_wheel_filename

from cloacina_ctl.errors import Code, Diagnostic
from cloacina_ctl.project.vendoring.closure import Distribution, Roots, reach
from cloacina_ctl.project.vendoring.target import PYTHONS, Target, accepted_pythons, accepts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloacina_ctl.project.vendoring.lock import LockedWheel


def too_new(
    wheels: Mapping[LockedWheel, Distribution], python: str, requires: str | None
) -> Iterator[Diagnostic]:
    """Yield each wheel that does not run on the Pythons that the project says it is for.

    As uv does, the lower end counts: what a distribution says of versions to come is a guess.
    """
    for wheel, distribution in wheels.items():
        refused = [
            one
            for one in (python, *(accepted_pythons(requires) if requires else ()))
            if not accepts(distribution.python, one) and _number(one) <= _number(python)
        ]
        if refused:
            yield Diagnostic(
                Code.DEPENDENCY,
                f"{wheel.title} needs Python {distribution.python}, and the project is for "
                f"{min(refused, key=_number)} too",
                wheel.file,
                f"choose for the oldest: --vendor-python {min(refused, key=_number)}; or set "
                f'`requires-python = "{distribution.python}"`',
            )


def narrowed(
    roots: Roots,
    wheels: Mapping[LockedWheel, Distribution],
    targets: tuple[Target, ...],
    requires: str | None,
) -> str | None:
    """Return the specifier of the Pythons that the wheels are for, None for all of the project's.

    The interpreter decides which compiled wheels load, and markers which distributions are needed.
    """
    candidates = tuple(accepted_pythons(requires))
    good = [
        python
        for python in candidates
        if all(_fits(roots, wheels, target._replace(python=python)) for target in targets)
    ]
    if good == list(candidates):
        return None
    python = targets[0].python
    run = _run_around(good, python)
    own = f"=={python}.*" if run == [python] else _between(run)
    kept = [str(one) for one in SpecifierSet(requires or "") if not _is_implied(str(one), run[0])]
    return str(SpecifierSet(",".join([own, *kept])))


def _fits(roots: Roots, wheels: Mapping[LockedWheel, Distribution], target: Target) -> bool:
    known = {}
    for wheel, distribution in wheels.items():
        if target.platform in wheel.platforms:
            tags = parse_wheel_filename(wheel.file)[3]
            if target.rank(tags) is None or not accepts(distribution.python, target.python):
                return False
            known[wheel.name] = distribution
    return not reach(roots, known, target).missing


def _run_around(good: list[str], python: str) -> list[str]:
    """Return the versions next to each other around ``python`` that are good."""
    numbers = {_number(one) for one in good}
    low = high = _number(python)
    while low - 1 in numbers:
        low -= 1
    while high + 1 in numbers:
        high += 1
    return [f"3.{minor}" for minor in range(low, high + 1)]


def _is_implied(clause: str, low: str) -> bool:
    """Tell whether a clause of the project says less than the lowest version that fits."""
    match = re.fullmatch(r">=3\.([0-9]{1,2})(?:\.[0-9]+)?", clause)
    return match is not None and int(match[1]) < _number(low)


def _between(run: list[str]) -> str:
    low, high = run[0], run[-1]
    return f">={low}" + ("" if high == PYTHONS[-1] else f",<3.{_number(high) + 1}")


def _number(python: str) -> int:
    return int(python.partition(".")[2])
