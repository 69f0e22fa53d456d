"""An open legacy package, and the one pass that reads all of it.

There is no table of contents: only decompressing the package to its end shows its members.
``stream`` does so with bounded memory, gives each file to a sink, and proves everything that can
be proved: the stream's own checksums, the form of each header, the names, the manifest.
"""

from __future__ import annotations

import hashlib
import os
import threading
from queue import Queue
from typing import TYPE_CHECKING

from cloacina_ctl.digest import CONTENT_PREFIX, Digest
from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.files.folders import close_quietly
from cloacina_ctl.files.staging import reported
from cloacina_ctl.formats import detect
from cloacina_ctl.formats.file_index import FileEntry
from cloacina_ctl.formats.legacy.bounds import Bounds
from cloacina_ctl.formats.legacy.layouts import ArchiveLayout
from cloacina_ctl.formats.legacy.model import ProviderManifest
from cloacina_ctl.formats.legacy.streams import GZIP, inflate
from cloacina_ctl.formats.legacy.tar_members import Members
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.formats.package import PackageIdentity, Streamed
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from typing_extensions import Self

    from cloacina_ctl.formats.legacy.model import Format, LegacyManifest
    from cloacina_ctl.formats.legacy.tar_members import TarMember
    from cloacina_ctl.formats.sinks import Sink
    from cloacina_ctl.progress import StageProgress

# Decompression beside everything else: another thread is a few pieces ahead.
#
# zlib, bzip2 and hashing release the interpreter's lock, so one thread decompresses while the other
# parses, hashes and writes: as fast as tar with a decompressor in a process of its own.

PREFETCHED = 8  # pieces: 2 MiB


