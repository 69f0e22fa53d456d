"""Gathers facts that rustc may refuse in a crate's source, in the walk over its modules.

Macros of Cloacina and where they are used, under another name too; crates that paths name; what is
imported of Cloacina; which `Result` a workflow's module sees. The walk itself is `rust_source`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloacina_ctl.project.rust.cfg import holds, standing
from cloacina_ctl.project.rust.macro_uses import (
    MacroUse,
    context_names,
    read_attribute,
    read_invocation,
)
from cloacina_ctl.project.rust.syntax import (
    child_of,
    line_of,
    place_of,
    text_of,
    tokens_of,
)
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

    from cloacina_ctl.project.rust.declarations import Item
    from cloacina_ctl.project.rust.syntax import Attribute

ATTRIBUTES = frozenset(
    {
        "task", "workflow", "packaged_workflow", "trigger", "computation_graph", "reactor",
        "passthrough_accumulator", "stream_accumulator", "batch_accumulator",
        "polling_accumulator", "state_accumulator",
    }
)  # fmt: skip
# Crates that workflows use. Others may be named by what a macro or a glob brings in.
_WELL_KNOWN = frozenset(
    {
        "anyhow", "async_trait", "chrono", "cloacina", "cloacina_computation_graph",
        "cloacina_macros", "cloacina_workflow", "cloacina_workflow_plugin", "futures", "reqwest",
        "serde", "serde_json", "tokio", "tracing", "uuid",
    }
)  # fmt: skip
_NOT_OURS = frozenset({"allow", "cfg", "derive", "doc", "inline", "serde", "test"})
_INVOCATIONS = ("package", "constructor", "workflow")
# Types called `Result` that take one argument or none; the macros write one with two.
_OTHER_RESULTS = ("std::io", "std::fmt", "std::thread", "core::fmt", "serde_json")
# Macros whose arguments are expressions, so that a path in them is one.
_OF_EXPRESSIONS = frozenset(
    {
        "assert", "assert_eq", "assert_ne", "dbg", "eprint", "eprintln", "format", "json", "panic",
        "print", "println", "vec", "write", "writeln",
    }
)  # fmt: skip
_LOCAL = ("super", "self", "crate", "std", "core", "alloc", "cloacina_workflow")
_PATHS = ("scoped_identifier", "scoped_type_identifier")
_MAX_ATTRIBUTES, _MAX_PATH = 64, 32
_OWN_METHODS = re.compile(rb"\bfn\s+(get_as|get_required|insert_as)\b")
_INSIDE = re.compile(rb"\b(?:get_as|get_required|insert_as)\b|\bworkflow\s*!")


class FirstUse(NamedTuple):
    """A name, and the first place where the source uses it."""

    name: str
    place: str


class RustCode(NamedTuple):
    """What was gathered.

    ``crates`` are crates that paths name, of those that were asked for, unless something in the
    source has the same name; ``imports`` what is imported of Cloacina's crates, as paths;
    ``results`` where a workflow's module sees a `Result` that takes fewer than two arguments;
    ``methods`` those called on a task's context.
    """

    uses: tuple[MacroUse, ...] = ()
    crates: tuple[FirstUse, ...] = ()
    imports: tuple[FirstUse, ...] = ()
    results: tuple[FirstUse, ...] = ()
    methods: tuple[FirstUse, ...] = ()

    def of(self, *macros: str) -> tuple[MacroUse, ...]:
        """Return the uses of these macros that a package has."""
        return tuple(use for use in self.uses if use.macro in macros and not use.left_out)


class Scope(NamedTuple):
    """Where an item stands: its workflow's module, below which `cfg`, and the `Result` it sees."""

    workflow: str | None = None
    conditional: bool = False
    result: str | None = None


