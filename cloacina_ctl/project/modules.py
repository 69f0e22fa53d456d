"""The modules of a Python project: where they lie, and which ones an import would run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.project.python_source import Imported, ModuleSource, read_module
from cloacina_ctl.staging import reported

if TYPE_CHECKING:
    from collections.abc import Iterator

# At the top of a flat project these are not what gets imported.
NOT_PACKAGES = frozenset(
    {"tests", "test", "testing", "docs", "doc", "examples", "scripts", "tools", "benchmarks",
     "build", "dist", "vendor", "node_modules", "target", "workflow"}
)  # fmt: skip
NOT_MODULES = frozenset({"setup.py", "conftest.py", "noxfile.py", "fabfile.py", "manage.py"})


class SourceRoot(NamedTuple):
    """The folder that is on the path when the entry module is imported; both relative to the root.

    ``top_level`` are the names of folders and files in it that belong to the project.
    """

    project: str
    folder: str
    top_level: tuple[str, ...]

    def path(self, name: str) -> str:
        """Return ``name`` in the source root, relative to the project, with slashes."""
        return f"{self.folder}/{name}" if self.folder else name

    def find(self, module: str) -> str | None:
        """Return where the dotted ``module`` lies, relative to the project, or None."""
        base = module.replace(".", "/")
        if base.partition("/")[0] not in self.names():
            return None
        for name in (f"{base}/__init__.py", f"{base}.py"):
            if os.path.isfile(os.path.join(self.project, self.path(name))):
                return self.path(name)
        return None

    def names(self) -> frozenset[str]:
        """Return the top-level names that can be imported."""
        return frozenset(name.removesuffix(".py") for name in self.top_level)

    def modules(self) -> Iterator[str]:
        """Yield every module under the root as a dotted name, sorted."""
        found = []
        for name in self.top_level:
            if name.endswith(".py"):
                found.append(name.removesuffix(".py"))
                continue
            for base, folders, files in os.walk(os.path.join(self.project, self.path(name))):
                folders[:] = [folder for folder in folders if folder.isidentifier()]
                inside = os.path.relpath(base, os.path.join(self.project, self.folder))
                package = inside.replace(os.sep, ".")
                for file in files:
                    if file.endswith(".py"):
                        module = f"{package}.{file[:-3]}"
                        found.append(module.removesuffix(".__init__"))
        yield from sorted(found)


def find_source_root(project: str, *, tree: bool) -> SourceRoot:
    """Return the source root: ``workflow/`` of a tree, ``src/`` where there is one, or the top."""
    if tree:
        return SourceRoot(project, "workflow", _top_level(project, "workflow", flat=False))
    if os.path.isdir(os.path.join(project, "src")):
        return SourceRoot(project, "src", _top_level(project, "src", flat=False))
    return SourceRoot(project, "", _top_level(project, "", flat=True))


def read_source(project: str, path: str) -> ModuleSource:
    """Return what the module in the file ``path`` of the project declares."""
    full = os.path.join(project, path)
    with reported(full):
        fd = os.open(full, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            data = file.read()
    return read_module(data, path)


def imported_by(root: SourceRoot, entry: str) -> Iterator[tuple[str, ModuleSource]]:
    """Yield every module of the project that importing ``entry`` runs, with what it declares."""
    waiting, seen = [entry], set[str]()
    while waiting:
        module = waiting.pop()
        for name in _with_parents(module):
            path = root.find(name)
            if path is None or path in seen:
                continue
            seen.add(path)
            source = read_source(root.project, path)
            yield name, source
            package = name if path.endswith("/__init__.py") else name.rpartition(".")[0]
            for imported in source.imports:
                waiting.extend(_targets(imported, package))


def _targets(imported: Imported, package: str) -> Iterator[str]:
    base = imported.module
    if imported.level:
        parts = package.split(".") if package else []
        kept = parts[: len(parts) - (imported.level - 1)]
        base = ".".join([*kept, *([imported.module] if imported.module else [])])
    if base:
        yield base
    for name in imported.names:
        yield f"{base}.{name}" if base else name


def _with_parents(module: str) -> Iterator[str]:
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        yield ".".join(parts[:end])


def _top_level(project: str, folder: str, *, flat: bool) -> tuple[str, ...]:
    path = os.path.join(project, folder)
    if not os.path.isdir(path):
        raise FileProblem.of(Code.NOT_FOUND, "no such folder", where=path)
    found = []
    with reported(path), os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.isidentifier() or (flat and entry.name in NOT_PACKAGES):
                    continue
                if not flat or _holds_python(entry.path):
                    found.append(entry.name)
            elif entry.name.endswith(".py") and entry.name[:-3].isidentifier():
                if not (flat and (entry.name in NOT_MODULES or entry.name.startswith("test_"))):
                    found.append(entry.name)
    return tuple(sorted(found))


def _holds_python(path: str) -> bool:
    with os.scandir(path) as entries:
        return any(entry.name.endswith(".py") for entry in entries)
