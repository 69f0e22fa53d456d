"""Checks name, version and description of a project by the rules for a manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, Diagnostic, Refused
from cloacina_ctl.manifest import PackageInfo
from cloacina_ctl.manifest.fields import PACKAGE
from cloacina_ctl.manifest.texts import pep440_problem, semver_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloacina_ctl.project.model import Config


def make_package(values: dict[str, Any], *, rust: bool, place: str, table: str) -> PackageInfo:
    """Return the package that ``values`` describe; raise ``Refused`` with all that is wrong.

    ``place`` is the file with these values, ``table`` the one where the author may override them.
    """
    problems = []
    for field in PACKAGE.fields:
        value = values.get(field.name)
        if value is None or value == ():
            if field.required:
                problems.append(_missing(field.key, place, table))
            continue
        bad: list[Any] = []
        field.form.read(list(value) if isinstance(value, tuple) else value, bad)
        problems += [_bad(field.key, problem.message, place, table) for problem in bad]
    check: Callable[[str], str | None] = semver_problem if rust else pep440_problem
    version = values.get("version")
    wrong = check(version) if isinstance(version, str) and not problems else None
    if wrong is not None:
        problems.append(_bad("version", wrong, place, table))
    if problems:
        raise Refused(*problems)
    return PackageInfo(**{name: value for name, value in values.items() if value is not None})


def overridden(values: dict[str, Any], config: Config) -> dict[str, Any]:
    """Return ``values`` with the name and version that the author configured for this tool."""
    configured = {"name": config.name, "version": config.version}
    return {**values, **{key: value for key, value in configured.items() if value is not None}}


def _missing(key: str, place: str, table: str) -> Diagnostic:
    hint = f'write it, or `{key} = "…"` in {table}'
    return Diagnostic(_CODES.get(key, Code.METADATA), f"no {key}", place, hint)


def _bad(key: str, message: str, place: str, table: str) -> Diagnostic:
    hint = f'change it, or set `{key} = "…"` in {table}' if key in _CODES else None
    return Diagnostic(_CODES.get(key, Code.METADATA), f"{key}: {message}", place, hint)


_CODES = {"name": Code.PROJECT_NAME, "version": Code.PROJECT_VERSION}
