"""The metadata that a package's loaded code declares, and the outcomes of calls into it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cloacina_ctl.manifest.model import Param, Task, Trigger, Workflow
from cloacina_ctl.project.durations import milliseconds
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.manifest.model import Retry


class Isolation(NamedTuple):
    """The isolation of the process, set up before anything was loaded in it.

    ``missing`` names, in words, what the kernel does not support; ``memory_together`` is whether
    one memory limit holds for all processes of the code together.
    """

    missing: tuple[str, ...] = ()
    network_closed: bool = False
    memory_together: bool = False


class DescribedTask(NamedTuple):
    """A task; ``dependencies`` are ids of tasks of the same workflow.

    ``others`` are dependencies that name another workflow's task in full. ``trigger_rules`` is
    JSON. A task with ``needs_handle`` asks its host for a handle while it runs.
    """

    id: str
    dependencies: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    description: str | None = None
    source: str | None = None
    trigger_rules: str | None = None
    needs_handle: bool = False
    retry: Retry | None = None


class DescribedTrigger(NamedTuple):
    """What starts a workflow; ``poll_interval`` as the package spells it."""

    name: str
    workflow: str | None = None
    poll_interval: str | None = None
    cron: str | None = None
    allow_concurrent: bool = False


class DescribedInput(NamedTuple):
    """An accumulator of a graph or reactor; ``config`` as sorted pairs of texts."""

    name: str
    type: str
    config: tuple[tuple[str, str], ...] = ()


class DescribedGraph(NamedTuple):
    """A computation graph that accumulators feed; ``graph`` is the JSON of its nodes."""

    name: str
    reaction_mode: str
    input_strategy: str
    inputs: tuple[DescribedInput, ...] = ()
    reactor: str | None = None
    graph: str | None = None


class DescribedReactor(NamedTuple):
    """A reactor and what it listens to."""

    name: str
    reaction_mode: str
    inputs: tuple[DescribedInput, ...] = ()


class DescribedInterface(NamedTuple):
    """How the host talks to the package.

    ``kind`` is ``fidius``, ``c-abi-0.2``, ``c-abi-0.3`` or ``python``; the rest is of ``fidius``.
    """

    kind: str
    abi: int | None = None
    version: int | None = None
    hash: str | None = None
    wire: str | None = None
    plugin: str | None = None
    methods: tuple[str, ...] = ()


class PackageMetadata(NamedTuple):
    """All that the loaded code declares: one workflow, and what belongs to it.

    ``callable_graphs`` are graphs without a trigger, by name. ``inputs`` are given as the plugin
    gives them, as pairs of field and value. ``constructors`` are tasks that a server makes.
    ``engine`` is the release of the engine that the code is loaded into, None for our own host.
    """

    interface: DescribedInterface
    workflow: str | None
    package: str | None = None
    description: str | None = None
    author: str | None = None
    fingerprint: str | None = None
    tasks: tuple[DescribedTask, ...] = ()
    workflow_triggers: tuple[str, ...] = ()
    triggers: tuple[DescribedTrigger, ...] = ()
    graph: DescribedGraph | None = None
    reactors: tuple[DescribedReactor, ...] = ()
    callable_graphs: tuple[str, ...] = ()
    inputs: tuple[tuple[tuple[str, str], ...], ...] = ()
    constructors: tuple[DescribedTask, ...] = ()
    engine: str | None = None


class TaskOutcome(NamedTuple):
    """How one attempt of a task ended.

    ``context`` is what the task returned, None where it returned nothing. ``crashed`` means that
    the process died, not that the task failed by itself; ``timed_out`` that time ran out.
    """

    succeeded: bool
    context: dict[str, object] | None
    error: str | None
    crashed: bool = False
    timed_out: bool = False


class TriggerOutcome(NamedTuple):
    """What a trigger answered: whether it fires, and with which context."""

    fires: bool
    context: dict[str, object] | None = None
    error: str | None = None
    crashed: bool = False
    timed_out: bool = False


class GraphOutcome(NamedTuple):
    """How a graph ended: ``outputs`` are the values of its last nodes."""

    succeeded: bool
    outputs: tuple[object, ...] = ()
    error: str | None = None
    crashed: bool = False
    timed_out: bool = False


def workflow_of(described: PackageMetadata) -> Workflow | None:
    """Return the workflow that the code describes, as a manifest has it, or None without tasks."""
    if not described.tasks or described.workflow is None:
        return None
    return Workflow(
        name=described.workflow,
        tasks=tuple(
            Task(
                id=task.id,
                dependencies=task.dependencies,
                description=task.description,
                source=task.source,
                retry=task.retry,
                trigger_rules=task.trigger_rules,
            )
            for task in described.tasks
        ),
        description=described.description,
        author=described.author,
        fingerprint=described.fingerprint,
        params=params_of(described),
        triggers=_triggers_of(described),
    )


def trigger_of(described: DescribedTrigger) -> Trigger:
    """Return a trigger as a manifest has it; the interval of a cron trigger is not used."""
    polled = described.cron is None
    interval = milliseconds(described.poll_interval or "") if polled else None
    return Trigger(
        name=described.name,
        kind="poll" if described.cron is None else "cron",
        poll_interval_ms=interval,
        cron=described.cron,
        allow_concurrent=described.allow_concurrent,
    )


def _triggers_of(described: PackageMetadata) -> tuple[Trigger, ...]:
    """Return the triggers that start the workflow: they name it, or it names them.

    A trigger whose interval cannot be read is left out: a manifest cannot express it.
    """
    own = {
        one.name: trigger_of(one)
        for one in described.triggers
        if one.name in described.workflow_triggers or one.workflow == described.workflow
    }
    return tuple(own[name] for name in sorted(own) if own[name].cron or own[name].poll_interval_ms)


def params_of(described: PackageMetadata) -> tuple[Param, ...]:
    """Return the parameters of the workflow, in their order; types as JSON Schema names them.

    Releases before 0.9 declare none. Secrets are left out: a manifest has none.
    """
    for surface in map(dict, described.inputs):
        if surface.get("surface_kind") == "workflow":
            return tuple(_params_in(surface.get("slots_json", "")))
    return ()


def _params_in(slots: str) -> Iterator[Param]:
    try:
        declared = json.loads(slots)
    except (ValueError, RecursionError):
        return
    for slot in declared if isinstance(declared, list) else ():
        if not isinstance(slot, dict) or slot.get("encrypted") is True:
            continue
        name, schema = slot.get("name"), slot.get("schema")
        type_ = schema.get("type") if isinstance(schema, dict) else None
        default = None if slot.get("required") is True else json.dumps(slot.get("default"))
        if isinstance(name, str):
            yield Param(name, type_ if isinstance(type_, str) else "any", default)


def override_from_code(workflow: Workflow, described: PackageMetadata) -> Workflow:
    """Return the workflow with the retry settings and trigger rules of its loaded code.

    The manifest has them from the source, which cannot always be read in full. Another workflow
    than the loaded one is returned unchanged.
    """
    loaded = {task.id: task for task in described.tasks}
    if any(task.id not in loaded for task in workflow.tasks):
        return workflow
    tasks = tuple(
        task._replace(
            retry=loaded[task.id].retry or task.retry,
            trigger_rules=loaded[task.id].trigger_rules or task.trigger_rules,
        )
        for task in workflow.tasks
    )
    return workflow._replace(tasks=tasks)
