"""Checks the answers of a child process: untrusted data of any shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from cloacina_ctl.errors import CloacinaError, Code, Incompatible, Refused
from cloacina_ctl.manifest.model import Retry
from cloacina_ctl.platforms.library import METHODS
from cloacina_ctl.runtime.metadata import (
    DescribedGraph,
    DescribedInput,
    DescribedInterface,
    DescribedReactor,
    DescribedTask,
    DescribedTrigger,
    GraphOutcome,
    Isolation,
    PackageMetadata,
    TaskOutcome,
)
from cloacina_ctl.runtime.process.results import BadResult, context_of, output_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    T = TypeVar("T")

MAX_ERROR = 4096
_MAX_NUMBER = (1 << 64) - 1
_LOAD_CODES = {
    code.value: code
    for code in (
        Code.NO_PLUGIN, Code.LOAD_FAILED, Code.UNKNOWN_ABI, Code.PLUGIN_ANSWER, Code.SHADOWED_NAME,
        Code.ENTRY_MODULE_MISSING, Code.NO_PYTHON_TASK, Code.UNKNOWN_DEPENDENCY, Code.CYCLE,
        Code.NO_ENGINE, Code.NOT_ISOLATED,
    )
}  # fmt: skip


_OF_THE_MACHINE = (Code.UNKNOWN_ABI, Code.NO_ENGINE, Code.NOT_ISOLATED)


class Fate(Protocol):
    """Why there is no answer."""

    words: str
    crashed: bool
    timed_out: bool


class _Odd(Exception):
    """An answer of the wrong shape; the text names the part."""


def oddness_of(answer: dict[str, Any]) -> str | None:
    """Return what is wrong with an answer without a result; None for a well-formed failure."""
    if "ok" in answer:
        return "the result of an answer is not an object"
    if "failed" not in answer:
        return "an answer without a result and without a failure"
    failed = answer["failed"]
    message = failed.get("message") if isinstance(failed, dict) else None
    return None if isinstance(message, str) else "a failure without a message"


def failure_of(answer: dict[str, Any], where: str | None) -> CloacinaError:
    """Return the error for a package that the child could not load."""
    odd = oddness_of(answer)
    if odd is not None:
        message = f"it cannot be loaded: it broke the protocol: {odd}"
        return Refused.of(Code.LOAD_FAILED, message, where=where)
    said = answer["failed"]
    code = _LOAD_CODES.get(str(said.get("code")), Code.LOAD_FAILED)
    hint = said.get("hint")
    kind = Incompatible if code in _OF_THE_MACHINE else Refused
    return kind.of(
        code,
        plain(said["message"]),
        where=where,
        hint=plain(hint) if isinstance(hint, str) else None,
    )


def isolation_of(said: object) -> Isolation:
    """Return the isolation that the child reports; what it does not report is missing."""
    if not isinstance(said, dict):
        return Isolation(missing=("a report of its isolation",))
    return Isolation(
        missing=_texts(said, "missing"),
        network_closed=said.get("network_closed") is True,
        memory_together=said.get("memory_together") is True,
    )


def metadata_of(said: object, where: str | None) -> PackageMetadata:
    """Return the metadata of the code. Raises ``Refused`` where it is malformed."""
    try:
        return _described(_object(said, "the description"))
    except _Odd as error:
        raise Refused.of(
            Code.PLUGIN_ANSWER, f"its metadata is malformed: {error}",
            where=where,
        ) from error  # fmt: skip


def outcome_of(answer: dict[str, Any], fate: Fate | None) -> TaskOutcome:
    """Return the outcome of a call that returns a context."""
    if fate is not None:
        return TaskOutcome(
            succeeded=False,
            context=None,
            error=fate.words,
            crashed=fate.crashed,
            timed_out=fate.timed_out,
        )
    error, text = answer.get("error"), answer.get("context")
    odd = _odd_outcome(answer)
    if odd is not None:
        error = f"it broke the protocol: {odd}"
    elif answer.get("succeeded") is not True:
        error = plain(error) if error is not None else "it gave no reason"
    elif text is None:
        return TaskOutcome(succeeded=True, context=None, error=None)
    else:
        try:
            return TaskOutcome(succeeded=True, context=context_of(text), error=None)
        except BadResult as why:
            error = str(why)
    return TaskOutcome(succeeded=False, context=None, error=error)


def _odd_outcome(answer: dict[str, Any]) -> str | None:
    """Return what is wrong with the outcome of a call."""
    if not isinstance(answer.get("succeeded"), bool) and "error" not in answer:
        return "a result without success or failure"
    if not isinstance(answer.get("error"), str | None):
        return "an error that is not a string"
    if not isinstance(answer.get("context"), str | None):
        return "a context that is not a string"
    return None


def graph_outcome_of(answer: dict[str, Any], fate: Fate | None) -> GraphOutcome:
    """Return the outcome of a call of a graph."""
    ended = outcome_of({**answer, "context": None}, fate)
    outputs = answer.get("outputs") if ended.succeeded else None
    if not isinstance(outputs, list | None):
        words = "it broke the protocol: outputs that are not a list"
        return GraphOutcome(succeeded=False, outputs=(), error=words)
    try:
        values = tuple(map(output_of, outputs or ()))
    except BadResult as why:
        return GraphOutcome(succeeded=False, outputs=(), error=str(why))
    return GraphOutcome(
        succeeded=ended.succeeded,
        outputs=values,
        error=ended.error,
        crashed=ended.crashed,
        timed_out=ended.timed_out,
    )


def plain(text: str) -> str:
    """Return untrusted text, shortened and without halves of surrogate pairs."""
    return text[:MAX_ERROR].encode("utf-8", "replace").decode()


def _described(said: dict[str, Any]) -> PackageMetadata:
    graph = said.get("graph")
    workflow, package = _maybe(said, "workflow"), _maybe(said, "package")
    tasks = _each(said, "tasks", lambda one: _task(one, (package, workflow)))
    if len({task.id for task in tasks}) != len(tasks):
        raise _Odd("two tasks with the same id")
    return PackageMetadata(
        interface=_interface(_object(said.get("interface"), "the interface")),
        workflow=workflow,
        package=package,
        description=_maybe(said, "description"),
        author=_maybe(said, "author"),
        fingerprint=_maybe(said, "fingerprint"),
        tasks=tasks,
        workflow_triggers=_texts(said, "workflow_triggers"),
        triggers=_each(said, "triggers", _trigger),
        graph=None if graph is None else _graph(_object(graph, "the graph")),
        reactors=_each(said, "reactors", _reactor),
        callable_graphs=_texts(said, "callable_graphs"),
        inputs=_each(said, "inputs", lambda one: tuple(sorted(_pairs(one, "an input")))),
        constructors=_each(said, "constructors", lambda one: _task(one, (package, workflow))),
        engine=_maybe(said, "engine"),
    )


def _interface(said: dict[str, Any]) -> DescribedInterface:
    return DescribedInterface(
        kind=_text(said, "kind"),
        abi=_number(said, "abi"),
        version=_number(said, "version"),
        hash=_maybe(said, "hash"),
        wire=_maybe(said, "wire"),
        plugin=_maybe(said, "plugin"),
        methods=tuple(map(_method, _list(said, "slots"))),
    )


def _method(slot: object) -> str:
    if not isinstance(slot, int):
        raise _Odd("a method that is not a number")
    return METHODS[slot] if 0 <= slot < len(METHODS) else f"method_{slot}"


def _task(said: dict[str, Any], own_names: tuple[str | None, str | None]) -> DescribedTask:
    own, others = _dependencies(_texts(said, "dependencies"), own_names)
    retry = said.get("retry")
    return DescribedTask(
        id=_text(said, "id"),
        dependencies=own,
        others=others,
        description=_maybe(said, "description"),
        source=_maybe(said, "source"),
        trigger_rules=_maybe(said, "trigger_rules"),
        needs_handle=said.get("needs_handle") is True,
        retry=None if retry is None else _retry(_object(retry, "a retry policy")),
    )


def _dependencies(
    names: Iterable[str], own_names: tuple[str | None, str | None]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Separate ids of this workflow, full or not, from full names of tasks elsewhere."""
    own: list[str] = []
    others: list[str] = []
    for name in names:
        *_, package, workflow, id_ = ["", "", *name.split("::")]
        is_own = "::" not in name or (package, workflow) == own_names
        (own if is_own else others).append(id_ if is_own else name)
    return tuple(dict.fromkeys(own)), tuple(others)


