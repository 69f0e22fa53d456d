"""Finds the folders on the import path when a project's entry module is imported."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.files.staging import reported
from cloacina_ctl.project.python.layout import (
    NOT_PACKAGES,
    BuildLayout,
    SourcePart,
    check_layout,
    normal,
)
from cloacina_ctl.project.python.namespaces import INIT
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# Packages in one of these are imported without its name: it is a source root, not a namespace.
_ROOTS = frozenset(
    {"python", "py", "lib", "libs", "source", "sources", "code", "packages", "apps", "services",
     "backend", "frontend", "server", "client"}
)  # fmt: skip
_PROJECTS = frozenset({"pyproject.toml", "setup.py", "Cargo.toml"})
_DEPTH = 3  # of the packages in a namespace; folders of data may be deep
# At the top of a flat project these are not modules to import.
NOT_MODULES = frozenset({"setup.py", "conftest.py", "noxfile.py", "fabfile.py", "manage.py"})


class SourceRoot(NamedTuple):
    """The places of a project's modules on the path when the entry module is imported.

    ``folders`` are those to which modules are relative, from the project's root, empty for its top;
    ``parts`` are their parts that belong to the project. ``exclude`` are the exclude patterns of
    the build configuration, as in gitignore; ``place`` is the declaring key, if any. A module may
    be a link within the ``boundary``, if there is one.
    """

    project: str
    folders: tuple[str, ...]
    parts: tuple[SourcePart, ...]
    exclude: tuple[str, ...] = ()
    place: str = ""
    unread: tuple[str, ...] = ()
    boundary: str | None = None

    def find(self, module: str) -> str | None:
        """Return the path of the dotted ``module``, relative to the project, or None."""
        base = module.replace(".", "/")
        for name in (f"{base}/__init__.py", f"{base}.py"):
            for part in self.parts:
                path = part.locate(name)
                if path is not None and os.path.isfile(os.path.join(self.project, path)):
                    return path
        return None

    def names(self) -> frozenset[str]:
        """Return the top-level names that can be imported."""
        return frozenset(part.target.partition("/")[0].removesuffix(".py") for part in self.parts)

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield every module: its import path, and its path in the project."""
        for part in self.parts:
            if part.target.endswith(".py"):
                yield part.target, part.source
                continue
            for base, folders, files in os.walk(os.path.join(self.project, part.source)):
                folders[:] = [folder for folder in folders if folder.isidentifier()]
                inside = os.path.relpath(base, self.project).replace(os.sep, "/")
                for file in files:
                    if file.endswith(".py"):
                        path = f"{inside}/{file}"
                        yield (part.target + path[len(part.source) :]).lstrip("/"), path

    def modules(self) -> Iterator[str]:
        """Yield every module under the root as a dotted name, sorted."""
        dotted = (path.removesuffix(".py").replace("/", ".") for path, _ in self.files())
        yield from sorted({module.removesuffix(".__init__") for module in dotted})


def find_source_root(
    project: str, *, tree: bool, chosen: tuple[str, ...] = (), boundary: str | None = None
) -> SourceRoot:
    """Return the source root: ``workflow/`` of a tree, else the ``chosen`` or declared folders.

    Where neither the configuration chooses nor the build configuration declares anything it is
    ``src/``, if there is one, or the top. Raises ``Refused`` for folders that are not there, or not
    the project's. Links are followed within the ``boundary``, and refused without one.
    """
    if tree:
        parts = _parts(project, ("workflow",), boundary)
        return SourceRoot(project, ("workflow",), parts, boundary=boundary)
    from cloacina_ctl.project.python.back_ends import declared_layout

    layout = declared_layout(project)
    if chosen:
        roots = tuple(dict.fromkeys(map(normal, chosen)))
        layout = BuildLayout("[tool.cloacina] source_root", roots, exclude=layout.exclude)
    check_layout(project, layout)
    usual = "src" if os.path.isdir(os.path.join(project, "src")) else ""
    roots = layout.roots or (usual,)
    return SourceRoot(
        project,
        roots,
        _declared_parts(project, layout.parts)
        or _parts(project, roots, boundary, namespaces=layout.namespaces),
        layout.exclude,
        layout.place if layout.roots or layout.unread else "",
        layout.unread,
        boundary,
    )


def _declared_parts(project: str, parts: tuple[SourcePart, ...]) -> tuple[SourcePart, ...]:
    """Return the parts, all entries of an unnamed one; the innermost folders first."""
    found: dict[SourcePart, None] = {}
    for part in parts:
        inner = (part,) if part.target else _parts(project, (part.source,), None)
        found.update(dict.fromkeys(inner))
    return tuple(sorted(found, key=lambda part: (-part.source.count("/"), part)))


def _parts(
    project: str, roots: tuple[str, ...], boundary: str | None, *, namespaces: bool = False
) -> tuple[SourcePart, ...]:
    return tuple(
        SourcePart(f"{root}/{name}" if root else name, name)
        for root in roots
        for name in _top_level(project, root, follow=boundary is not None, namespaces=namespaces)
    )


def _top_level(project: str, folder: str, *, follow: bool, namespaces: bool) -> tuple[str, ...]:
    path, flat = os.path.join(project, folder), not folder
    if not os.path.isdir(path):
        raise FileProblem.of(Code.NOT_FOUND, "no such folder", where=path)
    found = []
    with reported(path), os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=follow):
                if not entry.name.isidentifier() or (flat and entry.name in NOT_PACKAGES):
                    continue
                if not flat or _holds_python(entry.path, namespaces=namespaces):
                    found.append(entry.name)
            elif entry.is_symlink() and not flat and entry.name.isidentifier():
                found.append(entry.name)  # the selection refuses it by its name
            elif _is_module(entry.name, flat=flat):
                found.append(entry.name)
    return tuple(sorted(found))


def _holds_python(path: str, *, namespaces: bool) -> bool:
    """Return whether a folder has modules, or namespace packages, and is not another project."""
    with os.scandir(path) as entries:
        found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    names = {name for name, _ in found}
    if names & _PROJECTS and INIT not in names:
        return False
    if any(name.endswith(".py") for name in names):
        return True
    if not namespaces or os.path.basename(path) in _ROOTS:
        return False
    inner = (os.path.join(path, name) for name, is_folder in found if is_folder)
    return any(map(_holds_packages, inner))


def _holds_packages(path: str) -> bool:
    """Return whether a folder, or one of those in it, is a package."""
    for base, folders, files in os.walk(path):
        folders[:] = [name for name in folders if name.isidentifier() and name not in NOT_PACKAGES]
        if not os.path.basename(base).isidentifier() or _PROJECTS.intersection(files):
            folders.clear()
        elif INIT in files:
            return True
        elif base.count(os.sep) - path.count(os.sep) >= _DEPTH:
            folders.clear()
    return False


def _is_module(name: str, *, flat: bool) -> bool:
    if not (name.endswith(".py") and name[:-3].isidentifier()):
        return False
    return not (flat and (name in NOT_MODULES or name.startswith("test_")))
