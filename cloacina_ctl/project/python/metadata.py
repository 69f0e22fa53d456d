"""Reads name, version and description of a Python project: pyproject.toml or package.toml."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from cloacina_ctl.errors import Code, Diagnostic, Refused
from cloacina_ctl.manifest import PackageInfo, Requires
from cloacina_ctl.manifest.fields import MODULE, NAME
from cloacina_ctl.manifest.texts import pep440_problem
from cloacina_ctl.project.detect import PACKAGE_TOML, PYPROJECT_TOML
from cloacina_ctl.project.identity import make_package, overridden
from cloacina_ctl.project.model import Config, ProjectLayout
from cloacina_ctl.project.own_files import read_own_toml
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.manifest.forms import Text

T = TypeVar("T")


class Metadata(NamedTuple):
    """The metadata of a project; ``place`` is the file that has it."""

    place: str
    package: PackageInfo
    requires: Requires | None
    entry_module: str | None
    workflow_name: str
    author: str | None


class _Table:
    """A table of a TOML file, read field by field; a value of the wrong type is a problem."""

    def __init__(self, table: dict[str, Any], name: str, place: str) -> None:
        inner = table.get(name, {})
        self._name = name
        self._place = place
        self.problems: list[Diagnostic] = []
        self._values: dict[str, Any] = inner if isinstance(inner, dict) else {}
        if not isinstance(inner, dict):
            self.bad(f"[{name}] must be a table")

    def bad(self, message: str, code: Code = Code.METADATA, hint: str | None = None) -> None:
        """Record a problem."""
        self.problems.append(Diagnostic(code, message, self._place, hint))

    def get(self, key: str, kind: type[T], what: str) -> T | None:
        """Return the value of ``key``, None if it is missing or of another type."""
        value: object = self._values.get(key)
        if value is None or isinstance(value, kind):
            return value
        self.bad(f"`{key}` of [{self._name}] must be {what}")
        return None

    def text(self, key: str) -> str | None:
        """Return a string; None for an empty one."""
        return self.get(key, str, "a text") or None

    def texts(self, key: str) -> list[str]:
        """Return a list of strings."""
        values = self.get(key, list, "a list of strings") or []
        if all(isinstance(value, str) for value in values):
            return list(values)
        self.bad(f"`{key}` of [{self._name}] must be a list of strings")
        return []

    def form(self, key: str, form: Text) -> str | None:
        """Return a string that a manifest may have under this form."""
        value = self.text(key)
        found: list[Any] = []
        if value is not None:
            form.read(value, found)
        for problem in found:
            self.bad(f"{key}: {problem.message}")
        return None if found else value


def read_metadata(folder: str, layout: ProjectLayout, config: Config) -> Metadata:
    """Return the metadata of the project; the configuration takes precedence.

    Versions and specifiers come in the normal form of PEP 440. Raises ``Refused`` with everything
    that no package may have, and with hints.
    """
    if layout is ProjectLayout.PYTHON_TREE:
        return _read_tree(folder, config)
    return _read_pyproject(folder, config)


def _read_pyproject(folder: str, config: Config) -> Metadata:
    document = read_own_toml(folder, PYPROJECT_TOML)
    table = _Table(document, "project", PYPROJECT_TOML)
    if "version" in table.texts("dynamic") and config.version is None:
        table.bad(
            "the version is dynamic: only a build determines it",
            Code.DYNAMIC_METADATA,
            'set `version = "…"` in [tool.cloacina], or give it: `package --set-version V`',
        )
        config = config._replace(version="0")  # one problem is enough
    urls = {
        str(key).lower(): url for key, url in (table.get("urls", dict, "a table") or {}).items()
    }
    values = {
        "name": table.text("name"),
        "version": table.text("version"),
        "description": table.text("description"),
        "authors": _authors(table),
        "license": _license(table),
        "homepage": urls.get("homepage"),
        "repository": urls.get("repository") or urls.get("source"),
        "keywords": tuple(sorted(set(table.texts("keywords")))),
    }
    python = _specifier(table, "requires-python")
    package = _package(values, config, table, "[tool.cloacina]")
    return Metadata(
        place=PYPROJECT_TOML,
        package=package,
        requires=_requires(config.requires_cloacina, python),
        entry_module=config.entry_module,
        workflow_name=config.workflow_name or package.name,
        author=None,
    )


def _read_tree(folder: str, config: Config) -> Metadata:
    document = read_own_toml(folder, PACKAGE_TOML)
    header = _Table(document, "package", PACKAGE_TOML)
    table = _Table(document, "metadata", PACKAGE_TOML)
    author = table.text("author")
    values = {
        "name": header.text("name"),
        "version": header.text("version"),
        "description": table.text("description"),
        "authors": (author,) if author else (),
    }
    entry = config.entry_module or table.form("entry_module", MODULE)
    workflow = config.workflow_name or table.form("workflow_name", NAME)
    python = _specifier(table, "requires_python")
    header.problems += table.problems
    package = _package(values, config, header, PACKAGE_TOML)
    return Metadata(
        place=PACKAGE_TOML,
        package=package,
        requires=_requires(config.requires_cloacina, python),
        # The default of the engines.
        entry_module=entry or package.name.replace("-", "_") + ".tasks",
        workflow_name=workflow or package.name,
        author=author,
    )


def _package(values: dict[str, Any], config: Config, table: _Table, table_name: str) -> PackageInfo:
    """Return the package, or raise with all problems of the table too."""
    chosen = overridden(values, config)
    chosen["version"] = _normal_version(chosen["version"])
    place = PACKAGE_TOML if table_name == PACKAGE_TOML else PYPROJECT_TOML
    try:
        package = make_package(chosen, rust=False, place=place, table=table_name)
    except Refused as error:
        raise Refused(*table.problems, *error.diagnostics) from error
    if table.problems:
        raise Refused(*table.problems)
    return package


def _requires(cloacina: str | None, python: str | None) -> Requires | None:
    return Requires(cloacina=cloacina, python=python) if cloacina or python else None


def _authors(table: _Table) -> tuple[str, ...]:
    authors = table.get("authors", list, "a list of tables") or []
    if not all(isinstance(author, dict) for author in authors):
        table.bad("`authors` of [project] must be a list of tables")
        return ()
    shown = [_author(author.get("name"), author.get("email")) for author in authors]
    return tuple(author for author in shown if author)


def _author(name: object, email: object) -> str | None:
    name, email = (value if isinstance(value, str) else None for value in (name, email))
    return f"{name} <{email}>" if name and email else name or email or None


def _license(table: _Table) -> str | None:
    """Return an SPDX expression; None for a license that is given in another form."""
    value = table.get("license", object, "an SPDX expression or a table")
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str):
        return None
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return canonicalize_license_expression(text)
    except InvalidLicenseExpression:
        return None


def _normal_version(version: str | None) -> str | None:
    """Return the version in its normal form; an invalid one is returned unchanged."""
    if not version or pep440_problem(version) is None:
        return version or None
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(version))
    except InvalidVersion:
        return version


# `>=3.10, <4`: what nearly all projects write. The library that knows all the rest of the grammar
# takes as long to load as a small package takes to write: it is loaded for what needs it.
_USUAL_CLAUSE = re.compile(r"(?:[<>]=?|==|!=) *(?:0|[1-9][0-9]{0,3})(?:\.(?:0|[1-9][0-9]{0,3}))*")


def _specifier(table: _Table, key: str) -> str | None:
    text = table.text(key)
    if not text:
        return None
    clauses = [clause.strip(" ") for clause in text.split(",")]
    if all(_USUAL_CLAUSE.fullmatch(clause) for clause in clauses):
        return ",".join(sorted({clause.replace(" ", "") for clause in clauses}))
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return str(SpecifierSet(text)) or None
    except InvalidSpecifier:
        table.bad(f"`{key}` is not a version specifier: {text}")
        return None
