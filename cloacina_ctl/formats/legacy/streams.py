"""One gzip member, or one bzip2 stream, and not a byte more.

Tools disagree on what may follow the first stream: some join further streams, some ignore them,
some accept zeros or junk. Engines read the first stream and stop. So anything behind it is refused,
and so is everything that a lenient decoder accepts: reserved flags, a wrong checksum of a header, a
wrong length.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GZIP, BZIP2 = "gzip", "bzip2"
PIECE = 256 << 10  # of output; a bzip2 block is 900 kB, so larger pieces save nothing
MAX_GZIP_HEADER = 128 << 10  # a whole extra field of 64 KiB, and names

_GZIP_START = struct.Struct("<2sBBIBB")
_GZIP_END = struct.Struct("<II")
_HAS_CRC, _HAS_EXTRA, _HAS_NAME, _HAS_COMMENT, _RESERVED = 2, 4, 8, 16, 0xE0
_BLOCK_MAGIC, _END_MAGIC = b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"
_RANDOMISED_BYTE = 14  # its first bit follows magic, level, block magic and checksum


def inflate(read: Callable[[], bytes], kind: str, where: str) -> Iterator[bytes]:
    """Yield the content of the one stream, in pieces of at most ``PIECE`` bytes.

    ``read`` gives the next compressed bytes, none at the end of the file. Raises ``Refused`` for a
    stream that is damaged or cut short, and for anything behind it.
    """
    if kind == GZIP:
        return _gunzip(_Input(read, where), where)
    return _bunzip(_Input(read, where), where)


class _Input:
    """Compressed bytes, of which some may be put back."""

    def __init__(self, read: Callable[[], bytes], where: str) -> None:
        self._read = read
        self._where = where
        self._held = b""

    def next(self) -> bytes:
        """Return the next bytes, or refuse a stream that ends here."""
        data, self._held = self._held or self._read(), b""
        if not data:
            raise _bad("cut short: the compressed stream does not end", self._where)
        return data

    def take(self, count: int) -> bytes:
        """Return exactly ``count`` bytes."""
        data = b""
        while len(data) < count:
            data += self.next()
        self._held = data[count:]
        return data[:count]

    def until_nul(self, most: int) -> bytes:
        """Return the bytes up to a NUL and with it, which must be within ``most``."""
        data = b""
        while b"\0" not in data:
            if len(data) > most:
                break
            data += self.next()
        end = data.find(b"\0") + 1
        if not 0 < end <= most:
            raise _bad(f"a gzip header of more than {MAX_GZIP_HEADER} bytes", self._where)
        self._held = data[end:]
        return data[:end]

    def put_back(self, data: bytes) -> None:
        """Put bytes back, before the next ones."""
        self._held = data + self._held

    def end(self, kind: str) -> None:
        """Refuse bytes behind the stream."""
        rest = self._held or self._read()
        if not rest:
            return
        first = rest if rest.strip(b"\0") else b""
        what = "a second stream" if first.startswith((b"\x1f\x8b", b"BZh")) else "bytes"
        raise Refused.of(
            Code.BAD_STREAM,
            f"{what} behind the end of the {kind} stream",
            where=self._where,
            hint="engines read the first stream and no more; pack it with a tool that writes one",
        )


def _gunzip(given: _Input, where: str) -> Iterator[bytes]:
    _gzip_header(given, where)
    decoder = zlib.decompressobj(-zlib.MAX_WBITS)
    checksum = size = 0
    while not decoder.eof:
        data = decoder.unconsumed_tail or given.next()
        try:
            piece = decoder.decompress(data, PIECE)
        except zlib.error as error:
            raise _bad("damaged: the gzip stream cannot be decompressed", where) from error
        if piece:
            checksum = zlib.crc32(piece, checksum)
            size += len(piece)
            yield piece
    given.put_back(decoder.unused_data)
    expected = _GZIP_END.unpack(given.take(_GZIP_END.size))
    if expected != (checksum, size & 0xFFFFFFFF):
        what = "checksum" if expected[0] != checksum else "length"
        raise _bad(f"damaged: the {what} at the end of the gzip stream is wrong", where)
    given.end(GZIP)


def _gzip_header(given: _Input, where: str) -> None:
    """Read past the header; its names and comments are ignored."""
    start = given.take(_GZIP_START.size)
    magic, method, flags, _, _, _ = _GZIP_START.unpack(start)
    if magic != b"\x1f\x8b" or method != 8 or flags & _RESERVED:
        raise _bad("the gzip header has another method, or reserved flags", where)
    header = start
    if flags & _HAS_EXTRA:
        length = given.take(2)
        header += length + given.take(int.from_bytes(length, "little"))
    for flag in (_HAS_NAME, _HAS_COMMENT):
        if flags & flag:
            header += given.until_nul(MAX_GZIP_HEADER - len(header))
    if flags & _HAS_CRC:
        (expected,) = struct.unpack("<H", given.take(2))
        if expected != zlib.crc32(header) & 0xFFFF:
            raise _bad("damaged: the checksum of the gzip header is wrong", where)


def _bunzip(given: _Input, where: str) -> Iterator[bytes]:
    import bz2

    start = given.take(10)
    if start[:3] != b"BZh" or not b"1" <= start[3:4] <= b"9":
        raise _bad("the bzip2 header has another level than 1 to 9", where)
    if start[4:] == _BLOCK_MAGIC:
        start += given.take(_RANDOMISED_BYTE + 1 - len(start))
        if start[_RANDOMISED_BYTE] & 0x80:
            raise _bad("a bzip2 block of the randomised kind, which nothing writes", where)
    elif start[4:] != _END_MAGIC:
        raise _bad("damaged: the bzip2 stream does not begin with a block", where)
    decoder = bz2.BZ2Decompressor()
    given.put_back(start)
    while not decoder.eof:
        data = given.next() if decoder.needs_input else b""
        try:
            piece = decoder.decompress(data, PIECE)
        except OSError as error:
            raise _bad("damaged: the bzip2 stream cannot be decompressed", where) from error
        if piece:
            yield piece
    given.put_back(decoder.unused_data)
    given.end(BZIP2)


def _bad(message: str, where: str) -> Refused:
    return Refused.of(Code.BAD_STREAM, message, where=where, hint="fetch or copy it again")
