"""Reads the dependencies of a project: `[project] dependencies`, or a tree's `requirements.txt`.

A reference to a URL or a folder (`name @ URL`) is split: the name is a requirement, the rest is
its origin. Unsupported options in a requirements file are refused.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from cloacina_ctl.errors import Code, Diagnostic, Refused
from cloacina_ctl.project.detect import PYPROJECT_TOML, REQUIREMENTS_TXT
from cloacina_ctl.project.model import ProjectLayout
from cloacina_ctl.project.own_files import read_own_toml
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.declared.origins import Origin, direct_origin
from cloacina_ctl.vendoring.declared.requirements_file import (
    Line,
    RequirementsFile,
    read_requirements_file,
)
from cloacina_ctl.vendoring.declared.self_extras import Own, expand

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.project.model import Project
    from cloacina_ctl.vendoring.declared.origins import ProjectIndex

# The distributions that the engine provides, under the names of all its releases.
ENGINES = frozenset({"cloaca", "cloaca-sqlite", "cloaca-postgres"})
_HASH = re.compile(r"\s--hash[ =](\S+)")
# In the text of a condition a new line would begin an option of pip's, and `${NAME}` a variable.
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|\$\{")


class Requirements(NamedTuple):
    """The normalized requirements, sorted; ``place`` is the file that lists them.

    None is on the project itself (``own``); ``extras`` are those of its extras that are required.
    ``constraints`` are normalized, too; ``indexes`` are those that a requirements file names.
    ``engines`` are provided by the engine and never vendored. ``hashes`` are the SHA-256 digests
    that a requirements file allows for a distribution, ``direct`` the origins of requirements
    that are given with a reference.
    """

    place: str
    texts: tuple[str, ...]
    engines: tuple[str, ...] = ()
    hashes: tuple[tuple[str, frozenset[str]], ...] = ()
    direct: tuple[Origin, ...] = ()
    own: Own | None = None
    extras: frozenset[str] = frozenset()
    constraints: tuple[str, ...] = ()
    indexes: tuple[ProjectIndex, ...] = ()


def read_requirements(project: Project) -> Requirements:
    """Return the project's dependencies, or raise ``Refused`` with all that cannot be vendored."""
    place, file = _find(project)
    problems = list(file.problems)
    hashes: dict[str, frozenset[str]] = {}
    found = list(_parsed(file.lines, hashes, problems))
    limits = list(_parsed(file.constraints, hashes, problems))
    problems += [
        Diagnostic(Code.DEPENDENCY, f"not a constraint of the form NAME VERSIONS: {one}", place)
        for one in limits
        if one.url is not None or one.extras
    ]
    own, broken = _own(project) if place == PYPROJECT_TOML else (None, {})
    extras: frozenset[str] = frozenset()
    if own is not None:
        expanded = expand(found, own)
        found, extras = list(expanded.requirements), expanded.extras
        problems += [Diagnostic(Code.DEPENDENCY, one, place) for one in expanded.unknown]
        problems += [one for extra in sorted(extras) for one in broken[extra]]
    if problems:
        raise Refused(*problems)
    direct = [direct_origin(one, project.root, place) for one in found if one.url is not None]
    for one in found:
        one.url = None
    engines = {str(canonicalize_name(one.name)) for one in found if is_engine(one.name)}
    return Requirements(
        place,
        texts=tuple(sorted({spelled(one) for one in found if not is_engine(one.name)})),
        engines=tuple(sorted(engines)),
        hashes=tuple(sorted(hashes.items())),
        direct=tuple(one for one in direct if not is_engine(one.name)),
        own=own,
        extras=extras,
        constraints=tuple(sorted(set(map(spelled, limits)))),
        indexes=file.indexes,
    )


def _parsed(
    lines: Iterable[Line], hashes: dict[str, frozenset[str]], problems: list[Diagnostic]
) -> Iterator[Requirement]:
    """Yield the requirement of each line; digests and problems are recorded."""
    for where, line in lines:
        requirement = _parse(where, line, problems)
        if requirement is None:
            continue
        name, allowed = str(canonicalize_name(requirement.name)), frozenset(_HASH.findall(line))
        if allowed:
            hashes[name] = hashes.get(name, frozenset()) | allowed
        yield requirement


