"""Vendors the dependencies of a project: requirements → wheels → checked files for the package.

read the requirements → the lock, or uv or pip → compare each digest, unpack strictly → check by
the wheels' metadata that they are complete → place the files. Nothing in a wheel is run; the
project's folder is only read (the caller writes the lock, with `write_lock`).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import (
    BuildFailed,
    Code,
    Diagnostic,
    NetworkProblem,
    Refused,
    UsageError,
    refuse_errors,
)
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.formats.wheel.reader import unpack_wheel
from cloacina_ctl.formats.wheel.zip_reader import bad_wheel
from cloacina_ctl.project.model import LeftOut
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.at_hand import not_the_locked
from cloacina_ctl.vendoring.choice import PYTHON, VendorOptions, choose
from cloacina_ctl.vendoring.closure import reach, read_metadata
from cloacina_ctl.vendoring.declared.origins import unavailable
from cloacina_ctl.vendoring.declared.requirements import read_requirements
from cloacina_ctl.vendoring.elsewhere import other_versions, unread_dependencies
from cloacina_ctl.vendoring.given import given_names
from cloacina_ctl.vendoring.locks.lock import WheelLock, refuse_unsayable, unfit_lock
from cloacina_ctl.vendoring.notes import (
    LockChange,
    changes_of,
    lock_notes,
    narrowed,
    skipped_engines,
    without_effect,
)
from cloacina_ctl.vendoring.python_range import Wheels
from cloacina_ctl.vendoring.rules import read_rules
from cloacina_ctl.vendoring.store import scratch
from cloacina_ctl.vendoring.target import accepted_pythons
from cloacina_ctl.vendoring.tree import VendoredFile, check_names, make_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloacina_ctl.formats.wheel.reader import Wheel
    from cloacina_ctl.manifest import Artifact
    from cloacina_ctl.project.model import Project
    from cloacina_ctl.vendoring.choice import WheelChoice
    from cloacina_ctl.vendoring.closure import Distribution, UnmetRequirement
    from cloacina_ctl.vendoring.declared.requirements import Requirements
    from cloacina_ctl.vendoring.locks.lock import LockedWheel
    from cloacina_ctl.vendoring.rules import ResolutionRules
    from cloacina_ctl.vendoring.target import PythonTarget


class Vendored(NamedTuple):
    """The result: ``wheels`` has the name and version of each distribution once.

    ``python`` is the package's specifier if it is narrower than the project's. ``new_lock``, if not
    None, is to be written beside the project in place of ``old_lock``, the content of the file;
    ``changes`` is how they differ. ``files`` lie in the given scratch folder.
    """

    files: tuple[VendoredFile, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    python: str | None = None
    new_lock: WheelLock | None = None
    old_lock: bytes | None = None
    left_out: tuple[LeftOut, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    wheels: tuple[tuple[str, str], ...] = ()
    changes: tuple[LockChange, ...] = ()


def vendor(
    project: Project,
    options: VendorOptions,
    folder: str,
    limits: Limits = DEFAULT_LIMITS,
) -> Vendored:
    """Return the vendored files of the project, unpacked into the scratch folder ``folder``.

    Raises ``Refused`` for files that cannot be vendored or clash, a damaged wheel, or one that
    differs from the lock; ``BuildFailed`` where wheels are unavailable or the lock does not fit.
    """
    requirements = read_requirements(project)
    rules = read_rules(project, requirements)
    requires = project.requires.python if project.requires else None
    chosen = _choose(project, rules, options, folder, limits)
    choice, kept, wheels = chosen.choice, chosen.wheels.keys(), chosen.fits
    tree = make_tree(chosen.wheels, choice.targets)
    named = refuse_errors(check_names(project, tree.files))
    lock = _lock(choice, rules, tuple(kept))
    if lock is not None:
        refuse_unsayable(lock, project.root, folder)
    fewer = wheels.narrowed()
    skipped = tuple(sorted({*requirements.engines, *chosen.engines}))
    others = (*unread_dependencies(project.root, requirements), *other_versions(rules, kept))
    return Vendored(
        files=tree.files,
        artifacts=tree.artifacts,
        python=fewer,
        new_lock=lock,
        old_lock=choice.found,
        left_out=tuple(_left_out(chosen.wheels)),
        wheels=tuple(sorted({(one.name, one.version) for one in kept})),
        changes=() if lock is None else tuple(changes_of(project.root, lock)),
        diagnostics=(
            *named,
            *tree.said,
            *others,
            *without_effect(chosen.wheels),
            *lock_notes(choice, lock),
            *skipped_engines(skipped),
            *narrowed(fewer, requires, choice, options),
        ),
    )


class _Chosen(NamedTuple):
    """A choice, unpacked and checked: the needed wheels, and the Pythons that they support."""

    choice: WheelChoice
    wheels: Mapping[LockedWheel, Wheel]
    engines: tuple[str, ...]
    fits: Wheels


def _choose(
    project: Project, rules: ResolutionRules, options: VendorOptions, folder: str, limits: Limits
) -> _Chosen:
    """Return the wheels, for as many Pythons of the project as possible.

    If no Python is given and the wheels run on any, they are chosen for the oldest if those for
    this machine's Python do not support it. Wheels for one Python are chosen for this machine's.
    """
    requires = project.requires.python if project.requires else None
    first = _checked(project, rules, options, scratch(folder, "first"), limits, None)
    oldest = next(accepted_pythons(requires), None) if requires else None
    if PYTHON not in first.choice.own or first.fits.fits_all or not first.fits.runs_anywhere:
        return first
    if oldest in (None, first.choice.targets[0].python) or first.choice.locked is not None:
        return first
    try:
        second = _checked(project, rules, options, scratch(folder, "oldest"), limits, oldest)
    except (BuildFailed, NetworkProblem, Refused):
        return first
    return second if second.fits.fits_all else first


def _checked(
    project: Project,
    rules: ResolutionRules,
    options: VendorOptions,
    folder: str,
    limits: Limits,
    python: str | None,
) -> _Chosen:
    """Return the choice for ``python``, or raise if it is not complete or not allowed."""
    choice = choose(project, rules, options, folder, python)
    found = _Unpacked(choice, folder, limits)
    known = {wheel: found.distributions[wheel.sha256] for wheel in found.wheels}
    kept, engines = _needed(choice, rules, known)
    _refuse_unlisted(rules.requirements, kept)
    _refuse_other_origins(choice, rules, kept, options)
    requires = project.requires.python if project.requires else None
    fits = Wheels(rules.roots, {one: known[one] for one in kept}, choice.targets, requires)
    problems = tuple(fits.unfit())
    if problems:
        raise Refused(*problems)
    return _Chosen(choice, {wheel: found.wheels[wheel] for wheel in kept}, engines, fits)


class _Unpacked:
    """The candidates, each unpacked once; one for several platforms counts as one wheel."""

    def __init__(self, choice: WheelChoice, folder: str, limits: Limits) -> None:
        self.wheels: dict[LockedWheel, Wheel] = {}
        self.distributions: dict[str, Distribution] = {}
        platforms: dict[str, list[str]] = {}
        for candidates in choice.candidates:
            for candidate in candidates:
                platforms.setdefault(candidate.wheel.sha256, []).extend(candidate.wheel.platforms)
        base = scratch(folder, "wheels")
        for candidates in choice.candidates:
            for wheel, path in candidates:
                if wheel.sha256 in self.distributions:
                    continue
                own = scratch(base, str(len(self.wheels)))
                unpacked = unpack_wheel(path, wheel.sha256, own, limits)
                whole = wheel._replace(
                    platforms=tuple(sorted(set(platforms[wheel.sha256]))),
                    size=os.path.getsize(path),
                )
                self.wheels[whole] = unpacked
                self.distributions[wheel.sha256] = _described(unpacked, wheel)


def _described(unpacked: Wheel, wheel: LockedWheel) -> Distribution:
    """Return the metadata of the wheel; raise if it does not match the name of the file."""
    found = read_metadata(unpacked.metadata, wheel.file)
    if (found.name, str(found.version)) != (wheel.name, wheel.version):
        message = f"METADATA is of another distribution: {found.name} {found.version}"
        raise bad_wheel(message, wheel.file)
    return found


def _needed(
    choice: WheelChoice, rules: ResolutionRules, known: Mapping[LockedWheel, Distribution]
) -> tuple[tuple[LockedWheel, ...], tuple[str, ...]]:
    """Return the wheels that the requirements lead to, and the required engines.

    Raises if one is missing. An unneeded wheel in a lock is refused: it would go unnoticed.
    """
    reached: dict[LockedWheel, list[str]] = {wheel: [] for wheel in known}
    engines: set[str] = set()
    for target in choice.targets:
        own = {wheel.name: wheel for wheel in known if target.platform in wheel.platforms}
        closure = reach(rules.roots, {name: known[wheel] for name, wheel in own.items()}, target)
        if closure.missing:
            raise _incomplete(choice, rules, closure.missing, target)
        engines.update(closure.engines)
        for name in closure.names:
            reached[own[name]].append(target.platform)
    extra = sorted(wheel.file for wheel in known if not reached[wheel])
    if extra and choice.locked is not None:
        raise unfit_lock(f"it has a wheel that nothing needs: {extra[0]}")
    kept = (
        wheel._replace(platforms=tuple(platforms)) if choice.locked is None else wheel
        for wheel, platforms in reached.items()
        if platforms
    )
    return tuple(sorted(kept)), tuple(sorted(engines))


def _incomplete(
    choice: WheelChoice,
    rules: ResolutionRules,
    missing: tuple[UnmetRequirement, ...],
    target: PythonTarget,
) -> BuildFailed | Refused:
    text = "; ".join(choice.without.get(one.name, one.words) for one in missing[:3])
    if choice.locked is not None:
        return unfit_lock(text)
    private = {**choice.private, **rules.private_on([target])}
    named = {one.name: private[one.name] for one in missing if one.name in private}
    unavailable_origins = [origin for name, origin in named.items() if not _is_given(choice, name)]
    if unavailable_origins:
        return Refused(*map(unavailable, unavailable_origins))
    if rules.lock is not None:
        return rules.lock.problem(f"it does not fit the project: {text}")
    return BuildFailed.of(
        Code.RESOLVING,
        f"what was chosen is not complete for Python {target.python} on {target.platform}: {text}",
        hint="install uv: pip evaluates conditions of dependencies for its own Python",
    )


def _is_given(choice: WheelChoice, name: str) -> bool:
    return any(one.wheel.name == name for found in choice.candidates for one in found)


def _refuse_unlisted(requirements: Requirements, kept: tuple[LockedWheel, ...]) -> None:
    """Raise ``Refused`` for a wheel whose digest is not allowed by the requirements file."""
    allowed = dict(requirements.hashes)
    for wheel in kept:
        if wheel.name in allowed and f"sha256:{wheel.sha256}" not in allowed[wheel.name]:
            raise not_the_locked(wheel, wheel.sha256)


def _refuse_other_origins(
    choice: WheelChoice,
    rules: ResolutionRules,
    kept: tuple[LockedWheel, ...],
    options: VendorOptions,
) -> None:
    """Refuse a wheel of a distribution with another origin, also if only a wheel requires it.

    Also refuse a wheel of a distribution that the project takes only as source, and one that is
    given for an unneeded name: that may be misspelled.
    """
    unneeded = sorted(given_names(options.sources).keys() - {one.name for one in kept})
    if unneeded:
        raise UsageError.of(Code.USAGE, f"--vendor-source: nothing needs `{unneeded[0]}`")
    origins = rules.origins_on(choice.targets)
    found = [origins[one.name] for one in kept if one.name in origins
             and one.sha256 not in choice.accepted]  # fmt: skip
    problems = [unavailable(one) for one in found]
    problems += [
        Diagnostic(
            Code.RESOLVER_SETTING,
            f"`{one.name}` is not taken as a wheel (`no-binary-package`), and only wheels are "
            "vendored",
            rules.settings.place,
            f"build one: `pip wheel --no-deps -w DIR {one.name}`; then name it: "
            f"`--vendor-source {one.name}=DIR`",
        )
        for one in kept
        if one.name in rules.settings.sources_only and one.sha256 not in choice.accepted
    ]
    if problems:
        raise Refused(*problems)


def _lock(
    choice: WheelChoice, rules: ResolutionRules, kept: tuple[LockedWheel, ...]
) -> WheelLock | None:
    """Return the lock to write, None if the existing one is equal."""
    if choice.locked is not None or not (kept or choice.found is not None):
        return None
    return WheelLock(
        python=choice.targets[0].python,
        platforms=tuple(sorted(target.platform for target in choice.targets)),
        inputs=rules.inputs({one.name for one in kept}, choice.targets),
        wheels=kept,
    )


def _left_out(wheels: Mapping[LockedWheel, Wheel]) -> Iterator[LeftOut]:
    for wheel, unpacked in wheels.items():
        for path, reason in unpacked.left_out:
            yield LeftOut(os.path.join(wheel.file, path), reason)
