"""``package``: a project becomes one package.

read the project → judge it → (Rust) build the library and read it → select files → plan → write →
sign → one rename. Nothing of a Python project is run; for a crate cargo is started, which runs
build scripts and macros of the crate and of what it depends on.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl import __version__
from cloacina_ctl.archive import layout
from cloacina_ctl.archive.block import SignatureBlock
from cloacina_ctl.archive.frames import LEVELS
from cloacina_ctl.archive.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.archive.plan import Plan, PlannedFile, make_plan
from cloacina_ctl.archive.tables import Tool
from cloacina_ctl.archive.workers import default_jobs
from cloacina_ctl.archive.writer import PackageWriter, WriteOptions
from cloacina_ctl.errors import (
    Code,
    Diagnostic,
    FileProblem,
    NotTrusted,
    Refused,
    Severity,
    UsageError,
)
from cloacina_ctl.manifest import Contents, Language, Manifest
from cloacina_ctl.operations.building import BuildRequest, Built, build_library
from cloacina_ctl.operations.progress import Progress, stage
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.archive.tables import FileEntry
    from cloacina_ctl.digest import Digest
    from cloacina_ctl.manifest import Workflow
    from cloacina_ctl.project.model import Project, SelectedFile, Selection
    from cloacina_ctl.signing.keys import PrivateKey

TOOL = Tool("cloacina-ctl", __version__)
_NO_CONTENTS = Contents(files=1, sha256="0" * 64, size=0)


class PackageRequest(NamedTuple):
    """What to make. ``output`` None means ``<name>-<version>.cloacina`` in the current folder.

    ``keys`` sign the package; ``require_signature`` refuses to make one that nobody signed.
    ``jobs`` None means one thread for each processor; ``level`` is zstd's, 1 to 19.
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


class Prepared(NamedTuple):
    """A package that could be written: what goes in, the manifest without its contents."""

    project: Project
    plan: Plan
    manifest: Manifest
    selection: Selection
    diagnostics: tuple[Diagnostic, ...]


class Packaged(NamedTuple):
    """The package that was made; ``diagnostics`` are warnings and notes on the way."""

    path: str
    size: int
    content: str
    name: str
    version: str
    language: Language
    files: int
    signed_by: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]


def prepare(request: PackageRequest, progress: Progress | None = None) -> Prepared:
    """Read, judge, build and plan, writing nothing: what ``package --list`` shows.

    Raises ``Refused`` with everything that is wrong with the project, ``BuildFailed`` where cargo
    did.
    """
    from cloacina_ctl.project.reading import read_project

    _check_level(request.level)
    project = read_project(request.project, member=request.build.member)
    output = output_path(request, project)
    selection = _select(project, request, output)
    found = _judge(project, selection)
    built = None
    if project.rust is not None:
        if progress:
            progress("building", 0, 0)
        built = build_library(project, request.build)
        found += built.diagnostics
    workflows = built.workflows if built else _python_workflows(project, selection)
    manifest = _manifest(project, workflows, built)
    files = [*_selected(selection), *_generated(project, selection, request), *_libraries(built)]
    plan = make_plan(
        layout.root_folder(project.package.name, project.package.version), files, request.limits
    )
    return Prepared(project, plan, manifest, selection, tuple(found))


def package(request: PackageRequest, progress: Progress | None = None) -> Packaged:
    """Make the package; afterwards it is there, whole, or nothing is.

    Raises what ``prepare`` does, ``FileProblem`` where the output is taken or cannot be written,
    and where a file of the project changes while it is read.
    """
    if request.require_signature and not request.keys:
        raise NotTrusted.of(
            Code.UNSIGNED,
            "no key to sign with, and a signature is required",
            hint="make one: `cloacina-ctl key generate`",
        )
    prepared = prepare(request, progress)
    project = prepared.project
    options = WriteOptions(
        jobs=request.jobs or default_jobs(), level=request.level, limits=request.limits
    )
    output = output_path(request, project)
    with PackageWriter(output, replace=request.overwrite, options=options) as writer:
        written = writer.write_payload(prepared.plan, stage(progress, "packing"))
        _refuse_rewritten_sources(prepared, written.files)
        manifest = prepared.manifest._replace(contents=written.contents)
        head, digest = writer.write_head(manifest, written, TOOL)
        block = _sign(request, manifest, digest, head.content)
        size = writer.commit(block)
    return Packaged(
        path=output,
        size=size,
        content=head.content,
        name=project.package.name,
        version=project.package.version,
        language=manifest.language,
        files=len(written.files),
        signed_by=tuple(envelope.keyid for envelope in block.envelopes),
        diagnostics=prepared.diagnostics,
    )


