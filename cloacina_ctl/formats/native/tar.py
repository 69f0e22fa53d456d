"""The tar profile: one possible header for each member, so that reading is comparing.

POSIX ustar, regular files only, fixed owner, mode and time; a path that ustar cannot hold has
one pax header before it. Headers are never parsed: a reader makes the expected one and compares.
"""

from __future__ import annotations

from cloacina_ctl.errors import Code, Refused

BLOCK = 512
END_OF_ARCHIVE = bytes(2 * BLOCK)
MAX_NAME = 100
MAX_PREFIX = 155
PAX_NAME = "pax"

_MTIME = 315_532_800  # 1980-01-01: the first date that every tool accepts
_MODE, _EXECUTABLE_MODE = b"0000644\0", b"0000755\0"
_FILE, _PAX = b"0", b"x"
_SIZE = slice(124, 136)


def _template(mode: bytes, typeflag: bytes) -> tuple[bytes, bytes, bytes, int]:
    """Return the fixed parts around name, size and checksum, and the sum of their bytes."""
    zero = b"0000000\0"
    before_size = mode + zero + zero
    mtime = b"%011o\0" % _MTIME
    after_checksum = typeflag + bytes(100) + b"ustar\x0000" + bytes(32 + 32 + 8 + 8)
    total = sum(before_size) + sum(mtime) + sum(after_checksum) + 8 * ord(" ")
    return before_size, mtime, after_checksum, total


_TEMPLATES = {
    (False, _FILE): _template(_MODE, _FILE),
    (True, _FILE): _template(_EXECUTABLE_MODE, _FILE),
    (False, _PAX): _template(_MODE, _PAX),
}


def member_header(root: str, path: str, size: int, *, executable: bool = False) -> bytes:
    """Return the header, or the two with a pax header, of ``<root>/<path>``."""
    name = f"{root}/{path}".encode()
    if len(name) <= MAX_NAME:
        return _header(name, b"", size, executable, _FILE)
    split = _split(name)
    if split is not None:
        prefix, rest = split
        return _header(rest, prefix, size, executable, _FILE)
    record = pax_record(b"path", name)
    own = _header(_first_characters(name), b"", size, executable, _FILE)
    return _pax_header(root, len(record)) + record + padding(len(record)) + own


def header_size(root_bytes: int, path: str) -> int:
    """Return how long the header of ``path`` is; ``root_bytes`` counts the root and its slash."""
    if path.isascii() and root_bytes + len(path) <= MAX_NAME:
        return BLOCK
    name = b"r" * (root_bytes - 1) + b"/" + path.encode()
    if len(name) <= MAX_NAME:
        return BLOCK
    if _split(name) is not None:
        return BLOCK
    return 2 * BLOCK + padded(len(pax_record(b"path", name)))


def padded(size: int) -> int:
    """Return ``size`` rounded up to whole blocks."""
    return -(-size // BLOCK) * BLOCK


def padding(size: int) -> bytes:
    """Return the zeros that follow a body of ``size`` bytes."""
    return bytes(-size % BLOCK)


def read_size(header: bytes, *, where: str) -> int:
    """Return the size in a header: the only field that is read and not compared."""
    field = header[_SIZE]
    digits = field[:11]
    if len(field) != 12 or field[11] or any(byte not in b"01234567" for byte in digits):
        raise Refused.of(Code.BAD_TAR, "the size in the header is not 11 octal digits", where=where)
    return int(digits, 8)


def pax_record(key: bytes, value: bytes) -> bytes:
    """Return the record ``length key=value``, whose length counts itself."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(b"%d" % length) + len(rest) != length:
        length += 1
    return b"%d" % length + rest


def _pax_header(root: str, size: int) -> bytes:
    name = f"{root}/{PAX_NAME}".encode()
    prefix, rest = (b"", name) if len(name) <= MAX_NAME else _must_split(name)
    return _header(rest, prefix, size, executable=False, typeflag=_PAX)


def _must_split(name: bytes) -> tuple[bytes, bytes]:
    split = _split(name)
    if split is None:
        raise Refused.of(
            Code.MEMBER_NAME, "the root folder's name is too long", where=name.decode()
        )
    return split


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """Cut at the last slash that leaves a prefix and a name that fit, if there is one."""
    slash = name.rfind(b"/", 0, MAX_PREFIX + 1)
    if slash <= 0 or len(name) - slash - 1 > MAX_NAME:
        return None
    return name[:slash], name[slash + 1 :]


def _first_characters(name: bytes) -> bytes:
    return name[:MAX_NAME].decode("utf-8", "ignore").encode()


def _header(name: bytes, prefix: bytes, size: int, executable: bool, typeflag: bytes) -> bytes:  # noqa: FBT001 - private, always named by its caller's order
    before_size, mtime, after_checksum, total = _TEMPLATES[executable, typeflag]
    size_field = b"%011o\0" % size
    checksum = b"%06o\0 " % (total + sum(name) + sum(prefix) + sum(size_field))
    return b"".join(
        (
            name,
            bytes(100 - len(name)),
            before_size,
            size_field,
            mtime,
            checksum,
            after_checksum,
            prefix,
            bytes(167 - len(prefix)),
        )
    )
