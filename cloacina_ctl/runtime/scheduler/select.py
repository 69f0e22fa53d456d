"""Finds the workflow of a package, or a task of a workflow, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Incompatible, UsageError
from cloacina_ctl.manifest.model import Retry
from cloacina_ctl.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloacina_ctl.manifest.model import Workflow

_MAX_NAMES = 20
_MAX_NEAR = 3


def choose_workflow(workflows: Sequence[Workflow], name: str | None) -> Workflow:
    """Return the workflow called ``name``, or the only one; raise ``UsageError`` where none is."""
    names = [workflow.name for workflow in workflows]
    if name is not None:
        if name not in names:
            raise _no_such("workflow", name, names)
        return workflows[names.index(name)]
    if not workflows:
        raise UsageError.of(Code.NO_SUCH_TASK, "the package has no workflow to run")
    if len(workflows) > 1:
        raise UsageError.of(
            Code.USAGE,
            f"the package has several workflows: {_listed(names)}",
            hint="name one with --workflow",
        )
    return workflows[0]


def only_task(workflow: Workflow, id_: str) -> Workflow:
    """Return a workflow of only this task, which runs once, without its dependencies."""
    tasks = {task.id: task for task in workflow.tasks}
    if id_ not in tasks:
        raise _no_such("task", id_, list(tasks))
    alone = tasks[id_]._replace(dependencies=(), trigger_rules=None, retry=Retry(attempts=1))
    return workflow._replace(tasks=(alone,))


def needs_build(what: str, where: str | None) -> Incompatible:
    """Return the error for a package that holds only ``what`` must be built first."""
    return Incompatible.of(
        Code.NEEDS_BUILD,
        f"nothing in it can be run here: it holds {what}",
        where=where,
        hint="`cloacina-ctl package` the project and run the new package",
    )


def no_workflow(graphs: Sequence[str], where: str | None) -> Incompatible:
    """Return the error for a package without a workflow, which has these graphs, if any."""
    if not graphs:
        return Incompatible.of(
            Code.NO_SUCH_TASK,
            "the package has no workflow to run",
            where=where,
            hint="if it has a graph, --graph NAME runs that once",
        )
    return Incompatible.of(
        Code.NO_SUCH_TASK,
        f"the package has no workflow to run: it has the graph {_listed(graphs)}",
        where=where,
        hint=f"--graph {graphs[0]} runs it once; --context has the values of its accumulators",
    )


def _no_such(what: str, name: str, known: list[str]) -> UsageError:
    return UsageError.of(
        Code.NO_SUCH_TASK,
        f"no such {what} in the package: {name}",
        hint=did_you_mean(name, known, most=_MAX_NEAR) or f"it has {_listed(known)}",
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_MAX_NAMES]) or "none"
    return shown + (f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else "")
