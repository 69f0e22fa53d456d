"""Whether the manifest says what the loaded code says: the manifest cannot lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic
from cloacina_ctl.runtime.trigger_rules import BadRule, read_rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.manifest.model import Interface, Workflow
    from cloacina_ctl.runtime.described import Described


def disagreements(
    workflow: Workflow | None,
    interface: Interface | None,
    described: Described,
    where: str | None,
    *,
    said_by: str = "the manifest",
) -> tuple[Diagnostic, ...]:
    """Return each point in which the code is not what the manifest says of it.

    ``workflow`` and ``interface`` are the manifest's, or those of whatever ``said_by`` names; what
    it does not say is not compared.
    """
    words = [*_of_interface(interface, described, said_by)]
    if workflow is not None:
        words += _of_workflow(workflow, described, said_by)
    hint = "package the project again"
    return tuple(Diagnostic(Code.CODE_DISAGREES, one, where, hint) for one in words)


def _of_interface(said: Interface | None, described: Described, said_by: str) -> Iterator[str]:
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


def _of_workflow(said: Workflow, described: Described, said_by: str) -> Iterator[str]:
    if described.workflow is not None and described.workflow != said.name:
        yield f"the workflow is `{described.workflow}`, and {said_by} says `{said.name}`"
    # The nodes that a server makes: the code tells them apart from its tasks, a manifest may not.
    made = set(described.constructors)
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
    yield from _of_rules_and_retries(said, described, said_by)
    fingerprints = (described.fingerprint, said.fingerprint)
    if None not in fingerprints and fingerprints[0] != fingerprints[1]:
        yield f"the fingerprint is {fingerprints[0]}, and {said_by} says {fingerprints[1]}"


def _of_rules_and_retries(said: Workflow, described: Described, said_by: str) -> Iterator[str]:
    """Yield what differs where both say it: what only running the source would tell, neither is."""
    told = {task.id: task for task in described.tasks}
    for task in said.tasks:
        code = told.get(task.id)
        if code is None:
            continue
        if _differ(task.trigger_rules, code.trigger_rules):
            yield (
                f"the trigger rule of the task `{task.id}` is {code.trigger_rules:.200}, and "
                f"{said_by} says {task.trigger_rules or 'none':.200}"
            )
        if None not in (task.retry, code.retry) and task.retry != code.retry:
            yield f"the retry settings of the task `{task.id}` are not those of {said_by}"


def _differ(claimed: str | None, true: str | None) -> bool:
    """Tell whether two rules that can be read are not the same; none is `always`."""
    if true is None:  # a release that does not say them
        return False
    try:
        return (read_rule(claimed) if claimed else None) != read_rule(true)
    except BadRule:
        return False


def rule_that_runs(written: str | None, true: str | None) -> str | None:
    """Return the trigger rule for a manifest: as it is written, or as the code has it.

    The code has the say where nothing is written, or what only compiling it would tell.
    """
    if true is None:  # a release that does not say them
        return written
    try:
        if written is not None:
            read_rule(written)
            return written
    except BadRule:
        pass
    return true if _differ(None, true) else None


def _list(names: set[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(names)) or "nothing"