def _retry(said: dict[str, Any]) -> Retry:
    attempts, delay, longest = (
        _number(said, name) for name in ("attempts", "delay_ms", "max_delay_ms")
    )
    if attempts is None or delay is None or longest is None:
        raise _Odd("a retry policy without its numbers")
    return Retry(
        attempts=attempts,
        backoff=_text(said, "backoff"),
        delay_ms=delay,
        max_delay_ms=longest,
        jitter=said.get("jitter") is True,
        condition=_text(said, "condition"),
    )


def _trigger(said: dict[str, Any]) -> DescribedTrigger:
    return DescribedTrigger(
        name=_text(said, "name"),
        workflow=_maybe(said, "workflow"),
        poll_interval=_maybe(said, "poll_interval"),
        cron=_maybe(said, "cron"),
        allow_concurrent=said.get("allow_concurrent") is True,
    )


def _graph(said: dict[str, Any]) -> DescribedGraph:
    return DescribedGraph(
        name=_text(said, "name"),
        reaction_mode=_text(said, "reaction_mode"),
        input_strategy=_text(said, "input_strategy"),
        inputs=_each(said, "inputs", _input),
        reactor=_maybe(said, "reactor"),
        graph=_maybe(said, "graph"),
    )


def _reactor(said: dict[str, Any]) -> DescribedReactor:
    return DescribedReactor(
        name=_text(said, "name"),
        reaction_mode=_text(said, "reaction_mode"),
        inputs=_each(said, "inputs", _input),
    )


