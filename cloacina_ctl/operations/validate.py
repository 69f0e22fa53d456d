"""``validate``: everything that is wrong with a project or a package, each with a code.

Starts no process and runs none of the checked code, unless it is asked to load a package. What
cannot be opened is a finding too, and what could not be checked because of it is named as skipped.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl.checks.engine import FindingFilter, Report, report
from cloacina_ctl.errors import (
    CloacinaError,
    Code,
    Diagnostic,
    FileProblem,
    Incompatible,
    Location,
    NotTrusted,
    Refused,
    Severity,
    UsageError,
)
from cloacina_ctl.formats.layout import COMMON, WORKFLOW_FOLDER, section_of
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.formats.opening import open_any
from cloacina_ctl.formats.sinks import MemorySink
from cloacina_ctl.operations.locating import Locator
from cloacina_ctl.platforms.recognition import ELF, HEAD_BYTES, is_loaded, object_format
from cloacina_ctl.progress import Progress, stage
from cloacina_ctl.project.model import BuildOptions, BuildRequest
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification.verify import examine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cloacina_ctl.checks.subjects import ReadLibrary
    from cloacina_ctl.formats.file_index import FileEntry
    from cloacina_ctl.formats.native.head import Head
    from cloacina_ctl.manifest import Artifact
    from cloacina_ctl.project.model import Project
    from cloacina_ctl.project.python.imports import Import
    from cloacina_ctl.project.python.source import ModuleSource
    from cloacina_ctl.verification.policy import VerificationPolicy
    from cloacina_ctl.verification.verify import Proof


__all__ = ["BuildOptions", "BuildRequest", "FindingFilter", "Report", "Validated", "validate"]


_SKIPPED = ("everything after the first problem",)


class Validated(NamedTuple):
    """What was checked (``project`` or ``package``) and what was found."""

    path: str
    kind: str
    report: Report


def validate(
    path: str,
    choice: FindingFilter = FindingFilter(),
    *,
    build: BuildRequest = BuildRequest(),
    limits: Limits = DEFAULT_LIMITS,
    load: VerificationPolicy | None = None,
    progress: Progress | None = None,
) -> Validated:
    """Check the project in the folder ``path``, or the package in the file ``path``.

    Of a crate counts what its ``build`` compiles: the member of a workspace, the features.
    With ``load`` a package without errors that keeps this rule is loaded too, in a child process,
    and what its code says is compared with the manifest. Raises ``FileProblem`` only where there
    is nothing of that name to check, ``UsageError`` for what cannot be loaded.
    """
    _refuse_unknown_codes(choice)
    if load is not None and (path == "-" or os.path.isdir(path)):
        raise UsageError.of(Code.USAGE, "--load is for a package in a file")
    if os.path.isdir(path):
        locator = Locator(path)
        found = _checked(lambda: _project(path, build, locator), choice)
        return Validated(path, "project", found._replace(findings=locator.located(found.findings)))
    if path != "-" and not os.path.lexists(path):
        raise FileProblem.of(Code.NOT_FOUND, "no such file or folder", where=path)
    found = _checked(lambda: _package(path, limits, progress), choice)
    if load is not None and found.ok:
        rule = load
        more = _checked(lambda: list(_loaded(path, rule, progress)), choice)
        again = {(one.code, one.message, one.where) for one in more.findings}
        first = (one for one in found.findings if (one.code, one.message, one.where) not in again)
        found = Report((*first, *more.findings), more.skipped)
    return Validated(path, "package", found._replace(findings=_in_file(path, found.findings)))


def _in_file(path: str, found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return what was found in the package, with its file for programs."""
    file = None if path == "-" else Location(path)
    return tuple(one._replace(location=file) for one in found)


def _refuse_unknown_codes(choice: FindingFilter) -> None:
    """Raise ``UsageError`` for a beginning that no code has: it would change nothing."""
    for beginning in (*choice.select, *choice.ignore):
        if not any(str(code).startswith(beginning or "\0") for code in Code):
            raise UsageError.of(
                Code.USAGE,
                f"no such code: {beginning[:80]}",
                hint="a code is a letter and three digits, such as P001; a beginning of it names "
                "several: docs/codes.md lists them",
            )


