"""The modules of a Python project: where they lie, and which ones an import would run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from cloacina_ctl.archive.layout import module_paths
from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.project.import_time import MODULE, UNREADABLE, Elsewhere
from cloacina_ctl.project.own_files import open_own
from cloacina_ctl.project.python_source import (
    MAX_SOURCE_BYTES,
    Imported,
    ModuleSource,
    read_module,
    read_names,
)
from cloacina_ctl.staging import reported
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# At the top of a flat project these are not what gets imported.
NOT_PACKAGES = frozenset(
    {"tests", "test", "testing", "docs", "doc", "examples", "scripts", "tools", "benchmarks",
     "build", "dist", "vendor", "node_modules", "target", "workflow"}
)  # fmt: skip
NOT_MODULES = frozenset({"setup.py", "conftest.py", "noxfile.py", "fabfile.py", "manage.py"})

# How often a name may be handed on from module to module before nobody follows.
MAX_REEXPORTS = 16


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


class Modules(Protocol):
    """Where modules are found and read: in a project's folder, or among the files of a package."""

    def find(self, module: str) -> str | None:
        """Return the path of the dotted ``module``, or None."""

    def read(self, path: str) -> bytes:
        """Return the bytes of the module at ``path``."""


class ProjectModules:
    """The modules under a source root; ``digests`` holds what each was when it was read.

    A source may be rewritten between its parsing and its packing: whoever packs compares.
    """

    def __init__(self, root: SourceRoot) -> None:
        self._root = root
        self.digests: dict[str, Digest] = {}

    def find(self, module: str) -> str | None:
        """Return where the module lies, relative to the project."""
        return self._root.find(module)

    def read(self, path: str) -> bytes:
        """Return its bytes, and keep their digest: the first, if it changes meanwhile."""
        data = read_bytes(self._root.project, path)
        self.digests.setdefault(path, Digest.of(data))
        return data


class PackedModules:
    """The modules among the files of a package, by their paths in it."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def find(self, module: str) -> str | None:
        """Return where the module lies in the package."""
        places = reversed(module_paths(module))  # a package hides a module of its name
        return next((path for path in places if path in self._files), None)

    def read(self, path: str) -> bytes:
        """Return its bytes."""
        return self._files[path]


def find_source_root(project: str, *, tree: bool) -> SourceRoot:
    """Return the source root: ``workflow/`` of a tree, ``src/`` where there is one, or the top."""
    if tree:
        return SourceRoot(project, "workflow", _top_level(project, "workflow", flat=False))
    if os.path.isdir(os.path.join(project, "src")):
        return SourceRoot(project, "src", _top_level(project, "src", flat=False))
    return SourceRoot(project, "", _top_level(project, "", flat=True))


def read_bytes(project: str, path: str) -> bytes:
    """Return the bytes of a module, of a huge one as many as show that it is too large."""
    full = os.path.join(project, path)
    with reported(full), open(open_own(project, path), "rb") as file:
        return file.read(MAX_SOURCE_BYTES + 1)


def read_source(project: str, path: str) -> ModuleSource:
    """Return what the module in the file ``path`` of the project declares, seen alone."""
    return read_module(read_bytes(project, path), path)


def mentions_engine(project: str, path: str) -> bool:
    """Tell whether the module can declare a task at all: most do not, and need no parser."""
    return MODULE.encode() in read_bytes(project, path)


def imported_by(modules: Modules, entry: str) -> Iterator[tuple[str, ModuleSource]]:
    """Yield every one of ``modules`` that importing ``entry`` runs, with what it declares."""
    names = _Names(modules)
    waiting, seen = [entry], set[str]()
    while waiting:
        module = waiting.pop()
        for name in _with_parents(module):
            path = modules.find(name)
            if path is None or path in seen:
                continue
            seen.add(path)
            package = _package_of(name, path)
            lookup = names.seen_from(package)
            source = read_module(modules.read(path), path, lookup)
            yield name, source
            for imported in source.imports:
                waiting.extend(_targets(imported, package))


class _Names:
    """What names of the project's modules stand for; each module is read once."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._known: dict[str, dict[str, object]] = {}

    def seen_from(self, package: str) -> Callable[[Elsewhere], object]:
        """Return the function that says what a name that is imported in ``package`` stands for."""
        return lambda name: self._follow(name, package)

    def _follow(self, name: Elsewhere, package: str) -> object:
        for _ in range(MAX_REEXPORTS):
            module = _absolute(name.module, name.level, package)
            path = self._modules.find(module) if module else None
            if path is None or module is None:
                return UNREADABLE
            value = self._of(path).get(name.name, UNREADABLE)
            if not isinstance(value, Elsewhere):
                return value
            name, package = value, _package_of(module, path)
        return UNREADABLE

    def _of(self, path: str) -> dict[str, object]:
        if path not in self._known:
            self._known[path] = read_names(self._modules.read(path))
        return self._known[path]


def _package_of(module: str, path: str) -> str:
    return module if path.endswith("/__init__.py") else module.rpartition(".")[0]


def _absolute(module: str, level: int, package: str) -> str | None:
    """Return the dotted name without dots in front; None where they lead out of the project."""
    if not level:
        return module
    parts = package.split(".") if package else []
    if level > len(parts):
        return None
    return ".".join([*parts[: len(parts) - (level - 1)], *([module] if module else [])])


def _targets(imported: Imported, package: str) -> Iterator[str]:
    base = _absolute(imported.module, imported.level, package)
    if base is None:
        return
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
            elif entry.is_symlink() and not flat and entry.name.isidentifier():
                found.append(entry.name)  # what gets packed refuses it by its name
            elif _is_module(entry.name, flat=flat):
                found.append(entry.name)
    return tuple(sorted(found))


def _holds_python(path: str) -> bool:
    with os.scandir(path) as entries:
        return any(entry.name.endswith(".py") for entry in entries)


def _is_module(name: str, *, flat: bool) -> bool:
    if not (name.endswith(".py") and name[:-3].isidentifier()):
        return False
    return not (flat and (name in NOT_MODULES or name.startswith("test_")))
