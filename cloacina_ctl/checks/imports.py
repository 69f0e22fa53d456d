"""Finds imports of a package's modules that nothing in the package provides.

Engines install nothing: a module that is neither in the standard library nor in the package is
missing. A project, by the files that would be packed, and a package are checked in the same way.
"""

from __future__ import annotations

import os
import shlex
from functools import partial
from typing import TYPE_CHECKING

from cloacina_ctl.checks.other_python import minors_of
from cloacina_ctl.errors import Code, Diagnostic, Severity, first_of
from cloacina_ctl.formats.layout import WORKFLOW_FOLDER
from cloacina_ctl.project.detect import PYPROJECT_TOML, REQUIREMENTS_TXT
from cloacina_ctl.project.model import ProjectLayout
from cloacina_ctl.project.python.distributions import distribution_of, name_of, not_packed
from cloacina_ctl.project.python.layout import NOT_PACKAGES
from cloacina_ctl.project.python.provided import Lack, missing_imports
from cloacina_ctl.project.python.source_root import SourceRoot
from cloacina_ctl.project.selection.exclusions import deny_folder
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from cloacina_ctl.manifest import Requires
    from cloacina_ctl.project.model import Project, PythonFacts, Selection
    from cloacina_ctl.project.python.imports import Import
    from cloacina_ctl.project.python.provided import MissingModule

# The places of modules in a project that its package lacks: left out, or under another name.

# Folders of modules lie near the top of a project; further down a name means little.
_DEPTH = 3
_MOST = 20_000


class ModulePlace(NamedTuple):
    """The folder or file of a module, relative to the root of the project.

    ``reason`` says why it is left out of the package, None if it has another name there.
    """

    path: str
    reason: str | None = None


class ModulePlaces:
    """Finds modules of a project that its package lacks; it is walked when first needed."""

    def __init__(self, project: str, facts: PythonFacts, selection: Selection) -> None:
        self._project = project
        self._root = SourceRoot(project, facts.roots, facts.parts)
        self._selection = selection
        self._named: dict[str, str] | None = None

    def of(self, module: str) -> ModulePlace | None:
        """Return the place in the project of the dotted ``module`` that the package lacks."""
        found = self._root.find(module)
        if found is not None:
            reasons = (
                one.reason for one in self._selection.left_out
                if f"{found}/".startswith(one.path.rstrip("/") + "/")
            )  # fmt: skip
            reason = next(reasons, None)
            return ModulePlace(found, reason) if reason is not None else None
        if self._named is None:
            self._named = dict(_named(self._project))
        path = self._named.get(module.partition(".")[0])
        return ModulePlace(path) if path is not None else None

    def from_top(self, module: str) -> str | None:
        """Return the path of the dotted ``module`` if its name is relative to the project's top."""
        path = module.replace(".", "/")
        if os.path.isfile(os.path.join(self._project, f"{path}.py")):
            return f"{path}.py"
        return path if os.path.isdir(os.path.join(self._project, path)) else None


