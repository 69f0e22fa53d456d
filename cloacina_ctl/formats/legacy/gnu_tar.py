"""Tar headers as the packers of Cloacina write them: GNU tar, regular files, all numbers octal.

Owner, time and mode are fixed, so the same files give the same bytes. Numbers end with a NUL, the
checksum too, as the packers' library writes them.
"""

from __future__ import annotations

from cloacina_ctl.formats.native.tar import BLOCK, END_OF_ARCHIVE, padding

__all__ = ["BLOCK", "END_OF_ARCHIVE", "MAX_NAME", "member_header", "padding"]

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
