"""Building the library of a Rust project, and what it says of itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, Refused, Severity, UsageError, refuse_errors
from cloacina_ctl.formats.layout import SOURCE_FOLDER, library_path
from cloacina_ctl.manifest.model import Task, Workflow
from cloacina_ctl.platforms.folders import folder_names, searches
from cloacina_ctl.platforms.library import LibraryGraph, interface_of
from cloacina_ctl.project.build.builder_paths import (
    C_CODE,
    ELSEWHERE,
    MANIFEST_DIR,
    OUT_DIR,
    SOURCE,
)
from cloacina_ctl.project.build.dep_info import FilesRead
from cloacina_ctl.project.model import BuildOptions, BuildRequest
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.files.overlay import Patch
    from cloacina_ctl.manifest import Artifact
    from cloacina_ctl.platforms import Library
    from cloacina_ctl.platforms.folders import SearchPath
    from cloacina_ctl.project.build.cargo import BuiltCrate as CargoBuilt
    from cloacina_ctl.project.model import Project
    from cloacina_ctl.runtime.metadata import PackageMetadata

# A library that was just built is loaded once, in a child process, and described by its own code:
# its tasks, dependencies and interface. Its file, read without running it, must say the same, for
# that is what ``validate`` goes by later.


def describe_library(
    path: str, library: Library, patches: tuple[Patch, ...] = ()
) -> PackageMetadata | None:
    """Return what the library at ``path`` says once it is loaded, or None where it cannot be.

    It is loaded as it is packed, with ``patches`` over it.

    That is so for one of another platform, and for one whose file shows no workflow, or several:
    then there is nothing that a package could be made of. Raises what ``load_library`` raises, and
    ``Refused`` where the loaded code is not what its file says.
    """
    from cloacina_ctl.platforms.tags import host_platform, platform_fits
    from cloacina_ctl.runtime import load_library
    from cloacina_ctl.runtime.consistency import disagreements

    if len(library.graphs) != 1 or not platform_fits(library.tag, host_platform(), library.libc):
        return None
    described = load_library(path, patches=patches)
    plugin = library.plugin
    found = disagreements(
        _shown_by(library.graphs[0], described),
        interface_of(plugin) if plugin is not None else None,
        described,
        path,
        said_by="its file",
    )
    if found:
        raise Refused(*(one._replace(hint=_HINT) for one in found))
    return described


_HINT = "build it again; `--no-load` uses only the file and the source"


def _shown_by(graph: LibraryGraph, described: PackageMetadata) -> Workflow:
    """Return the workflow that the library's file shows, with the names that it leaves open."""
    return Workflow(
        name=graph.name or described.workflow or "",
        tasks=tuple(Task(id=id_, dependencies=needs) for id_, needs in graph.tasks),
        fingerprint=graph.fingerprint,
    )


def merge_described(library: Library, described: PackageMetadata) -> Library:
    """Return ``library`` with the workflow as the loaded code has it."""
    tasks = (*described.tasks, *described.constructors)
    graph = LibraryGraph(
        tasks=tuple((task.id, task.dependencies) for task in tasks),
        name=described.workflow,
        description=described.description,
        author=described.author,
        fingerprint=described.fingerprint,
        package=described.package,
    )
    return library._replace(graphs=(graph,))


def merge_trigger_rules(
    workflows: tuple[Workflow, ...], described: PackageMetadata, where: str
) -> tuple[tuple[Workflow, ...], tuple[Diagnostic, ...]]:
    """Return the workflows with what only the loaded code states, and where the source disagrees.

    What the source spells stays as it is spelled. Where it says nothing, or
    needs compiling, the loaded code decides: trigger rules, triggers and parameters.
    """
    from cloacina_ctl.runtime.consistency import disagreements, rule_that_runs
    from cloacina_ctl.runtime.metadata import workflow_of

    rules = {task.id: task.trigger_rules for task in described.tasks}
    own = workflow_of(described)
    found: list[Diagnostic] = []
    settled = []
    for workflow in workflows:
        tasks = tuple(
            task._replace(trigger_rules=rule_that_runs(task.trigger_rules, rules.get(task.id)))
            for task in workflow.tasks
        )
        known = {trigger.name for trigger in workflow.triggers}
        more = (one for one in own.triggers if one.name not in known) if own else ()
        triggers = sorted((*workflow.triggers, *more), key=lambda trigger: trigger.name)
        params = workflow.params or (own.params if own else ())
        whole = workflow._replace(tasks=tasks, triggers=tuple(triggers), params=params)
        settled.append(whole)
        found += disagreements(whole, None, described, where, said_by="the source")
    return tuple(settled), tuple(one._replace(hint=_HINT) for one in found)


