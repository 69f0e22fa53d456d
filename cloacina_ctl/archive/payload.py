"""Pouring a package's files into a sink: the one loop that verify, unpack and cat share.

(1) A frame's compressed bytes are hashed and compared with the index, (2) only then decompressed,
to exactly the size that follows from files.json; (3) each tar header and padding is compared with
the one that files.json leads to; (4) each file is hashed and compared with files.json. A sink gets
bytes of (2); whether they are the file's is known only at ``end`` (4), so a sink keeps what it
made out of sight until the whole is through.
"""

from __future__ import annotations

import hashlib
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple, Protocol

from cloacina_ctl.archive import frames as zstd
from cloacina_ctl.archive import tar
from cloacina_ctl.archive.head import Span, spans
from cloacina_ctl.archive.tables import FRAME_SIZE, FileEntry
from cloacina_ctl.archive.workers import in_order
from cloacina_ctl.errors import Code, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cloacina_ctl.archive.reader import Package

    Progress = Callable[[int, int], None]


class Sink(Protocol):
    """What takes the files of a package, one after the other."""

    def begin(self, file: FileEntry) -> None:
        """Get ready for the bytes of ``file``."""

    def write(self, data: memoryview) -> None:
        """Take the next bytes; not proved yet."""

    def end(self) -> None:
        """Know that the bytes since ``begin`` were those of the file, all of them."""


class Nowhere:
    """A sink for who only wants to know whether every byte is the right one."""

    def begin(self, file: FileEntry) -> None:
        """Take nothing."""

    def write(self, data: memoryview) -> None:
        """Take nothing."""

    def end(self) -> None:
        """Take nothing."""


class Memory:
    """A sink that keeps the bytes of small files."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._path = ""
        self._parts: list[bytes] = []

    def begin(self, file: FileEntry) -> None:
        """Begin with nothing."""
        self._path, self._parts = file.path, []

    def write(self, data: memoryview) -> None:
        """Keep a copy."""
        self._parts.append(bytes(data))

    def end(self) -> None:
        """Keep the file under its path."""
        self.files[self._path] = b"".join(self._parts)


class Poured(NamedTuple):
    """What went through: all there is, or the frames that some members needed."""

    files: tuple[FileEntry, ...]
    frames: int
    complete: bool


def pour(
    package: Package,
    sink: Sink,
    files: Sequence[FileEntry] | None = None,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Poured:
    """Give ``files`` of ``package`` (all that are in this file where None) to ``sink``.

    Progress is in bytes of files. Raises ``Refused`` at the first byte that is not the right one.
    """
    wanted: set[str] | None = None if files is None else {file.path for file in files}
    runs = list(_runs(package, wanted))
    numbers = _frame_numbers(package, runs, whole=wanted is None)
    offsets, index = package.offsets(), package.head.frame_index.frames

    def unpack(number: int) -> bytes:
        entry = index[number]
        frame = package.read_frame(entry, offsets[number])
        where = f"{package.path}: frame {number}"
        return zstd.decompress(frame, entry.content_size, where=where)

    contents = in_order(unpack, numbers, jobs, ahead=1)  # two MiB each, and hardly slower than more
    try:
        poured = _pour_runs(package, runs, _Frames(numbers, contents), sink, progress)
        if wanted is None and next(contents) != tar.END_OF_ARCHIVE:
            raise Refused.of(Code.BAD_TAR, "the end is not two blocks of zeros", where=package.path)
    finally:
        contents.close()  # stops the threads where something was refused
    complete = wanted is None and not package.block.withheld
    return Poured(tuple(poured), len(numbers), complete)


def select(files: Sequence[FileEntry], patterns: Sequence[str]) -> tuple[FileEntry, ...]:
    """Return the files that one of the glob ``patterns`` matches, or refuse when none does.

    ``*`` also matches slashes; a pattern that ends with a slash takes the whole folder.
    """
    globs = [pattern + "*" if pattern.endswith("/") else pattern for pattern in patterns]
    chosen = tuple(file for file in files if any(fnmatchcase(file.path, glob) for glob in globs))
    if not chosen:
        raise Refused.of(
            Code.NO_SUCH_MEMBER,
            f"no member matches: {', '.join(patterns)}",
            hint="`cloacina-ctl inspect --files` lists them",
        )
    return chosen


class _Run(NamedTuple):
    """The spans of one section and the number of its first frame in the index."""

    first_frame: int
    spans: tuple[Span, ...]


def _runs(package: Package, wanted: set[str] | None) -> Iterator[_Run]:
    first = 0
    for section, found, length in spans(package.head.root, package.head.files):
        if package.holds(section):
            chosen = (
                found if wanted is None else [span for span in found if span.file.path in wanted]
            )
            if chosen:
                yield _Run(first, tuple(chosen))
        first += -(-length // FRAME_SIZE)


def _frame_numbers(package: Package, runs: Sequence[_Run], *, whole: bool) -> list[int]:
    """Return the frames to read, in order: those that the spans lie in; with the end if whole."""
    numbers: list[int] = []
    for run in runs:
        for span in run.spans:
            first = run.first_frame + span.start // FRAME_SIZE
            last = run.first_frame + (span.end - 1) // FRAME_SIZE
            begin = max(first, numbers[-1] + 1) if numbers else first
            numbers.extend(range(begin, last + 1))
    if whole:
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


def _pour_runs(
    package: Package, runs: Sequence[_Run], frames: _Frames, sink: Sink, progress: Progress | None
) -> list[FileEntry]:
    root, poured, done = package.head.root, [], 0
    total = sum(span.file.size for run in runs for span in run.spans)
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
                done += len(part)
                if progress:
                    progress(done, total)
            if sha256.hexdigest() != file.sha256:
                raise _bad_file(package, file)
            sink.end()
            poured.append(file)
    return poured


def _split(block: memoryview, header: bytes, file: FileEntry) -> Iterator[memoryview | None]:
    """Yield the body of a file from all its tar bytes, and None where the rest is not right."""
    start = len(header)
    end = start + file.size
    if block[:start] != header or any(block[end:]):
        yield None
    yield block[start:end]


def _read(frames: _Frames, run: _Run, span: Span, header: bytes) -> Iterator[memoryview | None]:
    """Yield the body of a file in several frames, and None where the rest is not right."""
    body = span.start + len(header)
    end = body + span.file.size
    if b"".join(frames.read(run.first_frame, span.start, body)) != header:
        yield None
    yield from frames.read(run.first_frame, body, end)
    if any(b"".join(frames.read(run.first_frame, end, span.end))):
        yield None


def _bad_tar(package: Package, file: FileEntry) -> Refused:
    return Refused.of(
        Code.BAD_TAR,
        f"the header or the padding of {file.path} is not the expected one",
        where=package.path,
    )


def _bad_file(package: Package, file: FileEntry) -> Refused:
    return Refused.of(
        Code.FILE_DIGEST,
        f"not the bytes that files.json promises: {file.path}",
        where=package.path,
    )
