"""Finds the modules of a Python project, and those that an import would run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Refused
from cloacina_ctl.files.staging import reported
from cloacina_ctl.formats.layout import module_paths
from cloacina_ctl.project.own_files import FOLLOW_HINT, open_own
from cloacina_ctl.project.python.import_time import MODULE, UNREADABLE, Elsewhere
from cloacina_ctl.project.python.source import (
    MAX_SOURCE_BYTES,
    Imported,
    ModuleSource,
    read_module,
    read_names,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cloacina_ctl.project.python.imports import Import
    from cloacina_ctl.project.python.source_root import SourceRoot

# How many times a name may be re-exported from module to module and still be followed.
MAX_REEXPORTS = 16


class ModuleSources(Protocol):
    """A source of modules: a project's folder, or the files of a package."""

    def find(self, module: str) -> str | None:
        """Return the path of the dotted ``module``, or None."""

    def read(self, path: str) -> bytes:
        """Return the bytes of the module at ``path``."""


class ProjectModules:
    """The modules under a source root; ``digests`` has the digest of each when it was read.

    A source may be rewritten between its parsing and its packing: packing compares the digests.
    """

    def __init__(self, root: SourceRoot) -> None:
        self._root = root
        self.digests: dict[str, Digest] = {}

    def find(self, module: str) -> str | None:
        """Return the path of the module, relative to the project."""
        return self._root.find(module)

    def read(self, path: str) -> bytes:
        """Return its bytes, and keep their digest: the first, if it changes meanwhile."""
        data = read_bytes(self._root.project, path, self._root.boundary)
        self.digests.setdefault(path, Digest.of(data))
        return data


class PackedModules:
    """The modules among the files of a package, by their paths in it."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def find(self, module: str) -> str | None:
        """Return the path of the module in the package."""
        places = reversed(module_paths(module))  # a package hides a module of its name
        return next((path for path in places if path in self._files), None)

    def read(self, path: str) -> bytes:
        """Return its bytes."""
        return self._files[path]


def read_bytes(project: str, path: str, boundary: str | None = None) -> bytes:
    """Return the bytes of a module; of a too large one, one more than the limit."""
    full = os.path.join(project, path)
    with reported(full), open(_opened(project, path, boundary), "rb") as file:
        return file.read(MAX_SOURCE_BYTES + 1)


def _opened(project: str, path: str, boundary: str | None) -> int:
    if boundary is None:
        return open_own(project, path, FOLLOW_HINT)
    from cloacina_ctl.project.selection.links import Away, away, open_followed, within

    try:
        return open_followed(boundary, within(boundary, project, path))
    except Away as reason:
        raise Refused(away(path, reason)) from reason


def read_source(root: SourceRoot, path: str) -> ModuleSource:
    """Return the declarations in the file ``path`` of the project, without its imports."""
    return read_module(read_bytes(root.project, path, root.boundary), path)


def mentions_engine(root: SourceRoot, path: str) -> bool:
    """Return whether the module may declare a task: most cannot, and are not parsed."""
    return MODULE.encode() in read_bytes(root.project, path, root.boundary)


def imported_by(modules: ModuleSources, entry: str) -> Iterator[tuple[str, ModuleSource]]:
    """Yield each of ``modules`` that importing ``entry`` runs, with its declarations."""
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


def needed_by(
    modules: ModuleSources, sources: Mapping[str, ModuleSource], entry: str
) -> Iterator[Import]:
    """Yield the required imports of ``entry``; no name is relative.

    ``sources`` are the modules that it may import, by their names. One that it can do without may
    fail, so what it needs does not count. Nothing where one may change where imports look.
    """
    if any(source.changes_path for source in sources.values()):
        return
    waiting, seen = [entry], set[str]()
    while waiting:
        for name in _with_parents(waiting.pop()):
            source = sources.get(name)
            if source is None or name in seen:
                continue
            seen.add(name)
            package = _package_of(name, modules.find(name) or "")
            for one in source.needed:
                module = _absolute(one.module, one.level, package)
                if module:
                    yield one._replace(module=module, level=0)
                waiting.extend(_targets(Imported(one.module, one.level, one.names), package))


class _Names:
    """The meaning of names in the project's modules; each module is read once."""

    def __init__(self, modules: ModuleSources) -> None:
        self._modules = modules
        self._known: dict[str, dict[str, object]] = {}

    def seen_from(self, package: str) -> Callable[[Elsewhere], object]:
        """Return a function that resolves names imported in ``package``."""
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
