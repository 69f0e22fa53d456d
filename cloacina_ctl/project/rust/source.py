"""Reads the declarations of a crate's source files; nothing is expanded, compiled or run.

Files are found as the compiler finds them: ``mod name;`` from the library's root file, ``#[path]``
included, ``include!`` not. No file outside of the crate is read, through links neither. What
``cfg`` leaves out of the packaged build is left out here; what depends on more than the crate's
features is there, and marked as uncertain.
"""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING, Protocol

from cloacina_ctl.project.model import CompileRead, SourceTask, SourceWorkflow, SyntaxProblem
from cloacina_ctl.project.rust.cfg import attributes_of, features_in, standing
from cloacina_ctl.project.rust.code import CodeReader, RustCode, Scope, result_in
from cloacina_ctl.project.rust.declarations import (
    WORKFLOW_MACROS,
    Item,
    RustTrigger,
    name_of,
    read_constructor,
    read_task,
    read_trigger,
    read_workflow,
)
from cloacina_ctl.project.rust.reads import reads_in
from cloacina_ctl.project.rust.syntax import (
    MAX_PARSE_SECONDS,
    MAX_SOURCE_BYTES,
    child_of,
    first_error,
    parse_rust,
    place_of,
    text_of,
    text_value,
)
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tree_sitter import Node

    from cloacina_ctl.project.rust.syntax import Attribute

MAX_FILES = 4096
MAX_TOTAL_BYTES = 32 << 20
MAX_DEPTH = 64
_MAX_DESCRIPTION = 4096
_DOCUMENTATION = ("line_comment", "block_comment")


class CrateSource(NamedTuple):
    """The declarations of the source; places are ``path:line`` from the crate's root.

    ``features_off`` are those for want of which modules are left out.
    """

    workflows: tuple[SourceWorkflow, ...] = ()
    stray_tasks: tuple[SourceTask, ...] = ()
    features_off: tuple[str, ...] = ()
    package_macro: str | None = None
    packaged_workflow: bool = False
    syntax_problems: tuple[SyntaxProblem, ...] = ()
    reads: tuple[CompileRead, ...] = ()
    code: RustCode = RustCode()


class _Module(NamedTuple):
    """A list of items: of a file, or of an inline module.

    ``folder`` is where its ``mod name;`` are looked for, ``path_folder`` where its ``#[path]``
    count from. ``is_certain`` is one that the build has whatever the platform.
    """

    nodes: tuple[Node, ...]
    path: str
    folder: str
    path_folder: str
    depth: int
    scope: Scope = Scope()
    is_certain: bool = True

    @property
    def in_workflow(self) -> bool:
        """Whether it is the module of a workflow."""
        return self.scope.workflow is not None


def read_source(
    root: str, lib_path: str, features: frozenset[str], absent: frozenset[str] = frozenset()
) -> CrateSource:
    """Return what the library with the root file ``lib_path`` declares.

    ``features`` are those that the build has on, ``absent`` the names of crates that the source had
    better not use. Files that cannot be read or parsed are in ``syntax_problems``; the others still
    count.
    """
    return _Reader(_Folder(root), features, absent).read(lib_path)


def read_packed_source(
    files: Mapping[str, bytes],
    lib_path: str,
    features: frozenset[str],
    absent: frozenset[str] = frozenset(),
) -> CrateSource:
    """Return what the library declares whose sources are ``files``, by their paths in the crate."""
    return _Reader(_Packed(files), features, absent).read(lib_path)


