"""Which wheels: those of the lock where it fits, else those that uv or pip choose."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from cloacina_ctl.errors import BuildFailed, Code, Refused
from cloacina_ctl.folders import open_folder
from cloacina_ctl.platforms import host_platform
from cloacina_ctl.platforms.tags import tag_of
from cloacina_ctl.project.vendoring import resolvers
from cloacina_ctl.project.vendoring.lock import (
    LOCK_FILE,
    Lock,
    LockedWheel,
    lock_bytes,
    misfit,
    read_lock,
)
from cloacina_ctl.project.vendoring.requirements import is_engine
from cloacina_ctl.project.vendoring.store import Cache, Wheelhouse
from cloacina_ctl.project.vendoring.target import PYTHONS, Target, accepts, parse_target
from cloacina_ctl.staging import reported
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.digest import Digest
    from cloacina_ctl.project.model import Project
    from cloacina_ctl.project.vendoring.requirements import Requirements
    from cloacina_ctl.project.vendoring.resolvers import Pin


class VendorOptions(NamedTuple):
    """How to vendor. ``wheelhouse`` is the only place to take wheels from, where it is given.

    ``offline`` starts nothing that uses a network; ``locked`` takes what is locked or fails,
    ``upgrade`` chooses anew. ``python`` and ``platforms`` are the runtime's: without, those of the
    lock, else of this machine.
    """

    wheelhouse: str | None = None
    offline: bool = False
    locked: bool = False
    upgrade: bool = False
    python: str | None = None
    platforms: tuple[str, ...] = ()


class Candidate(NamedTuple):
    """A wheel that may get vendored, and where it lies."""

    wheel: LockedWheel
    path: str


class Choice(NamedTuple):
    """The candidates for each platform; ``locked`` is the lock that they stand in, if one does.

    ``why`` says why there is a new choice. ``found`` is what was in the lock's file.
    """

    targets: tuple[Target, ...]
    candidates: tuple[tuple[Candidate, ...], ...]
    locked: Lock | None
    why: str | None
    found: bytes | None = None


def choose(
    project: Project, requirements: Requirements, options: VendorOptions, folder: str
) -> Choice:
    """Return which wheels the project gets; ``folder`` is a scratch folder.

    Raises ``BuildFailed`` where they cannot be had, or with ``locked`` where there is no lock that
    fits; ``Refused`` for a lock that cannot be read, and for a wheel that is not the locked one.
    """
    python = project.requires.python if project.requires else None
    asked = _asked(options)
    found = lock_bytes(project.root)
    old = None if options.upgrade and not options.locked else read_lock(project.root)
    why = _why_not(old, requirements.texts, python, asked)
    if old is not None and why is None:
        return _Locked(old, options, folder).choice()
    if options.locked:
        raise BuildFailed.of(
            Code.LOCK_FILE, f"--locked, and the lock does not fit: {why}", where=LOCK_FILE,
            hint="run it without --locked, look at the new lock and commit it",
        )  # fmt: skip
    targets = _targets(asked, old, python)
    new = _New(options, folder)
    candidates = tuple(new.candidates(requirements.texts, target) for target in targets)
    return Choice(targets, candidates, None, "asked for" if options.upgrade else why, found)


class _Asked(NamedTuple):
    python: str | None
    platforms: tuple[str, ...]


def _asked(options: VendorOptions) -> _Asked:
    """Return what the caller named, in its one spelling."""
    python = options.python
    parsed = [parse_target(python or PYTHONS[-1], one).platform for one in options.platforms]
    if python is not None:
        parse_target(python, "linux_any")
    return _Asked(python, tuple(sorted(set(parsed))))


def _why_not(
    lock: Lock | None, texts: tuple[str, ...], python: str | None, asked: _Asked
) -> str | None:
    """Return why the lock is not the one to take."""
    if lock is None:
        return "there is none"
    if asked.python not in (None, lock.python):
        return f"it is for Python {lock.python}"
    if asked.platforms not in ((), lock.platforms):
        return f"it is for {', '.join(lock.platforms)}"
    return misfit(lock, texts, python)


def _targets(asked: _Asked, old: Lock | None, requires: str | None) -> tuple[Target, ...]:
    """Return what to choose for: what was asked, else what was locked, else this machine."""
    python = asked.python or (old.python if old and accepts(requires, old.python) else None)
    if python is None:
        python = _default_python(requires)
    elif not accepts(requires, python):
        raise Refused.of(
            Code.DEPENDENCY, f"the project is for Python {requires}, not for {python}",
            hint="name a version that it is for: --vendor-python",
        )  # fmt: skip
    platforms = asked.platforms or (old.platforms if old else (_default_platform(),))
    return tuple(Target(python, platform) for platform in platforms)


def _default_python(requires: str | None) -> str:
    """Return the version of this interpreter, or the first that the project is for."""
    import sys

    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for python in (own, *PYTHONS):
        if accepts(requires, python):
            return python
    raise Refused.of(
        Code.DEPENDENCY, f"no version of Python that is known fits `requires-python`: {requires}",
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


class _Locked:
    """The wheels of a lock, from wherever they are; their digests are compared when unpacked."""

    def __init__(self, lock: Lock, options: VendorOptions, folder: str) -> None:
        self._lock = lock
        self._options = options
        self._folder = folder
        self._house = Wheelhouse(options.wheelhouse) if options.wheelhouse else None
        self._cache = Cache()

    def choice(self) -> Choice:
        """Return all of them, fetched where need be."""
        found = {wheel: path for wheel in self._lock.wheels if (path := self._find(wheel))}
        missing = [wheel for wheel in self._lock.wheels if wheel not in found]
        if missing:
            self._refuse_missing(missing)
            found.update(self._fetch(missing))
        candidates = tuple(
            tuple(
                Candidate(wheel, found[wheel])
                for wheel in self._lock.wheels
                if target.platform in wheel.platforms
            )
            for target in self._lock.targets
        )
        return Choice(self._lock.targets, candidates, self._lock, None)

    def _find(self, wheel: LockedWheel) -> str | None:
        """Return where it lies; one of that name in the wheelhouse has to be it."""
        house = self._house
        if house is not None and wheel.file in house.files:
            found = house.digest(wheel.file)
            if found != wheel.sha256:
                raise not_the_locked(wheel, found)
            return house.path(wheel.file)
        return self._cache.find(wheel.file, wheel.sha256)

    def _refuse_missing(self, missing: list[LockedWheel]) -> None:
        if self._house is None and not self._options.offline:
            return
        place = "the wheelhouse" if self._house else "the cache, and --offline fetches nothing"
        raise BuildFailed.of(
            Code.RESOLVING,
            f"{len(missing)} of {len(self._lock.wheels)} wheels are not in {place}: "
            f"{', '.join(wheel.file for wheel in missing[:5])}",
            where=self._house.folder if self._house else None,
            hint="run it once with a network, or put them into a wheelhouse",
        )

    def _fetch(self, missing: list[LockedWheel]) -> dict[LockedWheel, str]:
        found: dict[LockedWheel, str] = {}
        for number, target in enumerate(self._lock.targets):
            wanted = {
                wheel.file: wheel
                for wheel in missing
                if wheel not in found and target.platform in wheel.platforms
            }
            if not wanted:
                continue
            pins = [
                resolvers.Pin(wheel.name, wheel.version, frozenset({wheel.sha256}))
                for wheel in wanted.values()
            ]
            folder = scratch(self._folder, f"locked-{number}")
            for path in resolvers.fetch_pinned(_pip(), pins, target, folder):
                wheel = wanted.get(os.path.basename(path))
                if wheel is not None and self._cache.keep(path) == wheel.sha256:
                    found[wheel] = path
        lost = [wheel.file for wheel in missing if wheel not in found]
        if lost:
            raise BuildFailed.of(Code.RESOLVING, f"pip did not fetch: {', '.join(lost[:5])}")
        return found


class _New:
    """The wheels that uv or pip choose."""

    def __init__(self, options: VendorOptions, folder: str) -> None:
        self._folder = folder
        self._house: str | None = None
        self._cache = Cache()
        if options.wheelhouse:
            self._house = Wheelhouse(options.wheelhouse).folder
        elif options.offline:
            self._house = self._cached()

    def candidates(self, texts: tuple[str, ...], target: Target) -> tuple[Candidate, ...]:
        """Return the wheels for ``target``; none of the engine's own."""
        if not texts:
            return ()
        folder = scratch(self._folder, f"new-{target.platform}")
        uv = resolvers.find_uv()
        if uv is not None and target.uv_platform() is not None:
            pins = resolvers.choose_with_uv(uv, texts, target, self._house, folder)
            pins = tuple(pin for pin in pins if not is_engine(pin.name))
            paths = tuple(self._take(pins, target, folder))
        else:
            paths = resolvers.fetch_with_pip(_pip(), texts, target, self._house, folder)
        return tuple(
            self._candidate(path, target)
            for path in paths
            if not is_engine(os.path.basename(path).partition("-")[0])
        )

    def _take(self, pins: tuple[Pin, ...], target: Target, folder: str) -> Iterable[str]:
        """Return the wheels for versions that were chosen: out of the folder, or fetched."""
        if self._house is None:
            return resolvers.fetch_pinned(_pip(), pins, target, folder) if pins else ()
        house = Wheelhouse(self._house)
        return [_best(house, pin, target) for pin in pins]

    def _candidate(self, path: str, target: Target) -> Candidate:
        file = os.path.basename(path)
        name, version, _, _ = parse_wheel_filename(file)
        digest = self._cache.keep(path)
        wheel = LockedWheel(str(name), str(version), file, digest, (target.platform,))
        return Candidate(wheel, path)

    def _cached(self) -> str:
        """Return a folder with all wheels of the cache, as uv and pip look for them."""
        folder = scratch(self._folder, "cached")
        with reported(folder), open_folder(folder) as made:
            for path in self._cache.files():
                name = os.path.basename(path)
                if made.look(name) is None:
                    made.symlink(path, name)
        return folder


