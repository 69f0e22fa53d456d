"""What a crate's source declares, across its files; nothing is expanded, compiled or run.

Files are found as the compiler finds them: ``mod name;`` from the library's root file, ``#[path]``
included, ``include!`` not. No file outside of the crate is read, through links neither. What
``cfg`` leaves out of a packaged build (tests, above all) is left out here.
"""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING, Protocol

from cloacina_ctl.project.model import SourceTask, SourceWorkflow, SyntaxProblem
from cloacina_ctl.project.rust_declarations import (
    WORKFLOW_MACROS,
    DeclaredTrigger,
    Item,
    name_of,
    read_constructor,
    read_task,
    read_trigger,
    read_workflow,
)
from cloacina_ctl.project.rust_syntax import (
    MAX_PARSE_SECONDS,
    MAX_SOURCE_BYTES,
    Attribute,
    attributes_of,
    child_of,
    first_error,
    holds,
    line_of,
    parse_rust,
    text_of,
    text_value,
    tokens_of,
)
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tree_sitter import Node

MAX_FILES = 4096
MAX_TOTAL_BYTES = 32 << 20
MAX_DEPTH = 64
_MAX_DESCRIPTION = 4096
_DOCUMENTATION = ("line_comment", "block_comment")


class CrateSource(NamedTuple):
    """What the source declares; places are ``path:line`` from the crate's root."""

    workflows: tuple[SourceWorkflow, ...] = ()
    stray_tasks: tuple[SourceTask, ...] = ()
    package_macro: str | None = None
    packaged_workflow: bool = False
    syntax_problems: tuple[SyntaxProblem, ...] = ()


class _Module(NamedTuple):
    """A list of items: of a file, or of an inline module.

    ``folder`` is where its ``mod name;`` are looked for, ``path_folder`` where its ``#[path]``
    count from.
    """

    nodes: tuple[Node, ...]
    path: str
    folder: str
    path_folder: str
    depth: int
    in_workflow: bool = False


def read_source(root: str, lib_path: str, features: frozenset[str]) -> CrateSource:
    """Return what the library with the root file ``lib_path`` declares.

    ``features`` are those that a packaged build has on. Files that cannot be read or parsed are
    in ``syntax_problems``; the others still count.
    """
    return _Reader(_Folder(root), features).read(lib_path)


def read_packed_source(
    files: Mapping[str, bytes], lib_path: str, features: frozenset[str]
) -> CrateSource:
    """Return what the library declares whose sources are ``files``, by their paths in the crate."""
    return _Reader(_Packed(files), features).read(lib_path)


class _Files(Protocol):
    """The files of a crate, by their paths from its root."""

    def identity(self, path: str) -> str:
        """Return what all paths to one file have in common."""

    def exists(self, path: str) -> bool:
        """Tell whether there is something of that name."""

    def read(self, path: str) -> tuple[bytes, str | None]:
        """Return the file's first bytes, or why it is not read."""


class _Folder:
    """A crate on the disk."""

    def __init__(self, root: str) -> None:
        self._root = root

    def identity(self, path: str) -> str:
        return os.path.realpath(os.path.join(self._root, path))

    def exists(self, path: str) -> bool:
        return os.path.lexists(os.path.join(self._root, path))

    def read(self, path: str) -> tuple[bytes, str | None]:
        real = self.identity(path)
        if not real.startswith(os.path.join(os.path.realpath(self._root), "")):
            return b"", "outside of the crate, not read"
        try:
            data = _read_regular(real)
        except OSError as error:
            return b"", (error.strerror or "cannot be read").lower()
        return (b"", "not a regular file") if data is None else (data, None)


