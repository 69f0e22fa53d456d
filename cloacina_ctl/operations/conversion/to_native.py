"""From a legacy package to a native one.

One pass over the old file proves it, reads what its code says, and unpacks it into a scratch
folder; from there it is packed as a project would be. The manifest says what the code says.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.checks.other_python import refused
from cloacina_ctl.errors import Code, Diagnostic, Incompatible, Refused
from cloacina_ctl.formats import layout
from cloacina_ctl.formats.extraction import Extraction
from cloacina_ctl.formats.legacy.model import ProviderManifest, SourceManifest, V1Manifest
from cloacina_ctl.formats.legacy.write_source import is_padded
from cloacina_ctl.formats.native.writer import PackageWriter, WriteOptions
from cloacina_ctl.formats.plan import PlannedFile, make_plan
from cloacina_ctl.formats.threads import default_jobs
from cloacina_ctl.inspection.legacy_contents import LegacyContents, read_contents
from cloacina_ctl.inspection.manifest_view import view_of
from cloacina_ctl.manifest import Contents, Language, Manifest, Requires
from cloacina_ctl.operations.conversion.losses import losses_of_legacy
from cloacina_ctl.operations.conversion.request import Converted, allow_losses
from cloacina_ctl.operations.packaging.prepare import TOOL
from cloacina_ctl.operations.packaging.target import NATIVE
from cloacina_ctl.operations.packaging.vendoring import WorkFolder
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.progress import Progress, stage
from cloacina_ctl.project.package_toml import header_of_manifest, resolve
from cloacina_ctl.signing.fidius_signature import SIGNATURE_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.formats.legacy.reader import ArchiveContents
    from cloacina_ctl.manifest import Artifact, Workflow
    from cloacina_ctl.operations.conversion.request import ConvertRequest
    from cloacina_ctl.verification.verify import Proof

_NO_CONTENTS = Contents(files=1, sha256="0" * 64, size=0)
_NEEDED = ("id", "dependencies", "**")  # of a task, for a manifest that is true
_KEPT_FOLDERS = (layout.SOURCE_FOLDER, layout.PLATFORM_FOLDER)


def convert_legacy(proof: Proof, request: ConvertRequest, progress: Progress | None) -> Converted:
    """Convert the package into a native one; raises what ``convert`` does."""
    with WorkFolder() as work:
        tree = os.path.join(work.path, "tree")
        with Extraction(tree, work.held) as extraction:
            read = read_contents(proof, extraction, progress)
            extraction.commit()
        contents, evidence = read.contents, read.evidence
        _refuse_unreadable(read, request.path)
        losses = allow_losses(losses_of_legacy(contents, len(evidence.signatures)), request)
        manifest = _manifest(read)
        provenance = f"{contents.format.value} {contents.content}"
        files = [*_files(read, manifest, tree), *_package_toml(read, manifest, provenance)]
        root = layout.root_folder(manifest.package.name, manifest.package.version)
        plan = make_plan(root, files, request.rule.limits)
        jobs = request.rule.jobs or default_jobs()
        options = WriteOptions(jobs=jobs, limits=request.rule.limits)
        with PackageWriter(request.output, replace=request.overwrite, options=options) as writer:
            written = writer.write_payload(plan, stage(progress, "converting"))
            whole = manifest._replace(contents=written.contents)
            head, _ = writer.write_head(whole, written, TOOL)
            size = writer.commit()
    return Converted(
        path=request.output,
        format=NATIVE,
        size=size,
        content=head.content,
        files=len(written.files),
        source_format=contents.format.value,
        source_content=contents.content,
        losses=losses,
        trusted_signers=evidence.trusted_signers,
    )


def _refuse_unreadable(read: LegacyContents, where: str) -> None:
    """Refuse what a native manifest would not tell the truth of."""
    manifest = read.contents.manifest
    if isinstance(manifest, ProviderManifest) or read.language is None:
        raise Incompatible.of(
            Code.NOT_FOR_RUNTIME,
            "it is no workflow: a native package has no place for constructor providers"
            if isinstance(manifest, ProviderManifest)
            else "its language is not stated",
            where=where,
        )
    if read.library_problem is not None:
        raise read.library_problem
    found = [
        Diagnostic(Code.HIDDEN_TASK, "too large to look for tasks in it", path)
        for path in read.unread
    ]
    source = read.source
    facts = (source.python or source.rust) if source is not None else None
    problems = (*(source.problems if source else ()), *(facts.syntax_problems if facts else ()))
    code = Code.RUST_SYNTAX if source is not None and source.rust else Code.PYTHON_SYNTAX
    found += [Diagnostic(code, *refused(problem, None)) for problem in problems]
    if source is not None and source.python is not None:
        message = "a task or trigger that only running the code would show"
        found += [Diagnostic(Code.HIDDEN_TASK, message, at) for at in source.python.hidden_tasks]
    found += [
        Diagnostic(Code.TASK_VALUE, f"`{name}` cannot be read without running the code", task.place)
        for workflow in (source.workflows if source is not None else ())
        for task in workflow.tasks
        for name in task.unreadable_arguments
        if name in _NEEDED
    ]
    if found:
        raise Refused(*found)


def _manifest(read: LegacyContents) -> Manifest:
    """Return the native manifest, with places of tasks as they are in a native package."""
    view = view_of(read)
    language = Language(read.language)
    python = view.requires.python if view.requires is not None else None
    is_rust = language is Language.RUST
    return Manifest(
        format_version=layout.FORMAT_VERSION,
        package=view.package,
        language=language,
        contents=_NO_CONTENTS,
        requires=Requires(python=python) if python is not None else None,
        entry_module=None if is_rust else view.entry_module,
        workflows=tuple(
            sorted((_described(one, read) for one in view.workflows), key=lambda one: one.name)
        ),
        graphs=view.graphs,
        artifacts=tuple(_moved(artifact) for artifact in view.artifacts),
    )


def _described(workflow: Workflow, read: LegacyContents) -> Workflow:
    """Return the workflow as a project's package has it: places, and who and what it is."""
    manifest = read.contents.manifest
    triggers = tuple(sorted(workflow.triggers, key=lambda trigger: trigger.name))
    workflow = workflow._replace(triggers=triggers)
    if read.language == Language.PYTHON.value:
        description = getattr(manifest, "description", None)
        return workflow._replace(description=description, author=getattr(manifest, "author", None))
    tasks = tuple(
        task._replace(source=layout.SOURCE_FOLDER + task.source) if task.source else task
        for task in workflow.tasks
    )
    return workflow._replace(tasks=tasks)


