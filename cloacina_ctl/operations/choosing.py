"""Which package, which workflow and which task somebody means, by the words that they used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.archive.layout import SUFFIX
from cloacina_ctl.archive.reader import STDIN
from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.manifest.model import Retry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloacina_ctl.manifest.model import Workflow
    from cloacina_ctl.operations.authenticity import Rule

_MAX_NAMES = 20
_MAX_NEAR = 3


def find_package(
    word: str, rule: Rule, *, tenant: str | None = None, registry: str | None = None
) -> tuple[str, Rule]:
    """Return the path that ``word`` means, and the rule that the file there must meet.

    A file is meant where there is one, and where the word looks like one: a path, or a name that
    ends as packages do. Anything else is ``NAME[@VERSION]`` in the registry; raises what
    ``find_installed`` raises.
    """
    looks_like_a_file = word == STDIN or os.sep in word or word.endswith(SUFFIX)
    if looks_like_a_file or os.path.exists(word):
        return word, rule
    from cloacina_ctl.operations.installed import DEFAULT_TENANT, find_installed

    found = find_installed(word, rule, tenant=tenant or DEFAULT_TENANT, registry=registry)
    return found.path, found.rule


def choose_workflow(workflows: Sequence[Workflow], name: str | None) -> Workflow:
    """Return the workflow called ``name``, or the only one; raise ``UsageError`` where none is."""
    names = [workflow.name for workflow in workflows]
    if name is not None:
        if name not in names:
            raise _no_such("workflow", name, names)
        return workflows[names.index(name)]
    if not workflows:
        raise UsageError.of(Code.NO_SUCH_TASK, "the package has no workflow that could run")
    if len(workflows) > 1:
        raise UsageError.of(
            Code.USAGE,
            f"the package has several workflows: {_listed(names)}",
            hint="name one by --workflow",
        )
    return workflows[0]


def only_task(workflow: Workflow, id_: str) -> Workflow:
    """Return a workflow of this task alone, which runs once, whatever it waits for."""
    tasks = {task.id: task for task in workflow.tasks}
    if id_ not in tasks:
        raise _no_such("task", id_, list(tasks))
    alone = tasks[id_]._replace(dependencies=(), trigger_rules=None, retry=Retry(attempts=1))
    return workflow._replace(tasks=(alone,))


def _no_such(what: str, name: str, known: list[str]) -> UsageError:
    import difflib

    near = difflib.get_close_matches(name[:200], known, _MAX_NEAR)
    return UsageError.of(
        Code.NO_SUCH_TASK,
        f"no such {what} in the package: {name}",
        hint=f"did you mean {_listed(near)}?" if near else f"it has {_listed(known)}",
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_MAX_NAMES]) or "none"
    return shown + (f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else "")