class _Failed:
    """The error that ended the other thread, to be raised in this one."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def prefetch(pieces: Iterable[bytes], most: int = PREFETCHED) -> Generator[bytes, None, None]:
    """Yield ``pieces``, drawn by another thread that is at most ``most`` of them ahead.

    An error there is raised here, at its place. Leaving early stops the thread. With ``most`` 0
    there is no other thread, and this one does the work.
    """
    if not most:
        yield from pieces
        return
    thread = _Thread(pieces, most)
    try:
        while (piece := thread.queue.get()) is not None:
            if isinstance(piece, _Failed):
                raise piece.error
            yield piece
    finally:
        thread.stop()


class _Thread:
    """Draws pieces and puts them into its queue; None follows the last."""

    def __init__(self, pieces: Iterable[bytes], most: int) -> None:
        self.queue: Queue[bytes | _Failed | None] = Queue(most)
        self._pieces = pieces
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._draw, daemon=True)
        self._thread.start()

    def _draw(self) -> None:
        try:
            for piece in self._pieces:
                self.queue.put(piece)
                if self._stopped.is_set():
                    return
            self.queue.put(None)
        except BaseException as error:  # noqa: BLE001 - carried to the thread that waits for it
            self.queue.put(_Failed(error))

    def stop(self) -> None:
        self._stopped.set()
        while self._thread.is_alive():
            while not self.queue.empty():
                self.queue.get_nowait()
            self._thread.join(0.001)


UNKNOWN = Digest("0" * 64)
_PIECE = 256 << 10
SMALL = 64 << 10  # below, a thread costs more than it gives


class ArchiveContents(NamedTuple):
    """The content of the package, once all of it was read.

    ``files`` are in the order of the archive, with paths under ``root``, the top folder of a
    source package; ``folders`` are those with an entry of their own. ``size`` is of all files,
    ``digest`` of the whole compressed file.
    """

    format: Format
    manifest: LegacyManifest
    manifest_bytes: bytes
    root: str | None
    files: tuple[FileEntry, ...]
    folders: tuple[str, ...]
    digest: Digest

    @property
    def size(self) -> int:
        """The bytes in all files together."""
        return sum(file.size for file in self.files)

    @property
    def content(self) -> str:
        """The identity of the package: of the whole file, as servers have it."""
        return CONTENT_PREFIX + self.digest

    def identity(self, path: str) -> PackageIdentity:
        """Return the identity of the package at ``path``, from its manifest."""
        manifest = self.manifest
        named = manifest.package if isinstance(manifest, ProviderManifest) else manifest
        format_ = self.format.value
        return PackageIdentity(path, format_, named.name, named.version, self.content)


class LegacyPackage:
    """An open package. Use it as a context manager. Only its first bytes are checked yet."""

    def __init__(self, fd: int, path: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path = path
        self.limits = limits
        self._fd = fd
        self.size = os.fstat(fd).st_size
        start = os.pread(fd, detect.SNIFF_BYTES, 0)
        self.container = detect.require_legacy(start, where=path).name
        self._digest: Digest | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        close_quietly(self._fd)

    @property
    def may_hold_signature(self) -> bool:
        """Whether a signature may be among its files: no gzip package has one."""
        return self.container != GZIP

    @property
    def digest(self) -> Digest:
        """The SHA-256 of the whole file; read once, before or while it is streamed."""
        if self._digest is None:
            self.limits.check(
                "legacy_compressed", self.size, where=self.path, what="the size of the file"
            )
            reading = _Reading(self._fd, self.path)
            while reading.read():
                pass
            self._digest = Digest(reading.sha256.hexdigest())
        return self._digest

    def stream(
        self,
        sink: Sink,
        files: Sequence[FileEntry] | None = None,  # noqa: ARG002 - one pass has all of them
        *,
        jobs: int = 1,  # noqa: ARG002 - and takes one thread, and one ahead
        progress: StageProgress | None = None,
    ) -> Streamed:
        """Give every file to ``sink``, in one pass, and return the content.

        A sink gets bytes before the whole is proved, so it must not publish them until this
        returns; a file's digest is not known when it begins. Progress is in bytes of the file.
        Raises ``Refused`` for anything that is not exactly one whole package of its format.
        """
        bounds = Bounds(self.size, self.limits, self.path)
        reading = _Reading(self._fd, self.path)
        pieces = bounds.of_stream(inflate(reading.read, self.container, self.path))
        ahead = prefetch(pieces, PREFETCHED if self.size > SMALL else 0)
        try:
            streaming = _Streaming(
                ArchiveLayout(self.container, self.path), sink, self.limits, self.path
            )
            for _ in streaming.take_all(Members(ahead, bounds, self.path)):
                if progress:
                    progress(reading.position, self.size)
        finally:
            ahead.close()
        digest = Digest(reading.sha256.hexdigest())
        if self._digest not in (None, digest):
            raise Refused.of(Code.CHANGED, "it changed while it was read", where=self.path)
        self._digest = digest
        contents = streaming.contents(digest)
        return Streamed(files=contents.files, complete=True, contents=contents)


class _Reading:
    """The compressed bytes from the start of the file, hashed on the way."""

    def __init__(self, fd: int, path: str) -> None:
        self._fd = fd
        self._path = path
        self.position = 0
        self.sha256 = hashlib.sha256()

    def read(self) -> bytes:
        with reported(self._path):
            piece = os.pread(self._fd, _PIECE, self.position)
        self.position += len(piece)
        self.sha256.update(piece)
        return piece


class _Streaming:
    """One pass over the members: gives them to the sink, and keeps the manifest's texts."""

    def __init__(self, layout: ArchiveLayout, sink: Sink, limits: Limits, where: str) -> None:
        self._layout = layout
        self._sink = sink
        self._limits = limits
        self._where = where
        self._files: list[FileEntry] = []
        self._folders: list[str] = []
        self._texts: dict[str, bytes] = {}

    def take_all(self, members: Members) -> Iterator[None]:
        """Take every member, a piece at a time."""
        for member in members:
            path = self._layout.place(member.name, is_folder=member.is_folder)
            if path is None:
                continue
            if member.is_folder:
                self._folders.append(path)
                yield
            else:
                yield from self._take(path, member, members.body())

    def _take(self, path: str, member: TarMember, body: Iterator[memoryview]) -> Iterator[None]:
        keeps = path in self._layout.manifests
        if keeps:
            what = f"the size of {path}"
            self._limits.check("legacy_manifest", member.size, where=self._where, what=what)
        file = FileEntry(MemberPath(path), member.size, UNKNOWN, member.executable)
        self._sink.begin(file)
        sha256 = hashlib.sha256()
        kept = []
        for part in body:
            sha256.update(part)
            self._sink.write(part)
            if keeps:
                kept.append(bytes(part))
            yield
        self._sink.end()
        if keeps:
            self._texts[path] = b"".join(kept)
        self._files.append(file._replace(sha256=Digest(sha256.hexdigest())))

    def contents(self, digest: Digest) -> ArchiveContents:
        paths = frozenset(str(file.path) for file in self._files)
        format_, manifest = self._layout.read(self._texts, paths, self._limits)
        return ArchiveContents(
            format=format_,
            manifest=manifest,
            manifest_bytes=self._texts[self._layout.manifests[0]],
            root=self._layout.root,
            files=tuple(self._files),
            folders=tuple(self._folders),
            digest=digest,
        )