def _moved(artifact: Artifact) -> Artifact:
    name = artifact.path.rpartition("/")[2]
    path = layout.library_path(artifact.platform, name)
    return artifact._replace(path=path, unloaded=artifact.kind == "cdylib")


def _files(read: LegacyContents, manifest: Manifest, tree: str) -> Iterator[PlannedFile]:
    contents = read.contents
    for path, file in _places(contents, manifest).items():
        source = os.path.join(tree, file)
        size = os.lstat(source).st_size
        library = path.startswith(layout.PLATFORM_FOLDER)
        executable = bool(os.lstat(source).st_mode & 0o100) and not library
        yield PlannedFile(MemberPath.parse(path), source, size, executable, "converted")


def _places(contents: ArchiveContents, manifest: Manifest) -> dict[str, str]:
    """Return what each file of the old package is called in the new one; what is left out has none.

    The manifest and a signature over the old files are left out, and padding that we added.
    """
    is_source = isinstance(contents.manifest, SourceManifest)
    own = layout.PACKAGE_TOML if is_source else layout.MANIFEST
    files = contents.files[:-1] if is_source and is_padded(contents.files) else contents.files
    libraries = {one.path.rpartition("/")[2]: one.path for one in manifest.artifacts}
    in_source = is_source and manifest.language is Language.RUST
    found = {}
    for file in files:
        path = str(file.path)
        if path in (own, SIGNATURE_FILE):
            continue
        if not in_source and path.startswith(_KEPT_FOLDERS):
            raise Refused.of(
                Code.RESERVED_NAME, "the format keeps this name for itself", where=path
            )
        name = path.rpartition("/")[2]
        place = libraries[name] if not is_source and name in libraries else path
        found[layout.SOURCE_FOLDER + path if in_source else place] = path
    return found


def _package_toml(
    read: LegacyContents, manifest: Manifest, provenance: str
) -> Iterator[PlannedFile]:
    """Yield the resolved package.toml, which a package of a library alone has not."""
    contents = read.contents
    if isinstance(contents.manifest, V1Manifest) or manifest.artifacts:
        return
    text = contents.manifest_bytes if isinstance(contents.manifest, SourceManifest) else None
    data = resolve(header_of_manifest(manifest), text, None, provenance)
    path = MemberPath(layout.PACKAGE_TOML)
    yield PlannedFile(path, data, len(data), False, "the resolved manifest")
