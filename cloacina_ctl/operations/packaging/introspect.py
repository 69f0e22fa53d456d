"""Asking a library that was just built what it is: it is loaded once, in a child process.

What runs is what speaks: tasks, dependencies and interface are those of the loaded code. Its file,
read without running it, must say the same, for that is what ``validate`` goes by later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Refused
from cloacina_ctl.manifest.model import Task, Workflow
from cloacina_ctl.platforms.library import LibraryGraph, interface_of

if TYPE_CHECKING:
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.files.overlay import Patch
    from cloacina_ctl.platforms import Library
    from cloacina_ctl.runtime.metadata import Described


def ask(path: str, library: Library, patches: tuple[Patch, ...] = ()) -> Described | None:
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


_HINT = "build it anew; `--no-load` goes by the file and the source alone"


def _shown_by(graph: LibraryGraph, described: Described) -> Workflow:
    """Return the workflow that the library's file shows, with the names that it leaves open."""
    return Workflow(
        name=graph.name or described.workflow or "",
        tasks=tuple(Task(id=id_, dependencies=needs) for id_, needs in graph.tasks),
        fingerprint=graph.fingerprint,
    )


def spoken(library: Library, described: Described) -> Library:
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


def completed(
    workflows: tuple[Workflow, ...], described: Described, where: str
) -> tuple[tuple[Workflow, ...], tuple[Diagnostic, ...]]:
    """Return the workflows with what only the loaded code tells, and where the source disagrees.

    What the source spells stays as it is spelled. Where it says nothing, or what only compiling it
    would tell, the code's own answer stands: trigger rules, triggers and parameters.
    """
    from cloacina_ctl.runtime.consistency import disagreements, rule_that_runs
    from cloacina_ctl.runtime.metadata import workflow_of

    told = {task.id: task.trigger_rules for task in described.tasks}
    own = workflow_of(described)
    found: list[Diagnostic] = []
    settled = []
    for workflow in workflows:
        tasks = tuple(
            task._replace(trigger_rules=rule_that_runs(task.trigger_rules, told.get(task.id)))
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
