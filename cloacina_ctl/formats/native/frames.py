"""zstd frames: made by one call each, and read only in the form that such a call gives.

A reader that accepted more (dictionaries, huge windows, frames without a checksum) would accept
bytes that no writer makes and that other tools read differently.
"""

from __future__ import annotations

import threading

import zstandard

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.values import NamedTuple

MAGIC = b"\x28\xb5\x2f\xfd"
MAX_WINDOW = 8 << 20  # RFC 9659; what level 19 needs
DEFAULT_LEVEL = 3
LEVELS = range(1, 20)
_SKIPPABLE_RANGE = range(0x184D2A50, 0x184D2A60)

_threads = threading.local()


def compress(data: bytes | bytearray | memoryview, level: int = DEFAULT_LEVEL) -> bytes:
    """Return one frame with content size and checksum: the same bytes in any thread."""
    compressors = _threads.__dict__.setdefault("compressors", {})
    compressor = compressors.get(level)
    if compressor is None:
        compressor = compressors[level] = zstandard.ZstdCompressor(
            level=level, write_checksum=True, write_content_size=True, write_dict_id=False
        )
    frame: bytes = compressor.compress(data)
    return frame


def compress_bound(size: int) -> int:
    """Return the largest frame that ``size`` bytes can become (zstd's ZSTD_COMPRESSBOUND)."""
    small = 128 << 10
    return size + (size >> 8) + ((small - size) >> 11 if size < small else 0)


class FrameHeader(NamedTuple):
    """The fields of a frame's header; its form was checked."""

    content_size: int
    window: int


def read_header(frame: bytes | memoryview, *, where: str) -> FrameHeader:
    """Return the header of ``frame``, or refuse a form that no frame of a package has."""
    if bytes(frame[:4]) != MAGIC:
        raise _bad(_not_a_frame(bytes(frame[:4])), where)
    if len(frame) < 6:
        raise _bad("it ends inside its header", where)
    descriptor = frame[4]
    if descriptor & 0b11:
        raise _bad("it names a dictionary", where)
    if descriptor & 0b11000:
        raise _bad("an unused or reserved bit is set", where)
    if not descriptor & 0b100:
        raise _bad("it has no checksum", where)
    single_segment = bool(descriptor & 0b100000)
    start = 5 if single_segment else 6
    width = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    field = bytes(frame[start : start + width])
    if width == 0:
        raise _bad("it does not say its content size", where)
    if len(field) < width:
        raise _bad("it ends inside its header", where)
    content_size = int.from_bytes(field, "little") + (256 if width == 2 else 0)
    window = content_size if single_segment else _window(frame[5])
    if window > MAX_WINDOW:
        raise _bad(f"its window is {window} bytes, and at most {MAX_WINDOW} is allowed", where)
    return FrameHeader(content_size, window)


def decompress(frame: bytes | memoryview, content_size: int, *, where: str) -> bytes:
    """Return the content of ``frame``: exactly one frame, of exactly ``content_size`` bytes."""
    header = read_header(frame, where=where)
    if not content_size:
        raise _bad("it is empty", where)  # zstd would not even look for a body
    if header.content_size != content_size:
        raise _bad(f"it says {header.content_size} bytes where {content_size} are expected", where)
    decompressor = _threads.__dict__.get("decompressor")
    if decompressor is None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        _threads.decompressor = decompressor
    try:
        content: bytes = decompressor.decompress(
            frame, max_output_size=content_size, read_across_frames=False, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise _bad(f"zstd says: {_words(error)}", where) from error
    if len(content) != content_size:
        raise _bad(f"it holds {len(content)} bytes and says {content_size}", where)
    return content


def _window(descriptor: int) -> int:
    base = 1 << (10 + (descriptor >> 3))
    return base + (base >> 3) * (descriptor & 0b111)


def _not_a_frame(magic: bytes) -> str:
    if int.from_bytes(magic, "little") in _SKIPPABLE_RANGE:
        return "a skippable frame stands where only the signature frame may be one"
    return "it does not begin as a zstd frame does"


def _words(error: zstandard.ZstdError) -> str:
    return str(error).rpartition(": ")[2]


def _bad(message: str, where: str) -> Refused:
    return Refused.of(Code.BAD_FRAME, message, where=where)
