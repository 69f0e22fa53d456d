"""A tar stream as members, one after the other, and its end: exactly as packers write them.

Everything that two readers of tar could understand differently is refused: an extension that
stands alone, or is of another dialect than its member; two ways to say one name; a size that is
said twice and differently; anything behind the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.formats.legacy import pax
from cloacina_ctl.formats.legacy.names import Names
from cloacina_ctl.formats.legacy.tar_headers import BLOCK, Dialect, Header, bad, read_header
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.formats.legacy.bounds import Bounds

RECORD = 20 * BLOCK  # to a multiple of which some programs fill an archive up


class Member(NamedTuple):
    """A file or folder; ``size`` in bytes, ``executable`` as the owner's x bit says."""

    name: str
    size: int
    is_folder: bool
    executable: bool


class _Bytes:
    """The stream, read by counts."""

    def __init__(self, pieces: Iterable[bytes], where: str) -> None:
        self._pieces = iter(pieces)
        self._where = where
        self._view = memoryview(b"")
        self.position = 0

    def take(self, count: int) -> bytes:
        """Return exactly ``count`` bytes."""
        if len(self._view) >= count:  # as nearly always
            data, self._view = bytes(self._view[:count]), self._view[count:]
            self.position += count
            return data
        return b"".join(self.parts(count))

    def parts(self, count: int) -> Iterator[memoryview]:
        """Yield the next ``count`` bytes in the pieces that they come in."""
        while count:
            if not self._view:
                self._view = memoryview(next(self._pieces, b""))
                if not self._view:
                    raise bad("cut short: the archive does not end", self._where)
            part = self._view[:count]
            self._view = self._view[len(part) :]
            self.position += len(part)
            count -= len(part)
            yield part

    def rest(self) -> Iterator[memoryview]:
        """Yield everything that is left."""
        yield self._view
        for piece in self._pieces:
            yield memoryview(piece)


class Members:
    """The members of a tar stream: iterate, and take or pass the body of each."""

    def __init__(self, pieces: Iterable[bytes], bounds: Bounds, where: str) -> None:
        self._bytes = _Bytes(pieces, where)
        self._bounds = bounds
        self._where = where
        self._names = Names(where)
        self._body = 0

    def __iter__(self) -> Iterator[Member]:
        while (block := self._bytes.take(BLOCK)).strip(b"\0"):
            header, raw = self._resolve(read_header(block, self._where))
            is_folder = header.kind == "folder"
            self._bounds.claim(header.size)
            if raw.endswith(b"/") and not is_folder:
                raise bad("a file whose name ends with a slash", self._where)
            name = self._names.take(raw, is_folder=is_folder)
            self._body = header.size
            yield Member(name, header.size, is_folder, bool(header.mode & 0o100))
            for _ in self.body():
                pass
        self._end()

    def body(self) -> Iterator[memoryview]:
        """Yield the body of the member that was given last, and check its padding."""
        count, self._body = self._body, 0
        if count:
            yield from self._bytes.parts(count)
            if any(self._bytes.take(-count % BLOCK)):
                raise bad("the padding behind a file is not zero", self._where)

    def _resolve(self, header: Header) -> tuple[Header, bytes]:
        """Return the header of a file or folder and its name, which may stand before it."""
        if header.kind in ("file", "folder"):
            return header, header.name
        raw, size = self._extension(header)
        own = read_header(self._bytes.take(BLOCK), self._where)
        if own.kind not in ("file", "folder"):
            raise bad(f"a {header.kind} that does not stand before a file or folder", self._where)
        if own.dialect is not header.dialect:
            raise bad(f"a {header.kind} before a header of another dialect", self._where)
        if size is not None and size != own.size:
            raise bad("a pax header gives a file another size than its header", self._where)
        return own, own.name if raw is None else raw

    def _extension(self, header: Header) -> tuple[bytes | None, int | None]:
        is_pax = header.kind == "pax header"
        if header.dialect is not (Dialect.POSIX if is_pax else Dialect.GNU):
            raise bad(f"a {header.kind} of a dialect that has none", self._where)
        most = pax.MAX_BYTES if is_pax else pax.MAX_NAME_BYTES
        if not 0 < header.size <= most:
            raise bad(f"a {header.kind} of {header.size} bytes, at most {most}", self._where)
        body = self._bytes.take(header.size)
        if any(self._bytes.take(-header.size % BLOCK)):
            raise bad(f"the padding behind a {header.kind} is not zero", self._where)
        if is_pax:
            return pax.read_pax(body, self._where)
        return pax.read_long_name(body, self._where), None

    def _end(self) -> None:
        """Take the second of the two zero blocks, and what fills up the last record."""
        if any(self._bytes.take(BLOCK)):
            raise bad("one block of zeros, and then more: an archive ends with two", self._where)
        filled = -self._bytes.position % RECORD
        more = 0
        for part in self._bytes.rest():
            more += len(part)
            if more > filled or any(part):
                raise bad("bytes behind the end of the archive", self._where)
        if more not in (0, filled):
            raise bad("the archive is filled up to no whole record", self._where)
