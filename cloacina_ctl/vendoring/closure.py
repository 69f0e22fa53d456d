"""Computes which distributions the requirements lead to, from the metadata of the wheels.

The choice of uv, pip or a lock is not trusted: pip evaluates markers for its own interpreter, and
a lock may be edited. An unreached wheel is left out, a missing one is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from cloacina_ctl.formats.wheel.zip_reader import bad_wheel
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.declared.requirements import is_engine, spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cloacina_ctl.vendoring.declared.self_extras import Own
    from cloacina_ctl.vendoring.target import PythonTarget


class Distribution(NamedTuple):
    """The metadata of a wheel: ``name`` in its normal form, ``python`` a specifier."""

    name: str
    version: Version
    requires: tuple[Requirement, ...]
    python: str | None


class Roots(NamedTuple):
    """The starting points: requirements, the project itself, and replacements of requirements.

    A requirement on the project itself leads to the requirements of its extras. A requirement on
    a name in ``overrides`` is replaced by that entry, as uv does.
    """

    texts: tuple[str, ...]
    own: Own | None = None
    overrides: tuple[str, ...] = ()


class UnmetRequirement(NamedTuple):
    """A requirement that no wheel meets, as a text, and its name.

    ``requirement`` is the requirement without its condition; None if there is a wheel of another
    version.
    """

    name: str
    words: str
    requirement: str | None = None


class Closure(NamedTuple):
    """The reached names, the missing requirements, and the engines that were met.

    ``missing`` is empty if nothing is missing on at least one patch release; ``lacking`` has what
    is missing on any of them.
    """

    names: frozenset[str]
    missing: tuple[UnmetRequirement, ...]
    engines: tuple[str, ...]
    lacking: tuple[UnmetRequirement, ...] = ()


def read_metadata(metadata: bytes, where: str) -> Distribution:
    """Return the parsed `METADATA`, or raise ``Refused``; ``where`` is the wheel's file."""
    raw, _ = parse_email(metadata)
    try:
        python = raw.get("requires_python")
        return Distribution(
            name=str(canonicalize_name(raw["name"])),
            version=Version(raw["version"]),
            requires=tuple(Requirement(text) for text in raw.get("requires_dist", ())),
            python=str(SpecifierSet(python)) if python else None,
        )
    except KeyError as error:
        raise bad_wheel(f"METADATA does not say its {error.args[0]}", where) from error
    except (InvalidVersion, InvalidRequirement, InvalidSpecifier) as error:
        raise bad_wheel(f"METADATA: {str(error).splitlines()[0][:200]}", where) from error


def reach(roots: Roots, known: Mapping[str, Distribution], target: PythonTarget) -> Closure:
    """Return what the requirements lead to on any patch release of ``target``.

    The project itself is not among the names.
    """
    own = roots.own
    if own is not None:
        itself = Distribution(own.name, Version(own.version), own.needs(), None)
        known = {**known, own.name: itself}
    ways = [_reach(roots, known, one) for one in target.environments(*conditions(roots, known))]
    whole = any(not way.missing for way in ways)
    return Closure(
        names=frozenset().union(*(way.names for way in ways)) - {own.name if own else ""},
        missing=() if whole else ways[-1].missing,
        engines=tuple(sorted({engine for way in ways for engine in way.engines})),
        lacking=tuple(dict.fromkeys(one for way in ways for one in way.missing)),
    )


def conditions(roots: Roots, known: Mapping[str, Distribution]) -> list[str]:
    """Return the conditions of all requirements, which may differ between patch releases."""
    given = map(Requirement, (*roots.texts, *roots.overrides))
    needs = (one for found in known.values() for one in found.requires)
    return [str(one.marker) for one in (*given, *needs) if one.marker is not None]


def _reach(roots: Roots, known: Mapping[str, Distribution], environment: dict[str, str]) -> Closure:
    overrides = _by_name(roots.overrides)
    waiting = [(Requirement(text), "", "the project") for text in roots.texts]
    seen: set[tuple[str, str]] = set()
    missing: dict[UnmetRequirement, None] = {}
    engines: set[str] = set()
    while waiting:
        original, extra, who = waiting.pop()
        name = str(canonicalize_name(original.name))
        if not _applies(original, extra, environment):
            continue
        if is_engine(name):
            engines.add(name)
            continue
        for requirement in overrides.get(name, [original]):
            if not _applies(requirement, extra, environment):
                continue
            found = known.get(name)
            if found is None or not requirement.specifier.contains(found.version, prereleases=True):
                what = f"there is {found.version}" if found else "there is none"
                bare = None if found else without_marker(requirement)
                missing[UnmetRequirement(name, f"{who} needs {requirement}, and {what}", bare)] = (
                    None
                )
            else:
                waiting += _needs(found, requirement, seen)
    names = frozenset(name for name, _ in seen)
    return Closure(names, tuple(missing), tuple(sorted(engines)))


def without_marker(requirement: Requirement) -> str:
    """Return the requirement without its condition and address."""
    copy = Requirement(str(requirement))
    copy.marker = copy.url = None
    return spelled(copy)


def _by_name(texts: Iterable[str]) -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for requirement in map(Requirement, texts):
        found.setdefault(str(canonicalize_name(requirement.name)), []).append(requirement)
    return found


def _needs(
    found: Distribution, requirement: Requirement, seen: set[tuple[str, str]]
) -> Iterator[tuple[Requirement, str, str]]:
    """Yield each requirement of a distribution once, with the requested extras."""
    for extra in ("", *(str(canonicalize_name(extra)) for extra in requirement.extras)):
        if (found.name, extra) not in seen:
            seen.add((found.name, extra))
            for need in found.requires:
                yield need, extra, f"{found.name} {found.version}"


def _applies(requirement: Requirement, extra: str, environment: dict[str, str]) -> bool:
    marker = requirement.marker
    return marker is None or marker.evaluate({**environment, "extra": extra})
