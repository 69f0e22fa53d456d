"""A legacy package in the shape of a native manifest: one view for all formats.

A field that a format does not have is None here, never invented. Tasks are those of the code where
it can be read, since an engine uses the code; the manifest's are shown where it cannot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.formats.file_index import Tool
from cloacina_ctl.formats.legacy.model import (
    ProviderManifest,
    SourceManifest,
    V1Manifest,
    V2Manifest,
)
from cloacina_ctl.manifest import (
    Accumulator,
    Artifact,
    Graph,
    Language,
    PackageInfo,
    Requires,
    Task,
    Trigger,
    Workflow,
)
from cloacina_ctl.project.durations import milliseconds
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.formats.legacy.model import SourceTrigger, V1Task, V2Task, V2Trigger
    from cloacina_ctl.inspection.legacy_contents import LegacyContents
    from cloacina_ctl.platforms import Library, LibraryGraph


class LegacySizes(NamedTuple):
    """The number of files and of their bytes; there is no digest of them."""

    files: int
    size: int
    sha256: str | None = None


class LegacyView(NamedTuple):
    """The content of a legacy package, under the names of a native manifest."""

    package: PackageInfo
    language: Language | None
    contents: LegacySizes
    format_version: int | None = None
    requires: Requires | None = None
    entry_module: str | None = None
    workflows: tuple[Workflow, ...] = ()
    graphs: tuple[Graph, ...] = ()
    artifacts: tuple[Artifact, ...] = ()


def view_of(read: LegacyContents) -> LegacyView:
    """Return the view of the package, from its manifest, its sources and its library."""
    contents, manifest = read.contents, read.contents.manifest
    view = LegacyView(
        package=PackageInfo(name="", version=""),
        language=Language(read.language) if read.language else None,
        contents=LegacySizes(files=len(contents.files), size=contents.size),
        entry_module=read.entry_module,
        artifacts=_artifacts(read),
    )
    if isinstance(manifest, V1Manifest):
        return _of_v1(view, manifest, read.library)
    if isinstance(manifest, V2Manifest):
        return _of_v2(view, manifest, read)
    if isinstance(manifest, ProviderManifest):
        return view._replace(package=_described(manifest.package))
    return _of_source(view, manifest, read)


def tool_of(read: LegacyContents) -> Tool | None:
    """Return the program that claims to have written the package, where the format names it."""
    manifest = read.contents.manifest
    if not isinstance(manifest, V1Manifest):
        return None
    name = "cloacina-ctl" if manifest.release == "0.2" else "cloacina"
    return Tool(name, manifest.cloacina_version)


def is_placeholder(text: str | None, *names: str) -> bool:
    """Return whether a description is the one that a packer derives from a name."""
    made = {f"{lead}: {name}" for lead in ("Packaged workflow", "Task") for name in names}
    return text in made


def _of_v1(view: LegacyView, manifest: V1Manifest, library: Library | None) -> LegacyView:
    graph = library.graphs[0] if library is not None and library.graphs else None
    made_up = is_placeholder(manifest.description, manifest.name)
    author = manifest.author or (graph.author if graph else None)
    workflow = Workflow(
        name=(graph.name if graph else None) or "",
        tasks=_v1_tasks(manifest, graph),
        description=graph.description if graph else None,
        author=author,
        fingerprint=(graph.fingerprint if graph else None) or manifest.workflow_fingerprint,
    )
    return view._replace(
        package=PackageInfo(
            name=manifest.name,
            version=manifest.version,
            description=None if made_up else manifest.description or None,
            authors=(author,) if author else (),
        ),
        workflows=(workflow,),
    )


def _v1_tasks(manifest: V1Manifest, graph: LibraryGraph | None) -> tuple[Task, ...]:
    said = {task.id: task for task in manifest.tasks}
    if graph is None:
        return tuple(_v1_task(id_, said[id_].dependencies, said[id_]) for id_ in sorted(said))
    return tuple(_v1_task(id_, needs, said.get(id_)) for id_, needs in sorted(graph.tasks))


def _v1_task(id_: str, needs: tuple[str, ...], said: V1Task | None) -> Task:
    description = said.description if said else None
    if is_placeholder(description, id_):
        description = None
    return Task(id=id_, dependencies=tuple(sorted(set(needs))), description=description)


def _of_v2(view: LegacyView, manifest: V2Manifest, read: LegacyContents) -> LegacyView:
    workflow = Workflow(
        name=manifest.name,
        tasks=tuple(sorted((_v2_task(task) for task in manifest.tasks), key=lambda task: task.id)),
        triggers=tuple(
            sorted((_v2_trigger(one) for one in manifest.triggers), key=lambda one: one.name)
        ),
    )
    return view._replace(
        package=PackageInfo(
            name=manifest.name, version=manifest.version, description=manifest.description
        ),
        requires=_requires(manifest.requires_python, read),
        workflows=(_with_source(workflow, read),),
    )


def _v2_task(task: V2Task) -> Task:
    return Task(
        id=task.id,
        dependencies=tuple(sorted(set(task.dependencies))),
        description=task.description,
        function=task.function,
        timeout_seconds=task.timeout_seconds,
    )


def _v2_trigger(trigger: V2Trigger) -> Trigger:
    return Trigger(
        name=trigger.name,
        kind=trigger.trigger_type,
        poll_interval_ms=milliseconds(trigger.poll_interval),
        allow_concurrent=trigger.allow_concurrent,
    )


def _of_source(view: LegacyView, manifest: SourceManifest, read: LegacyContents) -> LegacyView:
    return view._replace(
        package=_described(manifest),
        requires=_requires(manifest.requires_python, read),
        workflows=_source_workflows(manifest, read),
        graphs=_graphs(manifest),
    )


def _described(manifest: SourceManifest) -> PackageInfo:
    return PackageInfo(
        name=manifest.name,
        version=manifest.version,
        description=manifest.description,
        authors=(manifest.author,) if manifest.author else (),
    )


def _source_workflows(manifest: SourceManifest, read: LegacyContents) -> tuple[Workflow, ...]:
    from cloacina_ctl.project.workflows import to_manifest

    if read.source is None:
        return ()
    places = {str(file.path): str(file.path) for file in read.contents.files}
    found = [to_manifest(workflow, places) for workflow in read.source.workflows]
    triggers = tuple(_source_trigger(one) for one in manifest.triggers or ())
    if triggers and len(found) == 1:
        found[0] = found[0]._replace(triggers=(*found[0].triggers, *triggers))
    return tuple(found)


def _source_trigger(trigger: SourceTrigger) -> Trigger:
    cron = trigger.cron_expression
    return Trigger(
        name=trigger.name,
        kind="poll" if cron is None else "cron",
        poll_interval_ms=None if cron is not None else milliseconds(trigger.poll_interval),
        cron=cron,
        allow_concurrent=trigger.allow_concurrent,
    )


def _with_source(workflow: Workflow, read: LegacyContents) -> Workflow:
    """Return the workflow with the tasks of its code, where that could be read."""
    if read.library is not None and read.library.graphs:
        graph = read.library.graphs[0]
        said = {task.id: task for task in workflow.tasks}
        tasks = tuple(
            said.get(id_, Task(id=id_))._replace(dependencies=tuple(sorted(set(needs))))
            for id_, needs in sorted(graph.tasks)
        )
        return workflow._replace(tasks=tasks)
    if read.source is None or not read.source.workflows:
        return workflow
    from cloacina_ctl.project.workflows import to_manifest

    places = {str(file.path): str(file.path) for file in read.contents.files}
    said = {task.id: task for task in workflow.tasks}
    tasks = tuple(
        task._replace(timeout_seconds=said[task.id].timeout_seconds) if task.id in said else task
        for task in to_manifest(read.source.workflows[0], places).tasks
    )
    return workflow._replace(tasks=tasks)


def _graphs(manifest: SourceManifest) -> tuple[Graph, ...]:
    if manifest.graph_name is None:
        return ()
    return (
        Graph(
            name=manifest.graph_name,
            reaction_mode=manifest.reaction_mode or "",
            input_strategy=manifest.input_strategy or "",
            accumulators=tuple(
                Accumulator(one.name, one.accumulator_type or "", one.config)
                for one in manifest.accumulators
            ),
        ),
    )


def _requires(python: str | None, read: LegacyContents) -> Requires | None:
    release = read.source.release if read.source else None
    return Requires(release, python) if python or release else None


def _artifacts(read: LegacyContents) -> tuple[Artifact, ...]:
    """Return the artifact of the library; only its path, if the library cannot be read."""
    manifest = read.contents.manifest
    path = None
    if isinstance(manifest, V1Manifest):
        path = manifest.library.filename
    elif isinstance(manifest, V2Manifest):
        path = manifest.library_path
    if path is None:
        return ()
    if read.library is None:
        return (Artifact(platform="", path=path, kind="cdylib", machine="", os=""),)
    from cloacina_ctl.platforms import artifact_of

    return (artifact_of(read.library, path=path),)
