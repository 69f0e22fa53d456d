"""The context: what a task gets, and what becomes of what it returns, as in the engines.

A task that waits for nothing gets the context of the run. Any other gets what the tasks that it
waits for left behind, and nothing else. No value is changed in place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloacina_ctl.runtime.trigger_rules import spelled

if TYPE_CHECKING:
    from collections.abc import Iterable

    Context = dict[str, Any]

# What the engines' JSON reader takes.
MAX_DEPTH = 128


def merged(contexts: Iterable[Context]) -> Context:
    """Return all of them in one: objects merge, lists join without repeating, else the last wins.

    Source: ``merge_context_values`` of the engines' executor.
    """
    result: Context = {}
    for context in contexts:
        for key, value in context.items():
            result[key] = _both(result[key], value, MAX_DEPTH) if key in result else value
    return result


def overlaid(contexts: Iterable[Context]) -> Context:
    """Return all of them in one, where for each key the last wins: what trigger rules look at."""
    result: Context = {}
    for context in contexts:
        result.update(context)
    return result


def _both(first: Any, second: Any, depth: int) -> Any:  # noqa: ANN401 - JSON
    if isinstance(first, list) and isinstance(second, list):
        seen = set(map(spelled, first))
        return first + [one for one in second if not _seen(one, seen)]
    if isinstance(first, dict) and isinstance(second, dict) and depth:
        result = dict(first)
        for key, value in second.items():
            result[key] = _both(first[key], value, depth - 1) if key in first else value
        return result
    return second


def _seen(one: object, seen: set[str]) -> bool:
    text = spelled(one)
    if text in seen:
        return True
    seen.add(text)
    return False
