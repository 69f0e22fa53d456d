"""What every format of a package begins with: the project read, checked and selected.

What is asked for and what comes of it are here too, for they are the same whatever the format.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl import __version__
from cloacina_ctl.errors import Code, Diagnostic, FileProblem, Severity, refuse_errors
from cloacina_ctl.formats import layout
from cloacina_ctl.formats.file_index import Tool
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.formats.plan import Plan, PlannedFile
from cloacina_ctl.operations.packaging.build import BuildRequest
from cloacina_ctl.operations.packaging.target import NATIVE, SOURCE, FormatTarget
from cloacina_ctl.operations.packaging.vendoring import VendorRequest
from cloacina_ctl.project.selection.compiled import OwnCode
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.formats.file_index import FileEntry
    from cloacina_ctl.formats.legacy.write_source import SizeRules
    from cloacina_ctl.manifest import Language, Manifest, Workflow
    from cloacina_ctl.project.model import Project, SelectedFile, Selection
    from cloacina_ctl.signing.keys import PrivateKey
    from cloacina_ctl.vendoring.notes import LockChange
    from cloacina_ctl.vendoring.vendor import Vendored


THE_LIBRARY = "the library"
TOOL = Tool("cloacina-ctl", __version__)


class PackageRequest(NamedTuple):
    """What to make. ``output`` None means ``<name>-<version>.cloacina`` in the current folder.

    ``version`` takes the place of the one that a Python project says, in the package alone.
    ``keys`` sign the package; ``require_signature`` refuses to make one without a signature.
    ``jobs`` None means one thread for each processor; ``level`` is zstd's, 1 to 19. ``target`` is
    the format, and the release whose rules are kept; ``pad`` brings a source package within the
    ratio that they load; ``sign_fidius`` puts fidius' signature of the tree into it.
    """

    project: str = "."
    output: str | None = None
    overwrite: bool = False
    keys: tuple[PrivateKey, ...] = ()
    require_signature: bool = False
    include_source: bool = False
    build: BuildRequest = BuildRequest()
    signed_at: str | None = None
    jobs: int | None = None
    level: int = 3
    limits: Limits = DEFAULT_LIMITS
    vendor: VendorRequest = VendorRequest()
    target: FormatTarget = FormatTarget()
    pad: bool = False
    sign_fidius: bool = False
    version: str | None = None


class Prepared(NamedTuple):
    """A package that could be written: what goes in, the manifest without its contents.

    ``manifest`` is that of a native package; a package of another format has its own among its
    files. ``rules`` say what a package of another format may have. ``unbuilt`` says what
    is not there before a crate is built: its tasks are then those of its source. ``code`` is the
    compiled code among the files of a Python project.
    """

    project: Project
    selection: Selection
    diagnostics: tuple[Diagnostic, ...]
    plan: Plan = Plan("", ())
    manifest: Manifest | None = None
    vendored: Vendored | None = None
    rules: SizeRules | None = None
    unbuilt: tuple[str, ...] = ()
    code: OwnCode = OwnCode()


class Packaged(NamedTuple):
    """The package that was made; ``diagnostics`` are warnings and notes on the way.

    ``content`` is the identity: of a native package that of its manifest, else of the whole file.
    ``runtime`` is the one whose rules were kept, where one was chosen; ``sidecar`` the file with
    the signature of a package that holds none; ``padding`` is in bytes. ``vendored`` are the
    distributions that are vendored, by name and version, ``changes`` those of the lock.
    """

    path: str
    size: int
    content: str
    name: str
    version: str
    language: Language
    files: int
    signed_by: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]
    format: str = NATIVE
    runtime: str | None = None
    sidecar: str | None = None
    padding: int = 0
    vendored: tuple[tuple[str, str], ...] = ()
    changes: tuple[LockChange, ...] = ()


def output_path(request: PackageRequest, project: Project) -> str:
    """Return where the package goes."""
    if request.output is not None:
        return request.output
    root = layout.root_folder(project.package.name, project.package.version)
    return root + layout.SUFFIX


def select_project(project: Project, request: PackageRequest, output: str) -> Selection:
    """Return what of the project gets packed, but for the package itself."""
    from cloacina_ctl.project.model import Selection
    from cloacina_ctl.project.selection.select import select_files, select_source

    if project.rust is None:
        selection = select_files(project)
    elif request.include_source or request.target.format == SOURCE:
        selection = select_source(project)
    else:
        return Selection(())
    return selection._replace(files=_without_output(selection.files, output))


def _without_output(files: tuple[SelectedFile, ...], output: str) -> tuple[SelectedFile, ...]:
    """Return ``files`` but for the package of an earlier run, by whatever name it goes there."""
    try:
        own = os.stat(output)
    except OSError:
        return files  # not there yet, so it is none of them
    return tuple(
        file
        for file in files
        if file.size != own.st_size or not os.path.samestat(os.lstat(file.source), own)
    )


def check_selected_project(
    project: Project, selection: Selection, code: OwnCode
) -> list[Diagnostic]:
    """Return warnings and notes; raise all errors at once, as ``validate`` would list them."""
    from cloacina_ctl.checks.engine import report
    from cloacina_ctl.checks.project import check_project
    from cloacina_ctl.checks.subjects import ProjectSubject
    from cloacina_ctl.operations.packaging.crate_files import folder_problems, unbuildable
    from cloacina_ctl.project.selection.credentials import find_secrets

    secrets = tuple(find_secrets(selection, project.root))
    subject = ProjectSubject(project, selection, secrets, code)
    findings = report(
        [*check_project(subject), *unbuildable(project, folder_problems(project))]
    ).findings
    return list(refuse_errors(findings))


def check_selected_imports(
    project: Project, selection: Selection, request: PackageRequest, vendored: Vendored | None
) -> list[Diagnostic]:
    """Return warnings of imports that fail in the package; raise the errors.

    That dependencies are left out is worth a note alone where it was requested.
    """
    if project.python is None:
        return []
    from cloacina_ctl.checks.imports import check_imports

    paths = [str(file.path) for file in vendored.files] if vendored is not None else None
    asked = Severity.NOTE if request.vendor.wanted is False else Severity.WARNING
    return list(refuse_errors(check_imports(project, selection, paths, severity=asked)))


def code_of(project: Project, selection: Selection) -> OwnCode:
    """Return the compiled code among the files of a Python project; none of a crate's source."""
    if project.rust is not None:
        return OwnCode()
    from cloacina_ctl.project.selection.compiled import own_code

    return own_code(selection, project.root)