class CodeReader:
    """Gathers from one item after the other; ``absent`` are the crates that are looked for."""

    def __init__(self, features: frozenset[str], absent: frozenset[str]) -> None:
        self._features = features
        self._absent = absent
        self._wanted = re.compile(b"|".join(sorted(n.encode() for n in absent)) or rb"(?!)")
        self._uses: list[MacroUse] = []
        self._aliases: dict[str, str] = {}
        self._crate_aliases: set[str] = set()
        self._named: dict[str, str] = {}
        self._declared: set[str] = set()
        self._macros: set[str] = set()
        self._external_glob = self._any_glob = False
        self._imports: list[FirstUse] = []
        self._results: dict[str, FirstUse] = {}
        self._methods: list[FirstUse] = []

    def item(self, item: Item, path: str, scope: Scope, *, left_out: bool = False) -> None:
        """Gather from an item in ``scope``; of one that is ``left_out``, from its marks alone."""
        conditional = scope.conditional or self._depends(item.attributes)
        marks = [
            read_attribute(item.node, one, path)
            for one in item.attributes[:_MAX_ATTRIBUTES]
            if one.path and one.path[0] not in _NOT_OURS
        ]
        invoked = self._invocation(item.node, path, scope)
        for use in (*marks, *((invoked,) if invoked else ())):
            self._uses.append(
                use._replace(
                    workflow=scope.workflow, conditional=conditional, left_out=left_out,
                )
            )  # fmt: skip
        if not conditional and standing(_cfgs(item), self._features) is True:
            self._attributes(item, path)
        if left_out:
            return
        if item.node.type in ("use_declaration", "extern_crate_declaration"):
            self._use(item.node, path, conditional=conditional)
        elif item.node.type != "mod_item" and not conditional:
            self._inside(item.node, path)
        name = item.node.child_by_field_name("name")
        if name is not None:
            self._declared.add(text_of(name))

    def below(self, item: Item, scope: Scope, workflow: str | None) -> Scope:
        """Return the scope of what stands in a module that stands in ``scope``."""
        conditional = scope.conditional or self._depends(item.attributes)
        body = child_of(item.node, "declaration_list")
        result = scope.result if body is None else result_in(body.children, scope.result)
        return Scope(workflow, conditional, result)

    def workflow(self, scope: Scope, place: str) -> None:
        """Note the module of a workflow."""
        if scope.result is not None and not scope.conditional:
            self._results.setdefault(place, FirstUse(scope.result, place))

    def finish(self) -> RustCode:
        """Return what was gathered of the whole crate."""
        absent = {} if self._external_glob else self._named
        return RustCode(
            uses=tuple(self._resolved()),
            crates=tuple(FirstUse(n, p) for n, p in absent.items() if n not in self._declared),
            imports=tuple(self._imports),
            results=tuple(self._results.values()),
            methods=tuple(one for one in self._methods if one.name not in self._declared),
        )

    def _resolved(self) -> Iterator[MacroUse]:
        """Yield the uses of Cloacina's macros, those under another name by their own."""
        for use in self._uses:
            macro = use.macro if use.item == "macro" else self._macro(use)
            if macro is not None:
                yield use._replace(macro=macro)

    def _macro(self, use: MacroUse) -> str | None:
        """Return which macro of Cloacina an attribute is; others have a ``#[trigger]`` as well."""
        first, *rest = use.spelling.split("::")
        if rest:
            ours = first.startswith("cloacina") or first in self._crate_aliases
            return use.macro if ours and use.macro in ATTRIBUTES else None
        macro = self._aliases.get(first, first)
        imported_here = first in self._aliases or macro in self._macros or self._any_glob
        return macro if macro in ATTRIBUTES and (imported_here or use.workflow) else None

    def _depends(self, attributes: Iterable[Attribute]) -> bool:
        return any(
            one.path == ("cfg",)
            and one.group is not None
            and holds(tokens_of(one.group), self._features) is None
            for one in attributes
        )

    def _invocation(self, node: Node, path: str, scope: Scope) -> MacroUse | None:
        found = node if node.type == "macro_invocation" else child_of(node, "macro_invocation")
        if found is None or node.type not in ("macro_invocation", "expression_statement"):
            return None
        name = _last(found)
        group = child_of(found, "token_tree")
        if name not in _INVOCATIONS or group is None:
            return None
        if name == "constructor" and scope.workflow is None:
            return None
        return read_invocation(name, group, place_of(path, found))

    def _use(self, node: Node, path: str, *, conditional: bool = False) -> None:
        for parts, name in imported(node):
            ours = parts[0].startswith("cloacina")
            if parts[-1] == "*":
                external = parts[0] not in _LOCAL and parts[0][:1].islower()
                self._external_glob |= external
                self._any_glob |= external or ours
                continue
            if ours and len(parts) == 1 and name != parts[0]:
                self._crate_aliases.add(name)
            elif ours and parts[-1] in ATTRIBUTES and name != parts[-1]:
                self._aliases[name] = parts[-1]
            elif ours:
                self._macros.add(name)
            if ours and not conditional:
                self._imports.append(FirstUse("::".join(parts), place_of(path, node)))
            if parts[0] in self._absent and not conditional:
                self._named.setdefault(parts[0], place_of(path, node))
            if len(parts) > 1 or name != parts[0]:
                self._declared.add(name)

    def _inside(self, node: Node, path: str) -> None:
        """Look for crates and methods in an item, where its text has one of the names at all."""
        text = node.text or b""
        if not (self._wanted.search(text) or _INSIDE.search(text)):
            return
        if node.type in ("trait_item", "impl_item"):
            self._declared |= {name.decode() for name in _OWN_METHODS.findall(text)}
        contexts = context_names(node)
        left = [node]
        while left:
            one = left.pop()
            if one.type in _PATHS:
                self._path(one, path)
            elif one.type == "call_expression":
                self._call(one, path, contexts)
            elif one.type in ("use_declaration", "extern_crate_declaration"):
                self._use(one, path)
                continue
            elif one.type == "token_tree":
                self._tokens(one, path)
            elif one.type == "macro_invocation":
                self._invoked(one, path)
            left.extend(reversed(list(_parts_of(one))))

    def _invoked(self, node: Node, path: str) -> None:
        if text_of(node.children[0]) == "workflow":
            found = self._invocation(node, path, Scope())
            self._uses += (found,) if found is not None else ()
        elif node.children[0].type in _PATHS and _last(node) not in _INVOCATIONS:
            self._path(node.children[0], path)  # what `package!` needs, R013 says

    def _path(self, node: Node, path: str) -> None:
        first = node.child_by_field_name("path")
        if first is not None and first.type == "identifier" and text_of(first) in self._absent:
            self._named.setdefault(text_of(first), place_of(path, node))

    def _attributes(self, item: Item, path: str) -> None:
        """Look for crates in the paths of attributes, and among what `derive` names."""
        for one in item.attributes:
            if not one.is_certain:
                continue
            if len(one.path) > 1 and one.path[0] in self._absent:
                self._named.setdefault(one.path[0], place_of(path, item.node))
            if one.path == ("derive",) and one.group is not None:
                self._tokens(one.group, path)

    def _tokens(self, tree: Node, path: str) -> None:
        """Look for ``name::`` that begins a path."""
        before = ""
        for token, after in zip(tree.children, tree.children[1:], strict=False):
            name = text_of(token) if token.type == "identifier" and after.type == "::" else ""
            if name in self._absent and before not in ("::", "$", "."):
                self._named.setdefault(name, place_of(path, token))
            before = token.type

    def _call(self, node: Node, path: str, contexts: frozenset[str]) -> None:
        function = node.child_by_field_name("function")
        if function is not None and function.type == "generic_function":
            function = function.child_by_field_name("function")
        if function is None or function.type != "field_expression":
            return
        receiver, field = function.child_by_field_name("value"), function.children[-1]
        if receiver is not None and text_of(receiver) in contexts:
            self._methods.append(FirstUse(text_of(field), place_of(path, field)))


