"""The context: the input of a task, and the merging of returned contexts, as in the engines.

A task without dependencies gets the context of the run. Any other gets only the merged contexts of
its dependencies. No value is changed in place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloacina_ctl.runtime.scheduler.trigger_rules import spelled

if TYPE_CHECKING:
    from collections.abc import Iterable

    Context = dict[str, Any]

# The limit of the engines' JSON reader.
MAX_DEPTH = 128


def merged(contexts: Iterable[Context]) -> Context:
    """Return one merged context: objects merge, lists join without repeats, else the last wins.

    Source: ``merge_context_values`` of the engines' executor.
    """
    return _merged(list(contexts), MAX_DEPTH)


def overlaid(contexts: Iterable[Context]) -> Context:
    """Return one context in which the last value of each key wins: the input of trigger rules."""
    result: Context = {}
    for context in contexts:
        result.update(context)
    return result


def _merged(objects: list[Context], depth: int) -> Context:
    """Merge the objects, each key in all of them at once: there may be many long lists."""
    values: dict[str, list[Any]] = {}
    for one in objects:
        for key, value in one.items():
            values.setdefault(key, []).append(value)
    return {key: _joined(found, depth) for key, found in values.items()}


def _joined(values: list[Any], depth: int) -> Any:  # noqa: ANN401 - JSON
    """Merge the values of one key; the kind of the last one decides.

    A list joins the lists before it, an object the objects, back to the first of another kind.
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
    """Return the first list whole, then the values of the others that are new."""
    result = list(lists[0])
    seen = set(map(spelled, result))
    for other in lists[1:]:
        for one in other:
            text = spelled(one)
            if text not in seen:
                seen.add(text)
                result.append(one)
    return result