def _input(said: dict[str, Any]) -> DescribedInput:
    config = _object(said.get("config"), "a configuration")
    return DescribedInput(
        name=_text(said, "name"),
        type=_text(said, "type"),
        config=tuple(sorted(_pairs(config, "a configuration"))),
    )


def _pairs(said: dict[str, Any], what: str) -> list[tuple[str, str]]:
    if not all(isinstance(value, str) for value in said.values()):
        raise _Odd(f"{what} that holds more than strings")
    return list(said.items())


def _each(said: dict[str, Any], name: str, make: Callable[[dict[str, Any]], T]) -> tuple[T, ...]:
    return tuple(make(_object(one, name)) for one in _list(said, name))


def _texts(said: dict[str, Any], name: str) -> tuple[str, ...]:
    values = _list(said, name)
    if not all(isinstance(value, str) for value in values):
        raise _Odd(f"{name} that are not strings")
    return tuple(values)


def _list(said: dict[str, Any], name: str) -> list[Any]:
    value = said.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _Odd(f"{name} that are not a list")
    return value


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Odd(f"{what} is not an object")
    return value


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str):
        raise _Odd(f"{name} is not a string")
    return value


def _maybe(said: dict[str, Any], name: str) -> str | None:
    return None if said.get(name) is None else _text(said, name)


def _number(said: dict[str, Any], name: str) -> int | None:
    value = said.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise _Odd(f"{name} is not a number")
    if value is not None and abs(value) > _MAX_NUMBER:
        raise _Odd(f"{name} is beyond 64 bits")
    return value
