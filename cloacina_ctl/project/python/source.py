"""Reads the declarations of a Python module from its syntax tree; nothing is imported or run.

The rules are those of the decorators: an id defaults to the function's name, a dependency is a
string or a function, whose ``__name__`` is used, not the id of its task. Only code that an import
runs counts; a task that is declared in any other way is reported, because it cannot be listed.
"""

from __future__ import annotations

import ast
import codecs
import io
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Place
from cloacina_ctl.project.model import CONSTRUCTOR, SourceTask, SyntaxProblem
from cloacina_ctl.project.python.decorators import Arguments, read_trigger
from cloacina_ctl.project.python.import_time import (
    MODULE,
    UNREADABLE,
    Elsewhere,
    Function,
    FunctionNode,
    engine_name,
    executed,
    names_of,
)
from cloacina_ctl.project.python.imports import Import, needed_imports
from cloacina_ctl.project.python.syntax import NewerSyntax, newer_syntax, parse_source
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.manifest import Trigger

# A parser takes a hundred times a source's size in memory.
MAX_SOURCE_BYTES = 2 << 20
MAX_SHOWN = 1000
_DECLARATION_BYTES = 4096  # a declaration is in the first two lines
# Codecs that a source may name: Python has others that are slow, or not for text.
_ENCODINGS = re.compile(
    r"utf-8(?:-sig)?|ascii|us-ascii|latin-?1|iso-?8859-\d+|(?:cp|windows-)\d+|koi8-[ru]"
    r"|shift[_-]jis|euc[_-](?:jp|kr)|gb(?:k|2312|18030)|big5"
)

# Code by which a module changes the import path.
_PATHS = re.compile(
    rb"\bsys\.(?:path|modules|meta_path)\b|\bfrom\s+sys\s+import\b.*\b(?:path|modules)\b"
    rb"|\b__path__\b|\baddsitedir\b"
)
# Names that the engine's wheel has, and the module that packages import does not.
_LIBRARY_ONLY = frozenset(
    {"DatabaseAdmin", "DefaultRunner", "DefaultRunnerConfig", "TenantConfig", "TenantCredentials",
     "WorkflowResult"}
)  # fmt: skip
_GRAPHS = frozenset({"ComputationGraphBuilder", "reactor"})

Lookup = Callable[[Elsewhere], object]


class Imported(NamedTuple):
    """A module that is imported: its dotted name, relative by ``level`` dots."""

    module: str
    level: int
    names: tuple[str, ...] = ()


