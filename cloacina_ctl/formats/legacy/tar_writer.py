"""A tar stream into one compressor: hashed, compressed in a second thread, written.

Memory is bounded by a few pieces, whatever the size of the files.
"""

from __future__ import annotations

import hashlib
import threading
from queue import Queue
from typing import TYPE_CHECKING, Protocol

from cloacina_ctl.digest import Digest
from cloacina_ctl.files.staging import write_all
from cloacina_ctl.formats.chunk_buffer import ChunkBuffer
from cloacina_ctl.formats.file_index import FileEntry
from cloacina_ctl.formats.native.tar import BLOCK, END_OF_ARCHIVE, padding
from cloacina_ctl.formats.sources import SourceFiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from cloacina_ctl.formats.plan import Plan
    from cloacina_ctl.paths import MemberPath
    from cloacina_ctl.progress import StageProgress

    Feed = Callable[["TarStream"], None]

# Pieces of a stream, gathered by one thread and worked on by another.
#
# Compression of one stream cannot be divided, but reading can run beside it: while one thread reads
# and hashes, the other compresses with the interpreter's lock released.

PIECE = 1 << 20
_WAITING = 4  # pieces between the two threads: what bounds memory


class Pipeline(ChunkBuffer):
    """Passes pieces of ``PIECE`` bytes to ``work`` in a second thread, in order.

    Use it as a context manager: leaving it without an error waits until all is worked on, and
    raises what ``work`` raised.
    """

    def __init__(self, work: Callable[[bytearray | memoryview], None]) -> None:
        super().__init__(PIECE, self._queue_up)
        self._work = work
        self._queue: Queue[bytearray | memoryview | None] = Queue(_WAITING)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Pass on the rest, wait for the thread, and raise its error."""
        rest = self.rest()
        if kind is None and rest is not None:
            self._queue.put(rest)
        self._queue.put(None)
        self._thread.join()
        if kind is None:
            self._raise()

    def _queue_up(self, piece: bytearray) -> None:
        self._raise()
        self._queue.put(piece)

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _serve(self) -> None:
        while (piece := self._queue.get()) is not None:
            if self._error is None:
                try:
                    self._work(piece)
                except BaseException as error:  # noqa: BLE001 - carried to the thread that waits
                    self._error = error


# Tar headers as the packers of Cloacina write them: GNU tar, regular files, all numbers octal.
#
# Owner, time and mode are fixed, so the same files give the same bytes. Numbers end with a NUL, the
# checksum too, as the packers' library writes them.


MAX_NAME = 100
_FILE, _LONG_NAME = b"0", b"L"
_LONG_LINK = b"././@LongLink"
_ZERO = b"0000000\0"
_MODE, _EXECUTABLE_MODE = b"0000644\0", b"0000755\0"
_MAGIC = b"ustar  \0"


def member_header(name: str, size: int, *, executable: bool = False) -> bytes:
    """Return the header of the file called ``name``, after another that holds a long name."""
    encoded = name.encode()
    mode = _EXECUTABLE_MODE if executable else _MODE
    if len(encoded) <= MAX_NAME:
        return _header(encoded, mode, size, _FILE)
    body = encoded + b"\0"
    first = encoded[:MAX_NAME].decode("utf-8", "ignore").encode()
    return b"".join(
        (
            _header(_LONG_LINK, _MODE, len(body), _LONG_NAME),
            body,
            padding(len(body)),
            _header(first, mode, size, _FILE),
        )
    )


def _header(name: bytes, mode: bytes, size: int, typeflag: bytes) -> bytes:
    front = name.ljust(100, b"\0") + mode + _ZERO + _ZERO + b"%011o\0" % size + b"00000000000\0"
    back = typeflag + bytes(100) + _MAGIC
    checksum = sum(front) + 8 * ord(" ") + sum(back)
    return (front + b"%07o\0" % checksum + back).ljust(BLOCK, b"\0")


class Compressor(Protocol):
    """The interface of a compressor, such as ``bz2.BZ2Compressor``."""

    def compress(self, data: bytearray | memoryview, /) -> bytes:
        """Take the next bytes; return compressed ones, perhaps none yet."""
        ...

    def flush(self) -> bytes:
        """Return the rest of the compressed bytes."""
        ...


def feed_plan(plan: Plan, progress: StageProgress | None = None) -> Feed:
    """Return a function that gives the files of ``plan`` to a stream, and reads each once."""

    def feed(stream: TarStream) -> None:
        total, done = plan.size, 0
        with SourceFiles() as sources:
            for file in plan.files:
                stream.begin(file.path, file.size, executable=file.executable)
                for part in sources.content(file, stream):
                    stream.hash(part)
                    done += len(part)
                    if progress:
                        progress(done, total)
                stream.end()

    return feed


def content_line(file: FileEntry) -> bytes:
    """Return the line of ``file`` in the digest of a package's content."""
    return f"{file.sha256} {file.size} {file.executable:d} {file.path}\n".encode()


