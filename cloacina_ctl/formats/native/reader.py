"""Reading a native package: one descriptor, every byte authenticated before it is used.

A :class:`NativePackage` is made of a descriptor; ``opening`` has one for a path or standard input.
Making it reads the preamble, the signature block and the compressed bytes of the head, each of
limited size, and decompresses nothing: a caller that requires a signature checks it over
``head_digest`` first. ``head`` decompresses and parses the head, once. The rest is payload:
``stream`` hashes each frame before it is decompressed, and uses the bytes that it hashed, so the
bytes that were verified are the bytes that are used, even while another program writes to the file.
"""

from __future__ import annotations

import os
import stat
from functools import cached_property
from typing import TYPE_CHECKING

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.files.folders import close_quietly
from cloacina_ctl.files.staging import reported, scratch_folder, unnamed_file, write_all
from cloacina_ctl.formats import detect
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.formats.native.head import Head, decode_head
from cloacina_ctl.formats.native.signature_block import (
    BLOCK_HEADER,
    FRAME_HEADER,
    SignatureBlock,
    decode_block,
    read_preamble,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

    from cloacina_ctl.formats.file_index import FileEntry, FrameEntry
    from cloacina_ctl.formats.package import Streamed
    from cloacina_ctl.formats.sinks import Sink
    from cloacina_ctl.progress import StageProgress

STDIN = "-"
_PIECE = 1 << 20


class NativePackage:
    """An open package. Use it as a context manager.

    An open package is well formed, not trusted: anyone can have written ``block``; ``head_bytes``
    is compressed and not parsed.
    """

    def __init__(self, fd: int, path: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path = path
        self.limits = limits
        self._fd = fd
        self.size = os.fstat(fd).st_size
        start = os.pread(fd, detect.SNIFF_BYTES, 0)
        detect.require_native(start, where=path)
        self._preamble = read_preamble(start, where=path, limits=limits)
        self.block: SignatureBlock = decode_block(
            self._pread(
                FRAME_HEADER.size + BLOCK_HEADER.size, self._preamble.block_size - BLOCK_HEADER.size
            ),
            where=path,
            limits=limits,
        )
        self.head_bytes = self._pread(self._preamble.head_offset, self._preamble.head_size)
        self.head_digest = Digest.of(self.head_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        close_quietly(self._fd)

    @cached_property
    def head(self) -> Head:
        """The content of the head; it agrees with itself and with the length of the file."""
        head = decode_head(self.head_bytes, where=self.path, limits=self.limits)
        self._check_withheld(head)
        expected = self.payload_offset + sum(
            frame.size for frame in head.frame_index.frames if self.holds(frame.section)
        )
        if self.size < expected:
            raise Refused.of(
                Code.TRUNCATED,
                f"cut short: {self.size} bytes where {expected} are expected",
                where=self.path,
                hint="fetch or copy it again",
            )
        if self.size > expected:
            more = self.size - expected
            follow = "1 byte follows" if more == 1 else f"{more} bytes follow"
            raise Refused.of(
                Code.TRAILING_BYTES,
                f"{follow} the end of the package: {self.size} bytes where {expected} are expected",
                where=self.path,
                hint="fetch or copy it again",
            )
        return head

    @property
    def head_offset(self) -> int:
        """Where the head frame begins in the file."""
        return self._preamble.head_offset

    @property
    def payload_offset(self) -> int:
        """Where the first payload frame begins in the file."""
        return self._preamble.head_offset + self._preamble.head_size

    def holds(self, section: str) -> bool:
        """Return whether ``section`` is there and not withheld."""
        return section not in self.block.withheld

    def offsets(self) -> tuple[int, ...]:
        """Return where each frame of the index begins; -1 for those of withheld sections."""
        offsets, position = [], self.payload_offset
        for frame in self.head.frame_index.frames:
            if self.holds(frame.section):
                offsets.append(position)
                position += frame.size
            else:
                offsets.append(-1)
        return tuple(offsets)

    def read_frame(self, frame: FrameEntry, offset: int) -> bytes:
        """Return the compressed bytes of ``frame``, which match the digest in the index."""
        data = self._pread(offset, frame.size)
        if Digest.of(data) != frame.sha256:
            raise Refused.of(
                Code.FRAME_DIGEST,
                f"damaged or tampered with: the frame at byte {offset} is not the one of the index",
                where=self.path,
                hint="fetch it again from where it came",
            )
        return data

    def stream(
        self,
        sink: Sink,
        files: Sequence[FileEntry] | None = None,
        *,
        jobs: int = 1,
        progress: StageProgress | None = None,
    ) -> Streamed:
        """Give ``files`` (None: all in this file) to ``sink``, each byte proved."""
        from cloacina_ctl.formats.native.payload import stream_files

        return stream_files(self, sink, files, jobs=jobs, progress=progress)

    def copy_behind_block(self, target: int) -> None:
        """Append head and payload, byte for byte, to ``target``: for new signatures."""
        from cloacina_ctl.formats.native.writer import copy_range

        start = self._preamble.head_offset
        with reported(self.path):
            copy_range(self._fd, start, target, self.size - start)

    def _pread(self, offset: int, count: int) -> bytes:
        pieces, wanted = [], count
        with reported(self.path):
            while wanted:
                piece = os.pread(self._fd, wanted, offset)
                if not piece:
                    raise Refused.of(
                        Code.TRUNCATED,
                        f"cut short: it ends {wanted} bytes too early",
                        where=self.path,
                        hint="fetch or copy it again",
                    )
                if len(piece) == count:
                    return piece
                pieces.append(piece)
                wanted -= len(piece)
                offset += len(piece)
        return b"".join(pieces)

    def _check_withheld(self, head: Head) -> None:
        sections = {frame.section for frame in head.frame_index.frames}
        for section in self.block.withheld:
            if section not in sections:
                raise Refused.of(
                    Code.BAD_SIGNATURE_FRAME,
                    f"it withholds a section that is not there: {section}",
                    where=self.path,
                )

    def require_sections(self, sections: set[str]) -> None:
        """Refuse where one of ``sections`` is withheld from this file."""
        missing = sorted(sections & set(self.block.withheld))
        if missing:
            raise Refused.of(
                Code.WITHHELD,
                f"this file lacks the section: {', '.join(missing)}",
                where=self.path,
                hint="get the whole package, or name members of the sections that are there",
            )


def open_regular(path: str) -> int:
    """Return a descriptor of the regular file ``path``; refuse anything else without waiting."""
    with reported(path):
        # O_NONBLOCK: a FIFO must be refused, not waited for.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            kind = stat.S_IFMT(os.fstat(fd).st_mode)
            if kind != stat.S_IFREG:
                raise _not_regular(path, kind)
        except BaseException:
            os.close(fd)
            raise
    return fd


def open_stdin(limits: Limits) -> int:
    """Return a descriptor of standard input, copied to a file that can be read at any place.

    Input that is no package is refused by its first bytes, before the rest arrives; endless input
    is refused at a limit.
    """
    with reported("standard input"):
        if stat.S_ISREG(os.fstat(0).st_mode) and os.lseek(0, 0, os.SEEK_CUR) == 0:
            return os.dup(0)
    folder = scratch_folder()
    with reported(folder):
        fd = unnamed_file(folder)
        try:
            _spool(fd, limits)
        except BaseException:
            os.close(fd)
            raise
    return fd


def _spool(fd: int, limits: Limits) -> None:
    start = b""
    while len(start) < detect.SNIFF_BYTES and (piece := _read_stdin(detect.SNIFF_BYTES)):
        start += piece
    detect.require_package(start, where=STDIN)
    write_all(fd, start)
    size, most = len(start), limits.total + limits.head_compressed + limits.signature_block
    while piece := _read_stdin(_PIECE):
        size += len(piece)
        if size > most:
            raise Refused.of(Code.LIMIT, f"more than {most} bytes on standard input", where=STDIN)
        write_all(fd, piece)


def _read_stdin(most: int) -> bytes:
    with reported("standard input"):
        return os.read(0, most)


def _not_regular(path: str, kind: int) -> FileProblem:
    names = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    what = names.get(kind, "something else")
    return FileProblem.of(
        Code.NOT_REGULAR,
        f"not a regular file but {what}",
        where=path,
        hint="give the package's file"
        if kind == stat.S_IFDIR
        else "a package on standard input is named `-`",
    )
