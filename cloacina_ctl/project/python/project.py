"""Reads a Python project: one with pyproject.toml, or the tree that other runtimes load."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.files.staging import reported
from cloacina_ctl.project.model import (
    Config,
    Project,
    ProjectLayout,
    PythonFacts,
    SourceWorkflow,
)
from cloacina_ctl.project.python.metadata import read_metadata
from cloacina_ctl.project.python.modules import (
    ProjectModules,
    imported_by,
    mentions_engine,
    needed_by,
    read_source,
)
from cloacina_ctl.project.python.namespaces import INIT, bare_folders
from cloacina_ctl.project.python.source_root import SourceRoot, find_source_root
from cloacina_ctl.project.selection.links import CONTENTS, boundary_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.project.python.metadata import Metadata
    from cloacina_ctl.project.python.source import ModuleSource

VENDOR_FOLDER = "vendor"


def read_python_project(folder: str, layout: ProjectLayout, config: Config) -> Project:
    """Return the facts of the Python project in ``folder``; nothing in it is imported.

    Raises ``Refused`` for a name or version that no package may have, and for invalid TOML.
    """
    metadata = read_metadata(folder, layout, config)
    root = find_source_root(
        folder,
        tree=layout is ProjectLayout.PYTHON_TREE,
        chosen=config.source_root,
        boundary=boundary_of(folder) if config.links == CONTENTS else None,
    )
    candidates = () if metadata.entry_module else _modules_with_tasks(root)
    entry = metadata.entry_module or _only(candidates)
    modules = ProjectModules(root)
    sources = dict(imported_by(modules, entry)) if entry else {}
    workflow = _workflow(metadata, sources)
    return Project(
        root=folder,
        layout=layout,
        package=metadata.package,
        config=config,
        workflows=(workflow,) if workflow.tasks else (),
        requires=metadata.requires,
        python=_facts(folder, root, entry, candidates, sources)._replace(
            imports=tuple(needed_by(modules, sources, entry)) if entry else (),
            parsed=tuple(sorted(modules.digests.items())),
        ),
    )


def _facts(
    folder: str,
    root: SourceRoot,
    entry: str | None,
    candidates: tuple[str, ...],
    sources: dict[str, ModuleSource],
) -> PythonFacts:
    vendored = _vendored(folder)
    slips, namespaces = _without_init(root, vendored)
    return PythonFacts(
        entry_module=entry,
        entry_path=root.find(entry) if entry else None,
        roots=root.folders,
        parts=root.parts,
        build_exclude=root.exclude,
        declared_by=root.place,
        unread_patterns=root.unread,
        candidates=candidates,
        top_level=tuple(sorted(root.names())),
        vendored=vendored,
        packages_without_init=slips,
        namespaces=namespaces,
        workflow_builders=tuple(place for source in sources.values() for place in source.builders),
        loose_builders=tuple(
            place for source in sources.values() for place in source.loose_builders
        ),
        library_only=tuple(one for source in sources.values() for one in source.library_only),
        newer_syntax=tuple(one for source in sources.values() for one in source.newer),
        graphs=tuple(place for source in sources.values() for place in source.graphs),
        hidden_tasks=tuple(place for source in sources.values() for place in source.hidden),
        syntax_problems=tuple(
            source.problem for source in sources.values() if source.problem is not None
        ),
    )


def _workflow(metadata: Metadata, sources: dict[str, ModuleSource]) -> SourceWorkflow:
    return SourceWorkflow(
        name=metadata.workflow_name,
        place=metadata.place,
        description=metadata.package.description,
        author=metadata.author,
        tasks=tuple(task for source in sources.values() for task in source.tasks),
        triggers=tuple(trigger for source in sources.values() for trigger in source.triggers),
    )


def _only(candidates: tuple[str, ...]) -> str | None:
    """Return the entry module of a project that names none: the one module with tasks."""
    return candidates[0] if len(candidates) == 1 else None


def _modules_with_tasks(root: SourceRoot) -> tuple[str, ...]:
    """Return the modules that declare tasks; if none does, those that may declare some."""
    found, broken = [], []
    for module in root.modules():
        path = root.find(module)
        if path is None or not mentions_engine(root, path):
            continue
        source = read_source(root, path)
        if source.tasks:
            found.append(module)
        elif source.problem is not None:
            broken.append(module)
    return tuple(found or broken)


def _without_init(
    root: SourceRoot, vendored: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the folders without `__init__.py`: those by mistake, and those on purpose."""
    open_parts = tuple(
        part for part in root.parts
        if not os.path.exists(os.path.join(root.project, part.source, INIT))
    )  # fmt: skip
    files = dict(root._replace(parts=open_parts).files())
    slips, namespaces = bare_folders(files)
    shared = [name for name in slips if name in vendored]
    places = {path.partition("/")[0]: source for path, source in files.items()}

    def found(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(_folder_of(name, places[name]) for name in names))

    return found(set(slips) - set(shared)), found((*namespaces, *shared))


def _folder_of(name: str, source: str) -> str:
    """Return the project's folder of a top-level name, if there is one."""
    steps = source.split("/")
    return "/".join(steps[: steps.index(name) + 1]) if name in steps else name


def _vendored(folder: str) -> tuple[str, ...]:
    path = os.path.join(folder, VENDOR_FOLDER)
    if not os.path.isdir(path):
        return ()
    with reported(path):
        return tuple(sorted({name.removesuffix(".py") for name in os.listdir(path)}))
