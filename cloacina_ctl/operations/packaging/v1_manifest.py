"""The manifest of 0.2 or 0.3 for a library and the workflow in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Incompatible
from cloacina_ctl.formats.layout import SOURCE_FOLDER
from cloacina_ctl.formats.legacy.model import V1Library, V1Manifest, V1Task
from cloacina_ctl.manifest.graph import layers
from cloacina_ctl.releases.table import RUNTIMES, V1, Runtime

if TYPE_CHECKING:
    from cloacina_ctl.manifest import Artifact, Package, Task, Workflow

_FORM_OF = {"c-abi-0.2": "0.2", "c-abi-0.3": "0.3"}
_UNKNOWN_PLACE = "src/lib.rs"  # what is compiled first, where nobody knows the module


def runtime_of_library(artifact: Artifact, wanted: Runtime | None) -> Runtime:
    """Return the release whose form the manifest takes: readers choose the library's by it.

    Raises ``Incompatible`` for a library that the ``wanted`` runtime, or either, cannot load.
    """
    kind = artifact.interface.kind if artifact.interface is not None else "no plugin"
    loads = wanted.interfaces if wanted is not None else tuple(_FORM_OF)
    if kind not in loads or artifact.os != "linux":
        whose = wanted.name if wanted is not None else "0.2 and 0.3"
        raise Incompatible.of(
            Code.NOT_FOR_RUNTIME,
            f"Cloacina {whose} load libraries of their own for Linux, and this one is: {kind}, "
            f"{artifact.os}",
            where=artifact.path,
            hint="choose a runtime from 0.4 on, which loads sources: --format source",
        )
    return next(runtime for runtime in RUNTIMES if runtime.name == _FORM_OF[kind])


def v1_manifest(
    package: Package,
    workflow: Workflow,
    artifact: Artifact,
    exports: tuple[str, ...],
    runtime: Runtime,
) -> V1Manifest:
    """Return the manifest in the form of ``runtime``, with tasks in an order of execution."""
    if runtime.format != V1:
        raise TypeError("only 0.2 and 0.3 have this manifest")
    is_0_2 = runtime.name == "0.2"
    by_id = {task.id: task for task in workflow.tasks}
    needs = {task.id: task.dependencies for task in workflow.tasks}
    order = [id_ for layer in layers(needs) for id_ in layer]
    return V1Manifest(
        name=package.name,
        version=package.version,
        description=package.description or f"Packaged workflow: {package.name}",
        cloacina_version=runtime.release,
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
