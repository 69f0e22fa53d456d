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
    workflow: Workflow | None, interface: Interface | None, described: Described, where: str | None
) -> tuple[Diagnostic, ...]:
    """Return each point in which the code is not what the manifest says of it.

    ``workflow`` and ``interface`` are the manifest's; what it does not say is not compared.
    """
    words = [*_of_interface(interface, described)]
    if workflow is not None:
        words += _of_workflow(workflow, described)
    hint = "package the project again"
    return tuple(Diagnostic(Code.CODE_DISAGREES, one, where, hint) for one in words)


def _of_interface(said: Interface | None, described: Described) -> Iterator[str]:
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
            yield f"the {what} is {true}, and the manifest says {claimed}"
    if found.methods and said.methods and found.methods != said.methods:
        yield f"its methods are {_list(found.methods)}, and the manifest says {_list(said.methods)}"


def _of_workflow(said: Workflow, described: Described) -> Iterator[str]:
    if described.workflow is not None and described.workflow != said.name:
        yield f"the workflow is `{described.workflow}`, and the manifest says `{said.name}`"
    claimed = {task.id: set(task.dependencies) for task in said.tasks}
    true = {task.id: set(task.dependencies) for task in described.tasks}
    for id_ in sorted(claimed.keys() - true.keys()):
        yield f"the manifest has a task that the code does not have: {id_}"
    for id_ in sorted(true.keys() - claimed.keys()):
        yield f"the code has a task that the manifest does not have: {id_}"
    for id_ in sorted(true.keys() & claimed.keys()):
        if true[id_] != claimed[id_]:
            yield (
                f"the task `{id_}` waits for {_list(true[id_])}, and the manifest says "
                f"{_list(claimed[id_])}"
            )
    yield from _of_rules_and_retries(said, described)
    fingerprints = (described.fingerprint, said.fingerprint)
    if None not in fingerprints and fingerprints[0] != fingerprints[1]:
        yield f"the fingerprint is {fingerprints[0]}, and the manifest says {fingerprints[1]}"


def _of_rules_and_retries(said: Workflow, described: Described) -> Iterator[str]:
    """Yield what differs where both say it: what only running the source would tell, neither is."""
    told = {task.id: task for task in described.tasks}
    for task in said.tasks:
        code = told.get(task.id)
        if code is None:
            continue
        if _differ(task.trigger_rules, code.trigger_rules):
            yield (
                f"the trigger rule of the task `{task.id}` is {code.trigger_rules:.200}, and the "
                f"manifest says {task.trigger_rules or 'none':.200}"
            )
        if None not in (task.retry, code.retry) and task.retry != code.retry:
            yield f"the retry settings of the task `{task.id}` are not those of the manifest"


def _differ(claimed: str | None, true: str | None) -> bool:
    """Tell whether two rules that can be read are not the same; none is `always`."""
    if true is None:  # a release that does not say them
        return False
    try:
        return (read_rule(claimed) if claimed else None) != read_rule(true)
    except BadRule:
        return False


def _list(names: set[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(names)) or "nothing"