def _check_level(level: int) -> None:
    if level not in LEVELS:
        raise UsageError.of(
            Code.USAGE, f"expected a level from {LEVELS[0]} to {LEVELS[-1]}, found: {level}"
        )


def output_path(request: PackageRequest, project: Project) -> str:
    """Return where the package goes."""
    if request.output is not None:
        return request.output
    root = layout.root_folder(project.package.name, project.package.version)
    return root + layout.SUFFIX


def _select(project: Project, request: PackageRequest, output: str) -> Selection:
    from cloacina_ctl.project.model import Selection
    from cloacina_ctl.project.selection import select_files, select_source

    if project.rust is None:
        selection = select_files(project)
    elif request.include_source:
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


def _judge(project: Project, selection: Selection) -> list[Diagnostic]:
    """Return warnings and notes; raise all errors at once, as ``validate`` would list them."""
    from cloacina_ctl.checks.engine import report
    from cloacina_ctl.checks.project import check_project
    from cloacina_ctl.checks.subjects import ProjectSubject
    from cloacina_ctl.project.private_keys import find_private_keys

    keys = tuple(find_private_keys(selection, project.root))
    findings = report(check_project(ProjectSubject(project, selection, keys))).findings
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        raise Refused(*errors)
    return list(findings)


def _python_workflows(project: Project, selection: Selection) -> tuple[Workflow, ...]:
    from cloacina_ctl.project.workflows import to_manifest

    places = _places(project, selection)
    return tuple(to_manifest(workflow, places) for workflow in project.workflows)


def _refuse_rewritten_sources(prepared: Prepared, files: tuple[FileEntry, ...]) -> None:
    """Refuse when a source that the manifest speaks of was not packed as it was parsed."""
    facts = prepared.project.python
    packed = {str(file.path): file.sha256 for file in files}
    places = _places(prepared.project, prepared.selection)
    for path, digest in facts.parsed if facts is not None else ():
        member = places.get(path)
        if member is not None and packed[member] != digest:
            raise FileProblem.of(
                Code.CHANGED,
                "changed while packing: the manifest would speak of what it was before",
                where=path,
                hint="run it again when nothing writes to the project",
            )


def _places(project: Project, selection: Selection) -> dict[str, str]:
    """Return what each packed file of the project, by its path there, is called in the package."""
    start = len(project.root) + 1
    return {file.source[start:]: str(file.path) for file in selection.files}


def _manifest(project: Project, workflows: tuple[Workflow, ...], built: Built | None) -> Manifest:
    return Manifest(
        format_version=layout.FORMAT_VERSION,
        package=project.package,
        language=Language.RUST if project.rust is not None else Language.PYTHON,
        contents=_NO_CONTENTS,
        requires=project.requires,
        entry_module=project.python.entry_module if project.python is not None else None,
        workflows=tuple(sorted(workflows, key=lambda workflow: workflow.name)),
        artifacts=(built.artifact,) if built else (),
    )


def _selected(selection: Selection) -> Iterator[PlannedFile]:
    for file in selection.files:
        if file.path != layout.PACKAGE_TOML:  # the resolved one takes its place
            yield PlannedFile(file.path, file.source, file.size, file.executable, file.reason)


def _generated(
    project: Project, selection: Selection, request: PackageRequest
) -> Iterator[PlannedFile]:
    """Yield the resolved package.toml: always for Python, for Rust with its source."""
    from cloacina_ctl.project.package_toml import resolved_package_toml

    if project.rust is not None and not (request.include_source and selection.files):
        return
    text = resolved_package_toml(project)
    path = MemberPath.parse(layout.PACKAGE_TOML)
    yield PlannedFile(path, text, len(text), False, "the resolved manifest of other runtimes")


def _libraries(built: Built | None) -> Iterator[PlannedFile]:
    if built is not None:
        path = MemberPath.parse(built.artifact.path)
        yield PlannedFile(path, built.library, built.size, False, "the library that cargo built")


def _sign(
    request: PackageRequest, manifest: Manifest, head: Digest, content: str
) -> SignatureBlock:
    if not request.keys:
        return SignatureBlock()
    from cloacina_ctl.signing.statement import Subject, now_utc, sign_package

    subject = Subject(
        name=manifest.package.name,
        version=manifest.package.version,
        head=head,
        content=content,
    )
    signed_at = request.signed_at or now_utc()
    return SignatureBlock(
        tuple(sign_package(subject, key, signed_at=signed_at) for key in request.keys)
    )
