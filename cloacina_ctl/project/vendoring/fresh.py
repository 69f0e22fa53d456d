"""The wheels that uv or pip choose where no lock decides."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from cloacina_ctl.archive.wheel_stub import write_stub_wheel
from cloacina_ctl.errors import BuildFailed, Code, Diagnostic, Refused
from cloacina_ctl.folders import open_folder
from cloacina_ctl.project.vendoring import resolvers
from cloacina_ctl.project.vendoring.at_hand import candidate_of
from cloacina_ctl.project.vendoring.origins import PATCHES, unavailable, without_user
from cloacina_ctl.project.vendoring.requirements import is_engine
from cloacina_ctl.project.vendoring.resolvers import Question
from cloacina_ctl.project.vendoring.settings import only_uv, refuse_unkept
from cloacina_ctl.project.vendoring.store import Cache, Wheelhouse, scratch
from cloacina_ctl.staging import reported

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cloacina_ctl.project.vendoring.at_hand import Candidate
    from cloacina_ctl.project.vendoring.origins import Origin
    from cloacina_ctl.project.vendoring.resolvers import Pin
    from cloacina_ctl.project.vendoring.rules import Rules
    from cloacina_ctl.project.vendoring.target import Target

# How users name indexes to uv and pip: whoever does has decided for themselves.
_INDEX_VARIABLES = (
    "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
)  # fmt: skip


class Fresh:
    """Asks uv or pip, for one target after the other."""

    def __init__(self, rules: Rules, wheelhouse: str | None, folder: str, *, offline: bool) -> None:
        """Ask for what ``rules`` want; ``folder`` is a scratch folder."""
        self._rules = rules
        self._folder = folder
        self._house: str | None = None
        self._cache = Cache()
        if wheelhouse:
            self._house = Wheelhouse(wheelhouse).folder
        elif offline:
            self._house = self._cached()

    def refuse_what_cannot_be_kept(
        self, targets: Sequence[Target], given: Sequence[Mapping[str, str]]
    ) -> None:
        """Raise ``Refused`` for all that would have to be dropped of what the project says."""
        if not self._rules.requirements.texts:
            return
        refuse_unkept(self._rules.workspace)
        problems: dict[Diagnostic, None] = {}
        for target, wheels in zip(targets, given, strict=True):
            for origin in self._direct(target):
                if origin.name not in wheels:
                    problems[unavailable(origin)] = None
        if self._house is None:
            problems.update(dict.fromkeys(foreign_indexes(self._rules)))
        if problems:
            raise Refused(*problems)

    def _direct(self, target: Target) -> Iterator[Origin]:
        """Yield the origins of what the project itself requires on ``target``."""
        origins = self._rules.origins_on([target])
        for text in self._rules.requirements.texts:
            requirement = Requirement(text)
            name, marker = str(canonicalize_name(requirement.name)), requirement.marker
            environments = [target.environment(patch) for patch in PATCHES]
            if name in origins and (marker is None or any(map(marker.evaluate, environments))):
                yield origins[name]

    def candidates(self, target: Target, given: Mapping[str, str]) -> tuple[Candidate, ...]:
        """Return the wheels for ``target``, those that are ``given`` among them.

        None is of the engine or of the project itself, and of a name that is given none but that.
        """
        texts = self._rules.requirements.texts
        if not texts:
            return ()
        folder = scratch(self._folder, f"new-{target.platform}")
        question = self._question(given, folder)
        own = self._rules.requirements.own
        never = {*given, own.name if own is not None else ""}
        uv = resolvers.find_uv()
        if uv is not None and target.uv_platform() is not None:
            pins = [
                pin
                for pin in resolvers.choose_with_uv(uv, question, target, folder)
                if not is_engine(pin.name) and str(canonicalize_name(pin.name)) not in never
            ]
            paths: Iterable[str] = self._take(pins, target, folder)
        else:
            problem = only_uv(self._rules.settings)
            if problem is not None:
                raise problem
            paths = resolvers.fetch_with_pip(question, target, folder)
        kept = [path for path in paths if not is_engine(_name(path)) and _name(path) not in never]
        return tuple(candidate_of(path, target) for path in (*kept, *given.values()))

    def _question(self, given: Mapping[str, str], folder: str) -> Question:
        """Return what is asked: what is given, and the project's own name, is one file."""
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

    def _take(self, pins: Sequence[Pin], target: Target, folder: str) -> Iterable[str]:
        """Return the wheels for versions that were chosen: out of the folder, or fetched."""
        if self._house is None:
            return resolvers.fetch_pinned(pins, target, folder) if pins else ()
        house = Wheelhouse(self._house)
        return [_best(house, pin, target) for pin in pins]

    def _cached(self) -> str:
        """Return a folder with all wheels of the cache, as uv and pip look for them."""
        folder = scratch(self._folder, "cached")
        with reported(folder), open_folder(folder) as made:
            for path in self._cache.files():
                name = os.path.basename(path)
                if made.look(name) is None:
                    made.symlink(path, name)
        return folder


def foreign_indexes(rules: Rules) -> Iterator[Diagnostic]:
    """Yield the indexes that the project names for all, and that are not the user's own."""
    values = [os.environ.get(name, "") for name in _INDEX_VARIABLES]
    known = {without_user(one.rpartition("=")[2]).rstrip("/") for text in values
             for one in text.split()}  # fmt: skip
    for index in rules.origins.indexes:
        if index.title.rstrip("/") not in known:
            yield Diagnostic(
                Code.NAMED_SOURCE,
                f"the project takes its dependencies from an index of its own: {index.title}",
                index.place,
                "lock them (`uv lock`), take wheels of it with --wheelhouse, or name it "
                "yourself: UV_INDEX and PIP_EXTRA_INDEX_URL, or their defaults",
            )


def _name(path: str) -> str:
    """Return the normal form of the name that a wheel's file has."""
    return str(parse_wheel_filename(os.path.basename(path))[0])


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
