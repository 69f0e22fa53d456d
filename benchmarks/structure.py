"""Print measures of the source: ``python -m benchmarks.structure``. They pass or fail nothing.

What `cloacina_ctl` is made of, for comparing one state of it with another: how long modules and
functions are, which names stand for several things, how much hides from the top of a file.
"""

from __future__ import annotations

import ast
import io
import statistics
import textwrap
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import grimp

ROOT = Path(__file__).parents[1]
PACKAGE = "cloacina_ctl"
LONG_MODULE = 400
LONG_FUNCTION = 40
LARGE_FOLDER = 15
_NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENDMARKER,
}  # fmt: skip
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    """A module as it is read: its path below the root, its text, and what it is parsed to."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    def code_lines(self) -> int:
        """Return the number of lines that are neither blank nor comment nor docstring."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        code = {
            line
            for token in tokens
            if token.type not in _NO_CODE
            for line in range(token.start[0], token.end[0] + 1)
        }
        for node in ast.walk(self.tree):
            if text := _docstring(node):
                code -= set(range(text.lineno, (text.end_lineno or 0) + 1))
        return len(code)

    def functions(self) -> Iterator[Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, _FUNCTIONS))

    def public_classes(self) -> Iterator[str]:
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name

    def comments(self) -> Iterator[str]:
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.string


def read(folder: str) -> list[Module]:
    """Return the modules below a folder of the project, in the order of their paths."""
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        text = path.read_text("utf-8")
        found.append(Module(path.relative_to(ROOT), text, ast.parse(text)))
    return found


def _docstring(node: ast.AST) -> ast.Expr | None:
    """Return the statement that is the docstring of a module, class or function."""
    if not isinstance(node, (ast.Module, ast.ClassDef, *_FUNCTIONS)):
        return None
    first = node.body[0] if node.body else None
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return first if is_text and isinstance(first.value.value, str) else None


def body_lines(function: Function) -> int:
    """Return how many lines the body of a function has, its docstring left out."""
    body = function.body[1:] if _docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def hidden_imports(module: Module) -> list[ast.stmt]:
    """Return the imports that stand inside of functions."""
    inside = {
        id(node): node
        for function in module.functions()
        for node in ast.walk(function)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    return list(inside.values())


def of_one_importer() -> list[str]:
    """Return the modules that exactly one other imports; what is imported by name is not seen."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    return sorted(
        name for name in graph.modules if len(graph.find_modules_that_directly_import(name)) == 1
    )


def several(names: Counter[str]) -> list[str]:
    """Return the names that are there more than once, with how often."""
    return [f"{name} {count}" for name, count in sorted(names.items()) if count > 1]


def uses(modules: list[Module], name: str) -> int:
    """Return how often a name is used, its imports left out."""
    nodes = (node for module in modules for node in ast.walk(module.tree))
    return sum(isinstance(node, ast.Name) and node.id == name for node in nodes)


def table() -> Iterator[tuple[str, str, list[str]]]:
    """Yield what is measured, the figure, and what it counts where that is worth a list."""
    modules = read(PACKAGE)
    lengths = [module.lines for module in modules]
    bodies = [body_lines(function) for module in modules for function in module.functions()]
    long = [f"{m.path} {m.lines}" for m in modules if m.lines > LONG_MODULE]
    plain = [module.path for module in modules if module.path.name != "__init__.py"]
    folders = Counter(str(path.parent) for path in plain)
    large = [f"{name} {count}" for name, count in folders.items() if count > LARGE_FOLDER]
    classes = several(Counter(name for module in modules for name in module.public_classes()))
    same = several(Counter(path.name for path in plain))
    comments = [comment for module in modules for comment in module.comments()]
    yield "modules", str(len(modules)), []
    yield "lines", str(sum(lengths)), []
    yield "lines of code", str(sum(module.code_lines() for module in modules)), []
    yield "median lines of a module", f"{statistics.median(lengths):.0f}", []
    yield f"modules over {LONG_MODULE} lines", str(len(long)), long
    yield "functions", str(len(bodies)), []
    yield f"functions over {LONG_FUNCTION} lines", str(sum(n > LONG_FUNCTION for n in bodies)), []
    yield "modules with exactly one importer", str(len(of_one_importer())), []
    yield f"folders of more than {LARGE_FOLDER} modules", str(len(large)), large
    yield "public class names defined several times", str(len(classes)), classes
    yield "module names in several folders", str(len(same)), same
    yield "imports inside of functions", str(sum(len(hidden_imports(m)) for m in modules)), []
    yield "noqa", str(sum("noqa" in comment for comment in comments)), []
    yield "type: ignore", str(sum("type: ignore" in comment for comment in comments)), []
    yield "cast", str(uses(modules, "cast")), []
    yield "Any", str(uses(modules, "Any")), []
    yield "lines of tests", str(sum(module.lines for module in read("tests"))), []


if __name__ == "__main__":
    for what, figure, listed in table():
        print(f"{what:42}{figure:>8}")
        if listed:
            indent = " " * 4
            print(
                textwrap.fill(
                    ", ".join(listed), 100, initial_indent=indent, subsequent_indent=indent
                )
            )
