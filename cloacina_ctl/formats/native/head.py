"""The head: manifest.json, files.json and index.json.

Everything about the payload follows from the list of files: the frames, their sections, and the
length of their content. The index adds only the results of compression, and is refused where it
says anything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl import manifest as schema
from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, Diagnostic, Refused
from cloacina_ctl.formats import file_index, layout
from cloacina_ctl.formats.file_index import FRAME_SIZE, FileEntry, FrameEntry, Index
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.formats.native import frames as zstd
from cloacina_ctl.formats.native import tar
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cloacina_ctl.manifest import Manifest


class Span(NamedTuple):
    """Where a file's tar bytes lie in its section; ``end`` is after the padding."""

    file: FileEntry
    start: int
    end: int


class Section(NamedTuple):
    """A section of the payload: its files in their order, and the length of its tar bytes."""

    name: str
    spans: tuple[Span, ...]
    length: int


class Head(NamedTuple):
    """The content of the head; its parts agree with each other.

    ``sections`` follow from ``files``; a head that was read has them.
    """

    manifest: Manifest
    manifest_bytes: bytes
    files_bytes: bytes
    index_bytes: bytes
    files: tuple[FileEntry, ...]
    frame_index: Index
    sections: tuple[Section, ...] = ()

    @property
    def root(self) -> str:
        """The one folder at the top of the package."""
        return layout.root_folder(self.manifest.package.name, self.manifest.package.version)

    @property
    def content(self) -> str:
        """The identity of the package: ``sha256:`` and the digest of the manifest."""
        return schema.content_id(self.manifest_bytes)

    def members(self) -> tuple[tuple[str, bytes], ...]:
        """Return the names and bytes of the head's own members, in their order."""
        contents = (self.manifest_bytes, self.files_bytes, self.index_bytes)
        return tuple(zip(layout.HEAD_MEMBERS, contents, strict=True))


