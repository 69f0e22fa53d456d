"""Zstandard frames: good ones by the library, hostile ones by hand (RFC 8878)."""

from __future__ import annotations

import struct

import zstandard

MAGIC = b"\x28\xb5\x2f\xfd"
MAX_BLOCK = 1 << 17


def frame(content: bytes, level: int = 3) -> bytes:
    """Return the frame of one whole-input call, with content size and checksum."""
    made = zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True)
    return made.compress(content)


def checksum(content: bytes) -> bytes:
    """Return the four checksum bytes of a frame: the low half of XXH64, little endian."""
    return frame(content, 1)[-4:]


def bound(size: int) -> int:
    """Return ZSTD_COMPRESSBOUND of a size."""
    margin = (MAX_BLOCK - size) >> 11 if size < MAX_BLOCK else 0
    return size + (size >> 8) + margin


def block(kind: int, size: int, body: bytes, *, last: bool = False) -> bytes:
    """Return a block: kind 0 raw, 1 RLE, 2 compressed, 3 reserved."""
    return struct.pack("<I", size << 3 | kind << 1 | int(last))[:3] + body


def raw_blocks(content: bytes, *, piece: int = MAX_BLOCK, last: bool = True) -> bytes:
    """Return the content as raw blocks."""
    pieces = [content[at : at + piece] for at in range(0, len(content), piece)] or [b""]
    ends = [*[False] * (len(pieces) - 1), last]
    return b"".join(block(0, len(p), p, last=end) for p, end in zip(pieces, ends, strict=True))


def rle_blocks(size: int, byte: bytes = b"\0", *, piece: int = MAX_BLOCK) -> bytes:
    """Return `size` equal bytes as RLE blocks: 4 bytes for each 128 KiB."""
    whole, rest = divmod(size, piece)
    tail = rest or piece
    return block(1, piece, byte) * (whole - (not rest)) + block(1, tail, byte, last=True)


def window_byte(log: int, mantissa: int = 0) -> int:
    """Return the window descriptor for 2^log plus mantissa eighths."""
    return (log - 10) << 3 | mantissa


def content_size_field(size: int, width: int) -> bytes:
    """Return the content size in so many bytes; two bytes hold the size less 256."""
    shown = size - 256 if width == 2 else size
    return (shown % (1 << 8 * width)).to_bytes(width, "little")


def header(
    size: int | None,
    *,
    window: int | None = None,
    width: int = 8,
    bits: int = 0b100,
    dictionary: bytes = b"",
    magic: bytes = MAGIC,
) -> bytes:
    """Return a frame header: `window` None makes a single segment, `size` None claims none."""
    flag = {1: 0, 2: 1, 4: 2, 8: 3}[width] if size is not None else 0
    single = window is None
    descriptor = flag << 6 | single << 5 | bits | {0: 0, 1: 1, 2: 2, 4: 3}[len(dictionary)]
    field = b"" if size is None else content_size_field(size, width)
    lead = b"" if window is None else bytes([window])
    return magic + bytes([descriptor]) + lead + dictionary + field


def raw_frame(content: bytes, *, width: int = 8, blocks: bytes | None = None) -> bytes:
    """Return a frame by hand that every decoder accepts: single segment, raw blocks."""
    body = raw_blocks(content) if blocks is None else blocks
    return header(len(content), width=width) + body + checksum(content)


def skippable(body: bytes, *, nibble: int = 12, claim: int | None = None) -> bytes:
    """Return a skippable frame; the format's own has nibble 12 (`5C 2A 4D 18`)."""
    length = len(body) if claim is None else claim
    return bytes([0x50 | nibble]) + b"\x2a\x4d\x18" + struct.pack("<I", length) + body


def zeros_frame(size: int, level: int = 1) -> bytes:
    """Return a true frame of `size` zeros, made in pieces: the bomb that keeps its word."""
    made = zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True)
    feed = made.compressobj(size=size)
    piece = bytes(1 << 20)
    out = [feed.compress(piece[: min(len(piece), size - at)]) for at in range(0, size, len(piece))]
    return b"".join(out) + feed.flush()