def _best(house: Wheelhouse, pin: Pin, target: Target) -> str:
    """Return the wheel of a folder that fits the target best."""
    ranked = sorted(
        (rank, file)
        for file in house.files
        for name, version, _, tags in [parse_wheel_filename(file)]
        if name == canonicalize_name(pin.name)
        and version == Version(pin.version)
        and (rank := target.rank(tags)) is not None
        and house.digest(file) in pin.digests
    )
    if not ranked:
        raise BuildFailed.of(
            Code.RESOLVING,
            f"no wheel of {pin.name} {pin.version} for {target.platform}",
            where=house.folder,
        )
    return house.path(ranked[0][1])


def not_the_locked(wheel: LockedWheel, found: Digest) -> Refused:
    """Return the error for a wheel that has the name of a locked one and is another."""
    return Refused.of(
        Code.WHEEL_DIGEST,
        f"expected sha256 {wheel.sha256}, found: {found}",
        where=wheel.file,
        hint="if the change is meant, renew the lock: --upgrade-vendored",
    )


def scratch(folder: str, name: str) -> str:
    """Return a new folder beneath a scratch folder."""
    path = os.path.join(folder, name)
    with reported(path):
        os.makedirs(path, mode=0o700)
    return path


def _pip() -> tuple[str, ...]:
    found = resolvers.find_pip()
    if found is None:
        raise BuildFailed.of(
            Code.NO_RESOLVER,
            "pip is not there to fetch wheels with, and neither is uv",
            hint="install one of them, or take the locked wheels from a folder: --wheelhouse",
        )
    return found
