"""The context: what a task gets, and what becomes of what it returns, as in the engines.

A task that waits for nothing gets the context of the run. Any other gets what the tasks that it
waits for left behind, and nothing else. No value is changed in place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloacina_ctl.runtime.scheduler.trigger_rules import spelled

if TYPE_CHECKING:
    from collections.abc import Iterable

    Context = dict[str, Any]

# What the engines' JSON reader takes.
MAX_DEPTH = 128


def merged(contexts: Iterable[Context]) -> Context:
    """Return all of them in one: objects merge, lists join without repeating, else the last wins.

    Source: ``merge_context_values`` of the engines' executor.
    """
    return _merged(list(contexts), MAX_DEPTH)


def overlaid(contexts: Iterable[Context]) -> Context:
    """Return all of them in one, where for each key the last wins: what trigger rules look at."""
    result: Context = {}
    for context in contexts:
        result.update(context)
    return result


def _merged(objects: list[Context], depth: int) -> Context:
    """Return the objects in one, each key over all of them at once: lists may be many and long."""
    values: dict[str, list[Any]] = {}
    for one in objects:
        for key, value in one.items():
            values.setdefault(key, []).append(value)
    return {key: _joined(found, depth) for key, found in values.items()}


def _joined(values: list[Any], depth: int) -> Any:  # noqa: ANN401 - JSON
    """Return what becomes of values of one key, the last of which decides by its kind.

    A list joins lists, and an object objects, back to the first that is neither.
    """
    last = values[-1]
    kind = list if isinstance(last, list) else dict if isinstance(last, dict) and depth else None
    if kind is None or len(values) == 1:
        return last
    start = len(values)
    while start and isinstance(values[start - 1], kind):
        start -= 1
    alike = values[start:]
    if len(alike) == 1:
        return last
    return _merged(alike, depth - 1) if kind is dict else _without_repeats(alike)


def _without_repeats(lists: list[list[Any]]) -> list[Any]:
    """Return the first list whole, and of the others what was not there before."""
    result = list(lists[0])
    seen = set(map(spelled, result))
    for other in lists[1:]:
        for one in other:
            text = spelled(one)
            if text not in seen:
                seen.add(text)
                result.append(one)
    return result
