"""The verbs that read, for packages of other generations: the same rule, the same answers.

The steps that are numbered are those of ``foreign.proof``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.formats.extraction import Extraction
from cloacina_ctl.formats.native.payload import Nowhere, is_chosen, select
from cloacina_ctl.inspection.legacy_contents import Looked, look_into
from cloacina_ctl.operations.results import Inspection, Unpacked, Verified
from cloacina_ctl.operations.views import signature_view
from cloacina_ctl.progress import Progress, stage
from cloacina_ctl.verification import authenticity
from cloacina_ctl.verification.legacy import name_of, prove
from cloacina_ctl.verification.tree_signature import TreeSink, judge_beside

if TYPE_CHECKING:
    from cloacina_ctl.checks.subjects import ForeignSubject
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.formats.file_index import FileEntry
    from cloacina_ctl.formats.legacy.reader import ForeignPackage
    from cloacina_ctl.formats.native.payload import Sink
    from cloacina_ctl.signing.judge import Judged, KnownKey
    from cloacina_ctl.verification.authenticity import Rule


def inspect_foreign(package: ForeignPackage, progress: Progress | None = None) -> Inspection:
    """Return what the package says of itself, and what its code says of it."""
    from cloacina_ctl.checks.releases import releases_that_load
    from cloacina_ctl.inspection.manifest_view import tool_of, view_of

    looked, judged, unread = _look(package, progress)
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
        warnings=unread,
    )


def judge_foreign(package: ForeignPackage, progress: Progress | None = None) -> list[Diagnostic]:
    """Return everything that is wrong with a package whose form is right."""
    from cloacina_ctl.checks.legacy_package import check_foreign

    looked, judged, unread = _look(package, progress)
    return [*check_foreign(_subject(package, looked, judged)), *unread]


def verify_foreign(
    package: ForeignPackage,
    rule: Rule,
    known: tuple[KnownKey, ...],
    progress: Progress | None = None,
) -> Verified:
    """Prove every byte of the package, and who vouches."""
    at = stage(progress, "verifying")
    contents, judged = prove(package, rule, known, Nowhere(), lambda into: package.pour(into, at))
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
        at = stage(progress, "unpacking")
        contents, judged = prove(
            package, rule, known, sink, lambda into: package.pour(into, at), early=True
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


def _look(
    package: ForeignPackage, progress: Progress | None
) -> tuple[Looked, tuple[Judged, ...], tuple[Diagnostic, ...]]:
    """Read all of the package, and judge its signatures by the keys that the user knows.

    The last thing returned says that these cannot be read, where there are signatures.
    """
    keys = authenticity.keys_at_hand()
    beside = judge_beside(package, keys.known)
    tree = TreeSink(Nowhere())
    looked = look_into(package, tree, progress)
    judged = (*beside, *tree.judge(package, looked.contents, keys.known))
    return looked, judged, keys.unread if judged else ()


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
        secrets=looked.secrets,
        signatures=judged,
    )
