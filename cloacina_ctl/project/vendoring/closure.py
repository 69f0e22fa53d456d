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

from cloacina_ctl.archive.wheel_zip import bad_wheel
from cloacina_ctl.project.vendoring.origins import PATCHES
from cloacina_ctl.project.vendoring.requirements import is_engine
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cloacina_ctl.project.vendoring.own import Own
    from cloacina_ctl.project.vendoring.target import Target


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


class Missing(NamedTuple):
    """A requirement that nothing meets, in words, and its name."""

    name: str
    words: str


class Closure(NamedTuple):
    """The names that are reached, what is missing, and the engines on the way."""

    names: frozenset[str]
    missing: tuple[Missing, ...]
    engines: tuple[str, ...]


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


def reach(roots: Roots, known: Mapping[str, Distribution], target: Target) -> Closure:
    """Return what the requirements lead to on ``target``, whatever its patch release is.

    The project itself is not among the names.
    """
    own = roots.own
    if own is not None:
        itself = Distribution(own.name, Version(own.version), own.needs(), None)
        known = {**known, own.name: itself}
    first, last = (_reach(roots, known, target.environment(patch)) for patch in PATCHES)
    return last._replace(
        names=(first.names | last.names) - {own.name if own else ""},
        engines=tuple(sorted({*first.engines, *last.engines})),
    )


def _reach(roots: Roots, known: Mapping[str, Distribution], environment: dict[str, str]) -> Closure:
    overrides = _by_name(roots.overrides)
    waiting = [(Requirement(text), "", "the project") for text in roots.texts]
    seen: set[tuple[str, str]] = set()
    missing: dict[Missing, None] = {}
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
                missing[Missing(name, f"{who} needs {requirement}, and {what}")] = None
            else:
                waiting += _needs(found, requirement, seen)
    names = frozenset(name for name, _ in seen)
    return Closure(names, tuple(missing), tuple(sorted(engines)))


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
