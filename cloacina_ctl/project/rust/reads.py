"""Finds the files that the compiler reads: the literal paths of ``include!`` and its kin.

The macros are found in the bytes and checked in the syntax tree, so that comments and texts do
not count, and neither does what ``cfg`` keeps out of a packaged build. Paths count from the file
that names them, as to rustc; ``env!("CARGO_MANIFEST_DIR")`` is the crate's root, as to cargo.
"""

from __future__ import annotations

import posixpath
import re
from bisect import bisect_left
from typing import TYPE_CHECKING

from cloacina_ctl.project.model import CompileRead
from cloacina_ctl.project.rust.cfg import all_of, attributes_of, holds, standing
from cloacina_ctl.project.rust.syntax import (
    child_of,
    place_of,
    split_list,
    text_of,
    text_value,
    tokens_of,
)
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tree_sitter import Node

_MENTION = re.compile(rb"\b(include(?:_str|_bytes)?)\s*!")
_ATTRIBUTES = ("attribute_item", "inner_attribute_item")
_BESIDE = (*_ATTRIBUTES, "line_comment", "block_comment")
_ROOT = "CARGO_MANIFEST_DIR"
_CALL = ("identifier", "!", "token_tree")


class _Place(NamedTuple):
    """A node on the way to mentions, ``starts[first:last]``, and what stands around it.

    ``compiled`` is whether a packaged build compiles it, None where only the build knows.
    """

    node: Node
    parents: tuple[Node, ...]
    after: tuple[Node, ...]
    compiled: bool | None
    first: int
    last: int


def reads_in(root: Node, data: bytes, path: str, features: frozenset[str]) -> Iterator[CompileRead]:
    """Yield what the file ``path`` of a crate, which is ``data``, has the compiler read.

    A path that only expanding a macro would tell is not among them.
    """
    starts = [found.start(1) for found in _MENTION.finditer(data)]
    for place in _mentioned(root, starts, features):
        name, group = place.node, _arguments(place)
        target = _path_of(tokens_of(group), posixpath.dirname(path)) if group is not None else None
        if target is not None:
            where, how = place_of(path, name), f"{text_of(name)}!"
            yield CompileRead(where, posixpath.normpath(target), how, place.compiled is True)


def _mentioned(root: Node, starts: list[int], features: frozenset[str]) -> Iterator[_Place]:
    """Yield the words at ``starts`` that a build compiles; looks at each node once, from the top.

    Asking a node for what is around it costs as much as there is: files have thousands of each.
    """
    left = [_Place(root, (), (), True, 0, len(starts))]
    while left:
        place = left.pop()
        if place.node.type == "identifier":
            yield place
        elif place.node.type != "macro_definition":  # that depends on where it is used
            left += reversed(list(_below(place, starts, features)))


def _below(place: _Place, starts: list[int], features: frozenset[str]) -> Iterator[_Place]:
    """Yield the children of a place in which there are mentions that a build may compile."""
    node, children = place.node, place.node.children
    around = all_of(place.compiled, _condition(node, features))
    around = all_of(around, _standing(_at_the_top(children), features))
    parents = (node, *place.parents[:1])
    for begin, end in _groups(children):
        first = bisect_left(starts, children[begin].start_byte, place.first, place.last)
        last = bisect_left(starts, children[end - 1].end_byte, first, place.last)
        compiled = around if first < last else False
        if compiled is not False:
            compiled = all_of(compiled, _standing(children[begin : end - 1], features))
        for number in range(begin, end) if compiled is not False else ():
            child = children[number]
            first = bisect_left(starts, child.start_byte, first, last)
            past = bisect_left(starts, child.end_byte, first, last)
            if first < past:
                after = tuple(children[number + 1 : number + 3])
                yield _Place(child, parents, after, compiled, first, past)


def _groups(nodes: Sequence[Node]) -> Iterator[tuple[int, int]]:
    """Yield from where to where each node stands with the attributes and comments before it."""
    begin = 0
    for number, node in enumerate(nodes, 1):
        if node.type not in _BESIDE or number == len(nodes):
            yield begin, number
            begin = number


def _at_the_top(nodes: Sequence[Node]) -> Iterator[Node]:
    """Yield the attributes inside of a module or function, which count for all of it."""
    for node in nodes:
        if node.type == "inner_attribute_item":
            yield node
        elif node.type not in ("{", *_BESIDE):
            break


def _standing(nodes: Iterable[Node], features: frozenset[str]) -> bool | None:
    items = (node for node in nodes if node.type in _ATTRIBUTES)
    return standing((one for node in items for one in attributes_of(node, features)), features)


def _condition(node: Node, features: frozenset[str]) -> bool | None:
    """Return whether a ``cfg_attr`` has its attributes; True of any other node."""
    if node.type == "attribute" and text_of(node.children[0]) == "cfg_attr":
        group = child_of(node, "token_tree")
        parts = list(split_list(tokens_of(group))) if group is not None else []
        if parts:
            return holds(parts[0], features)
    return True


def _arguments(place: _Place) -> Node | None:
    """Return the group that a macro's name stands before: as a call, or within another's."""
    calls = place.parents
    if calls and calls[0].type == "scoped_identifier":  # `core::include_str!`
        calls = calls[1:]
    if calls and calls[0].type == "macro_invocation":
        return child_of(calls[0], "token_tree")
    group = place.after[-1] if len(place.after) == 2 else None
    return group if group is not None and group.type == "token_tree" else None


def _path_of(tokens: Sequence[Node], folder: str) -> str | None:
    """Return the path that the arguments spell, where a file in ``folder`` says so."""
    parts = list(split_list(tokens))
    if len(parts) != 1:
        return None
    (part,) = parts
    if not _is_call(part, "concat"):
        text = text_value(part)
        return None if text is None or "\0" in text else posixpath.join(folder, text)
    texts, from_root = [], False
    for number, inner in enumerate(split_list(tokens_of(part[2]))):
        if number == 0 and _is_call(inner, "env") and text_value(tokens_of(inner[2])) == _ROOT:
            from_root = True
            continue
        text = text_value(inner)
        if text is None or "\0" in text:
            return None
        texts.append(text)
    joined = "".join(texts)
    return joined.lstrip("/") if from_root else posixpath.join(folder, joined)


def _is_call(tokens: Sequence[Node], name: str) -> bool:
    kinds = tuple(token.type for token in tokens)
    return kinds == _CALL and text_of(tokens[0]) == name
