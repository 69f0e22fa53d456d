"""The answers of ``run`` as lines for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.terminal.escape import escape, shorten
from cloacina_ctl.cli.terminal.run_table import MARKS
from cloacina_ctl.cli.terminal.tasks import id_width, task_line
from cloacina_ctl.cli.terminal.units import count, seconds, size
from cloacina_ctl.errors import Code, Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.cli.terminal.render import Paint
    from cloacina_ctl.operations.run import FileAccess, GraphRan, Polled, Ran, RunPlan, TaskResult

# What libraries say where there is no network, or nothing but an empty one.
_NO_NETWORK = (
    "network is unreachable",
    "network unreachable",
    "name resolution",
    "name or service not known",
    "could not resolve",
    "failed to lookup address",
    "dns error",
    "connection refused",
    "cannot assign requested address",
    "failed to establish a new connection",
)
_TELLING = ("failed", "cancelled")
_BESIDE = "one of them may be why"  # of a session, where a process died that several tasks shared
_MAX_TASKS = 200
_SHOWN_SECONDS = 0.5  # who waited for that long wants to know for what
_MAX_VALUE_BYTES = 160
_MAX_ERROR_BYTES = 1000
_MAX_LINES = 40
_MAX_LINES_ON_A_TERMINAL = 20


def plan_lines(plan: RunPlan, paint: Paint) -> Iterator[str]:
    """Yield the tasks layer by layer: what stands in one layer can run at once."""
    tasks = sum(map(len, plan.layers))
    head = f"workflow {escape(plan.workflow)}"
    yield paint("bold", head) + f"  {count(tasks, 'task')} in {count(len(plan.layers), 'layer')}"
    width = id_width(task.id for layer in plan.layers for task in layer)
    for number, layer in enumerate(plan.layers, 1):
        for place, task in enumerate(layer):
            notes = [f"if {escape(shorten(task.rule, _MAX_VALUE_BYTES))}"] if task.rule else []
            mark = f"{number}." if not place else ""
            needs = [*map(escape, task.needs)]
            line = task_line(task.id, width, task.attempts, needs, notes, paint)
            yield f"  {mark:>3} {line}"


def plan_as_json(plan: RunPlan) -> dict[str, object]:
    """Return the plan as ``--json`` has it."""
    return {
        **package_as_json(plan),
        "workflow": plan.workflow,
        "layers": [[task.id for task in layer] for layer in plan.layers],
    }


def ran_lines(ran: Ran, paint: Paint, *, verbose: bool) -> Iterator[str]:
    """Yield the final report: how it ended, each task, the context.

    How it ended stands at the end too where the beginning may have scrolled away.
    """
    outcome = ran.outcome
    verdict = _verdict(ran, paint)
    shown, left = _most_telling(outcome.tasks, len(outcome.tasks) if verbose else _MAX_TASKS)
    width = min(max((len(escape(task.id)) for task in shown), default=0), 32)
    lines = [line for task in shown for line in _task_lines(task, width, paint)]
    if left:
        lines.append(f"  … and {count(left, 'more task')}")
    lines += context_lines(outcome.context, paint, verbose=verbose)
    yield verdict
    yield from lines
    if len(lines) > _MAX_LINES_ON_A_TERMINAL:
        yield verdict


def _verdict(ran: Ran, paint: Paint) -> str:
    outcome = ran.outcome
    style, mark = MARKS[outcome.status]
    what = escape(outcome.workflow)
    if ran.only_task is not None:
        what = f"task {escape(ran.only_task)} of {what}"
    head = f"{paint(style, mark)} {what} {outcome.status}"
    if outcome.engine is not None:
        head += f" with {outcome.engine.name} {escape(outcome.engine.version)}"
    head += f" in {seconds(outcome.seconds)}"
    proof = ran.verification
    if proof is not None and proof.seconds >= _SHOWN_SECONDS:
        head += f" (verified {size(proof.size)} in {seconds(proof.seconds)})"
    return f"{head}: {_counted(outcome.tasks)}"


def _most_telling(tasks: tuple[TaskResult, ...], room: int) -> tuple[tuple[TaskResult, ...], int]:
    """Return the first tasks, and all that did not end well; and how many more there are."""
    if len(tasks) <= room:
        return tasks, 0
    shown = tuple(task for at, task in enumerate(tasks) if at < room or task.status in _TELLING)
    return shown, len(tasks) - len(shown)


def ran_as_json(ran: Ran) -> dict[str, object]:
    """Return what ``--json`` has of a run."""
    outcome = ran.outcome
    return {
        **package_as_json(ran),
        "workflow": outcome.workflow,
        "status": outcome.status,
        "seconds": round(outcome.seconds, 6),
        **_verification_as_json(ran),
        "context": outcome.context,
        "context_of": outcome.context_of,
        "tasks": [_task_as_json(task) for task in outcome.tasks],
        "trusted_signers": list(ran.trusted_signers),
        **({} if outcome.engine is None else {"engine": outcome.engine._asdict()}),
    }


def _verification_as_json(ran: Ran) -> dict[str, object]:
    proof = ran.verification
    if proof is None:
        return {}
    return {"verification": {"bytes": proof.size, "seconds": round(proof.seconds, 6)}}


def run_problems(ran: Ran) -> tuple[Diagnostic, ...]:
    """Return an error for each task that failed, and one for an engine that did."""
    error = ran.outcome.error
    tasks = tuple(
        Diagnostic(
            Code.TASK_FAILED,
            f"the task `{task.id}` failed, {count(task.attempts, 'attempt')}: {task.error}",
            where=ran.path,
            hint=_hint(task, ran),
        )
        for task in ran.outcome.tasks
        if task.status == "failed"
    )
    if error is None:
        return tasks
    message = f"the engine did not bring the workflow to its end: {error}"
    return (Diagnostic(Code.ENGINE_FAILED, message, where=ran.path), *tasks)


def _hint(task: TaskResult, ran: Ran) -> str | None:
    if _BESIDE in (task.error or ""):
        return "--jobs 1 gives each task the process for itself, which shows the one that failed"
    refused = isolation_hint(task.error, ran.access, is_closed=ran.network_is_closed)
    if refused is not None:
        return refused
    return None if task.attempts == 1 else "the error is that of the last attempt"


def isolation_hint(error: str | None, access: FileAccess, *, is_closed: bool) -> str | None:
    """Return which option gives what an error is for want of: a file, or the network."""
    from cloacina_ctl.operations.run import refusal_hint

    hint = refusal_hint(error, access)
    if hint is not None:
        return hint
    text = (error or "").lower()
    if is_closed and any(words in text for words in _NO_NETWORK):
        return "its code has no network here: --allow-network gives it yours"
    return None


def package_as_json(of: RunPlan | Ran | Polled | GraphRan) -> dict[str, object]:
    """Return what each answer says of its package."""
    return {"path": of.path, "name": of.name, "version": of.version, "content": of.content}


def _task_as_json(task: TaskResult) -> dict[str, object]:
    found: dict[str, object] = {**task._asdict(), "seconds": round(task.seconds, 6)}
    if task.error is None:
        del found["error"]
    return found


def _counted(tasks: tuple[TaskResult, ...]) -> str:
    statuses = [task.status for task in tasks]
    if len(set(statuses)) == 1 and statuses[0] == "completed":
        return count(len(tasks), "task")
    named = ("completed", "failed", "cancelled", "skipped", "not-started")
    parts = [f"{statuses.count(one)} {one.replace('-', ' ')}" for one in named if one in statuses]
    return f"{count(len(tasks), 'task')}, {', '.join(parts)}"


def _task_lines(task: TaskResult, width: int, paint: Paint) -> Iterator[str]:
    style, mark = MARKS[task.status]
    notes = [task.status.replace("-", " ").ljust(11)]
    if task.attempts:
        notes.append(seconds(task.seconds))
    if task.attempts > 1:
        notes.append(count(task.attempts, "attempt"))
    yield f"  {paint(style, mark)} {escape(task.id).ljust(width)}  {'  '.join(notes).rstrip()}"
    if task.error is not None:
        for line in task.error.strip().splitlines()[-_MAX_LINES:] or [""]:
            yield f"      {escape(shorten(line, _MAX_ERROR_BYTES))}"


def context_lines(context: dict[str, object], paint: Paint, *, verbose: bool) -> Iterator[str]:
    """Yield a context, key by key."""
    if not context:
        return
    yield paint("bold", "context")
    for key in sorted(context):
        value, name = context[key], escape(shorten(key, _MAX_VALUE_BYTES))
        if isinstance(value, str) and "\n" in value.strip():
            yield f"  {name}"
            yield from _text_lines(value, verbose=verbose)
        else:
            yield f"  {name}  {value_text(value, verbose=verbose)}"


def _text_lines(text: str, *, verbose: bool) -> Iterator[str]:
    """Yield a text of several lines as what it is, often a report."""
    lines = text.strip("\n").split("\n")
    shown = lines if verbose else lines[:_MAX_LINES]
    for line in shown:
        yield f"    {escape(line if verbose else shorten(line, _MAX_VALUE_BYTES))}".rstrip()
    if len(lines) > len(shown):
        yield f"    … and {count(len(lines) - len(shown), 'more line')}"


def value_text(value: object, *, verbose: bool) -> str:
    """Return a JSON value on one line, short unless all of it is wanted."""
    import json

    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    # Cut before it is escaped too, for it may be as long as the memory holds.
    return escape(text) if verbose else shorten(escape(shorten(text, 4096)), _MAX_VALUE_BYTES)
