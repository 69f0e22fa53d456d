"""``validate``: everything that is wrong with a project or a package, each with a code.

Starts no process and runs nothing of what it judges, unless it is asked to load a package. What
cannot be opened is a finding too, and what could not be judged because of it is named as skipped.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl import authenticity
from cloacina_ctl.archive.layout import WORKFLOW_FOLDER
from cloacina_ctl.archive.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.archive.opening import open_any
from cloacina_ctl.archive.payload import Memory, pour
from cloacina_ctl.archive.reader import Package
from cloacina_ctl.archive.workers import default_jobs
from cloacina_ctl.checks.engine import Choice, Report, report
from cloacina_ctl.errors import (
    CloacinaError,
    Code,
    Diagnostic,
    FileProblem,
    Incompatible,
    Location,
    NotTrusted,
    Refused,
    UsageError,
)
from cloacina_ctl.operations.locating import Locator
from cloacina_ctl.progress import Progress, stage
from cloacina_ctl.project.model import BuildOptions, BuildRequest
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cloacina_ctl.archive.head import Head
    from cloacina_ctl.archive.tables import FileEntry
    from cloacina_ctl.authenticity import Rule
    from cloacina_ctl.checks.subjects import ReadLibrary
    from cloacina_ctl.project.model import Project
    from cloacina_ctl.project.python_source import ModuleSource


__all__ = ["BuildOptions", "BuildRequest", "Choice", "Report", "Validated", "validate"]


_SKIPPED = ("what lies behind the first problem",)


class Validated(NamedTuple):
    """What was judged (``project`` or ``package``) and what was found."""

    path: str
    kind: str
    report: Report


def validate(
    path: str,
    choice: Choice = Choice(),
    *,
    build: BuildRequest = BuildRequest(),
    limits: Limits = DEFAULT_LIMITS,
    load: Rule | None = None,
    progress: Progress | None = None,
) -> Validated:
    """Judge the project in the folder ``path``, or the package in the file ``path``.

    Of a crate counts what its ``build`` compiles: the member of a workspace, the features.
    With ``load`` a package without errors that keeps this rule is loaded too, in a child process,
    and what its code says is compared with the manifest. Raises ``FileProblem`` only where there
    is nothing of that name to judge, ``UsageError`` for what cannot be loaded.
    """
    if load is not None and (path == "-" or os.path.isdir(path)):
        raise UsageError.of(Code.USAGE, "--load is for a package in a file")
    if os.path.isdir(path):
        locator = Locator(path)
        found = _judged(lambda: _project(path, build, locator), choice)
        return Validated(path, "project", found._replace(findings=locator.located(found.findings)))
    if path != "-" and not os.path.lexists(path):
        raise FileProblem.of(Code.NOT_FOUND, "no such file or folder", where=path)
    found = _judged(lambda: _package(path, limits, progress), choice)
    if load is not None and found.ok:
        rule = load
        more = _judged(lambda: list(_loaded(path, rule, progress)), choice)
        again = {(one.code, one.message, one.where) for one in more.findings}
        first = (one for one in found.findings if (one.code, one.message, one.where) not in again)
        found = Report((*first, *more.findings), more.skipped)
    return Validated(path, "package", found._replace(findings=_in_file(path, found.findings)))


def _in_file(path: str, found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return what was found in the package, with its file for programs."""
    file = None if path == "-" else Location(path)
    return tuple(one._replace(location=file) for one in found)


def _loaded(path: str, rule: Rule, progress: Progress | None) -> tuple[Diagnostic, ...]:
    """Return what the package's code contradicts, and what it was not kept from here."""
    from cloacina_ctl.runtime.package import open_package

    with open_package(path, rule, progress=progress) as loaded:
        kept = [Code.NETWORK_OPEN]
        if loaded.session.isolation.missing:  # that only a limit is missing says nothing of it
            kept.append(Code.PARTLY_ISOLATED)
        return (*loaded.warnings, *(one for one in loaded.session.warnings if one.code in kept))


def _judged(judge: Callable[[], list[Diagnostic]], choice: Choice) -> Report:
    """Return the report, with what stopped the judging as findings of it."""
    try:
        return report(judge(), choice)
    except (Refused, NotTrusted, FileProblem, Incompatible) as error:
        return report(error.diagnostics, choice, _SKIPPED)


