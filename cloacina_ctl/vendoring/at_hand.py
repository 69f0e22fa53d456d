"""Finds the wheels that a lock names: among the given ones, in the cache, or by download."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from cloacina_ctl.errors import BuildFailed, Code, Refused
from cloacina_ctl.formats.wheel.reader import digest_of_file
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.declared.origins import unavailable
from cloacina_ctl.vendoring.installers.configuration import users
from cloacina_ctl.vendoring.installers.pip import Pin, fetch_pinned
from cloacina_ctl.vendoring.installers.programs import unknown_to_pip
from cloacina_ctl.vendoring.locks.lock import LockedWheel
from cloacina_ctl.vendoring.store import Cache, Wheelhouse, scratch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloacina_ctl.vendoring.declared.origins import Origin
    from cloacina_ctl.vendoring.target import PythonTarget


_RENEW = "--upgrade-vendored"


class Candidate(NamedTuple):
    """A wheel that may be vendored, and its path."""

    wheel: LockedWheel
    path: str


def candidate_of(path: str, target: PythonTarget) -> Candidate:
    """Return the wheel in the file ``path`` as one for ``target``; a copy of it is cached."""
    file = os.path.basename(path)
    name, version, _, _ = parse_wheel_filename(file)
    digest = Cache().keep(path)
    wheel = LockedWheel(
        str(name), str(version), file, digest, (target.platform,), path=os.path.realpath(path)
    )
    return Candidate(wheel, path)


class WheelPlaces(NamedTuple):
    """Where wheels may be. ``house`` is the wheelhouse; if set, it is the only source.

    ``given`` are paths by the name of the distribution, ``private`` the distributions that are
    never requested from an index.
    """

    house: str | None = None
    offline: bool = False
    given: Mapping[str, tuple[str, ...]] = {}
    private: Mapping[str, Origin] = {}


class AtHand:
    """The wheels of a lock. Their digests are compared again when they are unpacked."""

    def __init__(
        self,
        wheels: tuple[LockedWheel, ...],
        targets: tuple[PythonTarget, ...],
        places: WheelPlaces,
        folder: str,
        renewal: str = _RENEW,
    ) -> None:
        """Look for the ``wheels`` of a lock; ``renewal`` says how it is renewed."""
        self._wheels = wheels
        self._targets = targets
        self._places = places
        self._folder = folder
        self._renewal = renewal
        self._house = Wheelhouse(places.house) if places.house else None
        self._cache = Cache()

    def candidates(self, *, some: bool = False) -> tuple[tuple[Candidate, ...], ...]:
        """Return the wheels for each target; missing ones are downloaded.

        With ``some`` unavailable wheels are skipped: the lock may list more than is needed.
        """
        found = {wheel: path for wheel in self._wheels if (path := self._find(wheel))}
        missing = [wheel for wheel in self._wheels if wheel not in found]
        fetches = self._house is None and not self._places.offline
        if missing and fetches:
            self._refuse_private(missing)
            found.update(self._fetch(missing))
        elif missing and not some:
            raise self._not_there(missing)
        return tuple(
            tuple(
                Candidate(wheel, found[wheel])
                for wheel in self._wheels
                if target.platform in wheel.platforms and wheel in found
            )
            for target in self._targets
        )

    def _find(self, wheel: LockedWheel) -> str | None:
        """Return its path. A given wheel, or one of its name in the wheelhouse, has to match."""
        given = {digest_of_file(path): path for path in self._places.given.get(wheel.name, ())}
        if given and wheel.sha256 not in given:
            raise not_the_locked(wheel, next(iter(given)), self._renewal)
        if given:
            return given[wheel.sha256]
        house = self._house
        if house is not None and wheel.file in house.files:
            found = house.digest(wheel.file)
            if found != wheel.sha256:
                raise not_the_locked(wheel, found, self._renewal)
            return house.path(wheel.file)
        kept = self._cache.find(wheel.file, wheel.sha256)
        if kept is None and house is None and wheel.path and os.path.isfile(wheel.path):
            return wheel.path
        return kept

    def _not_there(self, missing: list[LockedWheel]) -> BuildFailed:
        place = "the wheelhouse" if self._house else "the cache, and --offline fetches nothing"
        return BuildFailed.of(
            Code.RESOLVING,
            f"{len(missing)} of {len(self._wheels)} wheels are not in {place}: "
            f"{', '.join(wheel.file for wheel in missing[:5])}",
            where=self._house.folder if self._house else None,
            hint="run it once with network access, or put them into a wheelhouse",
        )

    def _refuse_private(self, missing: list[LockedWheel]) -> None:
        """Raise where a missing wheel has another origin: an index is never asked for it."""
        problems = [
            unavailable(self._places.private[wheel.name])
            for wheel in missing
            if wheel.name in self._places.private
        ]
        if problems:
            raise Refused(*problems)

    def _fetch(self, missing: list[LockedWheel]) -> dict[LockedWheel, str]:
        found: dict[LockedWheel, str] = {}
        user = users()
        for number, target in enumerate(self._targets):
            wanted = {
                wheel.file: wheel
                for wheel in missing
                if wheel not in found and target.platform in wheel.platforms
            }
            if not wanted:
                continue
            folder = scratch(self._folder, f"locked-{number}")
            pins = [Pin(one.name, one.version, one.sha256, one.url) for one in wanted.values()]
            nowhere = [file for file, one in wanted.items() if one.url is None]
            if nowhere and user.prefer_uv:
                raise unknown_to_pip(user, f"the lock has no address of {nowhere[0]}")
            for path in fetch_pinned(pins, target, folder, user):
                wheel = wanted.get(os.path.basename(path))
                if wheel is not None and self._cache.keep(path) == wheel.sha256:
                    found[wheel] = path
        lost = [wheel.file for wheel in missing if wheel not in found]
        if lost:
            raise BuildFailed.of(Code.RESOLVING, f"pip did not fetch: {', '.join(lost[:5])}")
        return found


def not_the_locked(wheel: LockedWheel, found: str, renewal: str = _RENEW) -> Refused:
    """Return the error for a wheel with the name of a locked one, but another digest."""
    return Refused.of(
        Code.WHEEL_DIGEST,
        f"expected sha256 {wheel.sha256}, found: {found}",
        where=wheel.file,
        hint=f"if the change is intended, renew the lock: {renewal}",
    )