def _loaded(
    path: str, rule: VerificationPolicy, progress: Progress | None
) -> tuple[Diagnostic, ...]:
    """Return what the package's code contradicts, and what it was not kept from here."""
    from cloacina_ctl.runtime.package import open_package

    with open_package(path, rule, progress=progress) as loaded:
        kept = [Code.NETWORK_OPEN]
        if loaded.session.isolation.missing:  # that only a limit is missing says nothing of it
            kept.append(Code.PARTLY_ISOLATED)
        return (*loaded.warnings, *(one for one in loaded.session.warnings if one.code in kept))


def _checked(check: Callable[[], list[Diagnostic]], choice: FindingFilter) -> Report:
    """Return the report, with what stopped the checks as findings of it."""
    try:
        return report(check(), choice)
    except (Refused, NotTrusted, FileProblem, Incompatible) as error:
        return report(error.diagnostics, choice, _SKIPPED)


def _project(path: str, build: BuildRequest, locator: Locator) -> list[Diagnostic]:
    from cloacina_ctl.checks.project import check_project
    from cloacina_ctl.checks.subjects import ProjectSubject
    from cloacina_ctl.checks.vendoring import check_vendoring
    from cloacina_ctl.operations.packaging.prepare import code_of
    from cloacina_ctl.project.model import Selection
    from cloacina_ctl.project.own_files import own_links
    from cloacina_ctl.project.selection.credentials import find_secrets
    from cloacina_ctl.project.selection.select import select_files

    found: list[Diagnostic] = []
    project = _read(path, build, found)
    locator.roots.insert(0, project.root)
    selection = Selection(())
    if project.rust is not None:
        found += _source_findings(project)
    else:
        try:
            selection = select_files(project)
        except Refused as error:
            found.extend(error.diagnostics)
    known = {(one.code, one.where) for one in found}
    links = own_links(project.root, _read_for(project))
    found += [one for one in links if (one.code, one.where) not in known]
    secrets = tuple(find_secrets(selection, project.root))
    code = code_of(project, selection)
    found.extend(check_project(ProjectSubject(project, selection, secrets, code)))
    if project.python is not None:
        from cloacina_ctl.checks.imports import check_imports

        found += check_imports(project, selection)
        found += [one for one in check_vendoring(project) if one not in found]
    return found


def _source_findings(project: Project) -> Iterator[Diagnostic]:
    """Yield what keeps the crate from being built: here, or, as warnings, where it is packed."""
    from cloacina_ctl.checks.rust.crate_source import RULES
    from cloacina_ctl.operations.packaging.crate_files import (
        folder_problems,
        project_facts,
        unbuildable,
    )
    from cloacina_ctl.project.selection.select import select_source

    folders = folder_problems(project)
    here = tuple(unbuildable(project, folders))
    yield from here
    found = [*folders]  # the library may be packed all the same
    with contextlib.suppress(CloacinaError):  # a link in the source is no fault of a library
        found.extend(RULES.run(project_facts(project, select_source(project))))
    for one in found:
        if one not in here:
            is_error = one.severity is Severity.ERROR
            yield one._replace(severity=Severity.WARNING) if is_error else one


def _read(path: str, build: BuildRequest, found: list[Diagnostic]) -> Project:
    """Return the project; the rest is checked too where only a build knows its version."""
    from cloacina_ctl.project.reading import read_project

    try:
        return read_project(path, member=build.member, options=build.options)
    except Refused as error:
        if any(one.code is not Code.DYNAMIC_METADATA for one in error.diagnostics):
            raise
        found += error.diagnostics
        return read_project(path, member=build.member, options=build.options, version="0")


def _read_for(project: Project) -> Iterator[str]:
    """Yield what `package` reads of a project by name, and this does not."""
    from cloacina_ctl.project.detect import PACKAGE_TOML, REQUIREMENTS_TXT, VENDOR_LOCK

    yield PACKAGE_TOML
    if project.config.vendor:
        yield from (VENDOR_LOCK, REQUIREMENTS_TXT)


def _package(path: str, limits: Limits, progress: Progress | None) -> list[Diagnostic]:
    from cloacina_ctl.checks.native_package import check_package
    from cloacina_ctl.checks.subjects import PackageSubject

    with open_any(path, limits) as package:
        proof = examine(package)
        if proof.native is None:
            return _legacy_package(proof, progress)
        head = proof.native.head
        sink = _Kept(_wanted(head))
        evidence = proof.stream(sink, progress=stage(progress, "reading"))
        named, imports = _read_modules(head, sink.files)
        subject = PackageSubject(
            path=path,
            head=head,
            signatures=evidence.signatures,
            libraries=tuple(_read_libraries(head, sink.files)),
            sources=tuple(named.values()),
            imports=imports,
            withheld=proof.native.block.withheld,
            unstated=tuple(sink.compiled),
        )
        return [*check_package(subject), *_crate_findings(head, sink.files), *proof.warnings]


