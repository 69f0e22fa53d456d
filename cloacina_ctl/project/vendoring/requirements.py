"""What a project depends on: `[project] dependencies`, or a tree's `requirements.txt`.

Names with versions alone: what is given by URL or by folder has no wheel that others can find, and
options in a requirements file would choose where wheels come from.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from cloacina_ctl.errors import Code, Diagnostic, FileProblem, Refused
from cloacina_ctl.project.detect import PYPROJECT_TOML
from cloacina_ctl.project.model import Layout
from cloacina_ctl.project.own_files import open_own, read_own_toml
from cloacina_ctl.staging import reported
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.model import Project

REQUIREMENTS_TXT = "requirements.txt"
MAX_REQUIREMENTS_BYTES = 1 << 20
# What the engine brings itself, under the names that its releases have had.
ENGINES = frozenset({"cloaca", "cloaca-sqlite", "cloaca-postgres"})
_HASH = re.compile(r"\s--hash[ =](\S+)")
# In the text of a condition a new line would begin an option of pip's, and `${NAME}` a variable.
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|\$\{")
_COMMENT = re.compile(r"(?:^|\s)#.*$")


class Requirements(NamedTuple):
    """The requirements in their one spelling, sorted; ``place`` is the file that has them.

    ``engines`` are those that the engine brings, which are never vendored. ``hashes`` are the
    SHA-256 digests that a requirements file allows for a distribution.
    """

    place: str
    texts: tuple[str, ...]
    engines: tuple[str, ...] = ()
    hashes: tuple[tuple[str, frozenset[str]], ...] = ()


def read_requirements(project: Project) -> Requirements:
    """Return what the project depends on, or raise ``Refused`` with all that is not vendored."""
    place, lines = _find(project)
    problems: list[Diagnostic] = []
    found: list[Requirement] = []
    hashes: dict[str, frozenset[str]] = {}
    for where, line in lines:
        requirement = _parse(where, line, problems)
        if requirement is None:
            continue
        found.append(requirement)
        name, allowed = str(canonicalize_name(requirement.name)), frozenset(_HASH.findall(line))
        if allowed:
            hashes[name] = hashes.get(name, frozenset()) | allowed
    if problems:
        raise Refused(*problems)
    engines = {str(canonicalize_name(one.name)) for one in found if is_engine(one.name)}
    return Requirements(
        place,
        texts=tuple(sorted({spelled(one) for one in found if not is_engine(one.name)})),
        engines=tuple(sorted(engines)),
        hashes=tuple(sorted(hashes.items())),
    )


def is_engine(name: str) -> bool:
    """Tell whether the engine brings the distribution itself."""
    return canonicalize_name(name) in ENGINES


def spelled(requirement: Requirement) -> str:
    """Return the requirement in its one spelling."""
    name = str(canonicalize_name(requirement.name))
    extras = f"[{','.join(sorted(map(canonicalize_name, requirement.extras)))}]"
    marker = f"; {requirement.marker}" if requirement.marker else ""
    return f"{name}{extras if requirement.extras else ''}{requirement.specifier}{marker}"


def _find(project: Project) -> tuple[str, list[tuple[str, str]]]:
    """Return the file that counts, and each requirement with its place."""
    if project.layout is Layout.PYTHON_TREE:
        if os.path.lexists(os.path.join(project.root, REQUIREMENTS_TXT)):
            return REQUIREMENTS_TXT, list(_lines(project.root))
        if not os.path.lexists(os.path.join(project.root, PYPROJECT_TOML)):
            return REQUIREMENTS_TXT, []
    return PYPROJECT_TOML, list(_dependencies(project.root))


def _dependencies(root: str) -> Iterator[tuple[str, str]]:
    table: Any = read_own_toml(root, PYPROJECT_TOML)
    table = table.get("project", {})
    if "dependencies" in table.get("dynamic", ()):
        raise Refused.of(
            Code.DEPENDENCY,
            "the dependencies are dynamic: only a build would tell them",
            where=PYPROJECT_TOML,
            hint="list them under [project] dependencies",
        )
    values = table.get("dependencies", [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise Refused.of(
            Code.DEPENDENCY, "`dependencies` must be a list of texts", where=PYPROJECT_TOML
        )
    for value in values:
        yield PYPROJECT_TOML, value


def _lines(root: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of a requirements file, continued ones joined, without comments."""
    path = os.path.join(root, REQUIREMENTS_TXT)
    with reported(path), open(open_own(root, REQUIREMENTS_TXT), "rb") as file:
        data = file.read(MAX_REQUIREMENTS_BYTES + 1)
    if len(data) > MAX_REQUIREMENTS_BYTES:
        raise FileProblem.of(Code.LIMIT, f"more than {MAX_REQUIREMENTS_BYTES} bytes", where=path)
    text, start, kept = data.decode("utf-8", "replace"), 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        start = start or number
        if line.endswith("\\"):
            kept += line[:-1] + " "
            continue
        whole = _COMMENT.sub("", kept + line).strip()
        if whole:
            yield f"{REQUIREMENTS_TXT}:{start}", whole
        start, kept = 0, ""


def _parse(where: str, line: str, problems: list[Diagnostic]) -> Requirement | None:
    """Return the requirement that a line is; None, with the problem noted, where it is none."""
    text = _HASH.sub("", f" {line}").strip()
    if text.startswith("-"):
        message = f"an option, where only requirements are taken: {text}"
        hint = "where wheels come from is for your own pip or uv to know, or for --wheelhouse"
        problems.append(Diagnostic(Code.DEPENDENCY, message, where, hint))
        return None
    if _UNSAFE.search(text):
        message = f"a character that no requirement has: {text}"
        problems.append(Diagnostic(Code.DEPENDENCY, message, where))
        return None
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        message = f"no requirement: {text}: {str(error).splitlines()[0]}"
        problems.append(Diagnostic(Code.DEPENDENCY, message, where))
        return None
    if requirement.url is not None:
        hint = "put a wheel of it into a wheelhouse, and require it by name and version"
        message = f"a dependency by URL: {text}"
        problems.append(Diagnostic(Code.DEPENDENCY, message, where, hint))
        return None
    return requirement
