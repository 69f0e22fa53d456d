"""Compares the manifest with the loaded code, so that a false manifest is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic
from cloacina_ctl.runtime.metadata import params_of, trigger_of
from cloacina_ctl.runtime.scheduler.trigger_rules import BadRule, read_rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.manifest.model import Interface, Trigger, Workflow
    from cloacina_ctl.runtime.metadata import PackageMetadata

_ALWAYS = "always"


def disagreements(
    workflow: Workflow | None,
    interface: Interface | None,
    described: PackageMetadata,
    where: str | None,
    *,
    said_by: str = "the manifest",
    complete: bool = False,
) -> tuple[Diagnostic, ...]:
    """Return each difference between the manifest and the loaded code.

    ``workflow`` and ``interface`` come from the manifest, or from the source that ``said_by``
    names. Only what both sides state is compared. ``complete`` means that the manifest was made
    from the loaded code, so that a task without a trigger rule always runs.
    """
    words = [*_of_interface(interface, described, said_by)]
    if workflow is not None:
        words += _of_workflow(workflow, described, said_by)
        words += _of_rules(workflow, described, said_by, complete=complete)
        words += _of_retries(workflow, described, said_by)
        words += _of_triggers(workflow, described, said_by)
        words += _of_params(workflow, described, said_by)
    hint = "package the project again"
    return tuple(Diagnostic(Code.CODE_DISAGREES, one, where, hint) for one in words)


def _of_interface(
    said: Interface | None, described: PackageMetadata, said_by: str
) -> Iterator[str]:
    if said is None:
        return
    found = described.interface
    for what, claimed, true in (
        ("kind of its interface", said.kind, found.kind),
        ("ABI", said.abi, found.abi),
        ("version of its interface", said.version, found.version),
        ("hash of its interface", said.hash, found.hash),
        ("wire format", said.wire, found.wire),
        ("name of its plugin", said.plugin, found.plugin),
    ):
        if claimed is not None and true is not None and claimed != true:
            yield f"the {what} is {true}, and {said_by} says {claimed}"
    if found.methods and said.methods and found.methods != said.methods:
        yield f"its methods are {_list(found.methods)}, and {said_by} says {_list(said.methods)}"


def _of_workflow(said: Workflow, described: PackageMetadata, said_by: str) -> Iterator[str]:
    if described.workflow is not None and described.workflow != said.name:
        yield f"the workflow is `{described.workflow}`, and {said_by} says `{said.name}`"
    # Nodes that a server makes: the code separates them from its tasks, a manifest may not.
    made = {task.id for task in described.constructors}
    claimed = {t.id: set(t.dependencies) - made for t in said.tasks if t.id not in made}
    true = {task.id: set(task.dependencies) - made for task in described.tasks}
    for id_ in sorted(claimed.keys() - true.keys()):
        yield f"{said_by} has a task that the code does not have: {id_}"
    for id_ in sorted(true.keys() - claimed.keys()):
        yield f"the code has a task that {said_by} does not have: {id_}"
    for id_ in sorted(true.keys() & claimed.keys()):
        if true[id_] != claimed[id_]:
            yield (
                f"the task `{id_}` waits for {_list(true[id_])}, and {said_by} says "
                f"{_list(claimed[id_])}"
            )
    fingerprints = (described.fingerprint, said.fingerprint)
    if None not in fingerprints and fingerprints[0] != fingerprints[1]:
        yield f"the fingerprint is {fingerprints[0]}, and {said_by} says {fingerprints[1]}"


def _of_rules(
    said: Workflow, described: PackageMetadata, said_by: str, *, complete: bool
) -> Iterator[str]:
    in_code = {task.id: task.trigger_rules for task in described.tasks}
    for task in said.tasks:
        true = in_code.get(task.id)
        if _differ(task.trigger_rules or (_ALWAYS if complete else None), true):
            yield (
                f"the trigger rule of the task `{task.id}` is {true:.200}, and {said_by} says "
                f"{task.trigger_rules or 'none':.200}"
            )


def _differ(claimed: str | None, true: str | None) -> bool:
    """Return whether both rules are stated and readable, and differ."""
    if claimed is None or true is None:
        return False
    try:
        return read_rule(claimed) != read_rule(true)
    except BadRule:
        return False


def _of_retries(said: Workflow, described: PackageMetadata, said_by: str) -> Iterator[str]:
    in_code = {task.id: task.retry for task in described.tasks}
    for task in said.tasks:
        if None not in (task.retry, in_code.get(task.id)) and task.retry != in_code[task.id]:
            yield f"the retry settings of the task `{task.id}` are not those of {said_by}"


def _of_triggers(said: Workflow, described: PackageMetadata, said_by: str) -> Iterator[str]:
    """Yield the differences of triggers that both sides have; code states no time zone."""
    in_code = {trigger.name: trigger_of(trigger) for trigger in described.triggers}
    for trigger in said.triggers:
        code = in_code.get(trigger.name)
        claimed, true = _fires(trigger), _fires(code) if code is not None else None
        if None not in (claimed, true) and claimed != true:
            yield f"the trigger `{trigger.name}` is {true}, and {said_by} says {claimed}"


def _fires(trigger: Trigger) -> str | None:
    """Return when a trigger fires, in words; None where that is not known."""
    together = ", also while a run lasts" if trigger.allow_concurrent else ""
    if trigger.cron is not None:
        return f"`{trigger.cron}`{together}"
    every = trigger.poll_interval_ms
    return None if every is None else f"polled every {every} ms{together}"


def _of_params(said: Workflow, described: PackageMetadata, said_by: str) -> Iterator[str]:
    """Yield the differences of parameters; types are not compared: code names them differently."""
    in_code = params_of(described)
    if not said.params or not in_code:
        return
    claimed = {param.name: param.default is None for param in said.params}
    true = {param.name: param.default is None for param in in_code}
    if claimed.keys() != true.keys():
        yield f"its parameters are {_list({*true})}, and {said_by} says {_list({*claimed})}"
        return
    for name in sorted(name for name, required in true.items() if claimed[name] is not required):
        is_so, is_said = ("required" if one[name] else "optional" for one in (true, claimed))
        yield f"the parameter `{name}` is {is_so}, and {said_by} says that it is {is_said}"


def rule_that_runs(written: str | None, true: str | None) -> str | None:
    """Return the trigger rule for a manifest: as the source has it, or else as the code has it.

    The code decides where the source has no rule, or one that is known only once it is compiled.
    """
    if true is None:  # a release whose libraries do not state rules
        return written
    try:
        if written is not None:
            read_rule(written)
            return written
    except BadRule:
        pass
    return true if _differ(_ALWAYS, true) else None


def _list(names: set[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(names)) or "nothing"
