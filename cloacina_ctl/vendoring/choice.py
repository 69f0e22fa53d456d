"""Chooses wheels: from our lock if it fits, from another lock of the project, or by resolving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import BuildFailed, Code, Refused
from cloacina_ctl.formats.wheel.reader import digest_of_file
from cloacina_ctl.platforms import host_platform
from cloacina_ctl.platforms.tags import tag_of
from cloacina_ctl.project.detect import VENDOR_LOCK
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.at_hand import AtHand, WheelPlaces, candidate_of
from cloacina_ctl.vendoring.declared.origins import INDEX, declared_version
from cloacina_ctl.vendoring.declared.requirements import is_engine
from cloacina_ctl.vendoring.fresh import Fresh
from cloacina_ctl.vendoring.given import given_names, given_wheels
from cloacina_ctl.vendoring.locks.lock import (
    WheelLock,
    lock_bytes,
    locked_wheels,
    misfit,
    read_lock,
)
from cloacina_ctl.vendoring.locks.project_lock import same_index
from cloacina_ctl.vendoring.target import (
    PYTHONS,
    PythonTarget,
    accepts,
    parse_asked,
    parse_target,
    target_for,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloacina_ctl.digest import Digest
    from cloacina_ctl.project.model import Project
    from cloacina_ctl.vendoring.at_hand import Candidate
    from cloacina_ctl.vendoring.declared.origins import Origin
    from cloacina_ctl.vendoring.locks.project_lock import LockedVersion, ProjectLock
    from cloacina_ctl.vendoring.rules import ResolutionRules


# The properties of this machine that are the default for the target.
PYTHON, PLATFORM = "python", "platform"


class VendorOptions(NamedTuple):
    """How to vendor. ``wheelhouse``, if given, is the only source of wheels.

    ``sources`` are names with a wheel, or a folder of wheels, that is the only one for that name.
    ``offline`` starts nothing that uses a network; ``locked`` takes the locked wheels or fails,
    ``upgrade`` ignores the lock. ``python`` and ``platforms`` are those of the target machine; the
    default is that of the lock, else of this machine.
    """

    wheelhouse: str | None = None
    offline: bool = False
    locked: bool = False
    upgrade: bool = False
    python: str | None = None
    platforms: tuple[str, ...] = ()
    sources: tuple[tuple[str, str], ...] = ()


class WheelChoice(NamedTuple):
    """The candidates for each platform; ``locked`` is the lock that lists them, if any.

    ``why`` is the reason for a new choice, None if there was no lock; ``found`` is the content of
    the lock file. ``own`` names the properties of the target that default to this machine's;
    ``python`` is in it if another Python of the project may be used instead. ``accepted`` are the
    digests of wheels that were given or locked: a distribution whose origin the project names
    must have one of these. ``without`` is, by distribution, why a lock of the project does not
    provide its wheel; ``private`` are those for which such a lock has no file.
    """

    targets: tuple[PythonTarget, ...]
    candidates: tuple[tuple[Candidate, ...], ...]
    locked: WheelLock | None
    why: str | None
    accepted: frozenset[Digest] = frozenset()
    without: Mapping[str, str] = {}
    found: bytes | None = None
    own: frozenset[str] = frozenset()
    private: Mapping[str, Origin] = {}


def choose(
    project: Project,
    rules: ResolutionRules,
    options: VendorOptions,
    folder: str,
    otherwise: str | None = None,
) -> WheelChoice:
    """Return the wheels for the project; ``folder`` is a scratch folder.

    ``otherwise`` is the default Python, used instead of this machine's if neither the options nor
    a lock name one.

    Raises ``BuildFailed`` where wheels are unavailable, or with ``locked`` where no lock fits;
    ``Refused`` for an unreadable lock, for a wheel that differs from the locked one, and for a
    distribution whose origin the project names if no wheel of it is given.
    """
    python = project.requires.python if project.requires else None
    given_names(options.sources)
    asked = _asked(options)
    found = lock_bytes(project.root)
    old = None if options.upgrade and not options.locked else read_lock(project.root)
    why = _why_not(old, rules, python, asked)
    if old is not None and why is None:
        return _locked(old, rules, options, folder, python)
    if options.locked:
        what = f"the lock does not fit: {why}" if old is not None else "there is no lock"
        raise BuildFailed.of(
            Code.LOCK_FILE, f"--locked, and {what}", where=VENDOR_LOCK,
            hint="run it without --locked, review the new lock and commit it",
        )  # fmt: skip
    targets, own = _targets(asked, old, python, otherwise)
    if rules.lock is not None:
        choice = _by_project_lock(rules.lock, targets, rules, options, folder)
    else:
        choice = _fresh(targets, rules, options, folder)
    return choice._replace(why="asked for" if options.upgrade else why, found=found, own=own)


def _fresh(
    targets: tuple[PythonTarget, ...], rules: ResolutionRules, options: VendorOptions, folder: str
) -> WheelChoice:
    """Return the wheels that uv or pip choose."""
    given = [given_wheels(options.sources, rules.origins_on([one]), one) for one in targets]
    fresh = Fresh(rules, options.wheelhouse, folder, offline=options.offline)
    fresh.refuse_what_cannot_be_kept(targets, given)
    candidates = tuple(map(fresh.candidates, targets, given))
    accepted = frozenset(digest_of_file(path) for one in given for path in one.values())
    return WheelChoice(targets, candidates, None, None, accepted)


def _locked(
    lock: WheelLock,
    rules: ResolutionRules,
    options: VendorOptions,
    folder: str,
    requires: str | None,
) -> WheelChoice:
    """Return the wheels of our own lock."""
    targets = lock.targets(requires)
    places = _places(targets, rules, options)
    candidates = AtHand(lock.wheels, targets, places, folder).candidates()
    accepted = frozenset(wheel.sha256 for wheel in lock.wheels)
    return WheelChoice(targets, candidates, lock, None, accepted)


def _places(
    targets: tuple[PythonTarget, ...], rules: ResolutionRules, options: VendorOptions
) -> WheelPlaces:
    given: dict[str, tuple[str, ...]] = {}
    for target in targets:
        wheels = given_wheels(options.sources, rules.origins_on([target]), target)
        for name, path in wheels.items():
            given[name] = (*given.get(name, ()), path)
    private = rules.private_on(targets)
    return WheelPlaces(options.wheelhouse, options.offline, given, private)


def _by_project_lock(
    lock: ProjectLock,
    targets: tuple[PythonTarget, ...],
    rules: ResolutionRules,
    options: VendorOptions,
    folder: str,
) -> WheelChoice:
    """Return the wheels of another tool's lock, and the given ones for names that it lacks.

    A lock has no file for a distribution from a folder or from git: its wheel has to be given.
    """
    versions = [lock.select(target) for target in targets]
    private = {one.name: one.origin for found in versions for one in found.values() if one.origin}
    wanted = [
        (target, tuple(_wanted(lock, selected, rules, target)))
        for target, selected in zip(targets, versions, strict=True)
    ]
    without = {
        one.name: f"{one.name} {one.version} has no wheel for {target.platform}"
        for target, locked in wanted
        for one in locked
        if one.best(target) is None
    }
    hand = AtHand(
        locked_wheels(wanted),
        targets,
        _places(targets, rules, options),
        folder,
        f"{lock.place}: {lock.renewal}",
    )
    candidates = tuple(
        (*found, *_private({**private, **rules.private_on([target])}, options, target))
        for found, target in zip(hand.candidates(some=True), targets, strict=True)
    )
    accepted = frozenset(one.wheel.sha256 for found in candidates for one in found)
    return WheelChoice(targets, candidates, None, None, accepted, without, private=private)


def _wanted(
    lock: ProjectLock,
    selected: Mapping[str, LockedVersion],
    rules: ResolutionRules,
    target: PythonTarget,
) -> Iterator[LockedVersion]:
    """Yield the entries that need a wheel: not the engine, the project, or those from a folder."""
    private, origins = rules.private_on([target]), rules.origins_on([target])
    own = rules.requirements.own
    for name, locked in selected.items():
        if not (is_engine(name) or name in private or (own is not None and name == own.name)):
            _refuse_other_index(lock, locked, origins.get(name))
            if locked.origin is None:
                yield locked


def _private(
    private: Mapping[str, Origin], options: VendorOptions, target: PythonTarget
) -> Iterator[Candidate]:
    """Yield the given wheels of distributions for which no lock has a file."""
    for name, path in given_wheels(options.sources, private, target).items():
        if name in private:
            yield candidate_of(path, target)


def _refuse_other_index(lock: ProjectLock, locked: LockedVersion, origin: Origin | None) -> None:
    """Raise ``Refused`` if the lock is older than the index that the project names."""
    if origin is None or origin.kind != INDEX or not (origin.url and locked.registry):
        return
    if not same_index(origin.url, locked.registry):
        message = f"`{origin.name}` is from {locked.registry} there, and from {origin.words} by"
        raise lock.problem(f"{message} {origin.place}")


class _Asked(NamedTuple):
    python: str | None
    platforms: tuple[str, ...]


def _asked(options: VendorOptions) -> _Asked:
    """Return the Python and platforms that the caller named, normalized."""
    python = options.python
    parsed = [parse_asked(python or PYTHONS[-1], one).platform for one in options.platforms]
    if python is not None:
        parse_target(python, "linux_any")
    return _Asked(python, tuple(sorted(set(parsed))))


def _why_not(
    lock: WheelLock | None, rules: ResolutionRules, python: str | None, asked: _Asked
) -> str | None:
    """Return why the lock cannot be used, None if it can."""
    if lock is None:
        return None
    if asked.python not in (None, lock.python):
        return f"it was made for Python {lock.python}"
    if asked.platforms not in ((), lock.platforms):
        return f"it was made for {', '.join(lock.platforms)}"
    targets = lock.targets(python)
    expected = rules.inputs({wheel.name for wheel in lock.wheels}, targets)
    why = misfit(lock, expected, python)
    return why or _outgrown(lock, rules, targets) or _other_than(lock, rules, targets)


def _outgrown(
    lock: WheelLock, rules: ResolutionRules, targets: tuple[PythonTarget, ...]
) -> str | None:
    """Return which folder states a version other than the locked one, None if none does."""
    origins = rules.origins_on(targets)
    for wheel in lock.wheels:
        origin = origins.get(wheel.name)
        said = declared_version(origin) if origin is not None else None
        if origin is not None and said is not None and said != wheel.version:
            return f"it has {wheel.title}, and {origin.location} says {said}"
    return None


def _other_than(
    lock: WheelLock, rules: ResolutionRules, targets: tuple[PythonTarget, ...]
) -> str | None:
    """Return which wheel is missing from the project's other lock, None if none is."""
    other = rules.lock
    if other is None:
        return None
    for target in targets:
        selected, private = other.select(target), rules.private_on([target])
        for wheel in lock.wheels:
            if target.platform not in wheel.platforms or wheel.name in private:
                continue
            found = selected.get(wheel.name)
            if found is None:
                return f"{other.place} has no {wheel.name}"
            if found.origin is None and wheel.sha256 not in {file.sha256 for file in found.files}:
                return f"{other.place} has another {wheel.name}: {found.version}"
    return None


