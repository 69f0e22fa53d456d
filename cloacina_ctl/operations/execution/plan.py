"""``run --plan``: in which order tasks would run, from the manifest alone; nothing is loaded.

The rule is that of ``verify``, as far as it concerns what is shown: of a native package the head is
proved, and nothing behind it is read.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.formats.native.payload import Nowhere
from cloacina_ctl.formats.native.reader import Package
from cloacina_ctl.formats.opening import open_any
from cloacina_ctl.manifest.graph import layers
from cloacina_ctl.manifest.model import Language
from cloacina_ctl.operations.installation.damage import damage_explained
from cloacina_ctl.runtime.scheduler.run import read_rules
from cloacina_ctl.runtime.scheduler.select import choose_workflow, needs_build, no_workflow
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification import authenticity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloacina_ctl.formats.legacy.reader import ForeignPackage
    from cloacina_ctl.manifest.model import Workflow
    from cloacina_ctl.signing.judge import KnownKey
    from cloacina_ctl.verification.authenticity import Rule


class PlannedTask(NamedTuple):
    """A task as it would run: how often at most, and under which rule, as the author wrote it."""

    id: str
    needs: tuple[str, ...]
    attempts: int
    rule: str | None


class RunPlan(NamedTuple):
    """In which order tasks would run; those of one layer can run at once.

    ``content`` is None of a project, which is no package yet.
    """

    path: str
    name: str
    version: str
    content: str | None
    workflow: str
    layers: tuple[tuple[PlannedTask, ...], ...]


def plan_run(path: str, rule: Rule, workflow: str | None = None) -> RunPlan:
    """Return in which order the tasks of the package, or the project, at ``path`` would run.

    Raises what ``verify`` raises, ``UsageError`` for a workflow that is not there, ``Incompatible``
    where there is none at all, and ``Refused`` for a trigger rule that nobody can judge.
    """
    if os.path.isdir(path):
        return _plan_project(path, rule, workflow)
    authenticity.check_rule(rule)
    known = authenticity.keys_that_count(rule)
    with damage_explained(path, rule), open_any(path, rule.limits) as package:
        if not isinstance(package, Package):
            return _plan_foreign(package, rule, known, workflow)
        authenticity.vouch(package, rule, known)
        head = package.head
        named = head.manifest.package
        if not head.manifest.workflows:
            raise no_workflow([graph.name for graph in head.manifest.graphs], path)
        found = (path, named.name, named.version, head.content)
        return _plan(found, head.manifest.workflows, workflow)


def _plan_project(folder: str, rule: Rule, workflow: str | None) -> RunPlan:
    from cloacina_ctl.operations.own_project import prepare_own

    prepared = prepare_own(folder, rule.limits)
    named, manifest = prepared.project.package, prepared.manifest
    workflows = manifest.workflows if manifest is not None else ()
    return _plan((folder, named.name, named.version, None), workflows, workflow)


def _plan_foreign(
    package: ForeignPackage, rule: Rule, known: tuple[KnownKey, ...], workflow: str | None
) -> RunPlan:
    from cloacina_ctl.inspection.legacy_contents import look_into
    from cloacina_ctl.inspection.manifest_view import view_of
    from cloacina_ctl.operations.foreign import verify_foreign

    verified = verify_foreign(package, rule, known)
    looked = look_into(package, Nowhere())  # refuses what has changed since
    view = view_of(looked)
    if not any(one.tasks for one in view.workflows):
        if view.language is Language.RUST and not view.artifacts:
            raise needs_build("sources that a server compiles", package.path)
        raise no_workflow([graph.name for graph in view.graphs], package.path)
    found = (package.path, verified.name, verified.version, verified.content)
    return _plan(found, view.workflows, workflow)


def _plan(
    found: tuple[str, str, str, str | None], workflows: Sequence[Workflow], name: str | None
) -> RunPlan:
    chosen = choose_workflow(workflows, name)
    read_rules(chosen)
    by_id = {task.id: task for task in chosen.tasks}
    planned = tuple(
        tuple(
            PlannedTask(
                id=id_,
                needs=by_id[id_].dependencies,
                attempts=by_id[id_].attempts,
                rule=by_id[id_].trigger_rules,
            )
            for id_ in layer
        )
        for layer in layers({id_: task.dependencies for id_, task in by_id.items()})
    )
    return RunPlan(*found, workflow=chosen.name or found[1], layers=planned)
