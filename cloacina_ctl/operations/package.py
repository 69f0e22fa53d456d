"""``package``: a project becomes one package.

read the project → check it → (Rust) build the library and read it → select files → plan → write →
sign → one rename. Nothing of a Python project is run; for a crate cargo is started, which runs
build scripts and macros of the crate and of what it depends on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, NotTrusted, Refused, Severity, UsageError
from cloacina_ctl.formats import layout
from cloacina_ctl.formats.native.frames import LEVELS
from cloacina_ctl.formats.native.signature_block import SignatureBlock
from cloacina_ctl.formats.native.writer import PackageWriter, WriteOptions
from cloacina_ctl.formats.plan import Plan, PlannedFile, make_plan
from cloacina_ctl.formats.threads import default_jobs
from cloacina_ctl.manifest import Contents, Language, Manifest, Requires
from cloacina_ctl.operations.locating import Locator
from cloacina_ctl.operations.packaging.build import BuiltLibrary, build_library, refuse_options
from cloacina_ctl.operations.packaging.crate_files import check_build, crate_files
from cloacina_ctl.operations.packaging.own_platform import place_own_code, with_own_python
from cloacina_ctl.operations.packaging.prepare import (
    THE_LIBRARY,
    TOOL,
    Packaged,
    PackageRequest,
    Prepared,
    check_selected_imports,
    check_selected_project,
    check_sources_unchanged,
    code_of,
    output_path,
    select_project,
    selected_files,
    source_workflows,
)
from cloacina_ctl.operations.packaging.target import NATIVE, SOURCE, V1
from cloacina_ctl.operations.packaging.vendoring import (
    WorkFolder,
    planned,
    searched_elsewhere,
    vendored_files,
    with_python,
    write_new_lock,
)
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.progress import Progress, stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.digest import Digest
    from cloacina_ctl.manifest import Workflow
    from cloacina_ctl.project.model import Project, Selection

__all__ = ["PackageRequest", "Packaged", "Prepared", "package", "prepare"]

_NO_CONTENTS = Contents(files=1, sha256="0" * 64, size=0)


def prepare(request: PackageRequest, progress: Progress | None = None) -> Prepared:
    """Read, check and plan, writing and building nothing: what ``package --list`` shows.

    A crate's library is no part of the plan; ``unbuilt`` names it. Raises ``Refused`` with
    everything that is wrong with the project, ``BuildFailed`` where uv or pip failed.
    """
    with WorkFolder() as work:  # its files are planned, and not read any more
        return _prepare(_building(request, wanted=False), work, progress)


def _building(request: PackageRequest, *, wanted: bool) -> PackageRequest:
    return request._replace(build=request.build._replace(wanted=wanted))


def _prepare(request: PackageRequest, work: WorkFolder, progress: Progress | None) -> Prepared:
    _check_level(request.level)
    locator = Locator(request.project)
    with locator.errors():
        prepared = _planned(request, work, locator, progress)
    return prepared._replace(diagnostics=locator.located(prepared.diagnostics))


def _planned(
    request: PackageRequest, work: WorkFolder, locator: Locator, progress: Progress | None
) -> Prepared:
    from cloacina_ctl.project.reading import read_project

    build = request.build
    project = read_project(
        request.project,
        member=build.member,
        options=build.options,
        version=request.version,
    )
    locator.roots.insert(0, project.root)
    if project.rust is None:
        refuse_options(request.build, "a Python project is not built")
    elif request.target.format == SOURCE:
        refuse_options(request.build, "the engine builds a `source` package")
    output = output_path(request, project)
    selection = select_project(project, request, output)
    code = code_of(project, selection)
    found = check_selected_project(project, selection, code)
    read = Prepared(project, selection=selection, diagnostics=tuple(found), code=code)
    if request.target.format == SOURCE:
        from cloacina_ctl.operations.packaging.source import prepare_source

        return prepare_source(request, read, work, progress)
    if request.target.format == V1:
        from cloacina_ctl.operations.packaging.v1 import prepare_v1

        return prepare_v1(request, read, progress)
    return _prepare_native(request, read, work, progress)


def _prepare_native(
    request: PackageRequest, read: Prepared, work: WorkFolder, progress: Progress | None
) -> Prepared:
    project, selection, found = read.project, read.selection, [*read.diagnostics]
    built = None
    if project.rust is not None and request.build.wanted:
        if progress:
            progress("building", 0, 0)
        built = build_library(project, request.build)
        found += built.diagnostics
        found += _other_features(project, request)
    workflows = built.workflows if built else source_workflows(project, selection)
    if not workflows:
        raise _only_graphs(project)
    project = with_own_python(project, read.code, request.vendor)
    vendored = vendored_files(project, request.vendor, work, request.limits, progress)
    project = with_python(project, vendored)
    own, vendored, artifacts = place_own_code(selected_files(selection), read.code, vendored)
    manifest = _manifest(project, workflows, built)
    manifest = manifest._replace(artifacts=(*manifest.artifacts, *artifacts))
    if selection.files and project.rust is not None:
        source = crate_files(project, selection, request.build.options, work)
        found += source.diagnostics
        if built is not None:
            found += check_build(project, selection, built.files_read, source)
        selection = selection._replace(left_out=(*selection.left_out, *source.left_out))
        own = source.files
    files = [*own, *_generated(project, selection, request), *_libraries(built)]
    found += check_selected_imports(project, selection, request, vendored)
    if vendored is not None:
        files += planned(vendored)
        found += (*vendored.diagnostics, *searched_elsewhere(vendored))
        selection = selection._replace(left_out=(*selection.left_out, *vendored.left_out))
    root = layout.root_folder(project.package.name, project.package.version)
    plan = make_plan(root, files, request.limits) if files else Plan(root, ())
    unbuilt = () if built or project.rust is None else (THE_LIBRARY,)
    return Prepared(project, selection, tuple(found), plan, manifest, vendored, unbuilt=unbuilt)


def package(request: PackageRequest, progress: Progress | None = None) -> Packaged:
    """Make the package; afterwards it is there, whole, or nothing is.

    Raises what ``prepare`` does, ``FileProblem`` where the output is taken or cannot be written,
    and where a file of the project changes while it is read.
    """
    if request.require_signature and not request.keys:
        raise NotTrusted.of(
            Code.UNSIGNED,
            "a signature is required, and there is no key to sign with",
            hint="make one: `cloacina-ctl key generate`",
        )
    if request.sign_fidius:
        from cloacina_ctl.operations.packaging.fidius_signature import check_request

        check_request(request)
    with WorkFolder() as work:
        prepared = _prepare(_building(request, wanted=True), work, progress)
        if request.target.format == NATIVE:
            return _write(request, prepared, progress)
        from cloacina_ctl.operations.packaging.write_legacy import write_legacy

        return write_legacy(request, prepared, progress)


def _write(request: PackageRequest, prepared: Prepared, progress: Progress | None) -> Packaged:
    project = prepared.project
    options = WriteOptions(
        jobs=request.jobs or default_jobs(), level=request.level, limits=request.limits
    )
    output = output_path(request, project)
    with PackageWriter(output, replace=request.overwrite, options=options) as writer:
        written = writer.write_payload(prepared.plan, stage(progress, "packing"))
        with Locator(request.project).errors():
            check_sources_unchanged(prepared, written.files)
        manifest = _complete(prepared)._replace(contents=written.contents)
        head, digest = writer.write_head(manifest, written, TOOL)
        block = _sign(request, manifest, digest, head.content)
        size = writer.commit(block, lambda: write_new_lock(project, prepared.vendored))
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
        vendored=prepared.vendored.wheels if prepared.vendored else (),
        changes=prepared.vendored.changes if prepared.vendored else (),
    )


def _other_features(project: Project, request: PackageRequest) -> Iterator[Diagnostic]:
    """Warn where what a server makes of the packed sources is not what was built here."""
    from cloacina_ctl.project.model import BuildOptions
    from cloacina_ctl.project.rust.cfg import packaged_features

    if project.rust is None or not request.include_source:
        return
    here = packaged_features(project.rust.crate, request.build.options)
    there = packaged_features(project.rust.crate, BuildOptions())
    other = sorted((here ^ there) - {"default"})
    if other:
        yield Diagnostic(
            Code.OTHER_FEATURES,
            f"a server builds the default features; this library differs in: {', '.join(other)}",
            where="Cargo.toml",
            hint="make what the package needs a default feature",
            severity=Severity.WARNING,
        )


def _only_graphs(project: Project) -> Refused:
    graphs = project.python.graphs if project.python is not None else ()
    return Refused.of(
        Code.NO_WORKFLOW,
        "the project has a computation graph and no task: a native package holds workflows",
        where=graphs[0] if graphs else None,
        hint="make a source package: `package --format source`",
    )


def _complete(prepared: Prepared) -> Manifest:
    if prepared.manifest is None:
        raise TypeError("a native package has a manifest")
    return prepared.manifest


def _check_level(level: int) -> None:
    if level not in LEVELS:
        raise UsageError.of(
            Code.USAGE, f"expected a level from {LEVELS[0]} to {LEVELS[-1]}, found: {level}"
        )


def _manifest(
    project: Project, workflows: tuple[Workflow, ...], built: BuiltLibrary | None
) -> Manifest:
    return Manifest(
        format_version=layout.FORMAT_VERSION,
        package=project.package,
        language=Language.RUST if project.rust is not None else Language.PYTHON,
        contents=_NO_CONTENTS,
        requires=_requires(project),
        entry_module=project.python.entry_module if project.python is not None else None,
        workflows=tuple(sorted(workflows, key=lambda workflow: workflow.name)),
        artifacts=(built.artifact,) if built else (),
    )


def _requires(project: Project) -> Requires | None:
    """Return what the project requires, its dependencies among it."""
    from cloacina_ctl.vendoring.declared.imports import declared_dependencies

    dependencies = declared_dependencies(project)
    if not dependencies:
        return project.requires
    return (project.requires or Requires())._replace(dependencies=dependencies)


def _generated(
    project: Project, selection: Selection, request: PackageRequest
) -> Iterator[PlannedFile]:
    """Yield the resolved package.toml: always for Python, for Rust with its source."""
    from cloacina_ctl.project.package_toml import resolved_package_toml

    if project.rust is not None and not (request.include_source and selection.files):
        return
    text = resolved_package_toml(project)
    path = MemberPath.parse(layout.PACKAGE_TOML)
    yield PlannedFile(path, text, len(text), False, "the resolved manifest of other releases")


def _libraries(built: BuiltLibrary | None) -> Iterator[PlannedFile]:
    if built is not None:
        path = MemberPath.parse(built.artifact.path)
        reason = "the library that cargo built"
        yield PlannedFile(path, built.library, built.size, False, reason, built.patches)


def _sign(
    request: PackageRequest, manifest: Manifest, head: Digest, content: str
) -> SignatureBlock:
    if not request.keys:
        return SignatureBlock()
    from cloacina_ctl.clock import now_utc
    from cloacina_ctl.signing.statement import Subject, sign_package

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