def encode_head(head: Head, level: int, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Return the head frame, or raise ``Refused`` where it is over a limit."""
    limits.check("manifest", len(head.manifest_bytes), where=layout.MANIFEST, what="the size")
    limits.check("index_bytes", len(head.index_bytes), where=layout.INDEX, what="the size")
    stream = b"".join(
        tar.member_header(head.root, name, len(data)) + data + tar.padding(len(data))
        for name, data in head.members()
    )
    limits.check("head", len(stream), where="the head", what="the size")
    frame = zstd.compress(stream, level)
    limits.check("head_compressed", len(frame), where="the head", what="the compressed size")
    return frame


def decode_head(frame: bytes, *, where: str, limits: Limits = DEFAULT_LIMITS) -> Head:
    """Return the content of the head frame, or refuse it; reads nothing else of the package."""
    claimed = zstd.read_header(frame, where=f"{where}: the head").content_size
    limits.check("head", claimed, where=where, what="the size of the head")
    stream = zstd.decompress(frame, claimed, where=f"{where}: the head")
    bodies = _Bodies(stream, where)
    manifest_bytes = bodies.take(layout.MANIFEST, limits.manifest)
    manifest = schema.parse(manifest_bytes, max_bytes=limits.manifest, max_tasks=limits.tasks)
    root = layout.root_folder(manifest.package.name, manifest.package.version)
    files_bytes = bodies.take(layout.FILES, limits.head)
    index_bytes = bodies.take(layout.INDEX, limits.index_bytes)
    bodies.finish(root)
    _check_contents(manifest, files_bytes, where)
    files = file_index.decode_files(files_bytes, where=f"{where}: {layout.FILES}", limits=limits)
    head = Head(
        manifest=manifest,
        manifest_bytes=manifest_bytes,
        files_bytes=files_bytes,
        index_bytes=index_bytes,
        files=files,
        frame_index=file_index.decode_index(
            index_bytes, where=f"{where}: {layout.INDEX}", limits=limits
        ),
        sections=tuple(sections_of(root, files)),
    )
    check_manifest_members(manifest, head.files)
    _check_sizes(head, where, limits)
    return head


def sections_of(root: str, files: Sequence[FileEntry]) -> Iterator[Section]:
    """Yield the sections that ``files`` lie in, in the order of the stream."""
    root_bytes = len(root.encode()) + 1
    section, found, position = "", list[Span](), 0
    for file in files:
        own = layout.section_of(file.path)
        if own != section:
            if found:
                yield Section(section, tuple(found), position)
            section, found, position = own, [], 0
        start = position
        position += tar.header_size(root_bytes, file.path) + tar.padded(file.size)
        found.append(Span(file, start, position))
    if found:
        yield Section(section, tuple(found), position)


def expected_frames(sections: Iterable[Section]) -> Iterator[tuple[str, int]]:
    """Yield section and content size of every payload frame that ``sections`` lead to."""
    for section in sections:
        whole, rest = divmod(section.length, FRAME_SIZE)
        for _ in range(whole):
            yield section.name, FRAME_SIZE
        if rest:
            yield section.name, rest
    yield layout.END, len(tar.END_OF_ARCHIVE)


def check_manifest_members(manifest: Manifest, files: Sequence[FileEntry]) -> None:
    """Refuse a manifest that names a file which the package does not have."""
    present = {str(file.path): file for file in files}
    problems = []
    for number, artifact in enumerate(manifest.artifacts):
        place = f"/artifacts/{number}/path"
        file = present.get(artifact.path)
        if file is None:
            problems.append(_missing(artifact.path, place))
        elif layout.section_of(artifact.path) != artifact.platform:
            message = f"not under `platform/{artifact.platform}/`: {artifact.path}"
            problems.append(Diagnostic(Code.FIELD_VALUE, message, place))
        elif file.executable and artifact.kind == "cdylib":
            problems.append(
                Diagnostic(Code.BAD_FILE_TABLE, "a library is marked executable", place)
            )
    if manifest.entry_module is not None:
        choices = layout.module_paths(manifest.entry_module)
        if not any(path in present for path in choices):
            problems.append(_missing(" or ".join(choices), "/entry_module"))
    if problems:
        raise Refused(*problems)


def _missing(path: str, place: str) -> Diagnostic:
    return Diagnostic(Code.MISSING_MEMBER, f"not in the package: {path}", place)


class _Bodies:
    """The three members of the head, taken in order, their headers compared at the end."""

    def __init__(self, stream: bytes, where: str) -> None:
        self._stream = stream
        self._where = where
        self._position = 0
        self._seen: list[tuple[str, int, int]] = []

    def take(self, name: str, limit: int) -> bytes:
        start = self._position
        # The root folder is known only once the manifest is, and a long one makes no pax header:
        # `<name>-<version>/manifest.json` always fits ustar. So each header is one block.
        header = self._stream[start : start + tar.BLOCK]
        size = tar.read_size(header, where=f"{self._where}: {name}")
        if size > limit:
            raise Refused.of(
                Code.LIMIT,
                f"{name} is {size} bytes, and at most {limit} are allowed",
                where=self._where,
            )
        body = start + tar.BLOCK
        self._position = body + tar.padded(size)
        if self._position > len(self._stream):
            raise Refused.of(Code.BAD_HEAD, f"it ends inside {name}", where=self._where)
        self._seen.append((name, start, size))
        return self._stream[body : body + size]

    def finish(self, root: str) -> None:
        if self._position != len(self._stream):
            raise Refused.of(
                Code.BAD_HEAD, "there is more in it than its three members", where=self._where
            )
        for name, start, size in self._seen:
            body = start + tar.BLOCK
            end = body + size
            if self._stream[start:body] != tar.member_header(root, name, size):
                raise Refused.of(
                    Code.BAD_TAR,
                    f"the header of {root}/{name} is not the expected one",
                    where=self._where,
                )
            if self._stream[end : end + tar.padded(size) - size].strip(b"\0"):
                raise Refused.of(
                    Code.BAD_TAR, f"the padding after {name} is not zero", where=self._where
                )


def _check_contents(manifest: Manifest, files_bytes: bytes, where: str) -> None:
    if manifest.contents.sha256 != Digest.of(files_bytes):
        raise Refused.of(
            Code.CONTENTS_MISMATCH,
            "files.json is not the one that the manifest stands for",
            where=f"{where}: /contents/sha256",
        )


def _check_sizes(head: Head, where: str, limits: Limits) -> None:
    contents, files = head.manifest.contents, head.files
    total = sum(file.size for file in files)
    if (contents.files, contents.size) != (len(files), total):
        raise Refused.of(
            Code.CONTENTS_MISMATCH,
            f"the manifest says {contents.files} files of {contents.size} bytes, and files.json "
            f"lists {len(files)} of {total}",
            where=f"{where}: /contents",
        )
    expected = list(expected_frames(head.sections))
    listed = [(frame.section, frame.content_size) for frame in head.frame_index.frames]
    if listed != expected:
        raise Refused.of(
            Code.BAD_INDEX,
            f"its {len(listed)} frames are not the {len(expected)} that follow from files.json",
            where=where,
        )
    for number, frame in enumerate(head.frame_index.frames):
        if not 0 < frame.size <= zstd.compress_bound(frame.content_size):
            raise Refused.of(
                Code.BAD_INDEX, f"frame {number} cannot be {frame.size} bytes", where=where
            )
    check_ratio(head.frame_index.frames, where=where, limits=limits)


def check_ratio(
    index: Sequence[FrameEntry], *, where: str, limits: Limits = DEFAULT_LIMITS
) -> None:
    """Refuse a large payload whose content is over the limit for the ratio."""
    content = sum(frame.content_size for frame in index)
    size = sum(frame.size for frame in index)
    if content > limits.ratio_from:
        limits.check("ratio", content // size, where=where, what="the ratio of the payload's sizes")
