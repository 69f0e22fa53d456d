"""A requirement of a project on itself: `flow[extra]` among the dependencies of `flow`.

It stands for the entries of `[project.optional-dependencies]`, to the end of the chain. A
distribution with the project's name on an index is another project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Own(NamedTuple):
    """The project as a distribution: normal form of its name, requirements of its extras."""

    name: str
    version: str
    extras: tuple[tuple[str, tuple[Requirement, ...]], ...] = ()

    def names(self, requirement: Requirement) -> bool:
        """Return whether a requirement is on the project itself."""
        return str(canonicalize_name(requirement.name)) == self.name

    def needs(self) -> tuple[Requirement, ...]:
        """Return the requirements of the extras, in the form of a wheel's metadata."""
        return tuple(
            with_marker(one, f'extra == "{extra}"')
            for extra, requirements in self.extras
            for one in requirements
        )


class Expanded(NamedTuple):
    """Requirements without any on the project itself.

    ``extras`` are the requested extras of the project; ``unknown`` has those that do not exist.
    """

    requirements: tuple[Requirement, ...]
    extras: frozenset[str]
    unknown: tuple[str, ...]


def expand(requirements: Iterable[Requirement], own: Own) -> Expanded:
    """Return the requirements, with those on the project itself replaced by its extras'."""
    known, waiting = dict(own.extras), list(requirements)
    found: list[Requirement] = []
    unknown: list[str] = []
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop(0)
        if not own.names(requirement):
            found.append(requirement)
            continue
        if not _is_met(requirement, own):
            unknown.append(f"the project is {own.name} {own.version}: {requirement}")
        for extra in map(str, map(canonicalize_name, requirement.extras)):
            if extra not in known:
                unknown.append(f"the project has no extra `{extra}`: {requirement}")
            elif (extra, str(requirement.marker)) not in seen:
                seen.add((extra, str(requirement.marker)))
                waiting += _under(known[extra], requirement.marker)
    return Expanded(tuple(found), frozenset(extra for extra, _ in seen), tuple(unknown))


def with_marker(requirement: Requirement, marker: str) -> Requirement:
    """Return the requirement with one more condition."""
    copy = Requirement(str(requirement))
    own = copy.marker
    copy.marker = Marker(f"({own}) and ({marker})" if own is not None else marker)
    return copy


def _under(requirements: Iterable[Requirement], marker: Marker | None) -> Iterator[Requirement]:
    for one in requirements:
        yield one if marker is None else with_marker(one, str(marker))


def _is_met(requirement: Requirement, own: Own) -> bool:
    if requirement.url is not None:
        return True  # a reference to its own folder
    return requirement.specifier.contains(own.version, prereleases=True)
