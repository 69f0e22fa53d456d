"""Which files a source has the compiler read: the literal paths of ``include!`` and its kin.

The macros are looked for in the bytes and judged in the syntax tree, so that comments and texts do
not count, and neither does what ``cfg`` keeps out of a packaged build. Paths count from the file
that names them, as to rustc; ``env!("CARGO_MANIFEST_DIR")`` is the crate's root, as to cargo.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from cloacina_ctl.project.model import CompileRead
from cloacina_ctl.project.rust_cfg import attributes_of, holds, standing
from cloacina_ctl.project.rust_syntax import (
    child_of,
    line_of,
    split_list,
    text_of,
    text_value,
    tokens_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

_MENTION = re.compile(rb"\b(include(?:_str|_bytes)?)\s*!")
_ATTRIBUTES = ("attribute_item", "inner_attribute_item")
_BESIDE = (*_ATTRIBUTES, "line_comment", "block_comment")
_ROOT = "CARGO_MANIFEST_DIR"
_CALL = ("identifier", "!", "token_tree")


def reads_in(root: Node, data: bytes, path: str, features: frozenset[str]) -> Iterator[CompileRead]:
    """Yield what the file ``path`` of a crate, which is ``data``, has the compiler read.

    A path that only expanding a macro would tell is not among them.
    """
    for found in _MENTION.finditer(data):
        name = root.descendant_for_byte_range(found.start(1), found.end(1))
        group = _arguments(name) if name is not None and name.type == "identifier" else None
        if name is None or group is None:
            continue
        target = _path_of(tokens_of(group), posixpath.dirname(path))
        is_compiled = _is_compiled(name, features)
        if target is not None and is_compiled is not False:
            place = f"{path}:{line_of(name)}"
            how = f"{text_of(name)}!"
            yield CompileRead(place, posixpath.normpath(target), how, is_compiled is True)


def _arguments(name: Node) -> Node | None:
    """Return the group that a macro's name stands before: as a call, or within another's."""
    call = name.parent
    if call is not None and call.type == "scoped_identifier":  # `core::include_str!`
        call = call.parent
    if call is not None and call.type == "macro_invocation":
        return child_of(call, "token_tree")
    mark = name.next_sibling
    group = mark.next_sibling if mark is not None else None
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


def _is_compiled(node: Node, features: frozenset[str]) -> bool | None:
    """Return whether a packaged build compiles the node; None where only the build knows."""
    verdict: bool | None = True
    place: Node | None = node
    while place is not None:
        if place.type == "macro_definition":
            return False  # what it stands for depends on where it is used
        for holding in _conditions(place, features):
            if holding is False:
                return False
            verdict = None if holding is None else verdict
        place = place.parent
    return verdict


def _conditions(node: Node, features: frozenset[str]) -> Iterator[bool | None]:
    """Yield what each ``cfg`` says that stands before the node, at its top, or around it."""
    if node.type == "attribute" and text_of(node.children[0]) == "cfg_attr":
        group = child_of(node, "token_tree")
        parts = list(split_list(tokens_of(group))) if group is not None else []
        if parts:
            yield holds(parts[0], features)
    for item in _attributes_around(node):
        yield standing(attributes_of(item, features), features)


def _attributes_around(node: Node) -> Iterator[Node]:
    """Yield the attributes before a node, those after an attribute, and those at a node's top."""
    before = node.prev_sibling
    while before is not None and before.type in _BESIDE:
        yield before
        before = before.prev_sibling
    after = node.next_sibling if node.type in _ATTRIBUTES else None
    while after is not None and after.type in _BESIDE:
        yield after
        after = after.next_sibling
    body = child_of(node, "declaration_list", "block") or node
    for child in body.children:
        if child.type == "inner_attribute_item":
            yield child
        elif child.type not in ("{", *_BESIDE):
            break
