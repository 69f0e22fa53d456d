"""Rules over several fields: references, graphs, fields of a language.

Each rule gets one value of the model and appends its problems, with places relative to that value.
None stands for a field that could not be read; its problem was appended already.
"""

from __future__ import annotations

from itertools import chain
from operator import contains
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code
from cloacina_ctl.manifest.graph import find_cycle
from cloacina_ctl.manifest.model import Language
from cloacina_ctl.manifest.problems import Problem, Problems, is_enough
from cloacina_ctl.manifest.texts import pep440_problem, semver_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    # Of the class that the rule is named after; but fields may be None, so the type is not stated.
    from cloacina_ctl.manifest.forms import Value


def check_manifest(manifest: Value, bad: Problems) -> None:
    """Check the rules of the language, and that there is something to run."""
    if not (manifest.workflows or manifest.graphs):
        bad.append(Problem(Code.NO_WORKFLOW, "neither a workflow nor a graph"))
    if manifest.language is Language.RUST:
        _check_version(manifest, semver_problem(_version(manifest)), bad)
        if manifest.entry_module is not None:
            message = "a Rust package has no entry module"
            bad.append(Problem(Code.LANGUAGE_MISMATCH, message, "entry_module"))
    elif manifest.language is Language.PYTHON:
        _check_version(manifest, pep440_problem(_version(manifest)), bad)
        if manifest.entry_module is None:
            bad.append(Problem(Code.FIELD_MISSING, "a Python package needs `entry_module`"))


def _version(manifest: Value) -> str:
    return (manifest.package and manifest.package.version) or ""


def _check_version(manifest: Value, problem: str | None, bad: Problems) -> None:
    if problem is not None and _version(manifest):
        bad.append(Problem(Code.FIELD_VALUE, problem, "package", "version"))


def check_workflow(workflow: Value, bad: Problems) -> None:
    """Check the graph of the tasks, and the names of the parameters."""
    _check_tasks(workflow, bad)
    seen = set()
    for number, param in enumerate(workflow.params):
        if param is not None and param.name in seen:
            message = f"a second parameter of this name: {param.name}"
            bad.append(Problem(Code.DUPLICATE_ENTRY, message, "params", number, "name"))
        elif param is not None:
            seen.add(param.name)


def _check_tasks(workflow: Value, bad: Problems) -> None:
    tasks = [task for task in workflow.tasks or () if task is not None and task.id is not None]
    needs = {task.id: task.dependencies or () for task in tasks}
    if not needs.keys() >= set(chain(*needs.values())) or any(map(contains, needs.values(), needs)):
        _check_dependencies(workflow, needs, bad)
        needs = {
            id_: [need for need in some if need in needs and need != id_]
            for id_, some in needs.items()
        }
    cycle = find_cycle(needs)
    if cycle:
        shown = [*cycle[:8], "…"] if len(cycle) > 8 else [*cycle, cycle[0]]
        message = f"tasks that wait for each other: {' → '.join(shown)}"
        bad.append(Problem(Code.CYCLE, message, "tasks"))


def _check_dependencies(workflow: Value, known: Mapping[str, Value], bad: Problems) -> None:
    for number, task in enumerate(workflow.tasks):
        if is_enough(bad):
            return
        for place, need in enumerate((task and task.dependencies) or ()):
            where = ("tasks", number, "dependencies", place)
            if need is None:
                continue
            if need == task.id:
                message = f"the task waits for itself: {need}"
                bad.append(Problem(Code.SELF_DEPENDENCY, message, *where))
            elif need not in known:
                message = f"no task of this workflow: {need}"
                bad.append(Problem(Code.UNKNOWN_DEPENDENCY, message, *where))


def check_trigger(trigger: Value, bad: Problems) -> None:
    """Check that a trigger has the fields of its kind, and none of the other."""
    polls, cron = trigger.poll_interval_ms is not None, trigger.cron is not None
    if polls and cron:
        message = "a trigger polls or has a cron expression, not both"
        bad.append(Problem(Code.FIELD_VALUE, message))
    elif trigger.kind == "poll" and not polls:
        message = "a trigger of kind poll needs `poll_interval_ms`"
        bad.append(Problem(Code.FIELD_MISSING, message))
    elif trigger.kind == "cron" and not cron:
        bad.append(Problem(Code.FIELD_MISSING, "a trigger of kind cron needs `cron`"))


def check_graph(graph: Value, bad: Problems) -> None:
    """Check that edges join nodes."""
    nodes = set(graph.nodes)
    for number, edge in enumerate(graph.edges):
        if edge is None:
            continue
        for end, key in ((edge.from_, "from"), (edge.to, "to")):
            if end is not None and end not in nodes:
                message = f"no node of this graph: {end}"
                bad.append(Problem(Code.UNKNOWN_DEPENDENCY, message, "edges", number, key))
        if is_enough(bad):
            return


def check_artifact(artifact: Value, bad: Problems) -> None:
    """Check that an artifact lies in the folder of its platform."""
    if artifact.path is None or artifact.platform is None:
        return
    folder = f"platform/{artifact.platform}/"
    if not artifact.path.startswith(folder):
        message = f"expected a path under `{folder}`, found: {artifact.path}"
        bad.append(Problem(Code.FIELD_VALUE, message, "path"))
    if artifact.unloaded and artifact.kind != "cdylib":
        bad.append(Problem(Code.FIELD_VALUE, "only a `cdylib` can be `unloaded`", "unloaded"))


def check_interface(interface: Value, bad: Problems) -> None:
    """Check that an interface states its layout."""
    if interface.kind == "fidius" and interface.abi is None:
        bad.append(Problem(Code.FIELD_MISSING, "a fidius interface needs `abi`"))
