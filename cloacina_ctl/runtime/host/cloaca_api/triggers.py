"""``@cloaca.trigger``, and the result of a trigger's function."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from cloacina_ctl.runtime.host.cloaca_api.context import Context, json_value
from cloacina_ctl.runtime.host.cloaca_api.registry import REGISTRY, DeclaredTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

    F = TypeVar("F", bound=Callable[[], object])

_DURATION = re.compile(r"[0-9]+(?:ms|s|m|h)")


class TriggerResult:
    """Whether a trigger fires, and with which context: made by ``fire`` or ``skip``.

    Releases up to 0.5 have ``TriggerResult(should_fire=True, context={...})`` instead.
    """

    def __init__(self, should_fire: bool = False, context: object = None) -> None:  # noqa: FBT001
        self.should_fire = should_fire
        self.context = context

    @staticmethod
    def fire(context: object = None) -> TriggerResult:
        """Return the result of a trigger that fires."""
        return TriggerResult(should_fire=True, context=context)

    @staticmethod
    def skip() -> TriggerResult:
        """Return the result of a trigger that does not fire."""
        return TriggerResult()

    def is_fire_result(self) -> bool:
        """Return whether it fires."""
        return bool(self.should_fire)

    def is_skip_result(self) -> bool:
        """Return whether it does not fire."""
        return not self.should_fire

    def __repr__(self) -> str:
        if not self.should_fire:
            return "TriggerResult.Skip"
        return f"TriggerResult.Fire({'None' if self.context is None else '<context>'})"


def trigger(
    *,
    name: str | None = None,
    on: str | None = None,
    poll_interval: str | None = None,
    cron: str | None = None,
    timezone: str | None = None,  # noqa: ARG001 - given
    allow_concurrent: bool = False,
) -> Callable[[F], F]:
    """Return the decorator that declares a function as a trigger."""
    if cron is not None and poll_interval is not None:
        raise ValueError("a trigger has a `cron` or a `poll_interval`, not both")
    if cron is not None and on is None:
        raise ValueError("a trigger with `cron` needs `on`, the workflow that it starts")
    interval = None if cron is not None else poll_interval or "30s"
    if interval is not None and _DURATION.fullmatch(interval.strip()) is None:
        raise ValueError(f"`poll_interval` is a time such as 100ms, 30s, 5m or 1h, not: {interval}")

    def declare(function: F) -> F:
        declared = DeclaredTrigger(
            name=name if name is not None else function.__name__,
            function=function,
            on=on,
            poll_interval=interval,
            cron=cron,
            allow_concurrent=bool(allow_concurrent),
        )
        REGISTRY.triggers[declared.name] = declared
        return function

    return declare


def polled(result: object) -> tuple[bool, dict[str, Any] | None]:
    """Return whether a trigger fires, and its context. Raises ``TypeError`` for other results."""
    if isinstance(result, bool):
        return result, None
    if not isinstance(result, TriggerResult):
        raise TypeError(f"a trigger returns a TriggerResult, not {type(result).__name__}")
    context = result.context
    if isinstance(context, Context):
        context = context.to_dict()
    if context is not None and not isinstance(context, dict):
        raise TypeError(f"a trigger fires with a Context, not {type(context).__name__}")
    fires = bool(result.should_fire)
    return fires, json_value(context) if fires and context is not None else None