class _Packed:
    """A crate in a package."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def identity(self, path: str) -> str:
        return os.path.normpath(path)

    def exists(self, path: str) -> bool:
        return self.identity(path) in self._files

    def read(self, path: str) -> tuple[bytes, str | None]:
        data = self._files.get(self.identity(path))
        return (b"", "not in the package") if data is None else (data, None)


class _Reader:
    """Walks the modules of one crate once, by a list of what is left."""

    def __init__(self, files: _Files, features: frozenset[str]) -> None:
        self._files = files
        self._features = features
        self._left: list[_Module] = []
        self._seen: set[str] = set()
        self._bytes_left = MAX_TOTAL_BYTES
        self._seconds_left = MAX_PARSE_SECONDS
        self._problems: list[SyntaxProblem] = []
        self._workflows: list[tuple[SourceWorkflow, tuple[str, ...]]] = []
        self._triggers: list[DeclaredTrigger] = []
        self._stray: list[SourceTask] = []
        self._package_macro: str | None = None
        self._packaged_workflow = False

    def read(self, lib_path: str) -> CrateSource:
        self._open(lib_path, os.path.dirname(lib_path), 0, f"{lib_path}:1")
        while self._left:
            self._stray += self._module(self._left.pop())
        return CrateSource(
            workflows=tuple(self._triggered(*found) for found in self._workflows),
            stray_tasks=tuple(self._stray),
            package_macro=self._package_macro,
            packaged_workflow=self._packaged_workflow,
            syntax_problems=tuple(self._problems),
        )

    def _triggered(self, workflow: SourceWorkflow, named: tuple[str, ...]) -> SourceWorkflow:
        triggers = {
            declared.trigger.name: declared.trigger
            for declared in self._triggers
            if declared.trigger.name in named
            or (declared.on is not None and declared.on == workflow.name)
        }
        return workflow._replace(triggers=tuple(triggers[name] for name in sorted(triggers)))

    def _open(self, path: str, folder: str, depth: int, place: str) -> None:
        """Parse a file and put its module on the list."""
        identity = self._files.identity(path)
        if identity in self._seen:
            return
        self._seen.add(identity)
        data, problem = self.read_file(path)
        if problem is not None:
            self._problems.append(SyntaxProblem(place, f"{problem}: {path}"))
            return
        start = time.process_time()
        root = parse_rust(data, self._seconds_left) if self._seconds_left > 0 else None
        self._seconds_left -= time.process_time() - start
        if root is None:
            self._problems.append(SyntaxProblem(place, f"takes too long to parse: {path}"))
            return
        error = first_error(root)
        if error is not None:
            self._problems.append(SyntaxProblem(f"{path}:{line_of(error)}", "not Rust"))
        nodes = tuple(root.children)
        self._left.append(_Module(nodes, path, folder, os.path.dirname(path), depth))

    def read_file(self, path: str) -> tuple[bytes, str | None]:
        """Return the bytes of a file of the crate, or why they are not read."""
        if len(self._seen) > MAX_FILES:
            return b"", f"more than {MAX_FILES} files, not read"
        data, problem = self._files.read(path)
        if problem is not None:
            return b"", problem
        self._bytes_left -= len(data)
        if len(data) > MAX_SOURCE_BYTES or self._bytes_left < 0:
            return b"", "too much source to read"
        return data, None

    def _module(self, module: _Module) -> list[SourceTask]:
        """Return the tasks that stand directly in a module; the modules in it join the list."""
        inner: list[_Module] = []
        tasks: list[SourceTask] = []
        for item in self._items(module.nodes):
            kind = item.node.type
            if kind == "function_item":
                self._function(item, module, tasks)
            elif kind == "mod_item":
                self._child(item, module, inner)
            else:
                self._macro(item.node, module, tasks)
        self._left += reversed(inner)
        return tasks

    def _items(self, nodes: Sequence[Node]) -> Iterator[Item]:
        """Yield the items that a packaged build has, with what stands in front of each."""
        before: list[Node] = []
        for node in nodes:
            if node.type == "attribute_item" or node.type in _DOCUMENTATION:
                before.append(node)
                continue
            attributes = tuple(
                attribute
                for item in before
                if item.type == "attribute_item"
                for attribute in attributes_of(item, self._features)
            )
            if not self._left_out(attributes):
                yield Item(node, attributes, _documentation(before))
            before = []

    def _left_out(self, attributes: Sequence[Attribute]) -> bool:
        return any(
            attribute.path == ("cfg",)
            and attribute.group is not None
            and holds(tokens_of(attribute.group), self._features) is False
            for attribute in attributes
        )

    def _function(self, item: Item, module: _Module, tasks: list[SourceTask]) -> None:
        task = item.marked("task")
        if task is not None:
            tasks.append(read_task(item, task, module.path, module.depth))
        trigger = item.marked("trigger")
        if trigger is not None:
            self._triggers.append(read_trigger(item, trigger))

    def _macro(self, node: Node, module: _Module, tasks: list[SourceTask]) -> None:
        """Note ``package!()``, wherever it stands, and ``constructor!`` in a workflow."""
        invocation = node if node.type == "macro_invocation" else child_of(node, "macro_invocation")
        if invocation is None or node.type not in ("macro_invocation", "expression_statement"):
            return
        name = text_of(invocation.children[0]).split("::")[-1].strip()
        group = child_of(invocation, "token_tree")
        if name == "package" and self._package_macro is None:
            self._package_macro = f"{module.path}:{line_of(invocation)}"
        elif name == "constructor" and module.in_workflow and group is not None:
            tasks.append(read_constructor(group, module.path))

    def _child(self, item: Item, module: _Module, inner: list[_Module]) -> None:
        """Put a module that is declared here on the list: inline, or in a file of its own."""
        name, depth = name_of(item.node), module.depth + 1
        place = f"{module.path}:{line_of(item.node)}"
        mark = item.marked(*WORKFLOW_MACROS)
        body = child_of(item.node, "declaration_list")
        if depth > MAX_DEPTH:
            self._problems.append(SyntaxProblem(place, f"modules more than {MAX_DEPTH} deep"))
            return
        folder = os.path.join(module.folder, name)
        nodes = tuple(body.children) if body is not None else ()
        nested = _Module(nodes, module.path, folder, folder, depth, mark is not None)
        if mark is not None:
            self._packaged_workflow |= mark.path[-1] == "packaged_workflow"
            tasks = self._module(nested)
            self._workflows.append(read_workflow(item, mark, module.path, tasks))
        elif body is not None:
            inner.append(nested)
        else:
            self._file(item, name, module, place)

    def _file(self, item: Item, name: str, module: _Module, place: str) -> None:
        """Open the file of ``mod name;``."""
        explicit = next((a for a in item.attributes if a.path == ("path",)), None)
        if explicit is not None:
            given = (text_value(explicit.tokens) or "").replace("\0", "\ufffd")
            path = os.path.normpath(os.path.join(module.path_folder, given))
            self._open(path, os.path.dirname(path), module.depth + 1, place)
            return
        flat = os.path.join(module.folder, f"{name}.rs")
        nested = os.path.join(module.folder, name, "mod.rs")
        folder = os.path.join(module.folder, name)
        for path in (flat, nested):
            if self._files.exists(path):
                self._open(path, folder, module.depth + 1, place)
                return
        if not any(attribute.path == ("cfg",) for attribute in item.attributes):
            self._problems.append(SyntaxProblem(place, f"no file for the module: {name}"))


def _read_regular(path: str) -> bytes | None:
    """Return the first bytes of a regular file; None for anything else, a pipe above all."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        with open(fd, "rb", closefd=False) as file:
            return file.read(MAX_SOURCE_BYTES + 1)
    finally:
        os.close(fd)