class _Files(Protocol):
    """The files of a crate, by their paths from its root."""

    def identity(self, path: str) -> str:
        """Return what all paths to one file have in common."""

    def exists(self, path: str) -> bool:
        """Return whether there is something of that name."""

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

    def __init__(
        self, files: _Files, features: frozenset[str], absent: frozenset[str] = frozenset()
    ) -> None:
        self._files = files
        self._features = features
        self._code = CodeReader(features, absent)
        self._left: list[_Module] = []
        self._seen: set[str] = set()
        self._bytes_left = MAX_TOTAL_BYTES
        self._seconds_left = MAX_PARSE_SECONDS
        self._problems: list[SyntaxProblem] = []
        self._workflows: list[tuple[SourceWorkflow, tuple[str, ...]]] = []
        self._triggers: list[RustTrigger] = []
        self._stray: list[SourceTask] = []
        self._reads: list[CompileRead] = []
        self._off: set[str] = set()
        self._package_macro: str | None = None
        self._packaged_workflow = False

    def read(self, lib_path: str) -> CrateSource:
        root = _Module((), lib_path, os.path.dirname(lib_path), "", 0)
        self._open(root, f"{lib_path}:1")
        while self._left:
            self._stray += self._module(self._left.pop())
        return CrateSource(
            workflows=tuple(self._triggered(*found) for found in self._workflows),
            stray_tasks=tuple(self._stray),
            features_off=tuple(sorted(self._off)),
            package_macro=self._package_macro,
            packaged_workflow=self._packaged_workflow,
            syntax_problems=tuple(self._problems),
            reads=tuple(self._reads),
            code=self._code.finish(),
        )

    def _triggered(self, workflow: SourceWorkflow, named: tuple[str, ...]) -> SourceWorkflow:
        triggers = {
            declared.trigger.name: declared.trigger
            for declared in self._triggers
            if declared.trigger.name in named
            or (declared.on is not None and declared.on == workflow.name)
        }
        return workflow._replace(triggers=tuple(triggers[name] for name in sorted(triggers)))

    def _open(self, module: _Module, place: str) -> None:
        """Parse the module's file and put the module with its items on the list."""
        path = module.path
        identity = self._files.identity(path)
        if identity in self._seen:
            return
        self._seen.add(identity)
        self._reads.append(CompileRead(place, path, "mod", module.is_certain))
        if _is_outside(path):  # nothing there is the crate's own, and so it is not read
            return
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
        self._problems += _not_rust(root, data, path)
        for read in reads_in(root, data, path, self._features):
            certain = read.is_certain and module.is_certain
            self._reads.append(read._replace(is_certain=certain))
        nodes = tuple(root.children)
        scope = module.scope._replace(result=result_in(nodes, module.scope.result))
        folder = os.path.dirname(path)
        self._left.append(module._replace(nodes=nodes, path_folder=folder, scope=scope))

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
        stands = self._stands(module)
        if stands is False:
            return []
        module = module._replace(is_certain=module.is_certain and stands is True)
        for item in self._items(module.nodes):
            self._code.item(item, module.path, module.scope, left_out=item.stands is False)
            kind = item.node.type
            if kind == "function_item":
                self._function(item, module, tasks)
            elif kind == "mod_item" and item.stands is not False:
                self._child(item, module, inner)
            elif kind == "mod_item":
                self._note_features(item.attributes)
            elif item.stands is not False or module.in_workflow:
                self._macro(item.node, module, tasks)
        self._left += reversed(inner)
        return tasks

    def _stands(self, module: _Module) -> bool | None:
        """Return whether the ``#![cfg]`` inside of a module leave it in."""
        inside = (node for node in module.nodes if node.type == "inner_attribute_item")
        attributes = [one for node in inside for one in attributes_of(node, self._features)]
        stands = standing(attributes, self._features)
        if stands is False:
            self._note_features(attributes)
        return stands

    def _note_features(self, attributes: Iterable[Attribute]) -> None:
        for attribute in attributes:
            if attribute.path == ("cfg",):
                self._off.update(set(features_in(attribute.tokens)) - self._features)

    def _items(self, nodes: Sequence[Node]) -> Iterator[Item]:
        """Yield the items, with what stands in front of each."""
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
            if node.is_named:
                stands = standing(attributes, self._features)
                yield Item(node, attributes, _documentation(before), stands)
            before = []

    def _function(self, item: Item, module: _Module, tasks: list[SourceTask]) -> None:
        task = item.marked("task")
        if task is not None and (item.stands is not False or module.in_workflow):
            found = read_task(item, task, module.path, module.depth)
            if not (module.in_workflow and task.from_cfg):
                certain = module.is_certain and item.stands is True and task.is_certain
                tasks.append(found._replace(is_certain=certain))
        trigger = item.marked("trigger")
        if trigger is not None and item.stands is not False:
            self._triggers.append(read_trigger(item, trigger))

    def _macro(self, node: Node, module: _Module, tasks: list[SourceTask]) -> None:
        """Note ``package!()``, wherever it stands, and ``constructor!`` in a workflow."""
        invocation = node if node.type == "macro_invocation" else child_of(node, "macro_invocation")
        if invocation is None or node.type not in ("macro_invocation", "expression_statement"):
            return
        name = text_of(invocation.children[0]).split("::")[-1].strip()
        group = child_of(invocation, "token_tree")
        if name == "package" and self._package_macro is None:
            self._package_macro = place_of(module.path, invocation)
        elif name == "constructor" and module.scope.workflow is not None and group is not None:
            tasks.append(read_constructor(group, module.path))

    def _child(self, item: Item, module: _Module, inner: list[_Module]) -> None:
        """Put a module that is declared here on the list: inline, or in a file of its own."""
        name, depth = name_of(item.node), module.depth + 1
        place = place_of(module.path, item.node)
        mark = item.marked(*WORKFLOW_MACROS)
        body = child_of(item.node, "declaration_list")
        if depth > MAX_DEPTH:
            self._problems.append(SyntaxProblem(place, f"modules more than {MAX_DEPTH} deep"))
            return
        folder = os.path.join(module.folder, name)
        moved = _path_attributes(item)
        if body is not None and moved and moved[0].is_certain:
            folder = _path_from(module, moved[0])
        nodes = tuple(body.children) if body is not None else ()
        scope = self._code.below(item, module.scope, place if mark is not None else None)
        certain = module.is_certain and item.stands is True
        nested = _Module(nodes, module.path, folder, folder, depth, scope, certain)
        if mark is not None:
            self._code.workflow(nested.scope, place)
            self._packaged_workflow |= mark.path[-1] == "packaged_workflow"
            workflow, named = read_workflow(item, mark, module.path, self._module(nested))
            certain = certain and mark.is_certain
            self._workflows.append((workflow._replace(is_certain=certain), named))
        elif body is not None:
            inner.append(nested)
        else:
            self._file(item, name, module, nested)

    def _file(self, item: Item, name: str, module: _Module, nested: _Module) -> None:
        """Open the file of ``mod name;``, which is ``nested`` in ``module``.

        Where a ``cfg`` of the platform chooses among several, each that is there may be it.
        """
        place = place_of(module.path, item.node)
        named = _path_attributes(item)
        found = [
            nested._replace(path=path, folder=os.path.dirname(path))
            for path in (_path_from(module, attribute) for attribute in named)
        ]
        if not any(attribute.is_certain for attribute in named):
            nested = nested._replace(is_certain=nested.is_certain and not named)
            flat = os.path.join(module.folder, f"{name}.rs")
            usual = (flat, os.path.join(nested.folder, "mod.rs"))
            there = [nested._replace(path=path) for path in usual if self._files.exists(path)]
            if len(there) > 1 and nested.is_certain:
                message = f"two files for the module: {' and '.join(usual)}"
                self._problems.append(SyntaxProblem(place, message))
            found = [one._replace(is_certain=False) for one in found] + there[:1]
        there = [one for one in found if _is_outside(one.path) or self._files.exists(one.path)]
        for one in there:
            self._open(one, place)
        if not there and (module.is_certain and item.stands is True):
            missing = found[0].path if named and named[0].is_certain else None
            message = f"no file for the module: {name}"
            if missing is not None:
                message = f"{self._files.read(missing)[1]}: {missing}"
            self._problems.append(SyntaxProblem(place, message))


def _path_attributes(item: Item) -> list[Attribute]:
    """Return the ``#[path]`` of a module: the one that counts, or those that may."""
    named = [one for one in item.attributes if one.path == ("path",)]
    return next(([one] for one in named if one.is_certain), named)


def _path_from(module: _Module, attribute: Attribute) -> str:
    given = (text_value(attribute.tokens) or "").replace("\0", "\ufffd")
    return os.path.normpath(os.path.join(module.path_folder, given))


def _is_outside(path: str) -> bool:
    return path.startswith(("../", "/"))


def _not_rust(root: Node, data: bytes, path: str) -> Iterator[SyntaxProblem]:
    """Yield why the compiler refuses a file: its bytes, or the first place that is no Rust."""
    try:
        data.decode()
    except UnicodeDecodeError as wrong:
        line = data.count(b"\n", 0, wrong.start) + 1
        yield SyntaxProblem(f"{path}:{line}", "not UTF-8")
        return
    error = first_error(root)
    if error is not None:
        yield SyntaxProblem(place_of(path, error), "not Rust")


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
                return place_of(path, node)
        else:
            left.extend(reversed(node.children))
    return None
