"""``run --plan``: in which order tasks would run, from the manifest alone; nothing is loaded.

The rule is that of ``verify``, as far as it concerns what is shown: of a native package the head is
proved, and nothing behind it is read.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.formats.package import PackageIdentity
from cloacina_ctl.manifest.graph import layers
from cloacina_ctl.manifest.model import Language
from cloacina_ctl.operations.installation.damage import explain_damage
from cloacina_ctl.runtime.scheduler.run import read_rules
from cloacina_ctl.runtime.scheduler.select import choose_workflow, needs_build, no_workflow
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification.verify import verifying

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloacina_ctl.manifest.model import Workflow
    from cloacina_ctl.verification.policy import VerificationPolicy
    from cloacina_ctl.verification.verify import Proof


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


def plan_run(path: str, rule: VerificationPolicy, workflow: str | None = None) -> RunPlan:
    """Return in which order the tasks of the package, or the project, at ``path`` would run.

    Raises what ``verify`` raises, ``UsageError`` for a workflow that is not there, ``Incompatible``
    where there is none at all, and ``Refused`` for a trigger rule that cannot be evaluated.
    """
    if os.path.isdir(path):
        return _plan_project(path, rule, workflow)
    with explain_damage(path, rule), verifying(path, rule) as proof:
        if proof.native is None:
            return _plan_legacy(proof, workflow)
        manifest = proof.native.head.manifest
        if not manifest.workflows:
            raise no_workflow([graph.name for graph in manifest.graphs], path)
        return _plan(proof.identity, manifest.workflows, workflow)


def _plan_project(folder: str, rule: VerificationPolicy, workflow: str | None) -> RunPlan:
    from cloacina_ctl.operations.own_project import prepare_own

    prepared = prepare_own(folder, rule.limits)
    named, manifest = prepared.project.package, prepared.manifest
    workflows = manifest.workflows if manifest is not None else ()
    identity = PackageIdentity(folder, "project", named.name, named.version, "")
    return _plan(identity, workflows, workflow)


def _plan_legacy(proof: Proof, workflow: str | None) -> RunPlan:
    from cloacina_ctl.inspection.legacy_contents import read_contents
    from cloacina_ctl.inspection.manifest_view import view_of

    read = read_contents(proof)
    view, identity = view_of(read), read.evidence.identity
    if not any(one.tasks for one in view.workflows):
        if view.language is Language.RUST and not view.artifacts:
            raise needs_build("sources that a server compiles", identity.path)
        raise no_workflow([graph.name for graph in view.graphs], identity.path)
    return _plan(identity, view.workflows, workflow)


def _plan(package: PackageIdentity, workflows: Sequence[Workflow], name: str | None) -> RunPlan:
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
    return RunPlan(
        path=package.path,
        name=package.name,
        version=package.version,
        content=package.content or None,
        workflow=chosen.name or package.name,
        layers=planned,
    )