class TarStream:
    """The tar stream of one package into the compressor; also a sink for files.

    ``begin``, the bytes by ``write``, ``end``; or, without a copy, by ``room``, ``hash`` and
    ``took``.
    """

    divisible = False

    def __init__(self, fd: int, prefix: str, compressor: Compressor) -> None:
        self._fd = fd
        self._prefix = prefix
        self._compressor = compressor
        self._pipeline = Pipeline(self._compress)
        self._digest = hashlib.sha256()
        self._content = hashlib.sha256()
        self._own = hashlib.sha256()
        self._file: tuple[MemberPath, int, bool] | None = None
        self.files: list[FileEntry] = []
        self.size = 0

    def __enter__(self) -> Self:
        self._pipeline.__enter__()
        return self

    def __exit__(self, kind: object, *others: object) -> None:
        """End the stream, unless there was an error."""
        if kind is None:
            self._pipeline.put(END_OF_ARCHIVE)
        self._pipeline.__exit__(kind, *others)
        if kind is None:
            self._out(self._compressor.flush())

    def begin(self, path: MemberPath, size: int, *, executable: bool) -> None:
        """Begin the file at ``path``, below the root folder."""
        self._file = (path, size, executable)
        self._own = hashlib.sha256()
        self._pipeline.put(member_header(f"{self._prefix}{path}", size, executable=executable))

    def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the file."""
        self.hash(data)
        self.put(data)

    def hash(self, data: bytes | memoryview) -> None:
        """Hash the next bytes of the file, which come by ``room`` and ``took``, or by ``put``."""
        self._own.update(data)

    def room(self) -> memoryview:
        """Return where bytes of the file can be put next."""
        return self._pipeline.room()

    def took(self, count: int) -> None:
        """Take the first ``count`` bytes of the last room as filled."""
        self._pipeline.took(count)

    def put(self, data: bytes | memoryview) -> None:
        """Take bytes of the file that are hashed already."""
        self._pipeline.put(data)

    def end(self) -> None:
        """End the file."""
        if self._file is None:
            raise TypeError("no file was begun")
        path, size, executable = self._file
        self._pipeline.put(padding(size))
        entry = FileEntry(path, size, Digest(self._own.hexdigest()), executable)
        self._content.update(content_line(entry))
        self.files.append(entry)

    @property
    def seed(self) -> str:
        """The digest of the files so far: names, modes and bytes."""
        return self._content.hexdigest()

    @property
    def digest(self) -> Digest:
        """The digest of the compressed bytes."""
        return Digest(self._digest.hexdigest())

    def _compress(self, piece: bytearray | memoryview) -> None:
        self._out(self._compressor.compress(piece))

    def _out(self, data: bytes) -> None:
        if data:
            self._digest.update(data)
            write_all(self._fd, data)
            self.size += len(data)
