"""A Rust project: its crate and its source, read; and what source and library say together.

Cargo is not started here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from unicodedata import normalize

from cloacina_ctl import manifest
from cloacina_ctl.errors import Code, Diagnostic, Severity
from cloacina_ctl.manifest.texts import source_problem
from cloacina_ctl.project.identity import make_package, overridden
from cloacina_ctl.project.model import (
    BuildOptions,
    Crate,
    Project,
    ProjectLayout,
    RustFacts,
    SourceWorkflow,
)
from cloacina_ctl.project.rust.cargo_toml import CARGO_TOML, read_crate
from cloacina_ctl.project.rust.cfg import ONE_WORKFLOW, packaged_features
from cloacina_ctl.project.rust.code import absent_crates
from cloacina_ctl.project.rust.source import CrateSource, build_script_use, read_source
from cloacina_ctl.unicode_names import is_allowed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from cloacina_ctl.platforms import Library, LibraryGraph
    from cloacina_ctl.project.model import CompileRead, Config, SourceTask

BUILD_CRATE = "cloacina_build"
MAX_TEXT = 4096
_METADATA = ("name", "version", "description", "authors", "license", "homepage", "repository",
             "keywords")  # fmt: skip
_CARGO_CONFIGURATION = (".cargo/config.toml", ".cargo/config", "rust-toolchain.toml",
                        "rust-toolchain")  # fmt: skip


def read_rust_project(
    folder: str, config: Config, member: str | None = None, options: BuildOptions = BuildOptions()
) -> Project:
    """Return the Rust project in ``folder``, read; ``root`` is the folder of the chosen member.

    Of the source that counts which is there in a build with ``options``. Name and version are those
    of the configuration, else of Cargo.toml. Raises what :func:`read_crate` raises, and ``Refused``
    for a name or version that no package may have.
    """
    crate = read_crate(folder, member)
    values = {field: getattr(crate, field) for field in _METADATA}
    table = "[package.metadata.cloacina]"
    package = make_package(overridden(values, config), rust=True, place=CARGO_TOML, table=table)
    features = packaged_features(crate, options)
    found = CrateSource()
    if crate.has_lib:
        absent = absent_crates(crate.dependencies)
        found = read_source(crate.root, crate.lib_path, features, absent)
    release = config.requires_cloacina
    return Project(
        root=crate.root,
        layout=ProjectLayout.RUST,
        package=package,
        config=config,
        workflows=found.workflows,
        requires=manifest.Requires(cloacina=release) if release else None,
        rust=RustFacts(
            crate=crate,
            package_macro=found.package_macro,
            packaged_workflow=found.packaged_workflow,
            stray_tasks=found.stray_tasks,
            features_off=found.features_off,
            configures_build=_configures_build(crate),
            cargo_configuration=_cargo_configuration(crate),
            syntax_problems=found.syntax_problems,
            reads=(*found.reads, *_reads_of_script(crate)),
            code=found.code,
            program_workflows=() if found.workflows else _in_programs(crate),
        ),
    )


def reads_of_folder(folder: str) -> tuple[tuple[CompileRead, ...], bool]:
    """Return what the compiler reads for the library in ``folder``; and is there a build script."""
    crate = read_crate(folder)
    features = frozenset(crate.default_features)
    found = read_source(crate.root, crate.lib_path, features) if crate.has_lib else CrateSource()
    return (*found.reads, *_reads_of_script(crate)), crate.build_script is not None


def _reads_of_script(crate: Crate) -> tuple[CompileRead, ...]:
    script = crate.build_script
    return read_source(crate.root, script, frozenset(crate.features)).reads if script else ()


def _in_programs(crate: Crate) -> tuple[SourceWorkflow, ...]:
    """Return the workflows that the crate's programs declare, with a macro of any release."""
    found: list[SourceWorkflow] = []
    for path in crate.programs:
        source = read_source(crate.root, path, frozenset(crate.default_features))
        found += source.workflows
        found += [
            SourceWorkflow(name=name.text if name is not None else None, place=use.place)
            for use in source.code.of("workflow")
            if use.item == "macro"
            for name in (use.argument("name"),)
        ]
    return tuple(found)


def _configures_build(crate: Crate) -> str | None:
    script = crate.build_script
    return build_script_use(crate.root, script, BUILD_CRATE) if script else None


def _cargo_configuration(crate: Crate) -> str | None:
    """Return the file of the project that configures what cargo or rustup run, if any."""
    for folder in dict.fromkeys((crate.root, crate.workspace_root or crate.root)):
        for name in _CARGO_CONFIGURATION:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                return os.path.relpath(path, crate.root)
    return None


