"""A crate as a package of Cloacina 0.2 or 0.3: the library that cargo builds, and a manifest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Incompatible, UsageError
from cloacina_ctl.formats.layout import MANIFEST, SOURCE_FOLDER, root_folder
from cloacina_ctl.formats.legacy.model import V1Library, V1Manifest, V1Task
from cloacina_ctl.formats.legacy.write_v1 import dump_v1
from cloacina_ctl.formats.plan import Plan, PlannedFile
from cloacina_ctl.manifest.graph import layers
from cloacina_ctl.operations.packaging.build import build_library
from cloacina_ctl.operations.packaging.prepare import THE_LIBRARY, Prepared
from cloacina_ctl.operations.packaging.source import size_rules
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.releases.rules import (
    LibraryFacts,
    PackageFacts,
    broken_rules,
    releases_that_load,
)
from cloacina_ctl.releases.table import PYTHON, RELEASES, V1, Release

if TYPE_CHECKING:
    from cloacina_ctl.manifest import Artifact, PackageInfo, Task, Workflow
    from cloacina_ctl.operations.packaging.prepare import PackageRequest
    from cloacina_ctl.progress import Progress

# The manifest of 0.2 or 0.3 for a library and the workflow in it.

NEWEST_V1 = [release for release in RELEASES if release.format == V1][-1]
_UNKNOWN_PLACE = "src/lib.rs"  # what is compiled first, where the module is not known


def release_of_library(artifact: Artifact, wanted: Release | None) -> Release:
    """Return the release whose form the manifest takes: readers choose the library's by it.

    Raises ``Incompatible`` for a library that the ``wanted`` release, or either, cannot load.
    """
    kind = artifact.interface.kind if artifact.interface is not None else None
    facts = PackageFacts(V1, library=LibraryFacts(kind, artifact.os))
    loading = releases_that_load(facts)
    if not loading or wanted not in (None, *loading):
        broken = broken_rules(wanted or NEWEST_V1, facts)
        raise Incompatible(*(one._replace(where=artifact.path) for one in broken))
    return loading[0]


def v1_manifest(
    package: PackageInfo,
    workflow: Workflow,
    artifact: Artifact,
    exports: tuple[str, ...],
    release: Release,
) -> V1Manifest:
    """Return the manifest in the form of ``release``, with tasks in an order of execution."""
    if release.format != V1:
        raise TypeError("only 0.2 and 0.3 have this manifest")
    is_0_2 = release.name == "0.2"
    by_id = {task.id: task for task in workflow.tasks}
    needs = {task.id: task.dependencies for task in workflow.tasks}
    order = [id_ for layer in layers(needs) for id_ in layer]
    return V1Manifest(
        name=package.name,
        version=package.version,
        description=package.description or f"Packaged workflow: {package.name}",
        cloacina_version=release.measured,
        author=None if is_0_2 else workflow.author,
        workflow_fingerprint=None if is_0_2 else workflow.fingerprint,
        library=V1Library(
            filename=artifact.path.rpartition("/")[2],
            symbols=exports,
            architecture=_triple(artifact) if is_0_2 else artifact.machine,
        ),
        tasks=tuple(_task(number, by_id[id_]) for number, id_ in enumerate(order)),
        execution_order=tuple(order) if is_0_2 else None,
    )


def _triple(artifact: Artifact) -> str:
    """Return the target triple: that of the build, else the usual one of the platform."""
    if artifact.built_with is not None:
        return artifact.built_with.target
    is_musl = artifact.libc is not None and artifact.libc.name == "musl"
    return f"{artifact.machine}-unknown-linux-{'musl' if is_musl else 'gnu'}"


def _task(number: int, task: Task) -> V1Task:
    place = (task.source or "").removeprefix(SOURCE_FOLDER).rpartition(":")[0]
    return V1Task(
        id=task.id,
        dependencies=task.dependencies,
        number=number,
        description=task.description or f"Task: {task.id}",
        source_location=place or _UNKNOWN_PLACE,
    )


def prepare_v1(request: PackageRequest, read: Prepared, progress: Progress | None) -> Prepared:
    """Build the crate that was read and checked; return the plan of its package.

    Where no build is wanted, nothing of it is known but its name: all else comes of the build.
    Raises ``Incompatible`` where the library is none that 0.2 or 0.3 load.
    """
    project, wanted = read.project, request.target.runtime
    if request.include_source:
        raise UsageError.of(Code.USAGE, "a `v1` package holds a library and no source")
    if project.rust is None:
        raise Incompatible(*broken_rules(wanted or NEWEST_V1, PackageFacts(V1, PYTHON)))
    root = root_folder(project.package.name, project.package.version)
    if not request.build.wanted:
        return read._replace(plan=Plan(root, ()), unbuilt=(MANIFEST, THE_LIBRARY))
    if progress:
        progress("building", 0, 0)
    built = build_library(project, request.build)
    release = release_of_library(built.artifact, wanted)
    manifest = v1_manifest(
        project.package, built.workflows[0], built.artifact, built.exports, release
    )
    text = dump_v1(manifest)
    name, reason = MemberPath.parse(os.path.basename(built.library)), "the library that cargo built"
    files = (
        PlannedFile(MemberPath(MANIFEST), text, len(text), False, "the manifest of 0.2 and 0.3"),
        PlannedFile(name, built.library, built.size, True, reason, built.patches),
    )
    return Prepared(
        project=project,
        selection=read.selection,
        diagnostics=(*read.diagnostics, *built.diagnostics),
        plan=Plan(root, files),
        rules=size_rules(release, V1, root),
    )
