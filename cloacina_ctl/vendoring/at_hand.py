"""The wheels that a lock names, from wherever they are: given, kept, or fetched by digest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from cloacina_ctl.errors import BuildFailed, CloacinaError, Code, Refused
from cloacina_ctl.formats.wheel.reader import digest_of_file
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.declared.origins import unavailable
from cloacina_ctl.vendoring.installers.configuration import users
from cloacina_ctl.vendoring.installers.pip import Pin, fetch_pinned
from cloacina_ctl.vendoring.installers.programs import uv_for
from cloacina_ctl.vendoring.installers.uv import locate_with_uv
from cloacina_ctl.vendoring.locks.lock import LockedWheel
from cloacina_ctl.vendoring.store import Cache, Wheelhouse, scratch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cloacina_ctl.digest import Digest
    from cloacina_ctl.vendoring.declared.origins import Origin
    from cloacina_ctl.vendoring.installers.configuration import Users
    from cloacina_ctl.vendoring.locks.lock import Lock
    from cloacina_ctl.vendoring.locks.project_lock import LockedFile
    from cloacina_ctl.vendoring.target import Target


_RENEW = "--upgrade-vendored"


class Candidate(NamedTuple):
    """A wheel that may get vendored, and where it lies."""

    wheel: LockedWheel
    path: str


def candidate_of(path: str, target: Target) -> Candidate:
    """Return the wheel in the file ``path`` as one for ``target``, and keep a copy of it."""
    file = os.path.basename(path)
    name, version, _, _ = parse_wheel_filename(file)
    digest = Cache().keep(path)
    wheel = LockedWheel(str(name), str(version), file, digest, (target.platform,))
    return Candidate(wheel, path)


class Places(NamedTuple):
    """Where wheels may be. ``house`` is the only folder, where there is one.

    ``given`` are paths by the name of the distribution, ``files`` what a lock of the project says
    of where a file lies, ``private`` the distributions that no index is asked for.
    """

    house: str | None = None
    offline: bool = False
    given: Mapping[str, tuple[str, ...]] = {}
    files: Mapping[Digest, LockedFile] = {}
    private: Mapping[str, Origin] = {}


class AtHand:
    """The wheels of a lock; their digests are compared again when they are unpacked."""

    def __init__(
        self,
        lock: Lock,
        targets: tuple[Target, ...],
        places: Places,
        folder: str,
        cure: str = _RENEW,
    ) -> None:
        """Look for the wheels of ``lock``; ``cure`` says how it is renewed."""
        self._lock = lock
        self._targets = targets
        self._places = places
        self._folder = folder
        self._cure = cure
        self._house = Wheelhouse(places.house) if places.house else None
        self._cache = Cache()

    def candidates(self, *, some: bool = False) -> tuple[tuple[Candidate, ...], ...]:
        """Return the wheels for each target, fetched where need be.

        With ``some`` those that cannot be had are left out: the lock may have more than is needed.
        """
        found = {wheel: path for wheel in self._lock.wheels if (path := self._find(wheel))}
        missing = [wheel for wheel in self._lock.wheels if wheel not in found]
        fetches = self._house is None and not self._places.offline
        if missing and fetches:
            self._refuse_private(missing)
            found.update(self._fetch(missing))
        elif missing and not some:
            raise self._not_there(missing)
        return tuple(
            tuple(
                Candidate(wheel, found[wheel])
                for wheel in self._lock.wheels
                if target.platform in wheel.platforms and wheel in found
            )
            for target in self._targets
        )

    def _find(self, wheel: LockedWheel) -> str | None:
        """Return where it lies; what is given, or has its name in the wheelhouse, has to be it."""
        given = {digest_of_file(path): path for path in self._places.given.get(wheel.name, ())}
        if given and wheel.sha256 not in given:
            raise not_the_locked(wheel, next(iter(given)), self._cure)
        if given:
            return given[wheel.sha256]
        house = self._house
        if house is not None and wheel.file in house.files:
            found = house.digest(wheel.file)
            if found != wheel.sha256:
                raise not_the_locked(wheel, found, self._cure)
            return house.path(wheel.file)
        file = self._places.files.get(wheel.sha256)
        if house is None and file is not None and _lies_here(file):
            return file.path
        return self._cache.find(wheel.file, wheel.sha256)

    def _not_there(self, missing: list[LockedWheel]) -> BuildFailed:
        place = "the wheelhouse" if self._house else "the cache, and --offline fetches nothing"
        return BuildFailed.of(
            Code.RESOLVING,
            f"{len(missing)} of {len(self._lock.wheels)} wheels are not in {place}: "
            f"{', '.join(wheel.file for wheel in missing[:5])}",
            where=self._house.folder if self._house else None,
            hint="run it once with a network, or put them into a wheelhouse",
        )

    def _refuse_private(self, missing: list[LockedWheel]) -> None:
        """Refuse to ask an index for what comes from somewhere else."""
        problems = [
            unavailable(self._places.private[wheel.name])
            for wheel in missing
            if wheel.name in self._places.private
        ]
        if problems:
            raise Refused(*problems)

    def _fetch(self, missing: list[LockedWheel]) -> dict[LockedWheel, str]:
        found: dict[LockedWheel, str] = {}
        told = users()
        for number, target in enumerate(self._targets):
            wanted = {
                wheel.file: wheel
                for wheel in missing
                if wheel not in found and target.platform in wheel.platforms
            }
            if not wanted:
                continue
            folder = scratch(self._folder, f"locked-{number}")
            files = {**self._places.files, **self._located(wanted.values(), target, folder, told)}
            here = [one for one in wanted.values() if _lies_here(files.get(one.sha256))]
            paths = [str(files[one.sha256].path) for one in here]
            pins = [_pin(one, files) for one in wanted.values() if one not in here]
            paths += fetch_pinned(pins, target, folder, told) if pins else ()
            for path in paths:
                wheel = wanted.get(os.path.basename(path))
                if wheel is not None and self._cache.keep(path) == wheel.sha256:
                    found[wheel] = path
        lost = [wheel.file for wheel in missing if wheel not in found]
        if lost:
            raise BuildFailed.of(Code.RESOLVING, f"pip did not fetch: {', '.join(lost[:5])}")
        return found

    def _located(
        self, wheels: Iterable[LockedWheel], target: Target, folder: str, told: Users
    ) -> dict[Digest, LockedFile]:
        """Return where wheels are of which no lock says it, as uv finds them on its indexes.

        pip finds the others by their names.
        """
        unknown = [one for one in wheels if one.sha256 not in self._places.files]
        uv = uv_for(target, told, None) if unknown and told.uv.places else None
        if uv is None:
            return {}
        pins = [f"{one.name}=={one.version}" for one in unknown]
        try:
            versions = locate_with_uv(uv, pins, target, folder, told)
        except CloacinaError:
            if told.prefer_uv:
                raise
            return {}
        found = {file.sha256: file for one in versions.values() for file in one.files}
        for wheel in unknown:
            others = versions[wheel.name].files if wheel.name in versions else ()
            if wheel.sha256 not in found and told.prefer_uv:
                raise not_the_locked(wheel, others[0].sha256 if others else "none", self._cure)
        return found


def _lies_here(file: LockedFile | None) -> bool:
    return file is not None and file.path is not None and os.path.isfile(file.path)


def _pin(wheel: LockedWheel, files: Mapping[Digest, LockedFile]) -> Pin:
    file = files.get(wheel.sha256)
    return Pin(wheel.name, wheel.version, wheel.sha256, file.url if file is not None else None)


def not_the_locked(wheel: LockedWheel, found: str, cure: str = _RENEW) -> Refused:
    """Return the error for a wheel that has the name of a locked one and is another."""
    return Refused.of(
        Code.WHEEL_DIGEST,
        f"expected sha256 {wheel.sha256}, found: {found}",
        where=wheel.file,
        hint=f"if the change is meant, renew the lock: {cure}",
    )
