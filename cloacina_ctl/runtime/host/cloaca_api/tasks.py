"""``@cloaca.task``, and the handle that a task can take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from cloacina_ctl.runtime.host.cloaca_api import retry as policies
from cloacina_ctl.runtime.host.cloaca_api.registry import REGISTRY, DeclaredTask
from cloacina_ctl.runtime.host.cloaca_api.rules import rule_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    F = TypeVar("F", bound=Callable[..., object])

_HANDLES = ("handle", "task_handle")


class TaskHandle:
    """The second argument of a task with a parameter ``handle``: it waits for a condition."""

    def defer_until(self, condition: Callable[[], object], poll_interval_ms: int = 1000) -> None:
        """Wait until ``condition`` returns true."""
        while condition() is not True:
            time.sleep(poll_interval_ms / 1000)

    def is_slot_held(self) -> bool:
        """Return whether the task holds its slot; here it always does."""
        return True


def task(  # noqa: PLR0913 - the signature is given
    *,
    id: str | None = None,  # noqa: A002 - given
    dependencies: Iterable[object] | None = None,
    retry: policies.RetryPolicy | None = None,
    retry_attempts: int | None = None,
    retry_backoff: str | None = None,
    retry_delay_ms: int | None = None,
    retry_max_delay_ms: int | None = None,
    retry_condition: str | None = None,
    retry_jitter: bool | None = None,
    on_success: Callable[..., object] | None = None,
    on_failure: Callable[..., object] | None = None,
    invokes: object = None,
    post_invocation: Callable[..., object] | None = None,
    trigger_rules: object = None,
) -> Callable[[F], F]:
    """Return the decorator that declares a function as a task of the package's workflow."""
    keywords: dict[str, Any] = {
        "retry_attempts": retry_attempts,
        "retry_backoff": retry_backoff,
        "retry_delay_ms": retry_delay_ms,
        "retry_max_delay_ms": retry_max_delay_ms,
        "retry_condition": retry_condition,
        "retry_jitter": retry_jitter,
    }
    settings = policies.settings_of(retry, keywords)
    rule = None if trigger_rules is None else rule_of(trigger_rules)
    needs = tuple(dependencies or ())

    def declare(function: F) -> F:
        names = REGISTRY.names()
        if post_invocation is not None and invokes is None:
            raise ValueError("`post_invocation` follows a graph: name one with `invokes`")
        declared = DeclaredTask(
            id=id if id is not None else function.__name__,
            names=names,
            function=function,
            dependencies=tuple(map(_name_of, needs)),
            retry=settings,
            trigger_rules=rule,
            takes_handle=_takes_handle(function),
            on_success=on_success,
            on_failure=on_failure,
            invokes=None if invokes is None else _graph_of(invokes),
            post_invocation=post_invocation,
        )
        REGISTRY.tasks[names, declared.id] = declared
        return function

    return declare


def _name_of(dependency: object) -> str:
    """Return the id of a dependency: of a function its name, not its task's id."""
    name = dependency if isinstance(dependency, str) else getattr(dependency, "__name__", None)
    if not isinstance(name, str):
        raise TypeError(
            "a dependency of a task is a string or the function of a task, not a "
            f"{type(dependency).__name__}"
        )
    return name


def _takes_handle(function: Callable[..., object]) -> bool:
    code = function.__code__
    return code.co_argcount >= 2 and code.co_varnames[1] in _HANDLES


def _graph_of(invokes: object) -> str:
    name = getattr(invokes, "NAME", None)
    if not isinstance(name, str):
        raise TypeError(
            f"`invokes` takes a ComputationGraphBuilder, not a {type(invokes).__name__}"
        )
    graph = REGISTRY.graphs.get(name)
    if graph is None:
        raise ValueError(
            f"no graph `{name}` yet: its `with` block must end before the task that invokes it"
        )
    if graph.reactor is not None:
        raise ValueError(f"`{name}` has a reactor, and a task can only invoke graphs without one")
    return name
