"""Has uv or pip choose wheels where there is no lock."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cloacina_ctl.errors import BuildFailed, Code, Diagnostic, Refused
from cloacina_ctl.files.folders import open_folder
from cloacina_ctl.files.staging import reported
from cloacina_ctl.formats.wheel.reader import metadata_of
from cloacina_ctl.formats.wheel.stub import write_stub_wheel
from cloacina_ctl.vendoring.at_hand import AtHand, WheelPlaces, candidate_of
from cloacina_ctl.vendoring.closure import reach, read_metadata
from cloacina_ctl.vendoring.declared.origins import direct_origin, unavailable, without_user
from cloacina_ctl.vendoring.declared.requirements import is_engine
from cloacina_ctl.vendoring.declared.settings import only_uv, refuse_unkept
from cloacina_ctl.vendoring.installers.configuration import users
from cloacina_ctl.vendoring.installers.pip import choose_with_pip
from cloacina_ctl.vendoring.installers.programs import Question, uv_for
from cloacina_ctl.vendoring.installers.uv import choose_with_uv
from cloacina_ctl.vendoring.locks.lock import locked_wheels
from cloacina_ctl.vendoring.store import Cache, Wheelhouse, scratch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cloacina_ctl.vendoring.at_hand import Candidate
    from cloacina_ctl.vendoring.closure import Distribution
    from cloacina_ctl.vendoring.declared.origins import Origin
    from cloacina_ctl.vendoring.installers.configuration import Users
    from cloacina_ctl.vendoring.locks.project_lock import LockedVersion
    from cloacina_ctl.vendoring.rules import ResolutionRules
    from cloacina_ctl.vendoring.target import PythonTarget

# Each round finds the requirements of the wheels of the round before.
_MOST_ROUNDS = 12


class Fresh:
    """Runs uv or pip, for one target after the other."""

    def __init__(
        self, rules: ResolutionRules, wheelhouse: str | None, folder: str, *, offline: bool
    ) -> None:
        """Resolve for ``rules``; ``folder`` is a scratch folder."""
        self._rules = rules
        self._user = users()
        self._folder = folder
        self._house: str | None = None
        self._cache = Cache()
        if wheelhouse:
            self._house = Wheelhouse(wheelhouse).folder
        elif offline:
            self._house = self._cached()

    def refuse_what_cannot_be_kept(
        self, targets: Sequence[PythonTarget], given: Sequence[Mapping[str, str]]
    ) -> None:
        """Raise ``Refused`` for all statements of the project that cannot be honored."""
        if not self._rules.requirements.texts:
            return
        refuse_unkept(self._rules.workspace)
        problems: dict[Diagnostic, None] = {}
        for target, wheels in zip(targets, given, strict=True):
            for origin in self._direct(target):
                if origin.name not in wheels:
                    problems[unavailable(origin)] = None
        if self._house is None:
            problems.update(dict.fromkeys(unknown_indexes(self._rules, self._user)))
        if problems:
            raise Refused(*problems)

    def _direct(self, target: PythonTarget) -> Iterator[Origin]:
        """Yield the origins of the project's own requirements on ``target``."""
        origins = self._rules.origins_on([target])
        for text in self._rules.requirements.texts:
            requirement = Requirement(text)
            name, marker = str(canonicalize_name(requirement.name)), requirement.marker
            environments = target.environments(str(marker))
            if name in origins and (marker is None or any(map(marker.evaluate, environments))):
                yield origins[name]

    def candidates(self, target: PythonTarget, given: Mapping[str, str]) -> tuple[Candidate, ...]:
        """Return the wheels for ``target``, with the ``given`` ones.

        None is of the engine or of the project itself; a given wheel is the only one of its name.
        The request is repeated as long as requirements are missing: uv evaluates conditions for
        the first patch release, pip for its own Python.
        """
        if not self._rules.requirements.texts:
            return ()
        folder = scratch(self._folder, f"new-{target.platform}")
        question = self._question(given, folder)
        own = self._rules.requirements.own
        never = frozenset({*given, own.name if own is not None else ""})
        here = tuple(candidate_of(path, target) for path in given.values())
        for number in range(_MOST_ROUNDS):
            asked = scratch(folder, str(number))
            found = (*self._ask(question, never, target, asked), *here)
            more = self._lacking(found, target) - {*question.requirements}
            if not more:
                break
            question = question._replace(
                requirements=(*question.requirements, *sorted(more)),
            )
        return found

    def _ask(
        self, question: Question, never: frozenset[str], target: PythonTarget, folder: str
    ) -> tuple[Candidate, ...]:
        """Return the choice of uv, or else of pip."""
        uv = uv_for(target, self._user, self._house)
        if uv is not None:
            versions = choose_with_uv(uv, question, target, folder, self._user)
        else:
            problem = only_uv(self._rules.settings, pip_knows=self._user.prefer_pip)
            if problem is not None:
                raise problem
            versions = choose_with_pip(question, target, folder, self._user)
        chosen = [
            one for name, one in versions.items() if not is_engine(name) and name not in never
        ]
        found = self._take(chosen, target, folder)
        if uv is None:
            self._refuse_addresses(found, never, target)
        return found

    def _refuse_addresses(
        self, found: Iterable[Candidate], never: frozenset[str], target: PythonTarget
    ) -> None:
        """Refuse a dependency that a wheel takes from a URL: pip follows it, uv does not.

        The project has not named that URL.
        """
        known = self._described(found)
        reached = reach(self._rules.roots, known, target).names
        problems = [
            unavailable(direct_origin(need, self._folder, f"{name} {known[name].version}"))
            for name in sorted(reached & known.keys())
            for need in known[name].requires
            if need.url is not None and (other := str(canonicalize_name(need.name))) not in never
            and other in reached
        ]  # fmt: skip
        if problems:
            raise Refused(*problems)

    def _described(self, found: Iterable[Candidate]) -> dict[str, Distribution]:
        known = {}
        for wheel, path in found:
            with contextlib.suppress(Refused):  # unpacking reports why
                known[wheel.name] = read_metadata(metadata_of(path), wheel.file)
        return known

    def _lacking(self, found: Iterable[Candidate], target: PythonTarget) -> set[str]:
        """Return the unmet requirements of the wheels on any patch release.

        Distributions whose origin the project names are not requested.
        """
        origins = self._rules.origins_on([target])
        known = self._described(found)
        return {
            one.requirement
            for one in reach(self._rules.roots, known, target).lacking
            if one.requirement is not None and one.name not in origins
        }

    def _question(self, given: Mapping[str, str], folder: str) -> Question:
        """Return the request; given wheels, and the project's own name, map to one file each."""
        rules = self._rules
        paths = dict(given)
        own = rules.requirements.own
        if own is not None:
            paths[own.name] = write_stub_wheel(
                folder, own.name, own.version, map(str, own.needs()), dict(own.extras)
            )
        references = [f"{name} @ {Path(path).as_uri()}" for name, path in sorted(paths.items())]
        return Question(
            requirements=rules.requirements.texts,
            constraints=rules.settings.constraints,
            files=tuple(references),
            overrides=rules.settings.overrides,
            options=rules.settings.options,
            house=self._house,
        )

    def _take(
        self, chosen: Sequence[LockedVersion], target: PythonTarget, folder: str
    ) -> tuple[Candidate, ...]:
        """Return the wheels of the chosen versions, from the stated places."""
        for one in chosen:
            if one.best(target) is None:
                raise BuildFailed.of(
                    Code.RESOLVING, f"no wheel of {one.name} {one.version} for {target.platform}",
                    where=self._house,
                )  # fmt: skip
        places = WheelPlaces(offline=self._house is not None)
        wheels = locked_wheels([(target, chosen)])
        return AtHand(wheels, (target,), places, folder).candidates()[0]

    def _cached(self) -> str:
        """Return a folder with all cached wheels, in the form that uv and pip search."""
        folder = scratch(self._folder, "cached")
        with reported(folder), open_folder(folder) as made:
            for path in self._cache.files():
                name = os.path.basename(path)
                if made.look(name) is None:
                    made.symlink(path, name)
        return folder


def unknown_indexes(rules: ResolutionRules, user: Users) -> Iterator[Diagnostic]:
    """Yield the indexes that the project names for all packages and the user has not configured."""
    known = {without_user(one).rstrip("/") for one in (*user.uv.urls, *user.pip.urls)}
    for index in rules.origins.indexes:
        if index.title.rstrip("/") not in known:
            yield Diagnostic(
                Code.NAMED_SOURCE,
                f"the project takes its dependencies from an index of its own: {index.title}",
                index.place,
                "lock them (`uv lock`), take wheels of it with --wheelhouse, or name it "
                "yourself: UV_INDEX for uv, PIP_EXTRA_INDEX_URL for pip, or their defaults",
            )
