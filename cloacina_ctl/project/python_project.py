"""A Python project: an ordinary pyproject.toml one, or the tree that other runtimes load."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.manifest import Requires
from cloacina_ctl.project.detect import PACKAGE_TOML, PYPROJECT_TOML
from cloacina_ctl.project.identity import make_package, overridden
from cloacina_ctl.project.model import (
    Config,
    Layout,
    Project,
    PythonFacts,
    SourceWorkflow,
)
from cloacina_ctl.project.modules import SourceRoot, find_source_root, imported_by, read_source
from cloacina_ctl.toml import read_toml

if TYPE_CHECKING:
    from cloacina_ctl.project.python_source import ModuleSource

VENDOR_FOLDER = "vendor"


def read_python_project(folder: str, layout: Layout, config: Config) -> Project:
    """Return the Python project in ``folder``, read; nothing of it is imported.

    Raises ``Refused`` for a name or version that no package may have, and for what is no TOML.
    """
    tree = layout is Layout.PYTHON_TREE
    values, requires = _tree_metadata(folder) if tree else _project_metadata(folder, config)
    extra = values.pop("metadata", {})
    place, cure = (PACKAGE_TOML, "package.toml") if tree else (PYPROJECT_TOML, "[tool.cloacina]")
    package = make_package(overridden(values, config), rust=False, place=place, cure=cure)
    root = find_source_root(folder, tree=tree)
    candidates = _modules_with_tasks(root)
    entry = config.entry_module or extra.get("entry_module") or _only(candidates)
    sources = dict(imported_by(root, entry)) if entry else {}
    workflow = _workflow(config.workflow_name or extra.get("workflow_name") or package.name,
                         place, package.description, extra.get("author"), sources)
    return Project(
        root=folder,
        layout=layout,
        package=package,
        config=config,
        workflows=(workflow,) if workflow.tasks else (),
        requires=_requires(config.requires_cloacina, requires),
        python=_facts(folder, root, entry, candidates, sources),
    )


def _requires(cloacina: str | None, python: str | None) -> Requires | None:
    return Requires(cloacina, python) if cloacina or python else None


def _facts(
    folder: str, root: SourceRoot, entry: str | None, candidates: tuple[str, ...],
    sources: dict[str, ModuleSource],
) -> PythonFacts:
    return PythonFacts(
        entry_module=entry,
        entry_path=root.find(entry) if entry else None,
        source_root=root.folder,
        candidates=candidates,
        top_level=tuple(sorted(root.names())),
        vendored=_vendored(folder),
        packages_without_init=_without_init(root),
        workflow_builders=tuple(place for source in sources.values() for place in source.builders),
        syntax_problems=tuple(
            source.problem for source in sources.values() if source.problem is not None
        ),
    )


def _workflow(
    name: str, place: str, description: str | None, author: str | None,
    sources: dict[str, ModuleSource],
) -> SourceWorkflow:
    return SourceWorkflow(
        name=name,
        place=place,
        description=description,
        author=author,
        tasks=tuple(task for source in sources.values() for task in source.tasks),
        triggers=tuple(trigger for source in sources.values() for trigger in source.triggers),
    )


def _project_metadata(folder: str, config: Config) -> tuple[dict[str, Any], str | None]:
    table = read_toml(os.path.join(folder, PYPROJECT_TOML), where=PYPROJECT_TOML)["project"]
    if not isinstance(table, dict):
        raise Refused.of(Code.METADATA, "[project] must be a table", where=PYPROJECT_TOML)
    dynamic = table.get("dynamic", [])
    if "version" in dynamic and config.version is None:
        raise Refused.of(
            Code.DYNAMIC_METADATA, "the version is dynamic: only a build would tell it",
            where=PYPROJECT_TOML, hint='set `version = "…"` in [tool.cloacina]',
        )
    urls = {key.lower(): value for key, value in _table(table, "urls").items()}
    values = {
        "name": table.get("name"),
        "version": _normal_version(config.version or table.get("version")),
        "description": table.get("description"),
        "authors": tuple(filter(None, map(_author, table.get("authors", ())))),
        "license": _license(table.get("license")),
        "homepage": urls.get("homepage"),
        "repository": urls.get("repository") or urls.get("source"),
        "keywords": tuple(sorted(set(map(str, table.get("keywords", ()))))),
    }
    return values, _specifier(table.get("requires-python"))


def _tree_metadata(folder: str) -> tuple[dict[str, Any], str | None]:
    table = read_toml(os.path.join(folder, PACKAGE_TOML), where=PACKAGE_TOML)
    package, metadata = _table(table, "package"), _table(table, "metadata")
    name = package.get("name")
    entry = metadata.get("entry_module")
    if entry is None and isinstance(name, str):
        entry = name.replace("-", "_") + ".tasks"  # what the engines look for
    author = metadata.get("author")
    values = {
        "name": name,
        "version": _normal_version(package.get("version")),
        "description": metadata.get("description"),
        "authors": (author,) if author else (),
        "metadata": {**metadata, "entry_module": entry},
    }
    return values, _specifier(metadata.get("requires_python"))


def _only(candidates: tuple[str, ...]) -> str | None:
    """Return the entry module of a project that names none: the one module with tasks."""
    return candidates[0] if len(candidates) == 1 else None


def _modules_with_tasks(root: SourceRoot) -> tuple[str, ...]:
    found = []
    for module in root.modules():
        path = root.find(module)
        if path is not None and read_source(root.project, path).tasks:
            found.append(module)
    return tuple(found)


def _without_init(root: SourceRoot) -> tuple[str, ...]:
    found = []
    for name in root.top_level:
        if not name.endswith(".py"):
            path = root.path(name)
            if not os.path.exists(os.path.join(root.project, path, "__init__.py")):
                found.append(path)
    return tuple(found)


def _vendored(folder: str) -> tuple[str, ...]:
    path = os.path.join(folder, VENDOR_FOLDER)
    if not os.path.isdir(path):
        return ()
    return tuple(sorted({name.removesuffix(".py") for name in os.listdir(path)}))


def _table(table: dict[str, Any], key: str) -> dict[str, Any]:
    value = table.get(key, {})
    return value if isinstance(value, dict) else {}


def _author(author: object) -> str | None:
    if not isinstance(author, dict):
        return None
    name, email = author.get("name"), author.get("email")
    if name and email:
        return f"{name} <{email}>"
    return name or email or None


def _license(value: object) -> str | None:
    """Return an SPDX expression; a licence given as text or file is none."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str):
        return None
    try:
        return canonicalize_license_expression(text)
    except InvalidLicenseExpression:
        return None


def _normal_version(version: object) -> object:
    """Return the version in its normal form; what is no version is left for the judging."""
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(version)) if isinstance(version, str) else version
    except InvalidVersion:
        return version


def _specifier(text: object) -> str | None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    if text is None:
        return None
    try:
        return str(SpecifierSet(str(text))) or None
    except InvalidSpecifier as error:
        raise Refused.of(
            Code.METADATA, f"not a version specifier: {text}", where="requires-python"
        ) from error