def _cfgs(item: Item) -> Iterator[Attribute]:
    return (one for one in item.attributes if one.path == ("cfg",))


def absent_crates(dependencies: Iterable[str]) -> frozenset[str]:
    """Return the well-known crates, by their names in code, that are no dependency."""
    return _WELL_KNOWN - {name.replace("-", "_") for name in dependencies}


def _last(invocation: Node) -> str:
    """Return the name of a macro, without the path before it."""
    return text_of(invocation.children[0]).split("::")[-1].strip()


def _parts_of(node: Node) -> Iterator[Node]:
    """Yield the children to search: nothing below a `cfg`, in macro definitions or `extern`."""
    if node.type == "macro_definition":
        return
    if node.type == "macro_invocation":
        name = _last(node)
        if name not in _OF_EXPRESSIONS:
            return
    yield from _without_cfg(node.children)


def _without_cfg(nodes: Iterable[Node]) -> Iterator[Node]:
    """Yield the nodes in front of which no `cfg` stands."""
    skip = False
    for node in nodes:
        if node.type == "attribute_item":
            skip |= b"cfg" in (node.text or b"")
        elif node.is_named:
            if not skip:
                yield node
            skip = False


def imported(node: Node) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield path and name in code of each thing that a `use` or `extern crate` brings in.

    A path ends in ``*`` for all that a module has.
    """
    if node.type == "extern_crate_declaration":
        names = [text_of(one) for one in node.children if one.type == "identifier"]
        yield from (((names[0],), names[-1]),) if names else ()
        return
    argument = node.child_by_field_name("argument")
    left: list[tuple[tuple[str, ...], Node]] = [] if argument is None else [((), argument)]
    while left:
        before, one = left.pop()
        if len(before) > _MAX_PATH:
            continue
        if one.type in ("use_list", "scoped_use_list"):
            prefix = (*before, *_parts(one.child_by_field_name("path")))
            inner = one.child_by_field_name("list") or one
            left.extend((prefix, child) for child in reversed(inner.named_children))
        elif one.type not in ("line_comment", "block_comment"):
            yield from _brought(before, one)


def _brought(before: tuple[str, ...], node: Node) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what one leaf of a tree of imports brings in."""
    if node.type == "use_wildcard":
        module = node.named_children[0] if node.named_children else None
        yield (*before, *_parts(module), "*"), "*"
        return
    alias = node.child_by_field_name("alias")
    named = node.child_by_field_name("path") if node.type == "use_as_clause" else node
    path = (*before, *_parts(named))
    if path[-1:] == ("self",) and len(path) > 1:
        path = path[:-1]
    if path:
        yield path, text_of(alias) if alias is not None else path[-1]


def _parts(node: Node | None) -> tuple[str, ...]:
    if node is None:
        return ()
    return tuple(p.strip().removeprefix("r#") for p in text_of(node).split("::") if p.strip())


def result_in(nodes: Iterable[Node], inherited: str | None) -> str | None:
    """Return what is wrong with the `Result` that a module sees, None where nothing is.

    ``inherited`` is what the module around it sees.
    """
    through_glob = None
    for node in _without_cfg(nodes):
        if node.type == "type_item":
            alias = node.child_by_field_name("name")
            if alias is not None and text_of(alias) == "Result":
                return _alias(node)
        elif node.type == "use_declaration":
            for parts, name in imported(node):
                if name == "Result":
                    if parts == ("super", "Result"):
                        return inherited
                    module = "::".join(parts[:-1])
                    return f"`{module}::Result`" if module in _OTHER_RESULTS else None
                if parts == ("super", "*"):
                    through_glob = inherited
    return through_glob


def _alias(node: Node) -> str | None:
    parameters = node.child_by_field_name("type_parameters")
    kinds = parameters.named_children if parameters is not None else []
    types = [one for one in kinds if one.type in ("type_parameter", "type_identifier")]
    return f"`type Result` of line {line_of(node)}" if len(types) < 2 else None