def _legacy_package(proof: Proof, progress: Progress | None) -> list[Diagnostic]:
    from cloacina_ctl.checks.legacy_package import check_legacy
    from cloacina_ctl.checks.subjects import LegacySubject
    from cloacina_ctl.inspection.legacy_contents import read_contents

    read = read_contents(proof, progress=progress)
    return [*check_legacy(LegacySubject.of(read)), *proof.warnings]


def _crate_findings(head: Head, files: dict[str, bytes]) -> Iterator[Diagnostic]:
    """Yield what keeps the source of a crate in the package from being built."""
    from cloacina_ctl.checks.rust.crate_source import RULES
    from cloacina_ctl.operations.packaging.packed_crate import crate_in

    found = crate_in(head, files)
    for problem in found.problems if found is not None else ():
        yield Diagnostic(Code.RUST_SYNTAX, problem.message, problem.place)
    if found is not None and found.source is not None:
        yield from RULES.run(found.source)


def _wanted(head: Head) -> frozenset[str]:
    """Return the files that are read: libraries, sources, modules of a workflow."""
    from cloacina_ctl.operations.packaging.packed_crate import crate_members
    from cloacina_ctl.project.python.source import MAX_SOURCE_BYTES

    found = {artifact.path for artifact in head.manifest.artifacts}
    found |= {str(file.path) for file in crate_members(head)}
    if head.manifest.entry_module is not None:
        found |= {
            str(file.path)
            for file in head.files
            if file.path.startswith(WORKFLOW_FOLDER)
            and file.path.endswith(".py")
            and file.size <= MAX_SOURCE_BYTES
        }
    return frozenset(found)


class _Kept(MemorySink):
    """A sink that keeps the files that are read and lets the rest pass."""

    def __init__(self, wanted: frozenset[str]) -> None:
        super().__init__()
        self._wanted = wanted
        self._keeps = False
        self._common: str | None = None
        self._head = b""
        self.compiled: list[str] = []

    def begin(self, file: FileEntry) -> None:
        """Keep this one or not."""
        self._keeps = file.path in self._wanted
        self._common = str(file.path) if section_of(file.path) == COMMON else None
        self._head = b""
        super().begin(file)

    def write(self, data: memoryview) -> None:
        """Keep the bytes of a library, and how each file begins."""
        if len(self._head) < HEAD_BYTES:
            self._head += data[: HEAD_BYTES - len(self._head)]
        if self._keeps:
            super().write(data)

    def end(self) -> None:
        """Keep the file; note code for Linux among the files for every platform."""
        if self._common is not None and object_format(self._head) == ELF and is_loaded(self._head):
            self.compiled.append(self._common)
        if self._keeps:
            super().end()


def _read_libraries(head: Head, files: dict[str, bytes]) -> Iterator[ReadLibrary]:
    artifacts = [one for one in head.manifest.artifacts if one.path in files]
    return (_read_library(one, files[one.path]) for one in artifacts)


def _read_modules(
    head: Head, files: dict[str, bytes]
) -> tuple[dict[str, ModuleSource], tuple[Import, ...]]:
    """Return what the packed modules declare, as when they were packed, and what they need."""
    entry = head.manifest.entry_module
    if entry is None:
        return {}, ()
    from cloacina_ctl.project.python.modules import PackedModules, imported_by, needed_by

    modules = PackedModules(files)
    named = dict(imported_by(modules, entry))
    return named, tuple(needed_by(modules, named, entry))


def _read_library(artifact: Artifact, data: bytes) -> ReadLibrary:
    """Return what the library says; beside Python modules it may be a program."""
    from cloacina_ctl.checks.subjects import ReadLibrary
    from cloacina_ctl.platforms.library_file import read_code, read_library

    path = artifact.path
    try:
        if artifact.kind == "cdylib":
            return ReadLibrary(path, library=read_library(data, where=path))
        return ReadLibrary(path, library=read_code(data, data[:HEAD_BYTES], path)[0])
    except CloacinaError as error:
        return ReadLibrary(path, problem=error)
