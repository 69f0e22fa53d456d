"""Writing a package in one pass over its files.

Read → SHA-256 → frames of two MiB → zstd in threads → SHA-256 of each frame. The head comes first
in the file but follows from the payload, so the payload goes to an unnamed file and is copied
behind the head by the system. Frames are cut by bytes alone: the result does not depend on how
many threads made it (docs/format.md, "Cutting").
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl.digest import Digest
from cloacina_ctl.files.folders import close_quietly
from cloacina_ctl.files.staging import StagedFile, reported, unnamed_file, write_all
from cloacina_ctl.formats import file_index, layout
from cloacina_ctl.formats.chunk_buffer import ChunkBuffer
from cloacina_ctl.formats.file_index import FRAME_SIZE, FileEntry, FrameEntry, Index, Tool
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.formats.native import frames as zstd
from cloacina_ctl.formats.native import tar
from cloacina_ctl.formats.native.head import Head, check_manifest_members, check_ratio, encode_head
from cloacina_ctl.formats.native.signature_block import SignatureBlock, encode_block
from cloacina_ctl.formats.sources import SourceFiles
from cloacina_ctl.formats.threads import in_order
from cloacina_ctl.manifest import Contents, Manifest, dump
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from cloacina_ctl.formats.plan import Plan
    from cloacina_ctl.progress import StageProgress


class WrittenPayload(NamedTuple):
    """A payload on the disk: its files and frames."""

    files: tuple[FileEntry, ...]
    files_bytes: bytes
    frames: tuple[FrameEntry, ...]

    @property
    def contents(self) -> Contents:
        """The manifest's entry for all files of the package."""
        return Contents(
            files=len(self.files),
            sha256=Digest.of(self.files_bytes),
            size=sum(file.size for file in self.files),
        )


class WriteOptions(NamedTuple):
    """How to write: neither threads nor level change the content; the level changes the bytes."""

    jobs: int = 1
    level: int = zstd.DEFAULT_LEVEL
    limits: Limits = DEFAULT_LIMITS


class PackageWriter:
    """Writes one package: ``write_payload``, then ``write_head``, then ``commit``.

    Between the steps the caller completes the manifest (it has the digest of the payload's files)
    and signs (a signature is over the head). Use it as a context manager; without ``commit``
    nothing appears.
    """

    def __init__(
        self, path: str, *, replace: bool = False, options: WriteOptions = WriteOptions()
    ) -> None:
        self._staged = StagedFile(path, replace=replace)
        self._options = options
        self._payload_fd = -1
        self._head = b""

    def __enter__(self) -> Self:
        try:
            self._staged.__enter__()
            with reported(self._staged.path):
                self._payload_fd = unnamed_file(self._staged.folder)
        except BaseException:
            self._staged.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._payload_fd >= 0:
            close_quietly(self._payload_fd)
            self._payload_fd = -1
        self._staged.__exit__()

    def write_payload(self, plan: Plan, progress: StageProgress | None = None) -> WrittenPayload:
        """Read every file of ``plan`` once and write all frames; progress is in bytes of files."""
        files: list[FileEntry] = []
        frames: list[FrameEntry] = []
        pieces = _cut(plan, files, progress)
        level = self._options.level

        def pack(piece: _Piece) -> tuple[FrameEntry, bytes]:
            frame = zstd.compress(piece.content, level)
            entry = FrameEntry(piece.section, len(piece.content), len(frame), Digest.of(frame))
            return entry, frame

        with reported(self._staged.path):
            for entry, frame in in_order(pack, pieces, self._options.jobs):
                write_all(self._payload_fd, frame)
                frames.append(entry)
        check_ratio(frames, where=plan.root, limits=self._options.limits)
        return WrittenPayload(tuple(files), file_index.encode_files(files), tuple(frames))

    def write_head(
        self, manifest: Manifest, written: WrittenPayload, tool: Tool
    ) -> tuple[Head, Digest]:
        """Make the head frame; return its content and the digest that signatures are over."""
        limits = self._options.limits
        check_manifest_members(manifest, written.files)
        index = Index(written.frames, tool)
        head = Head(
            manifest=manifest,
            manifest_bytes=dump(manifest, max_bytes=limits.manifest, max_tasks=limits.tasks),
            files_bytes=written.files_bytes,
            index_bytes=file_index.encode_index(index),
            files=written.files,
            frame_index=index,
        )
        self._head = encode_head(head, self._options.level, limits)
        return head, Digest.of(self._head)

    def commit(
        self,
        block: SignatureBlock = SignatureBlock(),
        before: Callable[[], None] | None = None,
    ) -> int:
        """Write the signature frame, head and payload, and make the package appear; its size.

        ``before`` is called when all is on the disk and nothing has appeared.
        """
        start = encode_block(block, len(self._head), self._options.limits) + self._head
        with reported(self._staged.path):
            write_all(self._staged.fd, start)
            size = os.lseek(self._payload_fd, 0, os.SEEK_END)
            copy_range(self._payload_fd, 0, self._staged.fd, size)
        if before is not None:
            self._staged.flush()
            before()
        self._staged.commit()
        return len(start) + size


def copy_range(source: int, offset: int, target: int, count: int) -> None:
    """Append ``count`` bytes of ``source`` from ``offset`` to ``target``, within the system."""
    while count and hasattr(os, "copy_file_range"):
        try:
            copied = os.copy_file_range(source, target, count, offset_src=offset)
        except OSError:
            break  # another file system, or a kernel that cannot: the loop below can
        if not copied:
            break
        offset, count = offset + copied, count - copied
    while count:
        piece = os.pread(source, min(count, 1 << 20), offset)
        if not piece:
            raise OSError(5, "the file became shorter")
        write_all(target, piece)
        offset, count = offset + len(piece), count - len(piece)


class _Piece(NamedTuple):
    """The content of one frame."""

    section: str
    content: bytearray | memoryview


def _cut(plan: Plan, files: list[FileEntry], progress: StageProgress | None) -> Iterator[_Piece]:
    """Yield the frames' contents in order; fill ``files`` with the digests on the way."""
    total, done = plan.size, 0
    full: list[bytearray] = []
    cutter, section = ChunkBuffer(FRAME_SIZE, full.append), ""
    with SourceFiles() as sources:
        for file in plan.files:
            if file.section != section:
                yield from _rest(cutter, section)
                section = file.section
            cutter.put(
                tar.member_header(plan.root, file.path, file.size, executable=file.executable)
            )
            sha256 = hashlib.sha256()
            for part in sources.content(file, cutter):
                sha256.update(part)
                done += len(part)
                if progress:
                    progress(done, total)
                while full:
                    yield _Piece(section, full.pop(0))
            cutter.put(tar.padding(file.size))
            while full:
                yield _Piece(section, full.pop(0))
            files.append(
                FileEntry(file.path, file.size, Digest(sha256.hexdigest()), file.executable)
            )
    yield from _rest(cutter, section)
    yield _Piece(layout.END, bytearray(tar.END_OF_ARCHIVE))


def _rest(cutter: ChunkBuffer, section: str) -> Iterator[_Piece]:
    rest = cutter.rest()
    if rest is not None:
        yield _Piece(section, rest)