def is_engine(name: str) -> bool:
    """Return whether the engine provides the distribution."""
    return canonicalize_name(name) in ENGINES


def spelled(requirement: Requirement) -> str:
    """Return the normalized requirement."""
    name = str(canonicalize_name(requirement.name))
    extras = f"[{','.join(sorted(map(canonicalize_name, requirement.extras)))}]"
    marker = f"; {requirement.marker}" if requirement.marker else ""
    return f"{name}{extras if requirement.extras else ''}{requirement.specifier}{marker}"


def is_unsafe(text: str) -> bool:
    """Return whether a text has characters with another meaning in a file for pip or uv."""
    return _UNSAFE.search(text) is not None


def _find(project: Project) -> tuple[str, RequirementsFile]:
    """Return the file that counts, and its content."""
    if project.layout is ProjectLayout.PYTHON_TREE:
        if os.path.lexists(os.path.join(project.root, REQUIREMENTS_TXT)):
            return REQUIREMENTS_TXT, read_requirements_file(project.root)
        if not os.path.lexists(os.path.join(project.root, PYPROJECT_TOML)):
            return REQUIREMENTS_TXT, RequirementsFile()
    values = _listed(_project_table(project.root), "dependencies", "dependencies")
    lines = tuple(Line(PYPROJECT_TOML, value) for value in values)
    return PYPROJECT_TOML, RequirementsFile(lines)


def _own(project: Project) -> tuple[Own | None, dict[str, list[Diagnostic]]]:
    """Return the project as a distribution, and the problems of each of its extras."""
    table = _project_table(project.root)
    name, version = table.get("name"), table.get("version")
    if not isinstance(name, str):
        return None, {}
    optional = table.get("optional-dependencies", {})
    extras: dict[str, tuple[Requirement, ...]] = {}
    broken: dict[str, list[Diagnostic]] = {}
    for key, values in optional.items() if isinstance(optional, dict) else ():
        extra, place = str(canonicalize_name(key)), f"{PYPROJECT_TOML}: optional-dependencies.{key}"
        problems: list[Diagnostic] = []
        parsed = [_parse(place, one, problems) for one in _listed({key: values}, key, place)]
        extras[extra] = tuple(one for one in parsed if one is not None)
        broken[extra] = problems
    known = version if isinstance(version, str) and is_version(version) else project.package.version
    return Own(str(canonicalize_name(name)), str(known), tuple(sorted(extras.items()))), broken


def is_version(text: str) -> bool:
    """Return whether a text is a version."""
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _project_table(root: str) -> dict[str, Any]:
    table: Any = read_own_toml(root, PYPROJECT_TOML)
    found: dict[str, Any] = table.get("project", {})
    return found


def _listed(table: dict[str, Any], key: str, name: str) -> list[str]:
    if key in table.get("dynamic", ()):
        raise Refused.of(
            Code.DEPENDENCY,
            f"the {name} are dynamic: only a build determines them",
            where=PYPROJECT_TOML,
            hint=f"list them under [project] {name}",
        )
    values = table.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise Refused.of(
            Code.DEPENDENCY, f"`{name}` must be a list of strings", where=PYPROJECT_TOML
        )
    return values


def _parse(where: str, line: str, problems: list[Diagnostic]) -> Requirement | None:
    """Return the requirement of a line; None, and record the problem, if it is not one."""
    text = _HASH.sub("", f" {line}").strip()
    if text.startswith("-"):
        message = f"unsupported option: {text}"
        hint = "supported are -r, -c, --index-url, --extra-index-url, --find-links, --hash"
        problems.append(Diagnostic(Code.DEPENDENCY, message, where, hint))
        return None
    if _UNSAFE.search(text):
        message = f"a character that is not allowed in a requirement: {text}"
        problems.append(Diagnostic(Code.DEPENDENCY, message, where))
        return None
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        message = f"not a requirement: {text}: {str(error).splitlines()[0]}"
        problems.append(Diagnostic(Code.DEPENDENCY, message, where))
        return None
    return requirement