__all__ = ["BuildOptions", "BuildRequest", "BuiltLibrary", "build_library", "refuse_options"]

_PATH_LEFT = (
    "the compiler could not be configured to leave out folders with a space in their names",
    None,
    "configure the compiler's flags as a list, not as one text",
)
_SHOWN_PATHS = 5
_PATH_HINTS = {
    MANIFEST_DIR: "pack the file's content with include_str! or include_bytes!",
    OUT_DIR: "pack the file's content with include_str! or include_bytes!",
    C_CODE: "set CFLAGS and CXXFLAGS to -ffile-prefix-map=FOLDER=NAME",
    SOURCE: "build without --target, or look which macro writes file!()",
    ELSEWHERE: "look which crate or linked library names it",
}


class BuiltLibrary(NamedTuple):
    """A library on the disk, what the manifest says of it, and what is worth a warning.

    ``exports`` are the symbols that hosts look up, ``files_read`` the files that the build read.
    The library is packed with ``patches`` over it.
    """

    library: str
    size: int
    artifact: Artifact
    workflows: tuple[Workflow, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    exports: tuple[str, ...] = ()
    patches: tuple[Patch, ...] = ()
    files_read: FilesRead = FilesRead()


def refuse_options(request: BuildRequest, why: str) -> None:
    """Raise ``UsageError`` where the request says how to build and nothing is built, for ``why``.

    ``offline``, ``locked`` and ``jobs`` steer more than the build.
    """
    options, usual = request.options, BuildOptions()
    flags = " ".join(options.cargo_flags)
    given = {
        f"--profile {options.profile}": options.profile != usual.profile,
        f"--target {options.target}": options.target is not None,
        f"--features {','.join(options.features)}": bool(options.features),
        "--no-default-features": not options.default_features,
        "--no-load": not request.load,
        f"-- {flags}": bool(flags),
    }
    named = [option for option, is_given in given.items() if is_given]
    if named:
        raise UsageError.of(
            Code.NO_EFFECT,
            f"{why}, so these options have no effect: {', '.join(named)}",
            hint="remove them from the command line",
        )


def build_library(project: Project, request: BuildRequest) -> BuiltLibrary:
    """Build the crate of ``project`` with cargo and return its library, and what it says.

    Raises ``BuildFailed`` where cargo did, ``Refused`` for a library that no host can load.
    """
    from cloacina_ctl.platforms import artifact_of, read_library
    from cloacina_ctl.platforms.triples import refuse_unread
    from cloacina_ctl.project.build.cargo import build

    facts = project.rust
    if facts is None:
        raise Refused.of(Code.NO_PROJECT, "not a Rust project", where=project.root)
    refuse_unread(request.options.target)
    built = build(facts.crate, request.options)
    library = read_library(built.library)
    checked = _checked(library, built.library)
    described = _asked(built, library) if request.load else None
    workflows, found = _workflows(project, library, described, built.library)
    found = (*found, *library_findings(built), *checked)
    path = library_path(library.tag, os.path.basename(built.library))
    artifact = artifact_of(library, path=path, built_with=built.built_with)
    return BuiltLibrary(
        built.library,
        os.stat(built.library).st_size,
        artifact._replace(unloaded=described is None),
        tuple(map(_placed, workflows)),
        found,
        library.exports,
        built.search.patches,
        built.files_read,
    )


def _checked(library: Library, where: str) -> tuple[Diagnostic, ...]:
    """Return what the library needs that not every system has.

    Raises ``Refused`` for a library that no host loads, or whose plugin is not read.
    """
    from cloacina_ctl.platforms.elf.header import reads_plugins
    from cloacina_ctl.platforms.findings import library_findings
    from cloacina_ctl.platforms.triples import unread

    if not reads_plugins(library.machine):
        raise Refused(unread(library.machine, where))
    if library.plugin is None:
        raise Refused.of(
            Code.NO_PLUGIN,
            "the library exports no plugin: it was built, and no engine can load it",
            where=where,
            hint="write `cloacina_workflow_plugin::package!();` once at the top of the crate",
        )
    return refuse_errors(library_findings(library, where))


def _asked(built: CargoBuilt, library: Library) -> PackageMetadata | None:
    """Return what the library says once it is loaded, as it is packed."""
    try:
        return describe_library(built.library, library, built.search.patches)
    except Refused as error:
        first, *others = error.diagnostics
        if not built.search.removed or first.code is not Code.LOAD_FAILED:
            raise
        folders = folder_names(built.search.removed)
        hint = f"it is packed without the folders that it searches: {folders}; set LD_LIBRARY_PATH"
        raise Refused(first._replace(hint=hint), *others) from error


def _said_of_search(search: SearchPath, where: str) -> Iterator[Diagnostic]:
    """Yield what was taken out of the path on which a library searches others, and what is left."""
    if search.removed:
        yield Diagnostic(
            Code.SEARCH_PATH,
            "packed without the folders of this machine that it searches for other libraries: "
            f"{folder_names(search.removed)}",
            where=where,
            hint="the library in the target folder has them still",
            severity=Severity.NOTE,
        )
    if search.left:
        yield Diagnostic(
            Code.RUNPATH,
            searches(search.left),
            where=where,
            hint="its table of names has no room for a shorter path: link it without -rpath",
            severity=Severity.WARNING,
        )


def library_findings(built: CargoBuilt) -> Iterator[Diagnostic]:
    """Yield what a user should know of how the library came about, and what is in it."""
    for left in built.paths_left[:_SHOWN_PATHS]:
        times = f", {left.times} times" if left.times > 1 else ""
        inside = f" in `{left.package}`" if left.package else ""
        yield Diagnostic(
            Code.BUILDER_PATH,
            f"the library names a folder of this machine: {left.path}{times}",
            where=os.path.basename(built.library),
            hint=f"likely {left.origin}{inside}: {_PATH_HINTS[left.origin]}",
            severity=Severity.WARNING,
        )
    more = len(built.paths_left) - _SHOWN_PATHS
    if more > 0:
        yield Diagnostic(
            Code.BUILDER_PATH,
            f"the library names {more} more folders and files of this machine",
            where=os.path.basename(built.library),
            severity=Severity.WARNING,
        )
    if built.paths_left and not built.complete_remap:
        yield Diagnostic(Code.PATH_LEFT, *_PATH_LEFT, severity=Severity.WARNING)
    for name in built.compiled_again:
        message = "compiled again: its files have changed"
        yield Diagnostic(Code.COMPILED_AGAIN, message, where=name, severity=Severity.NOTE)
    yield from _said_of_search(built.search, os.path.basename(built.library))
    for root in built.cleared:
        message = "removed what was built for a workspace that is gone"
        yield Diagnostic(Code.CLEARED_BUILDS, message, where=root, severity=Severity.NOTE)


def _workflows(
    project: Project, library: Library, described: PackageMetadata | None, where: str
) -> tuple[tuple[Workflow, ...], tuple[Diagnostic, ...]]:
    """Return the workflows that run, and what is odd; raise ``Refused`` where the source lies."""
    from cloacina_ctl.project.rust.project import merge_library

    if described is None:
        workflows, found = merge_library(project.workflows, library)
    else:
        workflows, found = merge_library(project.workflows, merge_described(library, described))
        workflows, more = merge_trigger_rules(workflows, described, where)
        found = (*found, *more)
    return workflows, refuse_errors(found)


def _placed(workflow: Workflow) -> Workflow:
    """Return the workflow with the places of its tasks as they are where the source is packed."""
    tasks = tuple(
        task._replace(source=SOURCE_FOLDER + task.source) if task.source is not None else task
        for task in workflow.tasks
    )
    return workflow._replace(tasks=tasks)