def _documentation(before: Sequence[Node]) -> str | None:
    """Return the first line of the documentation in front of an item."""
    for node in before:
        text = _attribute_text(node) if node.type == "attribute_item" else _comment_text(node)
        for line in text.splitlines():
            words = line.strip().lstrip("*").strip()
            if words:
                return words[:_MAX_DESCRIPTION]
    return None


def _comment_text(node: Node) -> str:
    comment = child_of(node, "doc_comment")
    is_outer = child_of(node, "outer_doc_comment_marker") is not None
    return text_of(comment) if comment is not None and is_outer else ""


def _attribute_text(node: Node) -> str:
    for attribute in attributes_of(node, frozenset()):
        if attribute.path == ("doc",):
            return text_value(attribute.tokens) or ""
    return ""


def build_script_use(root: str, path: str, crate: str) -> str | None:
    """Return where the build script uses the crate ``crate``, as ``path:line``."""
    data, problem = _Reader(_Folder(root), frozenset()).read_file(path)
    tree = parse_rust(data) if problem is None else None
    left = [] if tree is None else [tree]
    while left:
        node = left.pop()
        if node.type in ("scoped_identifier", "scoped_use_list", "use_wildcard"):
            if text_of(node).lstrip(":").split("::")[0].strip() == crate:
                return f"{path}:{line_of(node)}"
        else:
            left.extend(reversed(node.children))
    return None
