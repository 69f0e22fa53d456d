"""What a Python module declares, by its syntax tree alone; nothing is imported or run.

The rules are those of the decorators: an id defaults to the function's name, a dependency is a
text or a function, whose ``__name__`` is then used and not its task's id.
"""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from typing import TYPE_CHECKING, NamedTuple

from cloacina_ctl.manifest import Retry, Trigger
from cloacina_ctl.project.model import SourceDependency, SourceTask, SyntaxProblem
from cloacina_ctl.project.values import Unreadable, literal, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE = "cloaca"
MAX_SOURCE_BYTES = 4 << 20

_RETRY = {
    "retry_attempts": ("attempts", int),
    "retry_backoff": ("backoff", str),
    "retry_delay_ms": ("delay_ms", int),
    "retry_max_delay_ms": ("max_delay_ms", int),
    "retry_condition": ("condition", str),
    "retry_jitter": ("jitter", bool),
}
_OTHER = {"on_success", "on_failure", "invokes", "post_invocation", "retry", "trigger_rules"}
_KNOWN = {"id", "dependencies", *_RETRY, *_OTHER}


class Imported(NamedTuple):
    """A module that is imported: its dotted name, relative by ``level`` dots."""

    module: str
    level: int
    names: tuple[str, ...] = ()


class ModuleSource(NamedTuple):
    """What one module declares and imports; places are ``path:line``."""

    tasks: tuple[SourceTask, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    imports: tuple[Imported, ...] = ()
    builders: tuple[str, ...] = ()
    problem: SyntaxProblem | None = None


def read_module(data: bytes, path: str) -> ModuleSource:
    """Return what the module with the source ``data`` declares; ``path`` names it in places."""
    try:
        tree = _parse(data)
    except SyntaxError as error:
        message = f"not Python: {error.msg}"
        return ModuleSource(problem=SyntaxProblem(f"{path}:{error.lineno or 1}", message))
    except (ValueError, RecursionError, MemoryError, LookupError) as error:
        message = f"cannot be parsed: {error or type(error).__name__}"
        return ModuleSource(problem=SyntaxProblem(f"{path}:1", message))
    return _Reader(tree, path).read()


def _parse(data: bytes) -> ast.Module:
    if len(data) > MAX_SOURCE_BYTES:
        raise ValueError(f"larger than {MAX_SOURCE_BYTES} bytes")
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the author's own tools say them
        return ast.parse(data.decode(encoding))


class _Reader:
    """Walks one module once: decorated functions, imports, builders."""

    def __init__(self, tree: ast.Module, path: str) -> None:
        self._tree = tree
        self._path = path
        self._modules = {MODULE}
        self._names: dict[str, str] = {}
        self._constants: dict[str, object] = {}

    def read(self) -> ModuleSource:
        nodes = list(ast.walk(self._tree))
        imports = [found for node in nodes for found in self._imports(node)]
        for statement in self._tree.body:
            self._note_constant(statement)
        functions = [n for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        functions.sort(key=lambda node: node.lineno)
        decorated = [(node, decorator) for node in functions for decorator in node.decorator_list]
        return ModuleSource(
            tasks=tuple(self._task(n, d) for n, d in decorated if self._is(d, "task")),
            triggers=tuple(
                found
                for n, d in decorated
                if self._is(d, "trigger") and (found := self._trigger(n, d)) is not None
            ),
            imports=tuple(imports),
            builders=tuple(
                self._place(node)
                for node in nodes
                if isinstance(node, ast.Call) and self._is(node, "WorkflowBuilder")
            ),
        )

    def _place(self, node: ast.expr | ast.stmt) -> str:
        return f"{self._path}:{node.lineno}"

    def _imports(self, node: ast.AST) -> Iterator[Imported]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == MODULE:
                    self._modules.add(alias.asname or alias.name)
                yield Imported(alias.name, 0)
        elif isinstance(node, ast.ImportFrom):
            if node.module == MODULE and not node.level:
                self._names.update({alias.asname or alias.name: alias.name for alias in node.names})
            names = tuple(alias.name for alias in node.names)
            yield Imported(node.module or "", node.level, names)

    def _note_constant(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, value = statement.targets[0], statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            target, value = statement.target, statement.value
        else:
            return
        if isinstance(target, ast.Name):
            if target.id in self._constants or not isinstance(value, ast.Constant):
                self._constants[target.id] = Unreadable  # assigned twice, or no literal
            else:
                self._constants[target.id] = value.value

    def _is(self, node: ast.expr, name: str) -> bool:
        """Tell whether ``node`` is ``cloaca.<name>`` in whatever spelling, called or not."""
        target = node.func if isinstance(node, ast.Call) else node
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            return target.attr == name and target.value.id in self._modules
        return isinstance(target, ast.Name) and self._names.get(target.id) == name

    def _task(
        self, function: ast.FunctionDef | ast.AsyncFunctionDef, decorator: ast.expr
    ) -> SourceTask:
        call = decorator if isinstance(decorator, ast.Call) else None
        arguments = {word.arg: word.value for word in call.keywords if word.arg} if call else {}
        values, unreadable = self._read_arguments(arguments)
        if call and any(word.arg is None for word in call.keywords):
            unreadable.append("**")
        id_ = values.get("id", function.name) if "id" not in unreadable else None
        docstring = ast.get_docstring(function)
        return SourceTask(
            id=id_ if isinstance(id_, str) else None,
            function=function.name,
            place=self._place(function),
            dependencies=self._dependencies(arguments.get("dependencies"), unreadable),
            description=docstring.strip().split("\n", 1)[0].strip() or None if docstring else None,
            retry=_retry(values, unreadable),
            trigger_rules=_source(arguments.get("trigger_rules")),
            is_async=isinstance(function, ast.AsyncFunctionDef),
            is_called=call is not None and not call.args,
            unknown_arguments=tuple(sorted(set(arguments) - _KNOWN)),
            unreadable_arguments=tuple(unreadable),
        )

    def _read_arguments(
        self, arguments: dict[str, ast.expr]
    ) -> tuple[dict[str, object], list[str]]:
        values: dict[str, object] = {}
        unreadable: list[str] = []
        for name, node in arguments.items():
            if name == "id" or name in _RETRY:
                value = literal(node, self._constants)
                if value is Unreadable:
                    unreadable.append(name)
                elif value is not None:
                    values[name] = value
        return values, unreadable

    def _dependencies(
        self, node: ast.expr | None, unreadable: list[str]
    ) -> tuple[SourceDependency, ...]:
        if node is None or isinstance(node, ast.Constant) and node.value is None:
            return ()
        if not isinstance(node, ast.List | ast.Tuple):
            unreadable.append("dependencies")
            return ()
        found = []
        for item in node.elts:
            text = ast.unparse(item)
            value = literal(item, self._constants)
            if isinstance(value, str):
                found.append(SourceDependency(value, text))
            elif isinstance(item, ast.Name) and item.id not in self._constants:
                found.append(SourceDependency(item.id, text, is_function=True))
            elif isinstance(item, ast.Attribute):
                found.append(SourceDependency(item.attr, text, is_function=True))
            else:
                unreadable.append("dependencies")
        return tuple(found)

    def _trigger(
        self, function: ast.FunctionDef | ast.AsyncFunctionDef, decorator: ast.expr
    ) -> Trigger | None:
        call = decorator if isinstance(decorator, ast.Call) else None
        arguments = {
            word.arg: literal(word.value, self._constants)
            for word in (call.keywords if call else ())
            if word.arg
        }
        texts = {name: value for name, value in arguments.items() if isinstance(value, str)}
        cron = texts.get("cron")
        return Trigger(
            name=texts.get("name", function.name),
            kind="cron" if cron else "poll",
            cron=cron,
            timezone=texts.get("timezone"),
            poll_interval_ms=None if cron else milliseconds(texts.get("poll_interval", "30s")),
            allow_concurrent=arguments.get("allow_concurrent") is True,
        )


def _retry(values: dict[str, object], unreadable: list[str]) -> Retry | None:
    settings: dict[str, object] = {}
    for name, (field, kind) in _RETRY.items():
        if name in values:
            value = values[name]
            if type(value) is not kind or (kind is int and int(str(value)) < 0):
                unreadable.append(name)
            else:
                settings[field] = value
    return Retry(**settings) if settings else None  # type: ignore[arg-type] # judged just above


def _source(node: ast.expr | None) -> str | None:
    return None if node is None else ast.unparse(node)
