"""Checks the graph of tasks that a project's source declares: ids, dependencies, cycles.

The graph of a manifest is checked where it is parsed (``manifest.rules``); these rules check
sources in the same way, and report the line to change.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cloacina_ctl.checks.engine import Finding, RuleSet
from cloacina_ctl.errors import Code
from cloacina_ctl.manifest import find_cycle
from cloacina_ctl.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.project.model import SourceTask, SourceWorkflow

RULES: RuleSet[SourceWorkflow] = RuleSet()


def _name(workflow: SourceWorkflow) -> str:
    return f"the workflow {workflow.name}" if workflow.name else "the workflow"


def _by_id(workflow: SourceWorkflow) -> dict[str, SourceTask]:
    return {task.id: task for task in workflow.tasks if task.id is not None}


@RULES.rule(Code.DUPLICATE_TASK)
def duplicate_task(workflow: SourceWorkflow) -> Iterator[Finding]:
    """Two tasks with one id: an engine silently keeps the last one."""
    first: dict[str, SourceTask] = {}
    for task in workflow.tasks:
        if task.id is None:
            continue
        earlier = first.setdefault(task.id, task)
        if earlier is not task and earlier.is_certain and task.is_certain:
            message = f"the task `{task.id}` is declared twice, first at {earlier.place}"
            yield Finding(message, task.place, "give one of them another id")


@RULES.rule(Code.UNKNOWN_DEPENDENCY)
def unknown_dependency(workflow: SourceWorkflow) -> Iterator[Finding]:
    """A dependency that is not the id of a task: the workflow never loads."""
    known = _by_id(workflow)
    by_function = {task.function: task for task in workflow.tasks}
    for task in workflow.tasks:
        for dependency in task.dependencies:
            wanted = dependency.id
            if wanted is None or wanted in known:
                continue
            message = f"the task `{task.id}` depends on `{wanted}`, not a task of {_name(workflow)}"
            meant = by_function.get(wanted) if dependency.is_function else None
            hint = did_you_mean(wanted, list(known))
            if meant is not None and meant.id is not None:
                hint = f'a function counts by its own name; write the id: "{meant.id}"'
            yield Finding(message, task.place, hint)


@RULES.rule(Code.SELF_DEPENDENCY)
def self_dependency(workflow: SourceWorkflow) -> Iterator[Finding]:
    """A task that waits for itself never runs."""
    for task in workflow.tasks:
        if any(
            dependency.id == task.id and task.id is not None for dependency in task.dependencies
        ):
            yield Finding(f"the task `{task.id}` depends on itself", task.place)


@RULES.rule(Code.DUPLICATE_DEPENDENCY)
def duplicate_dependency(workflow: SourceWorkflow) -> Iterator[Finding]:
    """A dependency that is listed twice is a mistake: perhaps another one was meant."""
    for task in workflow.tasks:
        ids = [dependency.id for dependency in task.dependencies if dependency.id is not None]
        for twice in sorted(one for one, times in Counter(ids).items() if times > 1):
            yield Finding(f"the task `{task.id}` lists `{twice}` twice", task.place)


@RULES.rule(Code.CYCLE)
def cycle(workflow: SourceWorkflow) -> Iterator[Finding]:
    """Tasks that wait for each other never run."""
    known = _by_id(workflow)
    edges: dict[str, list[str]] = {}
    for id_, task in known.items():
        needs = {dependency.id for dependency in task.dependencies if dependency.id != id_}
        edges[id_] = [need for need in needs if need is not None and need in known]
    found = find_cycle(edges)
    if found:
        path = " → ".join([*found, found[0]])
        yield Finding(f"tasks that wait for each other: {path}", known[found[0]].place)


def check_graph(workflow: SourceWorkflow) -> Iterator[Diagnostic]:
    """Yield the problems of the graph of a workflow that exists on every platform."""
    if workflow.is_certain:
        yield from RULES.run(workflow)