def source_workflows(project: Project, selection: Selection) -> tuple[Workflow, ...]:
    """Return the workflows that a project's source declares, as a manifest has them."""
    from cloacina_ctl.project.workflows import to_manifest

    places = places_of(project, selection)
    return tuple(to_manifest(workflow, places) for workflow in project.workflows)


def check_sources_unchanged(prepared: Prepared, files: tuple[FileEntry, ...]) -> None:
    """Refuse when a source that the manifest speaks of was not packed as it was parsed."""
    facts = prepared.project.python
    packed = {str(file.path): file.sha256 for file in files}
    places = places_of(prepared.project, prepared.selection)
    for path, digest in facts.parsed if facts is not None else ():
        member = places.get(path)
        if member is not None and packed[member] != digest:
            raise FileProblem.of(
                Code.CHANGED,
                "changed while packing: the manifest would speak of what it was before",
                where=path,
                hint="run it again when nothing writes to the project",
            )


def places_of(project: Project, selection: Selection) -> dict[str, str]:
    """Return what each packed file of the project, by its path there, is called in the package."""
    return {file.place(project.root): str(file.path) for file in selection.files}


def selected_files(selection: Selection) -> Iterator[PlannedFile]:
    """Yield the project's files; of package.toml the resolved one takes the place."""
    for file in selection.files:
        if file.path != layout.PACKAGE_TOML:
            yield PlannedFile(file.path, file.source, file.size, file.executable, file.reason)