def _targets(
    asked: _Asked, old: WheelLock | None, requires: str | None, otherwise: str | None
) -> tuple[tuple[PythonTarget, ...], frozenset[str]]:
    """Return the targets: as requested, else as locked, else this machine.

    Also return which properties of this machine were taken by default.
    """
    own = set()
    python = asked.python or (old.python if old and accepts(requires, old.python) else None)
    if python is None:
        python = otherwise or _default_python(requires)
        own.add(PYTHON)
    elif not accepts(requires, python):
        raise Refused.of(
            Code.DEPENDENCY, f"the project is for Python {requires}, not for {python}",
            hint="name a supported version: --vendor-python",
        )  # fmt: skip
    platforms = asked.platforms or (old.platforms if old else None)
    if platforms is None:
        platforms = (_default_platform(),)
        own.add(PLATFORM)
    return tuple(target_for(requires, python, one) for one in platforms), frozenset(own)


def _default_python(requires: str | None) -> str:
    """Return the version of this interpreter, or the first that the project supports."""
    import sys

    mine = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for python in (mine, *PYTHONS):
        if accepts(requires, python):
            return python
    raise Refused.of(
        Code.DEPENDENCY, f"no known version of Python fits `requires-python`: {requires}",
        hint="name one: --vendor-python",
    )  # fmt: skip


def _default_platform() -> str:
    host = host_platform()
    if host.os != "linux":
        raise Refused.of(
            Code.NATIVE_VENDORED, "the runtime's platform is not that of this machine",
            hint="name it, such as --vendor-platform manylinux_2_28_x86_64",
        )  # fmt: skip
    return parse_target(PYTHONS[-1], tag_of(host.machine, host.libc)).platform