class ModuleSource(NamedTuple):
    """The declarations and imports of one module; places are ``path:line``.

    ``hidden`` are places of tasks that are declared only at run time, ``graphs`` those of
    computation graphs and their reactors. ``builders`` take the tasks in them away from the
    package's workflow, ``loose_builders`` may not. ``needed`` are the imports that have to succeed;
    ``changes_path`` is whether the module may change the import path. ``library_only`` are
    uses of what `cloaca` has outside of packages alone, ``newer`` is what an older Python does not
    read.
    """

    tasks: tuple[SourceTask, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    imports: tuple[Imported, ...] = ()
    builders: tuple[str, ...] = ()
    loose_builders: tuple[str, ...] = ()
    library_only: tuple[tuple[str, str], ...] = ()
    newer: tuple[NewerSyntax, ...] = ()
    graphs: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    needed: tuple[Import, ...] = ()
    changes_path: bool = False
    problem: SyntaxProblem | None = None


class _Text(NamedTuple):
    """A source and its syntax tree; the tree counts columns in bytes of UTF-8."""

    tree: ast.Module
    lines: list[bytes]

    def of(self, node: ast.expr) -> str:
        """Return the source of ``node`` on one line, shortened if it is too long."""
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        lines = self.lines[first : last + 1]
        lines[-1] = lines[-1][: node.end_col_offset]
        lines[0] = lines[0][node.col_offset :]
        return b" ".join(b" ".join(lines).split()).decode("utf-8", "replace")[:MAX_SHOWN]

    def place(self, path: str, node: ast.AST) -> Place:
        """Return the place of ``node`` in the module at ``path``."""
        line = getattr(node, "lineno", None)
        if line is None:  # the module itself
            return Place(path, 1)
        before = self.lines[line - 1][: getattr(node, "col_offset", 0)]
        return Place(path, line, len(before.decode("utf-8", "replace")) + 1)


def read_module(data: bytes, path: str, lookup: Lookup | None = None) -> ModuleSource:
    """Return the declarations in the source ``data``; ``path`` is its path in places.

    ``lookup`` resolves a name that the module imports from another one.
    """
    try:
        text = _parse(data)
        return _Reader(text, path, lookup or _unknown).read()
    except SyntaxError as error:
        place = Place(path, error.lineno or 1, error.offset or None)
        return ModuleSource(problem=SyntaxProblem(place, error.msg, is_grammar=True))
    except (ValueError, RecursionError, MemoryError) as error:
        reason = str(error) if isinstance(error, ValueError) else "nested too deep"
        problem = SyntaxProblem(f"{path}:1", f"cannot be parsed: {reason}")
        return ModuleSource(problem=problem)


def read_names(data: bytes) -> dict[str, object]:
    """Return the meaning of a module's top-level names; nothing if it cannot be parsed."""
    try:
        return names_of(_parse(data).tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


def _parse(data: bytes) -> _Text:
    if len(data) > MAX_SOURCE_BYTES:
        raise ValueError(f"larger than {MAX_SOURCE_BYTES} bytes")
    encoding = _encoding_of(data)
    if _ENCODINGS.fullmatch(encoding.lower()) is None:
        raise ValueError(f"unsupported encoding: {encoding}")
    source = data.decode(encoding)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the author's own tools report them
        tree = parse_source(source)
    return _Text(tree, re.split(rb"\r\n|\r|\n", source.encode("utf-8", "surrogatepass")))


def _encoding_of(data: bytes) -> str:
    """Return the encoding in the first two lines; few sources declare one."""
    if not data.startswith(codecs.BOM_UTF8) and b"coding" not in data[:_DECLARATION_BYTES]:
        data.decode()  # Python refuses what is not UTF-8 when it reads the first line
        return "utf-8"
    import tokenize

    return tokenize.detect_encoding(io.BytesIO(data).readline)[0]


def _unknown(_name: Elsewhere) -> object:
    return UNREADABLE


class _Reader:
    """Reads one parsed module."""

    def __init__(self, text: _Text, path: str, lookup: Lookup) -> None:
        self._text = text
        self._path = path
        self._lookup = lookup
        self._names = names_of(text.tree)
        self._tasks: list[SourceTask] = []
        self._triggers: list[Trigger] = []
        self._builders: list[str] = []
        self._loose_builders: list[str] = []
        self._library_only: list[tuple[str, str]] = []
        self._graphs: list[str] = []
        self._hidden: list[str] = []

    def read(self) -> ModuleSource:
        """Return the declarations of the module."""
        statements = list(executed(self._text.tree))
        imports = [found for statement in statements for found in _imports(statement)]
        for statement in statements:
            if isinstance(statement, FunctionNode):
                self._read_function(statement)
            else:
                self._read_expressions(statement)
        needed = tuple(needed_imports(self._text.tree, self._place, self._is_task))
        self._library_only += [
            (one.place, name)
            for one in needed
            if one.module == MODULE and not one.level and one.task is None
            for name in one.names
            if name in _LIBRARY_ONLY
        ]
        loose = dict.fromkeys(
            place for place in self._loose_builders if place not in self._builders
        )
        return ModuleSource(
            tasks=tuple(self._tasks),
            triggers=tuple(self._triggers),
            imports=tuple(imports),
            builders=tuple(dict.fromkeys(self._builders)),
            loose_builders=tuple(loose),
            library_only=tuple(dict.fromkeys(self._library_only)),
            newer=tuple(newer_syntax(self._text.tree, self._text.lines, self._place)),
            graphs=tuple(self._graphs),
            hidden=tuple(self._hidden),
            needed=needed,
            changes_path=any(_PATHS.search(line) for line in self._text.lines),
        )

    def _is_task(self, function: FunctionNode) -> bool:
        return any(
            engine_name(one.func if isinstance(one, ast.Call) else one, self._names) == "task"
            for one in function.decorator_list
        )

    def _read_function(self, function: FunctionNode) -> None:
        """Read the decorators; declarations in the body are only reported."""
        for decorator in function.decorator_list:
            called = isinstance(decorator, ast.Call)
            target = decorator.func if isinstance(decorator, ast.Call) else decorator
            engine = engine_name(target, self._names)
            if engine == "task":
                self._tasks.append(self._task(function, decorator))
            elif engine == "trigger" and called:
                trigger = read_trigger(function.name, self._arguments(decorator))
                if trigger is None:
                    self._hidden.append(self._place(function))
                else:
                    self._triggers.append(trigger)
        for statement in function.body:
            for node in ast.walk(statement):
                self._report(node)

    def _read_expressions(self, statement: ast.stmt) -> None:
        """Report uses of the engine in a statement other than a function."""
        is_alias = self._is_alias(statement)
        for node in _own_expressions(statement):
            name = engine_name(node, self._names) if isinstance(node, ast.expr) else None
            if name in _LIBRARY_ONLY and isinstance(node, ast.Attribute):
                self._library_only.append((self._place(node), name))
            if is_alias:
                continue
            self._report(node)
            if name == "register_workflow_constructor":
                self._builders.append(self._place(node))
            if isinstance(node, ast.Call) and self._is_constructor(node):
                self._tasks.append(self._constructor(node))
        if isinstance(statement, ast.With):
            self._builders += [
                self._place(item.context_expr)
                for item in statement.items
                if self._takes_tasks(item)
            ]

    def _is_constructor(self, call: ast.Call) -> bool:
        return engine_name(call.func, self._names) == "constructor"

    def _constructor(self, call: ast.Call) -> SourceTask:
        """Return the task that a server makes from a provider."""
        arguments = Arguments(call, self._resolve, self._text.of)
        id_, dependencies = arguments.value("id"), arguments.dependencies()
        known = isinstance(id_, str) and bool(id_)
        unreadable = [*arguments.unreadable, *([] if known else ["id"])]
        return SourceTask(
            id=str(id_) if known else None,
            function=CONSTRUCTOR,
            place=self._place(call),
            dependencies=dependencies,
            unreadable_arguments=tuple(dict.fromkeys(unreadable)),
        )

    def _takes_tasks(self, item: ast.withitem) -> bool:
        """Return whether a builder's block takes its tasks away from the package's workflow."""
        call = item.context_expr
        if not isinstance(call, ast.Call):
            return False
        named = any(keyword.arg in (None, "package") for keyword in call.keywords)
        return engine_name(call.func, self._names) == "WorkflowBuilder" and not named

    def _is_alias(self, statement: ast.stmt) -> bool:
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            return False
        return engine_name(statement.value, self._names) is not None

    def _report(self, node: ast.AST) -> None:
        """Report a builder, and a use of ``task`` that is not a decorator run by an import."""
        name = engine_name(node, self._names) if isinstance(node, ast.expr) else None
        if name == "task":
            self._hidden.append(self._place(node))
        elif name == "WorkflowBuilder":
            self._loose_builders.append(self._place(node))
        elif name in _GRAPHS:
            self._graphs.append(self._place(node))

    def _task(self, function: FunctionNode, decorator: ast.expr) -> SourceTask:
        arguments = self._arguments(decorator)
        docstring = ast.get_docstring(function, clean=False)  # cleaning loads `inspect`
        return SourceTask(
            id=arguments.task_id(function.name),
            function=function.name,
            place=self._place(function),
            dependencies=arguments.dependencies(),
            description=_first_line(docstring),
            retry=arguments.retry(),
            trigger_rules=arguments.source_of("trigger_rules"),
            is_async=isinstance(function, ast.AsyncFunctionDef),
            is_called=isinstance(decorator, ast.Call),
            unknown_arguments=tuple(arguments.unknown),
            unreadable_arguments=tuple(dict.fromkeys(arguments.unreadable)),
        )

    def _arguments(self, decorator: ast.expr) -> Arguments:
        call = decorator if isinstance(decorator, ast.Call) else None
        return Arguments(call, self._resolve, self._text.of)

    def _resolve(self, name: str) -> object:
        """Return the meaning of a name in the module."""
        value = self._names.get(name, UNREADABLE)
        if not isinstance(value, Elsewhere):
            return value
        found = self._lookup(value)
        return found if isinstance(found, Function | str | int | bool) else UNREADABLE

    def _place(self, node: ast.AST) -> str:
        return self._text.place(self._path, node)


def _own_expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the expressions of a statement, not those of the statements in it."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        for child in ast.iter_child_nodes(waiting.pop()):
            if not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
                yield child
                waiting.append(child)


def _imports(statement: ast.stmt) -> Iterator[Imported]:
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            yield Imported(alias.name, 0)
    elif isinstance(statement, ast.ImportFrom):
        names = tuple(alias.name for alias in statement.names)
        yield Imported(statement.module or "", statement.level, names)


def _first_line(docstring: str | None) -> str | None:
    return docstring.strip().partition("\n")[0].strip() or None if docstring else None
