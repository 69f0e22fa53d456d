"""Reads each use of a macro of Cloacina in a crate's source, from its syntax.

Plain facts, the same for every release: `checks` knows which release refuses what. A value that is
no literal, word, call or list is of the kind ``OTHER``, and so is what lies deeper than
``MAX_DEPTH``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloacina_ctl.project.rust.syntax import (
    arguments_of,
    child_of,
    integer_value,
    place_of,
    spelled,
    split_list,
    text_of,
    text_value,
    tokens_of,
)
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from cloacina_ctl.project.rust.syntax import Attribute, AttributeArgument

TEXT, INTEGER, FLOAT, BOOLEAN = "text", "integer", "float", "boolean"
WORD, CALL, LIST, GROUP, OTHER = "word", "call", "list", "group", "other"
MAX_DEPTH = 16
_MAX_SPELLED = 200
_CONTEXT = re.compile(r"\bContext\b")
_BINDINGS = ("ref_pattern", "mut_pattern", "captured_pattern")


class Expression(NamedTuple):
    """A value: its kind; a literal's value, a word, or a call's function; and what stands in it.

    ``text`` of an integer is empty where it is larger than a manifest can hold.
    """

    kind: str
    text: str = ""
    parts: tuple[Expression, ...] = ()


class MacroArgument(NamedTuple):
    """One argument: its name, the sign behind the name (``=``, ``:``, ``(``, none), and its value.

    What stands between two commas without a name has an empty one.
    """

    name: str
    sign: str
    value: Expression


class Signature(NamedTuple):
    """A function's parameters, each with its name and its type, and what it returns.

    The name is None where a pattern stands in its place; ``returns`` where nothing is returned.
    """

    parameters: tuple[tuple[str | None, str], ...]
    returns: str | None
    is_async: bool


class MacroUse(NamedTuple):
    """One use: which macro on which kind of item, ``name`` of that item, and how it is spelled.

    ``workflow`` is the place of the workflow's module in which it stands directly. ``conditional``
    is true below a ``cfg`` that may be off, ``left_out`` below one that is off in a package, and
    ``behind_cfg`` of an attribute that stands in a ``cfg_attr``. ``has_body`` is false of a module
    in a file of its own.
    """

    macro: str
    place: str
    item: str
    name: str
    spelling: str
    arguments: tuple[MacroArgument, ...] = ()
    has_arguments: bool = True
    signature: Signature | None = None
    workflow: str | None = None
    conditional: bool = False
    left_out: bool = False
    behind_cfg: bool = False
    has_body: bool = True

    def argument(self, name: str) -> Expression | None:
        """Return the value of the argument of that name; the last one counts, as in the macros."""
        return next((one.value for one in reversed(self.arguments) if one.name == name), None)


def read_attribute(node: Node, attribute: Attribute, path: str) -> MacroUse:
    """Return the use of an attribute on the item ``node`` in the file ``path``."""
    name = node.child_by_field_name("name")
    return MacroUse(
        macro=attribute.path[-1] if attribute.path else "",
        place=place_of(path, node),
        item=node.type.removesuffix("_item"),
        name=text_of(name).removeprefix("r#") if name is not None else "",
        spelling="::".join(attribute.path),
        arguments=_arguments(attribute.group),
        has_arguments=attribute.group is not None,
        signature=_signature(node) if node.type == "function_item" else None,
        behind_cfg=attribute.from_cfg,
        has_body=node.child_by_field_name("body") is not None,
    )


def read_invocation(name: str, group: Node, place: str) -> MacroUse:
    """Return the use of ``name!(…)``."""
    return MacroUse(name, place, "macro", name, f"{name}!", _arguments(group))


def _arguments(group: Node | None) -> tuple[MacroArgument, ...]:
    found = [_argument(argument) for argument in arguments_of(group)]
    if group is not None and _has_empty_part(tokens_of(group)):
        found.append(MacroArgument("", "", Expression(OTHER, ",")))
    return tuple(found)


def _has_empty_part(tokens: Sequence[Node]) -> bool:
    before = ","
    for token in tokens:
        if token.type == "," and before == ",":
            return True
        before = token.type
    return False


def _argument(argument: AttributeArgument) -> MacroArgument:
    if argument.sign == "=":
        return MacroArgument(argument.name, "=", expression_of(argument.tokens))
    sign = text_of(argument.tokens[0])[:1] if argument.tokens else ""
    if sign == ":":
        return MacroArgument(argument.name, sign, expression_of(argument.tokens[1:]))
    value = _group(argument.tokens[0], 0) if sign == "(" and len(argument.tokens) == 1 else None
    return MacroArgument(argument.name, sign, value or Expression(OTHER, spelled(argument.tokens)))


def expression_of(tokens: Sequence[Node], depth: int = 0) -> Expression:
    """Return the value that the tokens spell."""
    other = Expression(OTHER, spelled(tokens, most=_MAX_SPELLED)[:_MAX_SPELLED])
    if not tokens or depth > MAX_DEPTH:
        return other
    first, kind = tokens[0], tokens[0].type
    if len(tokens) == 1:
        return _single(first, depth) or other
    if len(tokens) == 2 and kind == "identifier" and tokens[1].type == "token_tree":
        inner = _group(tokens[1], depth)
        return Expression(CALL, text_of(first), inner.parts) if inner.text == "(" else other
    if len(tokens) == 2 and kind == "-" and tokens[1].type in ("integer_literal", "float_literal"):
        value = expression_of(tokens[1:], depth)
        return value._replace(text=f"-{value.text}")
    return other


def _single(token: Node, depth: int) -> Expression | None:
    kind = token.type
    text = text_value((token,))
    if text is not None:
        return Expression(TEXT, text)
    if kind == "integer_literal":
        value = integer_value((token,))
        return Expression(INTEGER, "" if value is None else str(value))
    if kind in ("float_literal", "boolean_literal"):
        return Expression(FLOAT if kind == "float_literal" else BOOLEAN, text_of(token))
    if kind == "token_tree":
        return _group(token, depth)
    return Expression(WORD, text_of(token)) if kind == "identifier" else None


def _group(token: Node, depth: int) -> Expression:
    """Return a list, or a group whose text is its opening bracket."""
    opening = text_of(token)[:1]
    parts = tuple(expression_of(part, depth + 1) for part in split_list(tokens_of(token)))
    return Expression(LIST if opening == "[" else GROUP, opening, parts)


def context_names(node: Node) -> frozenset[str]:
    """Return the parameters of a function whose type is a `Context`."""
    if node.type != "function_item":
        return frozenset()
    found = _signature(node).parameters
    return frozenset(name for name, type_ in found if name and _CONTEXT.search(type_))


def _signature(node: Node) -> Signature:
    parameters = node.child_by_field_name("parameters")
    returns = node.child_by_field_name("return_type")
    found = []
    for one in parameters.named_children if parameters is not None else ():
        if one.type in ("parameter", "self_parameter"):
            pattern, kind = one.child_by_field_name("pattern"), one.child_by_field_name("type")
            if pattern is not None and pattern.type in _BINDINGS:
                pattern = child_of(pattern, "identifier")
            named = pattern is not None and pattern.type == "identifier"
            name = text_of(pattern) if pattern is not None and named else None
            found.append((name, "" if kind is None else spelled((kind,))))
    modifiers = child_of(node, "function_modifiers")
    return Signature(
        parameters=tuple(found),
        returns=None if returns is None else spelled((returns,)),
        is_async=modifiers is not None and child_of(modifiers, "async") is not None,
    )
