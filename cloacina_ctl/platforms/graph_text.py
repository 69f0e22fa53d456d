"""The text of a task graph that the macros leave in a library, read within bounds.

It is JSON of one shape: ``{"edges": [{"from", "to", …}], "metadata": {…}, "nodes": [{"id", …}]}``.
What only resembles it is none. The pattern finds the end of the text before a parser sees it, so
depth and time are bounded.
"""

from __future__ import annotations

import json
import re

# Objects of the macros are sorted, or as written where a feature of serde_json says so.
STARTS = (b'{"edges":[', b'{"nodes":[')
MOST_DEPTH = 8
# About 15 000 tasks; a parsed text takes up to 25 times its size in memory.
MOST_BYTES = 4 << 20

Tasks = tuple[tuple[str, tuple[str, ...]], ...]

# A string, a bracket, or a run of what stands between them; anything else ends the text. Escapes
# are counted because the matcher keeps something for each.
_TOKEN = re.compile(rb'"[^"\\\0]*(?:\\.[^"\\\0]*){0,1024}"|[\[{]|[\]}]|[-+.:,0-9A-Za-z]+')
_SURROGATE = re.compile("[\ud800-\udfff]")


def _no_number(_: str) -> None:
    """Take a number for nothing: none is of interest, and long ones would cost time."""


_DECODER = json.JSONDecoder(parse_int=_no_number, parse_float=_no_number, parse_constant=_no_number)


def end_of_text(window: bytes) -> int:
    """Return where the JSON object or array at the start of ``window`` ends.

    0 where it may end behind the window, -1 where it is none.
    """
    depth = 0
    position = 0
    while token := _TOKEN.match(window, position):
        position = token.end()
        first = window[token.start()]
        if first in b"[{":
            depth += 1
            if depth > MOST_DEPTH:
                return -1
        elif first in b"]}":
            depth -= 1
            if depth == 0:
                return position
    is_cut = window[position : position + 1] in (b"", b'"') and b"\0" not in window[position:]
    return 0 if is_cut else -1


def parse_tasks(text: bytes) -> Tasks | None:
    """Return ids of tasks with their dependencies, sorted; None where ``text`` is no task graph."""
    try:
        graph = _DECODER.decode(text.decode("utf-8"))
    except ValueError:
        return None
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
    if not text or end_of_text(text) != len(text):
        return None
    try:
        items = _DECODER.decode(text.decode("utf-8"))
    except ValueError:
        return None
    if not isinstance(items, list) or not all(_is_text(item) for item in items):
        return None
    return tuple(items)


def _field(items: object, name: str) -> list[str] | None:
    if not isinstance(items, list):
        return None
    values = [item.get(name) if isinstance(item, dict) else None for item in items]
    texts = [value for value in values if isinstance(value, str) and _is_text(value)]
    return texts if len(texts) == len(values) else None


def _is_text(value: object) -> bool:
    """Tell whether ``value`` is a text without lone surrogates, which no UTF-8 can hold."""
    return isinstance(value, str) and _SURROGATE.search(value) is None
