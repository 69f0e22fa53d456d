"""The text of a task graph that the macros leave in a library, read within bounds.

It is JSON of one shape: ``{"edges": [{"from", "to", …}], "metadata": {…}, "nodes": [{"id", …}]}``.
Any other shape is not a graph. Only the text itself shows where it ends.
"""

from __future__ import annotations

import json
import re

from cloacina_ctl.values import NamedTuple

# Objects of the macros are sorted, or as written where a feature of serde_json says so.
STARTS = (b'{"edges":[', b'{"nodes":[')
# About 8 000 tasks; a parsed text takes up to 30 times its size in memory.
MOST_BYTES = 2 << 20

Tasks = tuple[tuple[str, tuple[str, ...]], ...]

_SURROGATE = re.compile("[\ud800-\udfff]")
# The longest thing but a string that the end of a window can cut: a number, a literal, an escape.
_LONGEST_CUT = 32


def _no_number(_: str) -> None:
    """Skip a number: none is used, and long ones would cost time."""


_DECODER = json.JSONDecoder(parse_int=_no_number, parse_float=_no_number, parse_constant=_no_number)


class Extent(NamedTuple):
    """Where a text ends, and how far the parser got.

    ``end`` is 0 where it is no JSON; with ``cut`` the end of the window may be the reason.
    """

    end: int
    seen: int
    cut: bool = False


def extent_of(window: bytes) -> Extent:
    """Return the extent of the JSON value at the start of ``window``, whatever follows it."""
    # Only ASCII characters decide where it ends; the bytes behind it need not be UTF-8.
    text = window.decode("latin-1")
    try:
        _, end = _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        is_string = error.msg.startswith("Unterminated string")
        seen = len(text) if is_string else error.pos
        return Extent(0, seen, cut=is_string or error.pos >= len(text) - _LONGEST_CUT)
    except RecursionError:
        return Extent(0, len(text))
    return Extent(end, end)


def parse_tasks(text: bytes) -> Tasks | None:
    """Return ids of tasks with their dependencies, sorted; None where ``text`` is no task graph."""
    graph = _parsed(text)
    if not isinstance(graph, dict) or not isinstance(graph.get("metadata"), dict):
        return None
    ids, edges = _field(graph.get("nodes"), "id"), graph.get("edges")
    sources, targets = _field(edges, "from"), _field(edges, "to")
    if not ids or sources is None or targets is None:
        return None
    dependencies: dict[str, set[str]] = {id_: set() for id_ in ids}
    if len(dependencies) != len(ids) or not dependencies.keys() >= {*sources, *targets}:
        return None
    for source, target in zip(sources, targets):  # noqa: B905 - `strict` of equal lists says nothing
        dependencies[target].add(source)
    return tuple(sorted((id_, tuple(sorted(needs))) for id_, needs in dependencies.items()))


def parse_list(text: bytes) -> tuple[str, ...] | None:
    """Return the texts of a JSON array of texts; None where ``text`` is none."""
    items = _parsed(text)
    if not isinstance(items, list) or not all(_is_text(item) for item in items):
        return None
    return tuple(items)


def _parsed(text: bytes) -> object:
    try:
        return _DECODER.decode(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def _field(items: object, name: str) -> list[str] | None:
    if not isinstance(items, list):
        return None
    values = [item.get(name) if isinstance(item, dict) else None for item in items]
    texts = [value for value in values if isinstance(value, str) and _is_text(value)]
    return texts if len(texts) == len(values) else None


def _is_text(value: object) -> bool:
    """Return whether ``value`` is a text without lone surrogates, which no UTF-8 can hold."""
    return isinstance(value, str) and _SURROGATE.search(value) is None
