"""Reports files of other tools with dependencies or versions, which have no effect here.

They are reported where it matters: where nothing is vendored although such a file lists
dependencies, and where other versions are vendored than such a file has.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, TypeVar

from packaging.utils import canonicalize_name, canonicalize_version

from cloacina_ctl.errors import Code, Diagnostic, FileProblem, Refused, Severity, first_of
from cloacina_ctl.project.detect import PYPROJECT_TOML, REQUIREMENTS_TXT
from cloacina_ctl.toml import read_text, read_toml
from cloacina_ctl.vendoring.declared.requirements_file import MAX_REQUIREMENTS_BYTES, text_of
from cloacina_ctl.vendoring.declared.workspace import inner, tables_in
from cloacina_ctl.vendoring.locks.project_lock import MAX_LOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from cloacina_ctl.vendoring.declared.requirements import Requirements
    from cloacina_ctl.vendoring.locks.lock import LockedWheel
    from cloacina_ctl.vendoring.rules import ResolutionRules

T = TypeVar("T")
_PIN = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*==\s*([^\s;#*]+)")
_MOST_NAMES = 5


def unread_dependencies(root: str, requirements: Requirements) -> Iterator[Diagnostic]:
    """Yield each file that lists dependencies, if the project declares none that are read."""
    if requirements.texts:
        return
    for file, lists in _LISTS.items():
        path = os.path.join(root, file.partition(":")[0])
        if file != requirements.place and os.path.isfile(path) and lists(path):
            yield Diagnostic(
                Code.DEPENDENCIES_UNREAD,
                f"it lists dependencies, and {requirements.place} has none: nothing is vendored",
                file,
                f"list them in {requirements.place}"
                + (" under [project] dependencies" if requirements.place == PYPROJECT_TOML else ""),
                Severity.WARNING,
            )


def other_versions(rules: ResolutionRules, kept: Iterable[LockedWheel]) -> Iterator[Diagnostic]:
    """Yield each lock beside the project with versions other than the vendored ones."""
    if rules.workspace is None:
        return
    for file, read in _VERSIONS.items():
        path = os.path.join(rules.workspace.own.folder, file)
        nothing: dict[str, set[str]] = {}
        versions = _asked(read, path, nothing) if os.path.isfile(path) else nothing
        other = [
            f"{one.title} (there {', '.join(sorted(versions[one.name]))})"
            for one in kept
            if one.name in versions and canonicalize_version(one.version)
            not in map(canonicalize_version, versions[one.name])
        ]  # fmt: skip
        if other:
            yield Diagnostic(
                Code.LOCK_DIFFERS,
                f"other versions are vendored: {first_of(other, _MOST_NAMES)}",
                file,
                "only pylock.toml and uv.lock decide versions: export this one to pylock.toml",
                Severity.WARNING,
            )


def _asked(read: Callable[[str], T], path: str, otherwise: T) -> T:
    """Return the content, ``otherwise`` for a file that its own tool cannot read either."""
    try:
        return read(path)
    except (Refused, FileProblem, ValueError, RecursionError):
        return otherwise


def _text(path: str) -> str:
    return text_of(read_text(path, max_bytes=MAX_REQUIREMENTS_BYTES))


def _has_lines(path: str) -> bool:
    lines = _asked(_text, path, "").splitlines()
    return any(line.strip() and not line.strip().startswith("#") for line in lines)


def _has(pattern: str) -> Callable[[str], bool]:
    expression = re.compile(pattern, re.MULTILINE)
    return lambda path: expression.search(_asked(_text, path, "")) is not None


def _has_table(*keys: str) -> Callable[[str], bool]:
    nothing: dict[str, Any] = {}
    return lambda path: bool(inner(_asked(read_toml, path, nothing), *keys).keys() - {"python"})


# Other places where dependencies are listed; the table follows a colon.
_LISTS: Mapping[str, Callable[[str], bool]] = {
    REQUIREMENTS_TXT: _has_lines,
    "requirements.in": _has_lines,
    "setup.cfg": _has(r"^install_requires\s*="),
    "setup.py": _has(r"\binstall_requires\b"),
    "Pipfile": _has_table("packages"),
    f"{PYPROJECT_TOML}: [tool.poetry.dependencies]": _has_table("tool", "poetry", "dependencies"),
    f"{PYPROJECT_TOML}: [tool.pixi.pypi-dependencies]": _has_table(
        "tool", "pixi", "pypi-dependencies"
    ),
    f"{PYPROJECT_TOML}: [tool.flit.metadata]": _has_table("tool", "flit", "metadata"),
    "environment.yml": _has(r"^dependencies\s*:"),
}


def _packages(path: str) -> dict[str, set[str]]:
    """Return the versions of a lock of Poetry or PDM."""
    found: dict[str, set[str]] = {}
    for one in tables_in(read_toml(path, max_bytes=MAX_LOCK_BYTES).get("package")):
        _note(found, one.get("name"), one.get("version"))
    return found


def _pipfile_lock(path: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    table = json.loads(read_text(path, max_bytes=MAX_LOCK_BYTES))
    for name, one in inner(table if isinstance(table, dict) else {}, "default").items():
        version = one.get("version") if isinstance(one, dict) else None
        if isinstance(version, str) and version.startswith("=="):
            _note(found, name, version[2:])
    return found


def _pins(path: str) -> dict[str, set[str]]:
    """Return the exact versions in a file for pip."""
    found: dict[str, set[str]] = {}
    for match in map(_PIN.match, _text(path).splitlines()):
        if match is not None:
            _note(found, match[1], match[2])
    return found


def _note(found: dict[str, set[str]], name: object, version: object) -> None:
    if isinstance(name, str) and isinstance(version, str):
        found.setdefault(str(canonicalize_name(name)), set()).add(version)


_VERSIONS: Mapping[str, Callable[[str], dict[str, set[str]]]] = {
    "poetry.lock": _packages,
    "pdm.lock": _packages,
    "Pipfile.lock": _pipfile_lock,
    "constraints.txt": _pins,
    REQUIREMENTS_TXT: _pins,
}
