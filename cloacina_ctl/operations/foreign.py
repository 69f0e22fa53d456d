"""The verbs that read, for packages of other generations: the same rule, the same answers.

They have no head that a signature could be over: what vouches is a sidecar over the whole file,
or a ``package.sig`` among the files. So the argument of ``authenticity`` reads here:

(1) The file is a regular file, opened once. (2) A sidecar is judged over the digest of all its
bytes before any of them is decompressed; one of a known key that fails ends everything. (3) In the
same pass the archive is proved to be exactly one whole package, and a ``package.sig`` in it is
judged; the bytes of that pass have the digest of (2). (4) Enough known keys vouch, and (5) the
package is the one that was pinned, before anything of it appears.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.archive.extraction import Extraction
from cloacina_ctl.archive.foreign.model import ProviderManifest
from cloacina_ctl.archive.foreign.streams import GZIP
from cloacina_ctl.archive.payload import Nowhere, is_chosen, select
from cloacina_ctl.digest import CONTENT_PREFIX
from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.operations import authenticity
from cloacina_ctl.operations.authenticity import Rule
from cloacina_ctl.operations.foreign_reading import Looked, look_into
from cloacina_ctl.operations.foreign_signatures import TreeSink, judge_beside
from cloacina_ctl.operations.progress import Progress, stage
from cloacina_ctl.operations.results import Inspection, Unpacked, Verified
from cloacina_ctl.operations.views import signature_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloacina_ctl.archive.foreign.package import Contents, ForeignPackage
    from cloacina_ctl.archive.payload import Sink
    from cloacina_ctl.archive.tables import FileEntry
    from cloacina_ctl.checks.subjects import ForeignSubject
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.signing.judge import Judged, KnownKey


def inspect_foreign(package: ForeignPackage, progress: Progress | None = None) -> Inspection:
    """Return what the package says of itself, and what its code says of it."""
    from cloacina_ctl.checks.releases import releases_that_load
    from cloacina_ctl.operations.foreign_view import tool_of, view_of

    looked, judged = _look(package, progress)
    contents = looked.contents
    return Inspection(
        path=package.path,
        format=contents.generation.value,
        size=package.size,
        compressed=package.size,
        content=contents.content,
        head=None,
        manifest=view_of(looked),
        manifest_bytes=contents.manifest_bytes,
        files=contents.files,
        withheld=(),
        tool=tool_of(looked),
        signatures=tuple(map(signature_view, judged)),
        original=contents.manifest,
        releases=releases_that_load(_subject(package, looked, judged)),
    )


def judge_foreign(package: ForeignPackage, progress: Progress | None = None) -> list[Diagnostic]:
    """Return everything that is wrong with a package whose form is right."""
    from cloacina_ctl.checks.foreign import check_foreign

    looked, judged = _look(package, progress)
    return list(check_foreign(_subject(package, looked, judged)))


def verify_foreign(
    package: ForeignPackage,
    rule: Rule,
    known: tuple[KnownKey, ...],
    progress: Progress | None = None,
) -> Verified:
    """Prove every byte of the package, and who vouches."""
    contents, judged = _prove(package, rule, known, Nowhere(), stage(progress, "verifying"))
    vouched = authenticity.require_after_all(judged, rule, package.path)  # (4), late: it says both
    name, version = name_of(contents)
    return Verified(
        path=package.path,
        format=contents.generation.value,
        size=package.size,
        name=name,
        version=version,
        content=contents.content,
        head=None,
        files=len(contents.files),
        signatures=tuple(map(signature_view, judged)),
        vouched_by=vouched,
        complete=True,
    )


def unpack_foreign(
    package: ForeignPackage,
    rule: Rule,
    known: tuple[KnownKey, ...],
    request: tuple[str, tuple[str, ...], bool],
    progress: Progress | None = None,
) -> Unpacked:
    """Put the files of the package into a folder, which appears whole or not at all.

    ``request`` is the destination, patterns of members, and whether a part is enough, which is
    refused: nothing is ever withheld from a package of another generation.
    """
    destination, members, partial = request
    if partial:
        raise UsageError.of(Code.USAGE, "only native packages have sections that can be withheld")
    with Extraction(destination) as extraction:
        sink = _Chosen(extraction, members) if members else extraction
        contents, judged = _prove(
            package, rule, known, sink, stage(progress, "unpacking"), early=True
        )
        vouched = authenticity.require(judged, rule, package.path)  # (4)
        files = select(contents.files, members) if members else contents.files
        extraction.commit()
    name, version = name_of(contents)
    return Unpacked(
        path=package.path,
        format=contents.generation.value,
        destination=destination,
        name=name,
        version=version,
        content=contents.content,
        files=tuple(str(file.path) for file in files),
        size=sum(file.size for file in files),
        signatures=tuple(map(signature_view, judged)),
        vouched_by=vouched,
        complete=not members,
    )


def name_of(contents: Contents) -> tuple[str, str]:
    """Return name and version of the package."""
    manifest = contents.manifest
    named = manifest.package if isinstance(manifest, ProviderManifest) else manifest
    return named.name, named.version


def _look(package: ForeignPackage, progress: Progress | None) -> tuple[Looked, tuple[Judged, ...]]:
    """Read all of the package, and judge its signatures by the keys that the user knows."""
    known = authenticity.keys_that_count(Rule())
    beside = judge_beside(package, known)
    tree = TreeSink(Nowhere())
    looked = look_into(package, tree, progress)
    return looked, (*beside, *tree.judge(package, looked.contents, known))


def _prove(
    package: ForeignPackage,
    rule: Rule,
    known: tuple[KnownKey, ...],
    sink: Sink,
    progress: Callable[[int, int], None] | None,
    *,
    early: bool = False,
) -> tuple[Contents, tuple[Judged, ...]]:
    """Return what went into ``sink`` and the signatures, none of which fails.

    With ``early`` nothing goes into it where it is clear from the start that nobody vouches.
    """
    if rule.content is not None:
        found = {"content": CONTENT_PREFIX + package.digest}
        authenticity.check_identity(found, rule, package.path)  # (5)
    judged = judge_beside(package, known, rule.signature)  # (2)
    authenticity.refuse_failed_signatures(judged, package.path)
    if early and package.container == GZIP:  # nothing else in it could vouch
        authenticity.require(judged, rule, package.path)
    tree = TreeSink(sink)
    contents = package.pour(tree, progress)  # (3)
    judged = (*judged, *tree.judge(package, contents, known))
    authenticity.refuse_failed_signatures(judged, package.path)
    name, version = name_of(contents)
    authenticity.check_identity({"name": name, "version": version}, rule, package.path)  # (5)
    return contents, judged


class _Chosen:
    """A sink that hands on the files that a pattern matches."""

    divisible = False

    def __init__(self, sink: Sink, patterns: tuple[str, ...]) -> None:
        self._sink = sink
        self._patterns = patterns
        self._takes = False

    def begin(self, file: FileEntry) -> None:
        """Hand the file on or not."""
        self._takes = is_chosen(str(file.path), self._patterns)
        if self._takes:
            self._sink.begin(file)

    def write(self, data: memoryview) -> None:
        """Hand the bytes on or not."""
        if self._takes:
            self._sink.write(data)

    def end(self) -> None:
        """End the file that was handed on."""
        if self._takes:
            self._sink.end()


def _subject(package: ForeignPackage, looked: Looked, judged: tuple[Judged, ...]) -> ForeignSubject:
    from cloacina_ctl.checks.subjects import ForeignSubject

    return ForeignSubject(
        path=package.path,
        size=package.size,
        contents=looked.contents,
        language=looked.language,
        entry_module=looked.entry_module,
        source=looked.source,
        library=looked.library,
        library_problem=looked.library_problem,
        unread=looked.unread,
        private_keys=looked.private_keys,
        signatures=judged,
    )
