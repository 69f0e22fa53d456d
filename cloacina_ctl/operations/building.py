"""Building the library of a Rust project, and what it says of itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.archive.layout import SOURCE_FOLDER, library_path
from cloacina_ctl.errors import Code, Diagnostic, Refused, Severity
from cloacina_ctl.operations.asking import ask, completed, spoken
from cloacina_ctl.project.builder_paths import C_CODE, ELSEWHERE, MANIFEST_DIR, OUT_DIR, SOURCE
from cloacina_ctl.project.model import BuildOptions, BuildRequest
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.manifest import Artifact, Workflow
    from cloacina_ctl.platforms import Library
    from cloacina_ctl.project.cargo import Built as CargoBuilt
    from cloacina_ctl.project.model import Project
    from cloacina_ctl.runtime.described import Described


__all__ = ["BuildOptions", "BuildRequest", "Built", "build_library"]

_PATH_LEFT = (
    "the compiler could not be told to leave out folders with a space in their names",
    None,
    "configure the compiler's flags as a list, not as one text",
)
_SHOWN_PATHS = 5
_PATH_CURES = {
    MANIFEST_DIR: "pack the file's content with include_str! or include_bytes!",
    OUT_DIR: "pack the file's content with include_str! or include_bytes!",
    C_CODE: "set CFLAGS and CXXFLAGS to -ffile-prefix-map=FOLDER=NAME",
    SOURCE: "build without --target, or look which macro writes file!()",
    ELSEWHERE: "look which crate or linked library names it",
}


class Built(NamedTuple):
    """A library on the disk, what the manifest says of it, and what is worth a warning.

    ``exports`` are the symbols that hosts look up.
    """

    library: str
    size: int
    artifact: Artifact
    workflows: tuple[Workflow, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    exports: tuple[str, ...] = ()


def build_library(project: Project, request: BuildRequest) -> Built:
    """Build the crate of ``project`` with cargo and return its library, and what it says.

    Raises ``BuildFailed`` where cargo did, ``Refused`` for a library that no host can load.
    """
    from cloacina_ctl.platforms import artifact_of, read_library
    from cloacina_ctl.project.cargo import build

    facts = project.rust
    if facts is None:
        raise Refused.of(Code.NO_PROJECT, "not a Rust project", where=project.root)
    built = build(facts.crate, request.options)
    library = read_library(built.library)
    if library.plugin is None:
        raise Refused.of(
            Code.NO_PLUGIN,
            "the library exports no plugin: it was built, and no runtime can load it",
            where=built.library,
            hint="write `cloacina_workflow_plugin::package!();` once at the top of the crate",
        )
    described = ask(built.library, library) if request.load else None
    workflows, found = _workflows(project, library, described, built.library)
    found = (*found, *said_of(built))
    path = library_path(library.tag, os.path.basename(built.library))
    artifact = artifact_of(library, path=path, built_with=built.built_with)
    return Built(
        built.library,
        os.stat(built.library).st_size,
        artifact._replace(unloaded=described is None),
        tuple(map(_placed, workflows)),
        found,
        library.exports,
    )


def said_of(built: CargoBuilt) -> Iterator[Diagnostic]:
    """Yield what a user should know of how the library came about, and what is in it."""
    for left in built.paths_left[:_SHOWN_PATHS]:
        times = f", {left.times} times" if left.times > 1 else ""
        inside = f" in `{left.package}`" if left.package else ""
        yield Diagnostic(
            Code.BUILDER_PATH,
            f"the library names a folder of this machine: {left.path}{times}",
            where=os.path.basename(built.library),
            hint=f"likely {left.origin}{inside}: {_PATH_CURES[left.origin]}",
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
    for name in built.compiled_anew:
        message = "compiled anew: its files are not those that it was compiled of"
        yield Diagnostic(Code.COMPILED_ANEW, message, where=name, severity=Severity.NOTE)
    for root in built.cleared:
        message = "removed what was built for a workspace that is gone"
        yield Diagnostic(Code.CLEARED_BUILDS, message, where=root, severity=Severity.NOTE)


def _workflows(
    project: Project, library: Library, described: Described | None, where: str
) -> tuple[tuple[Workflow, ...], tuple[Diagnostic, ...]]:
    """Return the workflows that run, and what is odd; raise ``Refused`` where the source lies."""
    from cloacina_ctl.project.rust_project import merge_library

    if described is None:
        workflows, found = merge_library(project.workflows, library)
    else:
        workflows, found = merge_library(project.workflows, spoken(library, described))
        workflows, more = completed(workflows, described, where)
        found = (*found, *more)
    errors = [one for one in found if one.severity is Severity.ERROR]
    if errors:
        raise Refused(*errors)
    return workflows, found


def _placed(workflow: Workflow) -> Workflow:
    """Return the workflow with the places of its tasks as they are where the source is packed."""
    tasks = tuple(
        task._replace(source=SOURCE_FOLDER + task.source) if task.source is not None else task
        for task in workflow.tasks
    )
    return workflow._replace(tasks=tasks)
