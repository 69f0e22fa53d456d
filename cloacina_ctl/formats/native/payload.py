"""Streaming a package's files into a sink: the one loop that every verb shares.

(1) A frame's compressed bytes are hashed and compared with the index, (2) only then decompressed,
to exactly the size that follows from files.json; (3) each tar header and padding is compared with
the one that follows from files.json, and the end of the archive with two blocks of zeros, whichever
files are requested; (4) each file is hashed and compared with files.json. A sink gets bytes of (2);
whether they are the file's is known only at ``end`` (4), so a sink must not publish its result
until the whole is read.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.formats.file_index import FRAME_SIZE, FileEntry
from cloacina_ctl.formats.native import frames as zstd
from cloacina_ctl.formats.native import tar
from cloacina_ctl.formats.package import Streamed
from cloacina_ctl.formats.threads import in_order
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cloacina_ctl.formats.native.head import Span
    from cloacina_ctl.formats.native.reader import NativePackage
    from cloacina_ctl.formats.sinks import Sink
    from cloacina_ctl.progress import StageProgress

# The smallest part for a process of its own, in bytes; a file costs as much as so many bytes.
_PART_COST = 16 << 20
_FILE_COST = 40_000


def stream_files(
    package: NativePackage,
    sink: Sink,
    files: Sequence[FileEntry] | None = None,
    *,
    jobs: int = 1,
    progress: StageProgress | None = None,
) -> Streamed:
    """Give ``files`` of ``package`` (all that are in this file where None) to ``sink``.

    Progress is in bytes of files. Raises ``Refused`` at the first byte that differs from the head.
    """
    wanted: set[str] | None = None if files is None else {file.path for file in files}
    runs = tuple(_runs(package, wanted))
    whole = _Part(runs, with_end=True)
    total = sum(span.file.size for span in whole.spans())
    advance = _advancing(progress, total)
    parts = _divide(whole, jobs) if sink.divisible and jobs > 1 else (whole,)
    if len(parts) > 1:
        from cloacina_ctl.formats.native.processes import in_processes

        in_processes(lambda part, more: _stream_part(package, part, sink, more), parts, advance)
    else:
        _stream_part(package, whole, sink, advance, jobs)
    return Streamed(
        files=tuple(span.file for span in whole.spans()),
        complete=wanted is None and not package.block.withheld,
    )


class _Run(NamedTuple):
    """The spans of one section and the number of its first frame in the index."""

    first_frame: int
    spans: tuple[Span, ...]


class _Part(NamedTuple):
    """Spans that are read in one pass; ``with_end`` where the end of the archive is read too."""

    runs: tuple[_Run, ...]
    with_end: bool

    def spans(self) -> Iterator[Span]:
        """Yield the spans of all runs."""
        for run in self.runs:
            yield from run.spans


def _divide(whole: _Part, jobs: int) -> tuple[_Part, ...]:
    """Return ``whole`` in at most ``jobs`` parts that take about the same time.

    One part where it is small, or where this process cannot be copied.
    """
    costs = [span.end - span.start + _FILE_COST for span in whole.spans()]
    total = sum(costs)
    count = min(jobs, total // _PART_COST)
    if count < 2:
        return (whole,)
    from cloacina_ctl.formats.native.processes import can_fork

    if not can_fork():
        return (whole,)
    parts: list[list[_Run]] = [[] for _ in range(count)]
    done, cost = 0, iter(costs)
    for run in whole.runs:
        shares: list[list[Span]] = [[] for _ in range(count)]
        for span in run.spans:
            shares[done * count // total].append(span)
            done += next(cost)
        for part, share in zip(parts, shares, strict=True):
            if share:
                part.append(_Run(run.first_frame, tuple(share)))
    *others, last = (tuple(part) for part in parts if part)
    return (*(_Part(part, with_end=False) for part in others), _Part(last, whole.with_end))


def _advancing(progress: StageProgress | None, total: int) -> Callable[[int], None]:
    """Return a function that takes the number of new bytes, and reports the sum to ``progress``."""
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, total)

    return advance


def _stream_part(
    package: NativePackage, part: _Part, sink: Sink, advance: Callable[[int], None], jobs: int = 1
) -> None:
    """Give the files of ``part`` to ``sink``, with ``jobs`` threads that decompress."""
    numbers = _frame_numbers(package, part)
    offsets, index = package.offsets(), package.head.frame_index.frames

    def unpack(number: int) -> bytes:
        entry = index[number]
        frame = package.read_frame(entry, offsets[number])
        where = f"{package.path}: frame {number}"
        return zstd.decompress(frame, entry.content_size, where=where)

    contents = in_order(unpack, numbers, jobs, ahead=1)  # two MiB each, and hardly slower than more
    try:
        _send_runs(package, part.runs, _Frames(numbers, contents), sink, advance)
        if part.with_end and next(contents) != tar.END_OF_ARCHIVE:
            raise Refused.of(Code.BAD_TAR, "the end is not two blocks of zeros", where=package.path)
    finally:
        contents.close()  # stops the threads where something was refused


def _runs(package: NativePackage, wanted: set[str] | None) -> Iterator[_Run]:
    first = 0
    for section in package.head.sections:
        if package.holds(section.name):
            chosen = section.spans
            if wanted is not None:
                chosen = tuple(span for span in chosen if span.file.path in wanted)
            if chosen:
                yield _Run(first, chosen)
        first += -(-section.length // FRAME_SIZE)


def _frame_numbers(package: NativePackage, part: _Part) -> list[int]:
    """Return the frames to read, in order: those of the spans, and the last with ``with_end``."""
    numbers: list[int] = []
    for run in part.runs:
        for span in run.spans:
            first = run.first_frame + span.start // FRAME_SIZE
            last = run.first_frame + (span.end - 1) // FRAME_SIZE
            begin = max(first, numbers[-1] + 1) if numbers else first
            numbers.extend(range(begin, last + 1))
    if part.with_end:
        numbers.append(len(package.head.frame_index.frames) - 1)
    return numbers


class _Frames:
    """The decompressed frames, read as ranges of a section that only go forward."""

    def __init__(self, numbers: Sequence[int], contents: Iterator[bytes]) -> None:
        self._numbers = iter(numbers)
        self._contents = contents
        self._number = -1
        self._view = memoryview(b"")

    def read(self, first_frame: int, start: int, end: int) -> Iterator[memoryview]:
        """Yield the bytes from ``start`` to ``end`` of the section beginning at ``first_frame``."""
        while start < end:
            number, inside = divmod(start, FRAME_SIZE)
            piece = self._frame(first_frame + number)[inside : inside + end - start]
            yield piece
            start += len(piece)

    def whole(self, first_frame: int, start: int, end: int) -> memoryview | None:
        """Return those bytes where they lie in one frame, as those of most files do."""
        number, inside = divmod(start, FRAME_SIZE)
        if inside + end - start > FRAME_SIZE:
            return None
        return self._frame(first_frame + number)[inside : inside + end - start]

    def _frame(self, number: int) -> memoryview:
        while self._number < number:
            self._number = next(self._numbers)
            self._view = memoryview(next(self._contents))
        return self._view


def _send_runs(
    package: NativePackage,
    runs: Sequence[_Run],
    frames: _Frames,
    sink: Sink,
    advance: Callable[[int], None],
) -> None:
    root = package.head.root
    for run in runs:
        for span in run.spans:
            file = span.file
            header = tar.member_header(root, file.path, file.size, executable=file.executable)
            block = frames.whole(run.first_frame, span.start, span.end)
            parts = _split(block, header, file) if block else _read(frames, run, span, header)
            sink.begin(file)
            sha256 = hashlib.sha256()
            for part in parts:
                if part is None:
                    raise _bad_tar(package, file)
                sha256.update(part)
                sink.write(part)
                advance(len(part))
            if sha256.hexdigest() != file.sha256:
                raise _bad_file(package, file)
            sink.end()


def _split(block: memoryview, header: bytes, file: FileEntry) -> Iterator[memoryview | None]:
    """Yield the body of a file from all its tar bytes, and None where header or padding differ."""
    start = len(header)
    end = start + file.size
    if block[:start] != header or any(block[end:]):
        yield None
    yield block[start:end]


def _read(frames: _Frames, run: _Run, span: Span, header: bytes) -> Iterator[memoryview | None]:
    """Yield the body of a file in several frames, and None where header or padding differ."""
    body = span.start + len(header)
    end = body + span.file.size
    if b"".join(frames.read(run.first_frame, span.start, body)) != header:
        yield None
    yield from frames.read(run.first_frame, body, end)
    if any(b"".join(frames.read(run.first_frame, end, span.end))):
        yield None


def _bad_tar(package: NativePackage, file: FileEntry) -> Refused:
    return Refused.of(
        Code.BAD_TAR,
        f"the header or the padding of {file.path} is not the expected one",
        where=package.path,
    )


def _bad_file(package: NativePackage, file: FileEntry) -> Refused:
    return Refused.of(
        Code.FILE_DIGEST,
        f"not the bytes that files.json promises: {file.path}",
        where=package.path,
    )