def merge_library(
    workflows: tuple[SourceWorkflow, ...], library: Library
) -> tuple[tuple[manifest.Workflow, ...], tuple[Diagnostic, ...]]:
    """Return the workflows for the manifest, and where source and library disagree.

    Tasks and their dependencies are those of the library, which is run. The source adds what the
    library does not hold: retry settings, descriptions, trigger rules, places.
    """
    found = list(_count(workflows, library.graphs))
    merged = []
    for graph in library.graphs:
        source = _source_of(graph, workflows)
        name = graph.name or (source.name if source else None)
        if name is None:
            found.append(_disagree("the library holds a workflow without a name", None))
            continue
        if source is None:
            message = f"the library holds the workflow `{name}`, the source does not show it"
            found.append(_disagree(message, None, Severity.WARNING))
        else:
            found += _compare(graph, source)
        merged.append(_workflow(name, graph, source))
    return tuple(sorted(merged, key=lambda workflow: workflow.name)), tuple(found)


def _count(
    workflows: tuple[SourceWorkflow, ...], graphs: tuple[LibraryGraph, ...]
) -> Iterator[Diagnostic]:
    certain = [workflow for workflow in workflows if workflow.is_certain]
    if len(certain) > 1 or len(graphs) > 1:
        shown = [*(w.name for w in workflows if w.name), *(g.name for g in graphs if g.name)]
        names = ", ".join(f"`{name}`" for name in dict.fromkeys(shown))
        yield Diagnostic(
            Code.SEVERAL_WORKFLOWS,
            f"several workflows in one crate: {names or len(graphs)}; an engine sees one, with the "
            "tasks of all",
            where=certain[1].place if len(certain) > 1 else None,
            hint=ONE_WORKFLOW,
        )
    if workflows and not graphs:
        message = f"the source declares the workflow `{workflows[0].name}`, the library holds none"
        yield _disagree(message, workflows[0].place)


def _source_of(graph: LibraryGraph, workflows: tuple[SourceWorkflow, ...]) -> SourceWorkflow | None:
    """Return the workflow of that name; the only one is it in any case."""
    if len(workflows) == 1:
        return workflows[0]
    return next((workflow for workflow in workflows if workflow.name == graph.name), None)


def _compare(graph: LibraryGraph, source: SourceWorkflow) -> Iterator[Diagnostic]:
    if graph.name and source.name and graph.name != source.name:
        message = f"the workflow is `{source.name}` in the source, `{graph.name}` in the library"
        yield _disagree(message, source.place)
    declared = {task.id: task for task in source.tasks if task.id is not None}
    built = dict(graph.tasks)
    for id_ in sorted(built.keys() - declared.keys()):
        message = f"the task `{id_}` is in the library, the source does not show it"
        yield _disagree(message, source.place, Severity.WARNING)
    for id_, task in declared.items():
        if id_ not in built:
            message = f"the task `{id_}` is in the source, not in the library"
            yield _disagree(message, task.place, Severity.WARNING)
        else:
            yield from _compare_dependencies(task, set(built[id_]), built.keys())


def _compare_dependencies(
    task: SourceTask, built: set[str], known: Collection[str]
) -> Iterator[Diagnostic]:
    """Compare what both can say: the library leaves out tasks of other packages."""
    if any(need.id is None for need in task.dependencies):
        return
    declared = {one.id for one in task.dependencies if one.id in known or one.id in built}
    if declared != built:
        yield _disagree(
            f"the task `{task.id}` waits for {_list(declared)} in the source, "
            f"for {_list(built)} in the library",
            task.place,
        )


def _list(names: Collection[str | None]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(map(str, names))) or "nothing"


def _disagree(message: str, where: str | None, severity: Severity = Severity.ERROR) -> Diagnostic:
    return Diagnostic(
        Code.SOURCE_DISAGREES,
        message,
        where,
        "what a macro or `cfg` hides cannot be read",
        severity,
    )


def _workflow(name: str, graph: LibraryGraph, source: SourceWorkflow | None) -> manifest.Workflow:
    declared = {task.id: task for task in source.tasks} if source else {}
    facts = source or graph
    return manifest.Workflow(
        name=name,
        tasks=tuple(_task(id_, needs, declared.get(id_)) for id_, needs in sorted(graph.tasks)),
        description=_shown(facts.description),
        author=_shown(facts.author),
        fingerprint=graph.fingerprint,
        params=source.params if source else (),
        triggers=source.triggers if source else (),
    )


def _task(id_: str, needs: tuple[str, ...], source: SourceTask | None) -> manifest.Task:
    task = manifest.Task(id=id_, dependencies=tuple(sorted(set(needs))))
    if source is None:
        return task
    return task._replace(
        description=_shown(source.description),
        function=source.function,
        source=None if source_problem(source.place) else source.place,
        retry=source.retry,
        trigger_rules=_shown(source.trigger_rules),
    )


def _shown(text: str | None) -> str | None:
    """Return the text as a manifest may hold it: characters that show, in normal form."""
    kept = "".join(c for c in text or "" if " " <= c <= "~" or (c > "\x7f" and is_allowed(c)))
    return normalize("NFC", kept)[:MAX_TEXT].strip() or None
