"""What a manifest of the right form must still mean: references, graphs, what a language has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code
from cloacina_ctl.manifest.forms import Problem
from cloacina_ctl.manifest.graph import find_cycle
from cloacina_ctl.manifest.model import Language
from cloacina_ctl.manifest.texts import judge_pep440, judge_semver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.manifest.model import Artifact, Graph, Interface, Manifest, Trigger, Workflow


def judge(manifest: Manifest) -> Iterator[Problem]:
    """Yield what is wrong with the meaning of ``manifest``."""
    yield from _judge_package(manifest)
    if not (manifest.workflows or manifest.graphs):
        yield Problem(Code.NO_WORKFLOW, "neither a workflow nor a graph")
    for number, workflow in enumerate(manifest.workflows):
        for problem in _judge_workflow(workflow):
            problem.steps.extend((number, "workflows"))
            yield problem
    for number, graph in enumerate(manifest.graphs):
        for problem in _judge_graph(graph):
            problem.steps.extend((number, "graphs"))
            yield problem
    for number, artifact in enumerate(manifest.artifacts):
        for problem in _judge_artifact(artifact):
            problem.steps.extend((number, "artifacts"))
            yield problem


def _judge_package(manifest: Manifest) -> Iterator[Problem]:
    rust = manifest.language is Language.RUST
    version = manifest.package.version
    problem = judge_semver(version) if rust else judge_pep440(version)
    if problem is not None:
        yield Problem(Code.FIELD_VALUE, problem, "package", "version")
    if rust and manifest.entry_module is not None:
        yield Problem(Code.LANGUAGE_MISMATCH, "a Rust package has no entry module", "entry_module")
    if not rust and manifest.entry_module is None:
        yield Problem(Code.FIELD_MISSING, "a Python package needs `entry_module`")
    requires = manifest.requires
    if requires is not None and requires == type(requires)():
        yield Problem(Code.FIELD_VALUE, "an empty object is written by leaving it out", "requires")


def _judge_workflow(workflow: Workflow) -> Iterator[Problem]:
    if not workflow.tasks:
        yield Problem(Code.NO_TASK, "a workflow has at least one task", "tasks")
    known = {task.id for task in workflow.tasks}
    sound = True
    for number, task in enumerate(workflow.tasks):
        for place, dependency in enumerate(task.dependencies):
            if dependency == task.id:
                yield Problem(
                    Code.SELF_DEPENDENCY,
                    f"the task waits for itself: {task.id}",
                    "tasks",
                    number,
                    "dependencies",
                    place,
                )
            elif dependency not in known:
                sound = False
                yield Problem(
                    Code.UNKNOWN_DEPENDENCY,
                    f"no task of this workflow: {dependency}",
                    "tasks",
                    number,
                    "dependencies",
                    place,
                )
    if sound:
        yield from _judge_cycle(workflow)
    for number, trigger in enumerate(workflow.triggers):
        for problem in _judge_trigger(trigger):
            problem.steps.extend((number, "triggers"))
            yield problem
    names = [param.name for param in workflow.params]
    if len(set(names)) != len(names):
        yield Problem(Code.DUPLICATE_ENTRY, "two parameters of one name", "params")


def _judge_cycle(workflow: Workflow) -> Iterator[Problem]:
    edges = {
        task.id: [need for need in task.dependencies if need != task.id] for task in workflow.tasks
    }
    cycle = find_cycle(edges)
    if cycle:
        shown = [*cycle[:8], "…"] if len(cycle) > 8 else [*cycle, cycle[0]]
        yield Problem(Code.CYCLE, f"tasks that wait for each other: {' → '.join(shown)}", "tasks")


def _judge_trigger(trigger: Trigger) -> Iterator[Problem]:
    has = {"poll": trigger.poll_interval_ms is not None, "cron": trigger.cron is not None}
    if not has[trigger.kind]:
        field = "poll_interval_ms" if trigger.kind == "poll" else "cron"
        yield Problem(Code.FIELD_MISSING, f"a trigger of kind {trigger.kind} needs `{field}`")
    if all(has.values()):
        yield Problem(Code.FIELD_VALUE, "a trigger polls or has a cron expression, not both")


def _judge_graph(graph: Graph) -> Iterator[Problem]:
    nodes = set(graph.nodes)
    for number, edge in enumerate(graph.edges):
        for end, key in ((edge.from_, "from"), (edge.to, "to")):
            if end not in nodes:
                yield Problem(
                    Code.UNKNOWN_DEPENDENCY, f"no node of this graph: {end}", "edges", number, key
                )


def _judge_artifact(artifact: Artifact) -> Iterator[Problem]:
    if not artifact.path.startswith(f"platform/{artifact.platform}/"):
        message = f"expected a path under `platform/{artifact.platform}/`, found: {artifact.path}"
        yield Problem(Code.FIELD_VALUE, message, "path")
    if artifact.platform in ("any", "common", "source", "end", "head"):
        yield Problem(Code.FIELD_VALUE, f"no platform: {artifact.platform}", "platform")
    interface: Interface | None = artifact.interface
    if interface is not None and interface.kind == "fidius" and interface.abi is None:
        yield Problem(Code.FIELD_MISSING, "a fidius interface needs `abi`", "interface")
