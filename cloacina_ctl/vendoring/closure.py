"""Which distributions the requirements lead to, asked of the wheels themselves.

Whoever chose the wheels, uv, pip or a lock, is not taken at its word: pip judges markers for the
interpreter that it runs on, a lock may be edited. What is not reached is left out, what is reached
and not there is an error.
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
    """What a wheel says of itself: ``name`` in its normal form, ``python`` a specifier."""

    name: str
    version: Version
    requires: tuple[Requirement, ...]
    python: str | None


class Roots(NamedTuple):
    """Where the way begins: requirements, the project itself, and what replaces requirements.

    A requirement on the project itself leads to what its extras need. One on a name among
    ``overrides`` is replaced by what stands there, as uv does.
    """

    texts: tuple[str, ...]
    own: Own | None = None
    overrides: tuple[str, ...] = ()


class UnmetRequirement(NamedTuple):
    """A requirement that nothing meets, in words, and its name.

    ``requirement`` is what would meet it, without its condition; None where there is another
    version.
    """

    name: str
    words: str
    requirement: str | None = None


class Closure(NamedTuple):
    """The names that are reached, what is missing, and the engines on the way.

    ``missing`` is empty where nothing is missing on some patch release; ``lacking`` has what is
    missing on any.
    """

    names: frozenset[str]
    missing: tuple[UnmetRequirement, ...]
    engines: tuple[str, ...]
    lacking: tuple[UnmetRequirement, ...] = ()


def read_metadata(metadata: bytes, where: str) -> Distribution:
    """Return what `METADATA` says, or raise ``Refused``; ``where`` is the wheel's file."""
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
    """Return what the requirements lead to on ``target``, on any of its patch releases.

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
    """Return the conditions of all requirements, which may tell patch releases apart."""
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
    """Return the requirement on a name and versions, whatever its condition or address."""
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
    """Yield what a distribution needs, with the extras that are asked of it, once for each."""
    for extra in ("", *(str(canonicalize_name(extra)) for extra in requirement.extras)):
        if (found.name, extra) not in seen:
            seen.add((found.name, extra))
            for need in found.requires:
                yield need, extra, f"{found.name} {found.version}"


def _applies(requirement: Requirement, extra: str, environment: dict[str, str]) -> bool:
    marker = requirement.marker
    return marker is None or marker.evaluate({**environment, "extra": extra})
