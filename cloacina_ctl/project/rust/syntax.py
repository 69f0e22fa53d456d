"""Rust source as a syntax tree: its attributes, their arguments, the values of literals.

The tree comes from tree-sitter, so comments and texts are never mistaken for code. Nothing here
recurses over the tree: how deep it is, is the author's choice.
"""

from __future__ import annotations

import functools
import json
import re
import time
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Place
from cloacina_ctl.manifest.canonical import MAX_INTEGER
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tree_sitter import Node, Parser

MAX_SOURCE_BYTES = 1 << 20
# Of the processor, for all files of a crate. A thousand files of real crates take 1.3; one of
# quotation marks alone would take 30.
MAX_PARSE_SECONDS = 10.0
_CHUNK_BYTES = 1 << 13

_TEXTS = ("string_literal", "raw_string_literal")
_HIDE_NO_TASK = frozenset(
    {
        "block", "token_tree", "macro_definition", "macro_invocation", "foreign_mod_item",
        "impl_item", "trait_item", "struct_item", "enum_item", "union_item", "const_item",
        "static_item", "type_item", "use_declaration",
    }
)  # fmt: skip
_BEFORE_CLOSURE = ("=", "move", "async")
_COMMENTS = ("line_comment", "block_comment")
_ESCAPE = re.compile(
    r"\\(?:x([0-7][0-9a-fA-F])|u\{([0-9a-fA-F_]{1,8})\}|(\r?\n\s*)|(.))", re.DOTALL
)
_SIMPLE_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "\\": "\\", "'": "'", '"': '"'}
_INTEGER = re.compile(
    r"(0x[0-9a-fA-F_]+?|0o[0-7_]+|0b[01_]+|[0-9][0-9_]*)(?:[iu](?:8|16|32|64|128|size))?"
)
_FLOAT_SUFFIX = re.compile(r"f(?:16|32|64|128)$")


class AttributeArgument(NamedTuple):
    """One ``name = value`` or ``name(…)`` of an attribute; ``tokens`` is the value.

    ``sign`` is ``=`` where that stands between them, else empty.
    """

    name: str
    tokens: tuple[Node, ...]
    sign: str = ""


class Attribute(NamedTuple):
    """One attribute: the parts of its path, and what follows it.

    ``from_cfg`` is true inside a ``cfg_attr``, ``is_certain`` if the build has it
    whatever is built.
    """

    path: tuple[str, ...]
    tokens: tuple[Node, ...]
    from_cfg: bool = False
    is_certain: bool = True

    @property
    def group(self) -> Node | None:
        """The parenthesised arguments."""
        return self.tokens[0] if self.tokens and self.tokens[0].type == "token_tree" else None


@functools.lru_cache(maxsize=1)
def rust_parser() -> Parser:
    """Return the parser; its grammar is loaded at the first call."""
    import tree_sitter
    import tree_sitter_rust

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_rust.language()))


def text_of(node: Node) -> str:
    """Return the source of one node."""
    return (node.text or b"").decode("utf-8", "replace")


def line_of(node: Node) -> int:
    """Return the line where the node begins, from 1."""
    return node.start_point[0] + 1


def place_of(path: str, node: Node) -> Place:
    """Return where the node begins in the file; the column counts bytes of UTF-8."""
    row, column = node.start_point
    return Place(path, row + 1, column + 1)


def child_of(node: Node, *kinds: str) -> Node | None:
    """Return the first child of one of the kinds."""
    return next((child for child in node.children if child.type in kinds), None)


def parse_rust(data: bytes, seconds: float = MAX_PARSE_SECONDS) -> Node | None:
    """Return the root of the syntax tree, or None where parsing takes longer.

    What is no Rust is in the tree all the same, see :func:`first_error`.
    """
    parser, end = rust_parser(), time.process_time() + seconds
    try:
        return parser.parse(
            lambda offset, _: data[offset : offset + _CHUNK_BYTES],
            progress_callback=lambda _offset, _error: time.process_time() > end,
        ).root_node
    except ValueError:
        parser.reset()
        return None


def first_error(root: Node) -> Node | None:
    """Return the first place between items that is no Rust.

    What is inside of a function, a macro's arguments or a type hides no task, and the grammar
    does not know all of the language there: it stumbles over 1 in 200 files that compile.
    """
    left = [root]
    while left:
        node = left.pop()
        if node.is_error or node.is_missing:
            return node
        if node.has_error and node.type not in _HIDE_NO_TASK:
            left.extend(reversed(node.children))
    return None


def tokens_of(group: Node) -> tuple[Node, ...]:
    """Return what stands between the delimiters of a group, comments left out."""
    return tuple(node for node in group.children[1:-1] if node.type not in _COMMENTS)


