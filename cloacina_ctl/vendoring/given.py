"""Wheels that were given for one distribution, by the caller or by the project.

Such a wheel is the only one that is used for its name, wherever the name is required.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name, parse_wheel_filename

from cloacina_ctl.errors import Code, FileProblem, Refused, UsageError
from cloacina_ctl.formats.wheel.reader import names_a_wheel
from cloacina_ctl.vendoring.declared.origins import check_version, declared_version
from cloacina_ctl.vendoring.store import Wheelhouse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.version import Version

    from cloacina_ctl.vendoring.declared.origins import Origin
    from cloacina_ctl.vendoring.target import PythonTarget


def given_names(sources: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the given paths by normal name; raise ``UsageError`` for a name given twice."""
    found: dict[str, str] = {}
    for name, path in sources:
        if str(canonicalize_name(name)) in found:
            raise UsageError.of(Code.USAGE, f"two wheels are given for one name: {name}")
        found[str(canonicalize_name(name))] = path
    return found


def given_wheels(
    sources: Iterable[tuple[str, str]], origins: Mapping[str, Origin], target: PythonTarget
) -> dict[str, str]:
    """Return the paths of the wheels that are given for ``target``, by name.

    A path is a wheel, or a folder from which the fitting wheel is taken. Raises ``Refused`` if it
    is of another distribution, has another version than its source states, or does not fit.
    """
    named = {name: one.wheel for name, one in origins.items() if one.wheel is not None}
    paths = {**named, **given_names(sources)}
    return {name: _fitting(name, path, origins.get(name), target) for name, path in paths.items()}


def _fitting(name: str, path: str, origin: Origin | None, target: PythonTarget) -> str:
    if not os.path.lexists(path):
        raise FileProblem.of(
            Code.NOT_FOUND, f"the wheel that was given for `{name}` does not exist", where=path
        )
    house = Wheelhouse(path) if os.path.isdir(path) else None
    files = house.files if house is not None else (_named(os.path.basename(path), path),)
    of_name = [(_version(file), file) for file in files if _name(file) == name]
    if not of_name:
        raise _unfit(f"no wheel of `{name}`", path)
    said = declared_version(origin) if origin is not None else None
    right = [one for one in of_name if said is not None and str(one[0]) == said]
    newest = max(version for version, _ in right or of_name)
    ranked = sorted(
        (rank, file)
        for version, file in of_name
        if version == newest and (rank := target.rank(parse_wheel_filename(file)[3])) is not None
    )
    if not ranked:
        what = f"no wheel of `{name}` {newest} for Python {target.python} on {target.platform}"
        raise _unfit(what, path)
    file = ranked[0][1]
    if origin is not None:
        check_version(origin, str(newest), file)
    return house.path(file) if house is not None else os.path.abspath(path)


def _named(file: str, path: str) -> str:
    if not names_a_wheel(file):
        raise _unfit("not the name of a wheel", path)
    return file


def _name(file: str) -> str:
    return str(parse_wheel_filename(file)[0])


def _version(file: str) -> Version:
    return parse_wheel_filename(file)[1]


def _unfit(message: str, path: str) -> Refused:
    return Refused.of(
        Code.SOURCE_WHEEL, message, where=path,
        hint="name its wheel, or a folder that contains it",
    )  # fmt: skip
