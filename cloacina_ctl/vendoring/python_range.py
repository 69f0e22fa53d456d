"""Computes which of the project's releases of Python the vendored wheels support.

One rule for all: the package supports a release if the project, and the tags and `Requires-Python`
of all wheels, accept it, and all distributions that their conditions then require are there. The
choice, the refusals and the manifest follow from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.utils import parse_wheel_filename

from cloacina_ctl.errors import Code, Diagnostic
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.closure import Distribution, Roots, conditions, reach
from cloacina_ctl.vendoring.target import (
    LAST_PATCH,
    PYTHONS,
    PythonTarget,
    accepted_pythons,
    patch_edges,
    takes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cloacina_ctl.vendoring.locks.lock import LockedWheel

# Future versions: a clause of the project may be about one of them.
_TO_COME = ("3.15.0", "3.99.0", "4.0.0")


class PatchRelease(NamedTuple):
    """A release of Python: ``3.11`` and its patch."""

    python: str
    patch: int

    @property
    def text(self) -> str:
        """The release in the form that specifiers compare."""
        return f"{self.python}.{self.patch}"


class Wheels:
    """The wheels to vendor for ``targets``, and the releases of Python that they support.

    ``requires`` is the project's `requires-python`.
    """

    def __init__(
        self,
        roots: Roots,
        wheels: Mapping[LockedWheel, Distribution],
        targets: tuple[PythonTarget, ...],
        requires: str | None,
    ) -> None:
        self._roots = roots
        self._targets = targets
        self._requires = requires
        self._tags = {wheel: parse_wheel_filename(wheel.file)[3] for wheel in wheels}
        self._wheels = wheels
        texts = [one.python for one in wheels.values() if one.python]
        known = {one.name: one for one in wheels.values()}
        edges = patch_edges(*texts, *conditions(roots, known), requires or "")
        pythons = sorted({*PYTHONS, targets[0].python}, key=_minor)
        self._every = tuple(PatchRelease(python, patch) for python in pythons for patch in edges)
        self._releases = tuple(one for one in self._every if takes(requires, one.text))
        self._good = tuple(filter(self._fits, self._releases))

    @property
    def fits_all(self) -> bool:
        """Return whether they support every release that the project accepts."""
        return self._good == self._releases

    @property
    def runs_anywhere(self) -> bool:
        """Return whether their tags are for every Python of the project."""
        return all(map(self._has_tags, accepted_pythons(self._requires)))

    def unfit(self) -> Iterator[Diagnostic]:
        """Yield why they support no release of the target's Python."""
        python = self._targets[0].python
        if self._good_of(python):
            return
        own = [one.text for one in self._releases if one.python == python]
        blamed = [one for one in self._wheels if not self._is_for(one, own)]
        for wheel in blamed or self._wheels:
            needs = self._wheels[wheel].python
            yield Diagnostic(
                Code.DEPENDENCY,
                f"{wheel.title} is not for Python {python}"
                + (f": it needs {needs}" if needs else f", {wheel.file}"),
                wheel.file,
                "vendor for a Python that all of them support: --vendor-python",
            )

    def _is_for(self, wheel: LockedWheel, releases: Sequence[str]) -> bool:
        tags = self._tags[wheel]
        needs = self._wheels[wheel].python
        return any(takes(needs, one) for one in releases) and all(
            target.rank(tags) is not None
            for target in self._targets
            if target.platform in wheel.platforms
        )

    def narrowed(self) -> str | None:
        """Return the specifier of the supported releases, None for all of the project's.

        It accepts consecutive ones around the last one of the target's Python, and none that the
        project does not accept.
        """
        if self.fits_all:
            return None
        run = self._run()
        first, last = run[0], run[-1]
        whole = first.python == last.python and (first.patch, last.patch) == (0, LAST_PATCH)
        bounds = [f"=={first.python}.*"] if whole else list(self._bounds(first, last))
        own = [str(one) for one in SpecifierSet(self._requires or "")]
        return str(SpecifierSet(",".join(self._needed([*own, *bounds]))))

    def _bounds(self, first: PatchRelease, last: PatchRelease) -> Iterator[str]:
        yield f">={first.text}" if first.patch else f">={first.python}"
        if last == self._releases[-1]:
            return
        if last.patch == LAST_PATCH:
            yield f"<3.{_minor(last.python) + 1}"
        else:
            yield f"<{last.python}.{last.patch + 1}"

    def _run(self) -> Sequence[PatchRelease]:
        """Return the consecutive supported releases around the target's."""
        last = self._good_of(self._targets[0].python)[-1]
        low = high = self._releases.index(last)
        good = set(self._good)
        while low > 0 and self._releases[low - 1] in good:
            low -= 1
        while high + 1 < len(self._releases) and self._releases[high + 1] in good:
            high += 1
        return self._releases[low : high + 1]

    def _good_of(self, python: str) -> list[PatchRelease]:
        return [one for one in self._good if one.python == python]

    def _needed(self, clauses: list[str]) -> list[str]:
        """Return the clauses without redundant ones."""
        every = (*(one.text for one in self._every), *_TO_COME)
        meant = [all(takes(clause, one) for clause in clauses) for one in every]
        for clause in tuple(clauses):
            rest = [one for one in clauses if one is not clause]
            if rest and meant == [all(takes(each, one) for each in rest) for one in every]:
                clauses = rest
        return clauses

    def _fits(self, release: PatchRelease) -> bool:
        """Return whether the wheels support a release, on each platform."""
        return self._has_tags(release.python) and all(
            self._fits_on(target, release) for target in self._targets
        )

    def _has_tags(self, python: str) -> bool:
        return all(
            target._replace(python=python).rank(tags) is not None
            for target in self._targets
            for wheel, tags in self._tags.items()
            if target.platform in wheel.platforms
        )

    def _fits_on(self, target: PythonTarget, release: PatchRelease) -> bool:
        known = {
            distribution.name: distribution
            for wheel, distribution in self._wheels.items()
            if target.platform in wheel.platforms
        }
        if not all(takes(one.python, release.text) for one in known.values()):
            return False
        here = target._replace(python=release.python, patches=(release.patch, release.patch))
        return not reach(self._roots, known, here).missing


def _minor(python: str) -> int:
    return int(python.partition(".")[2])