def _named(project: str) -> Iterator[tuple[str, str]]:
    """Yield the names of folders with modules, and of modules, with their places, topmost last."""
    found: list[tuple[str, str]] = []
    waiting = [""]
    while waiting and len(found) < _MOST:
        folder = waiting.pop(0)
        try:
            with os.scandir(os.path.join(project, folder)) as entries:
                inner = sorted(
                    (entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries
                )
        except OSError:
            continue
        if folder and any(name.endswith(".py") for name, _ in inner):
            found.append((folder.rpartition("/")[2], folder))
        for name, is_folder in inner:
            path = f"{folder}/{name}" if folder else name
            if not is_folder:
                found += [(name[:-3], path)] if name.endswith(".py") else []
            elif (
                name not in NOT_PACKAGES and deny_folder(name) is None and path.count("/") < _DEPTH
            ):
                waiting.append(path)
    return reversed(found)


_PACK = "cloacina-ctl package {} --vendor"
_MOST_SHOWN = 8
_OTHERS = (Lack.NOTHING, Lack.NO_PART)  # a dependency can provide these


def check_imports(
    project: Project,
    selection: Selection,
    vendored: Iterable[str] | None = None,
    *,
    severity: Severity = Severity.WARNING,
) -> Iterator[Diagnostic]:
    """Yield the imports of the project's modules that the package would lack.

    ``vendored`` are the paths of vendored dependencies in the package, None if nothing is vendored.
    Without them a project that configures vendoring gets only the imports that no dependency can
    provide. ``severity`` is that of dependencies that are left out.
    """
    facts = project.python
    if facts is None or not selection.files:
        return
    from cloacina_ctl.vendoring.declared.imports import declared_dependencies

    paths = {str(file.path) for file in selection.files} | set(vendored or ())
    declared = [name_of(text) for text in declared_dependencies(project)]
    awaited = project.config.vendor and vendored is None
    left = () if awaited or vendored is not None else not_packed(declared, paths)
    command = _PACK.format(_shown(project.root))
    if left:
        them = "it" if len(left) == 1 else "them"
        hint = f"pack {them} with `{command}`, or set `vendor = true` in the configuration"
        yield Diagnostic(Code.NOT_PACKED, _left_words(left), _declares(project), hint, severity)
    places = ModulePlaces(project.root, facts, selection)
    known = declared if vendored is None else ()
    requires = project.requires.python if project.requires else None
    for missing in missing_imports(facts.imports, paths, partial(minors_of, requires)):
        if missing.lack in _OTHERS and distribution_of(missing.module, known) is not None:
            continue  # reported above, or to be vendored
        if awaited and declared and missing.lack in _OTHERS:
            continue  # a dependency may provide it
        other = _elsewhere(project, places, selection, missing)
        if other is None:
            unless = ", unless one that is declared has it" if left else ""
            hint = f"declare its distribution as a dependency{unless}; then run `{command}`"
            yield _not_provided(missing, hint)
        elif left and other.severity is Severity.ERROR:
            yield other._replace(severity=Severity.WARNING)  # a left out dependency may have it
        else:
            yield other


def check_packed_imports(
    path: str,
    imports: Iterable[Import],
    members: Iterable[str],
    requires: Requires | None = None,
) -> Iterator[Diagnostic]:
    """Yield the imports of the modules of the package at ``path`` that it lacks.

    ``members`` are the paths of its files, ``requires`` the requirements in its manifest.
    """
    paths = frozenset(members)
    declared = [name_of(text) for text in requires.dependencies] if requires else []
    left = not_packed(declared, paths)
    command = _PACK.format("PROJECT")
    if left:
        hint = f"package the project again with them: `{command}`"
        yield Diagnostic(Code.NOT_PACKED, _left_words(left), path, hint, Severity.WARNING)
    python = requires.python if requires else None
    for missing in missing_imports(imports, paths, partial(minors_of, python)):
        if missing.lack in _OTHERS and distribution_of(missing.module, left) is not None:
            continue
        yield _not_provided(missing, f"package the project again with it: `{command}`")


def _left_words(names: Collection[str]) -> str:
    what = "1 dependency is" if len(names) == 1 else f"{len(names)} dependencies are"
    return f"{what} declared and not packed: {first_of([*names], _MOST_SHOWN)}"


def _not_provided(missing: MissingModule, usual_hint: str) -> Diagnostic:
    when = f"the task `{missing.imported.task}` imports" if missing.imported.task else "imports"
    hint: str | None = usual_hint
    if missing.lack in (Lack.NO_MODULE, Lack.NO_PART):
        why, hint = "which is not in the package", "add the module, or correct the import"
    elif missing.lack is Lack.SOME_PYTHONS:
        pythons = ", ".join(f"3.{minor}" for minor in missing.pythons)
        why = f"which the standard library of Python {pythons} does not have"
        hint = "set `requires-python` to the versions that have it, or do without it there"
    else:
        why = "which is neither in the standard library nor in the package"
    message = f"{when} `{missing.module}`, {why}"
    return Diagnostic(Code.NOT_PROVIDED, message, missing.imported.place, hint, Severity.WARNING)


def _declares(project: Project) -> str:
    """Return the file that lists the dependencies."""
    own = project.layout is ProjectLayout.PYTHON_TREE
    listed = own and os.path.lexists(os.path.join(project.root, REQUIREMENTS_TXT))
    return REQUIREMENTS_TXT if listed else PYPROJECT_TOML


def _shown(root: str) -> str:
    """Return the project's folder, relative to the current folder if it lies in it."""
    try:
        near = os.path.relpath(root)
    except OSError:  # the current folder is gone
        near = root
    return shlex.quote(root if near.startswith("..") else near)


def _elsewhere(
    project: Project, places: ModulePlaces, selection: Selection, missing: MissingModule
) -> Diagnostic | None:
    """Return the finding for a module that the package lacks or has under another name."""
    if missing.lack is Lack.SOME_PYTHONS:
        return None
    packed = {file.place(project.root): str(file.path) for file in selection.files}
    if missing.lack is Lack.NOTHING and (found := _from_top(places, packed, missing.imported)):
        return found
    place = places.of(missing.module)
    if place is None:
        return None
    imported, where = missing.module, missing.imported.place
    if place.reason is not None:
        return Diagnostic(
            Code.NOT_PROVIDED,
            f"imports `{imported}`, which is not packed: {place.path}: {place.reason}",
            where,
            f'pack it: include = ["{place.path}"]',
            Severity.WARNING,
        )
    if missing.lack is not Lack.NOTHING:
        return None
    name = _packed_name(place.path, packed)
    has = f"the package has it as `{name}`" if name else "it lies outside of the packed folders"
    above = os.path.dirname(place.path)
    hint = f'set `source_root = "{above or "."}"` in [tool.cloacina]'
    if f"{above}/__init__.py" in packed:
        hint = f"import it as `{name}`"
    message = f"imports the project's own `{imported}`, and {has}: {place.path}"
    return Diagnostic(Code.OTHER_NAME, message, where, hint)


def _from_top(
    places: ModulePlaces, packed: Mapping[str, str], imported: Import
) -> Diagnostic | None:
    """Return the finding for an own module with a name relative to the project's top."""
    path = places.from_top(imported.module)
    if path is None:
        return None
    own = f"imports the project's own `{imported.module}`"
    name = _packed_name(path, packed)
    if name is not None:
        message = f"{own}, and the package has it as `{name}`: {path}"
        return Diagnostic(Code.OTHER_NAME, message, imported.place, f"import it as `{name}`")
    if not (path.endswith(".py") and "/" in path):
        return None  # a folder or script may have the name of a dependency
    message = f"{own}, which is not packed: {path}"
    hint = "move it to the packed modules"
    return Diagnostic(Code.NOT_PROVIDED, message, imported.place, hint, Severity.WARNING)


def _packed_name(path: str, packed: Mapping[str, str]) -> str | None:
    """Return the dotted name that a folder or module of the project has in the package."""
    for source, member in packed.items():
        if source == path or source.startswith(f"{path}/"):
            inner = member[: len(member) - (len(source) - len(path))]
            if inner.startswith(WORKFLOW_FOLDER):
                return inner[len(WORKFLOW_FOLDER) :].removesuffix(".py").replace("/", ".")
    return None