def _project(path: str, build: BuildRequest, locator: Locator) -> list[Diagnostic]:
    from cloacina_ctl.checks.project import check_project
    from cloacina_ctl.checks.subjects import ProjectSubject
    from cloacina_ctl.checks.vendoring import check_vendoring
    from cloacina_ctl.project.credentials import find_secrets
    from cloacina_ctl.project.model import Selection
    from cloacina_ctl.project.own_files import own_links
    from cloacina_ctl.project.reading import read_project
    from cloacina_ctl.project.selection import select_files

    project = read_project(path, member=build.member, options=build.options)
    locator.roots.insert(0, project.root)
    found: list[Diagnostic] = []
    selection = Selection(())
    if project.rust is None:
        try:
            selection = select_files(project)
        except Refused as error:
            found.extend(error.diagnostics)
    known = {(one.code, one.where) for one in found}
    links = own_links(project.root, _read_for(project))
    found += [one for one in links if (one.code, one.where) not in known]
    secrets = tuple(find_secrets(selection, project.root))
    found.extend(check_project(ProjectSubject(project, selection, secrets)))
    if project.python is not None:
        found += [one for one in check_vendoring(project) if one not in found]
    return found


def _read_for(project: Project) -> Iterator[str]:
    """Yield what `package` reads of a project by name, and this does not."""
    from cloacina_ctl.project.detect import PACKAGE_TOML, REQUIREMENTS_TXT

    yield PACKAGE_TOML
    if project.config.vendor:
        from cloacina_ctl.project.vendoring.lock import LOCK_FILE

        yield from (LOCK_FILE, REQUIREMENTS_TXT)


def _package(path: str, limits: Limits, progress: Progress | None) -> list[Diagnostic]:
    from cloacina_ctl.checks.package import check_package
    from cloacina_ctl.checks.subjects import PackageSubject

    with open_any(path, limits) as package:
        if not isinstance(package, Package):
            from cloacina_ctl.operations.foreign import judge_foreign

            return judge_foreign(package, progress)
        keys = authenticity.keys_for(package)
        judged = authenticity.judge_unread(package, keys.known)
        head = package.head
        judged = authenticity.judge_read(package, judged)
        sink = _Kept(_wanted(head))
        pour(package, sink, jobs=default_jobs(), progress=stage(progress, "reading"))
        subject = PackageSubject(
            path=path,
            head=head,
            signatures=judged,
            libraries=tuple(_read_libraries(head, sink.files)),
            sources=_read_modules(head, sink.files),
            withheld=package.block.withheld,
        )
        return [*check_package(subject), *keys.unread]


def _wanted(head: Head) -> frozenset[str]:
    """Return the files that are looked into: libraries, and the Python modules of a workflow."""
    from cloacina_ctl.project.python_source import MAX_SOURCE_BYTES

    found = {artifact.path for artifact in head.manifest.artifacts}
    if head.manifest.entry_module is not None:
        found |= {
            str(file.path)
            for file in head.files
            if file.path.startswith(WORKFLOW_FOLDER)
            and file.path.endswith(".py")
            and file.size <= MAX_SOURCE_BYTES
        }
    return frozenset(found)


class _Kept(Memory):
    """A sink that keeps the files that are looked into and lets the rest pass."""

    def __init__(self, wanted: frozenset[str]) -> None:
        super().__init__()
        self._wanted = wanted
        self._keeps = False

    def begin(self, file: FileEntry) -> None:
        """Keep this one or not."""
        self._keeps = file.path in self._wanted
        super().begin(file)

    def write(self, data: memoryview) -> None:
        """Keep the bytes of a library."""
        if self._keeps:
            super().write(data)

    def end(self) -> None:
        """Keep the file."""
        if self._keeps:
            super().end()


def _read_libraries(head: Head, files: dict[str, bytes]) -> Iterator[ReadLibrary]:
    paths = [artifact.path for artifact in head.manifest.artifacts if artifact.path in files]
    return (_read_library(path, files[path]) for path in paths)


def _read_modules(head: Head, files: dict[str, bytes]) -> tuple[ModuleSource, ...]:
    """Return what the packed modules declare: the same way as when they were packed."""
    entry = head.manifest.entry_module
    if entry is None:
        return ()
    from cloacina_ctl.project.modules import PackedModules, imported_by

    return tuple(source for _, source in imported_by(PackedModules(files), entry))


def _read_library(path: str, data: bytes) -> ReadLibrary:
    from cloacina_ctl.checks.subjects import ReadLibrary
    from cloacina_ctl.platforms import read_library

    try:
        return ReadLibrary(path, library=read_library(data, where=path))
    except CloacinaError as error:
        return ReadLibrary(path, problem=error)
