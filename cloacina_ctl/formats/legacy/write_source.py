"""Writing a source package: one bzip2 stream of GNU tar, as Cloacina 0.4 and later load it.

One function for each rule of reproducibility: sorted by the bytes of the path, fixed owner, time
and mode, level 9 over one stream. Servers identify a package by its digest, so the same files must
give the same bytes. A package over the given limits is refused before anything appears.
"""

from __future__ import annotations

import bz2
import hashlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.files.staging import StagedFile, reported
from cloacina_ctl.formats.legacy.tar_writer import TarStream, content_line
from cloacina_ctl.paths import MemberPath, collisions
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cloacina_ctl.digest import Digest
    from cloacina_ctl.formats.file_index import FileEntry
    from cloacina_ctl.formats.legacy.tar_writer import Feed


LEVEL = 9
# Beside `workflow/` and `vendor/`, where no loader looks, and after every usual name, so that all
# files that it is derived from are known.
PADDING_PATH = MemberPath("~padding.bin")
_PADDING_PIECE = 1 << 16
_MAX_ROUNDS = 4


def _take_all(_entries: int, _files: int, _package: int | None) -> None:
    """Refuse nothing."""


class SizeRules(NamedTuple):
    """The limits of a package.

    ``ratio`` is the largest size of all files, as a multiple of the package, None for no limit:
    padding keeps them within it. ``check`` gets the number of files, the bytes in all of them and
    those of the package (None before it is written); it raises ``Refused`` for too many.
    """

    ratio: int | None = None
    check: Callable[[int, int, int | None], None] = _take_all


class Destination(NamedTuple):
    """The destination of a package.

    ``before`` is called when all of it is on the disk and it has not appeared yet, ``after`` when
    it has: a run that uses the locks does not replace it until that returns.
    """

    path: str
    replace: bool = False
    before: Callable[[WrittenArchive], None] | None = None
    after: Callable[[], None] | None = None


class WrittenArchive(NamedTuple):
    """A package: its files in the order of the stream, ``padding`` the bytes of it added."""

    files: tuple[FileEntry, ...]
    size: int
    digest: Digest
    padding: int = 0


def source_order(path: str) -> bytes:
    """Return the key that puts files in the order of the stream."""
    return path.encode("utf-8", "surrogatepass")


def check_paths(root: str, paths: Iterable[str]) -> None:
    """Refuse paths that cannot stand side by side, or that are kept for the padding."""
    paths = tuple(paths)
    for clash in collisions(paths):
        raise Refused.of(
            Code.MEMBER_COLLISION,
            f"{clash.rule}: {clash.first} and {clash.second}",
            where=f"{root}/{clash.second}",
        )
    if any(path.partition("/")[0] == PADDING_PATH for path in paths):
        raise Refused.of(
            Code.RESERVED_NAME, "the name is kept for padding", where=PADDING_PATH, hint="rename it"
        )


def write_source(
    output: Destination, root: str, feed: Feed, rules: SizeRules, *, pad: bool = False
) -> WrittenArchive:
    """Make the package; afterwards it is there, whole, or nothing is.

    ``feed`` gives the files to the stream, in order; with ``pad`` it may be called again, since the
    size of the padding follows from the size without it. Raises ``Refused`` where a rule is broken.
    """
    with StagedFile(output.path, replace=output.replace) as staged:
        written = _write(staged, root, feed, b"", 0)
        seed, padding = bytes.fromhex(written.seed), 0
        for _ in range(_MAX_ROUNDS if pad else 0):
            lacking = _lacking(written, rules.ratio)
            if not lacking:
                break
            padding += lacking
            written = _write(staged, root, feed, seed, padding)
        made = WrittenArchive(written.files, written.size, written.digest, padding)
        appear(staged, made, output, rules)
    return made


def appear(staged: StagedFile, made: WrittenArchive, output: Destination, rules: SizeRules) -> None:
    """Give the package its name, and call ``before`` and ``after``."""
    rules.check(len(made.files), sum(file.size for file in made.files), made.size)
    if output.before is not None:
        staged.flush()
        output.before(made)
    staged.commit()
    if output.after is not None:
        output.after()


class _Round(NamedTuple):
    """The result of one round of writing."""

    files: tuple[FileEntry, ...]
    size: int
    digest: Digest
    seed: str

    @property
    def total(self) -> int:
        return sum(file.size for file in self.files)


def _write(staged: StagedFile, root: str, feed: Feed, seed: bytes, padding: int) -> _Round:
    with reported(staged.path):
        os.lseek(staged.fd, 0, os.SEEK_SET)
        os.ftruncate(staged.fd, 0)
    with reported(staged.path), _stream(staged.fd, root) as stream:
        feed(stream)
        content = stream.seed
        if padding:
            if bytes.fromhex(content) != seed:
                raise FileProblem.of(
                    Code.CHANGED,
                    "changed while packing: read twice for the padding, and not the same",
                    where=root,
                    hint="run it again when nothing writes to the project",
                )
            _add_padding(stream, seed, padding)
    return _Round(tuple(stream.files), stream.size, stream.digest, content)


def _stream(fd: int, root: str) -> TarStream:
    return TarStream(fd, f"{root}/", bz2.BZ2Compressor(LEVEL))


def _add_padding(stream: TarStream, seed: bytes, size: int) -> None:
    """Add incompressible bytes, the same for the same content (SHAKE-256, counted)."""
    stream.begin(PADDING_PATH, size, executable=False)
    for piece in _padding(seed, size):
        stream.write(piece)
    stream.end()


def is_padded(files: Sequence[FileEntry]) -> bool:
    """Return whether the last of ``files`` is the padding that follows from the others."""
    *others, last = files
    if last.path != PADDING_PATH:
        return False
    seed = hashlib.sha256()
    for file in others:
        seed.update(content_line(file))
    found = hashlib.sha256()
    for piece in _padding(seed.digest(), last.size):
        found.update(piece)
    return found.hexdigest() == last.sha256


def _padding(seed: bytes, size: int) -> Iterator[bytes]:
    for number in range(-(-size // _PADDING_PIECE)):
        piece = hashlib.shake_256(seed + number.to_bytes(8, "big")).digest(_PADDING_PIECE)
        yield piece[: size - number * _PADDING_PIECE]


def _lacking(written: _Round, ratio: int | None) -> int:
    """Return how many more bytes of padding bring the files within the ratio.

    A byte of padding adds one to the files and hardly less than one to the package.
    """
    excess = 0 if ratio is None else written.total - ratio * written.size
    return 0 if ratio is None or excess <= 0 else excess // (ratio - 1) + 64