def spelled(
    tokens: Sequence[Node], text: Callable[[Node], str] = text_of, most: int | None = None
) -> str:
    """Return the source of the tokens on one line: white space and comments become one space.

    With ``most`` it ends with the token that brings it to so many characters.
    """
    pieces: list[str] = []
    end, length = None, 0
    for leaf in _leaves(tokens):
        if most is not None and length >= most:
            break
        if end is not None and leaf.start_byte > end:
            pieces.append(" ")
        pieces.append(text(leaf))
        length += len(pieces[-1])
        end = leaf.end_byte
    return "".join(pieces)


def spelled_plainly(tokens: Sequence[Node]) -> str:
    """Return the source of the tokens on one line, with literals as JSON has them.

    Rust has more ways to write a string or a number than a reader of a manifest may know.
    """
    return spelled(tokens, _plain)


def _plain(leaf: Node) -> str:
    value: object = text_value((leaf,))
    if value is None:
        value = integer_value((leaf,))
    if value is None and leaf.type == "float_literal":
        value = float(_FLOAT_SUFFIX.sub("", text_of(leaf).replace("_", "")))
    return text_of(leaf) if value is None else json.dumps(value, ensure_ascii=False)


def _leaves(tokens: Sequence[Node]) -> Iterator[Node]:
    left = list(reversed(tokens))
    while left:
        node = left.pop()
        if node.type in _COMMENTS:
            continue
        if node.type in _TEXTS or not node.children:
            yield node
        else:
            left.extend(reversed(node.children))


def split_list(tokens: Sequence[Node]) -> Iterator[tuple[Node, ...]]:
    """Yield the parts between commas.

    Those between ``<`` and ``>`` of a type do not count, nor those in a closure's parameters.
    """
    part: list[Node] = []
    depth, in_type, in_closure = 0, True, False
    for token in tokens:
        kind = token.type
        if kind == "," and depth <= 0 and not in_closure:
            if part:
                yield tuple(part)
            part, depth, in_type = [], 0, True
            continue
        if kind == "|":
            in_closure = not in_closure and (not part or text_of(part[-1]) in _BEFORE_CLOSURE)
        if kind == "<" and (in_type or (part and part[-1].type == "::")):
            depth += 1
        elif kind in (">", ">>") and depth:
            depth -= len(kind)
        elif kind == "=":
            in_type = False
        part.append(token)
    if part:
        yield tuple(part)


def arguments_of(group: Node | None) -> tuple[AttributeArgument, ...]:
    """Return the named arguments of a group; a name without a value has no tokens."""
    if group is None:
        return ()
    found = []
    for part in split_list(tokens_of(group)):
        value = part[1:]
        sign = "=" if value and value[0].type == "=" else ""
        found.append(AttributeArgument(text_of(part[0]), value[len(sign) :], sign))
    return tuple(found)


def text_value(tokens: Sequence[Node]) -> str | None:
    """Return the text that a single literal spells."""
    if len(tokens) != 1 or tokens[0].type not in _TEXTS:
        return None
    source = text_of(tokens[0])
    if tokens[0].type == "raw_string_literal":
        inner = source.lstrip("r").strip("#") if source.startswith("r") else None
        return None if inner is None else inner[1:-1]
    if not source.startswith('"'):
        return None  # a byte or C text
    try:
        return _ESCAPE.sub(_unescape, source[1:-1])
    except ValueError:
        return None


def _unescape(found: re.Match[str]) -> str:
    byte, point, continued, simple = found.groups()
    if continued is not None:
        return ""
    if simple is not None:
        if simple not in _SIMPLE_ESCAPES:
            raise ValueError(simple)
        return _SIMPLE_ESCAPES[simple]
    character = chr(int(byte or point.replace("_", ""), 16))
    if "\ud800" <= character <= "\udfff":
        raise ValueError(character)
    return character


def integer_value(tokens: Sequence[Node]) -> int | None:
    """Return the integer that a single literal spells, where a manifest can hold it."""
    if len(tokens) != 1 or tokens[0].type != "integer_literal":
        return None
    found = _INTEGER.fullmatch(text_of(tokens[0]))
    digits = found[1].replace("_", "") if found else ""
    if not digits or len(digits) > 40:
        return None
    value = int(digits, 0) if digits[:2] in ("0x", "0o", "0b") else int(digits)
    return value if value <= MAX_INTEGER else None


def boolean_value(tokens: Sequence[Node]) -> bool | None:
    """Return the boolean that a single literal spells."""
    if len(tokens) != 1:
        return None
    return {"true": True, "false": False}.get(text_of(tokens[0]))


def path_of(text: str) -> tuple[str, ...]:
    """Return the parts of a path."""
    return tuple(part.strip().removeprefix("r#") for part in text.split("::") if part.strip())
