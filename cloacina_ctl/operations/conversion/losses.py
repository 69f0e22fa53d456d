"""What a conversion loses, in words, before anything is written.

A format holds what it has a place for. What is in the code itself is not lost, even where the
other manifest cannot say it; that it cannot is worth a line all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import first_of
from cloacina_ctl.formats.layout import PLATFORM_FOLDER, SOURCE_FOLDER, place_on_platform
from cloacina_ctl.formats.legacy.model import (
    ProviderManifest,
    SourceManifest,
    V2Manifest,
)
from cloacina_ctl.operations.packaging.target import SOURCE, V1

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cloacina_ctl.formats.legacy.reader import ArchiveContents
    from cloacina_ctl.formats.native.reader import NativePackage
    from cloacina_ctl.manifest import Artifact, Manifest

_MOST = 5  # names in one line
# Of a native manifest, what `package.toml` and the manifest of 0.2 and 0.3 have no key for. A
# crate's own Cargo.toml says these, and goes along with its source.
_ABOUT = ("license", "homepage", "repository", "keywords")


def losses_of_native(
    package: NativePackage, form: str, *, delivered: bool = False
) -> Iterator[str]:
    """Yield what a native package holds that one of the format ``form`` cannot.

    Of one that is ``delivered`` to its engine nothing is lost that was checked before.
    """
    manifest, files = package.head.manifest, [str(file.path) for file in package.head.files]
    signatures = len(package.block.envelopes)
    if signatures and not delivered:
        yield f"{_signatures(signatures)} over the native head: sign the result"
    if form == V1:
        sources = sum(path.startswith(SOURCE_FOLDER) for path in files)
        if sources:
            yield f"the source of the crate: {sources} files"
        yield from _tasks(manifest)
    else:
        for artifact in manifest.artifacts:
            yield from _compiled(artifact, files, alone=len(manifest.artifacts) == 1)
    yield from _about(manifest, form)
    release = manifest.requires.cloacina if manifest.requires is not None else None
    if release is not None and not delivered:
        yield f"the range of releases: {release}"
    needed = manifest.requires.dependencies if manifest.requires is not None else ()
    if needed and not delivered:
        yield f"the list of declared dependencies: {_named(needed)}"
    if manifest.graphs and form == V1:
        yield f"computation graphs: {_named([graph.name for graph in manifest.graphs])}"


def _compiled(artifact: Artifact, files: list[str], *, alone: bool) -> Iterator[str]:
    """Yield what is lost of the code for one platform: it, or that it is for that one."""
    if artifact.kind == "cdylib":
        yield f"the compiled library for {artifact.platform}"
        return
    inside = [path for path in files if path.startswith(f"{PLATFORM_FOLDER}{artifact.platform}/")]
    own = [path for path in inside if place_on_platform(path) != path]
    if len(own) < len(inside):
        yield f"vendored code for {artifact.platform}"
    if own and alone:
        yield f"that compiled code of the project is for {artifact.platform}: {_named(own)}"
    elif own:
        yield f"compiled code of the project for {artifact.platform}: {_named(own)}"


def _about(manifest: Manifest, form: str) -> Iterator[str]:
    package, in_cargo_toml = manifest.package, form == SOURCE and manifest.language.value == "rust"
    for field in () if in_cargo_toml else _ABOUT:
        if getattr(package, field):
            yield f"{field} of the package"
    if len(package.authors) > 1 and not in_cargo_toml:
        yield f"authors but the first: {_named(package.authors[1:])}"


def _tasks(manifest: Manifest) -> Iterator[str]:
    """Yield what the manifest of 0.2 and 0.3 cannot say of tasks; the library itself has it."""
    tasks = [task for workflow in manifest.workflows for task in workflow.tasks]
    for field, what in (
        ("retry", "retries"),
        ("timeout_seconds", "time limits"),
        ("trigger_rules", "rules of triggers"),
    ):
        found = [task.id for task in tasks if getattr(task, field) is not None]
        if found:
            yield f"what the manifest says of {what}: {_named(found)}; the library keeps them"
    for workflow in manifest.workflows:
        if workflow.params or workflow.triggers:
            yield f"parameters and triggers of the workflow {workflow.name}"


def losses_of_legacy(contents: ArchiveContents, signatures: int) -> Iterator[str]:
    """Yield what a legacy package says that a native one does not."""
    manifest = contents.manifest
    if signatures:
        yield f"{_signatures(signatures)} over the old file: sign the result"
    empty = _empty_folders(contents)
    if empty:
        yield f"empty folders: {_named(empty)}"
    if isinstance(manifest, V2Manifest):
        yield f"the time of its making: {manifest.created_at}"
        yield f"a fingerprint that nothing can prove: {manifest.fingerprint}"
        if manifest.targets:
            yield f"the platforms that it names: {_named(manifest.targets)}"
    if not isinstance(manifest, ProviderManifest | SourceManifest) and manifest.unknown:
        yield f"keys that no release knows: {_named(manifest.unknown)}"


def _empty_folders(contents: ArchiveContents) -> list[str]:
    held = {folder for file in contents.files for folder in _above(str(file.path))}
    return [folder for folder in contents.folders if folder.rstrip("/") not in held]


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _signatures(count: int) -> str:
    return "the signature, which is" if count == 1 else f"{count} signatures, which are"


def _named(names: Sequence[str]) -> str:
    return first_of([name[:80] for name in names], _MOST)
