"""One tar header, in the dialects that packers write: ustar, GNU, old.

Owners, times and names of users are never read or applied. Fields that decide where a member
begins, ends or goes have exactly one form.
"""

from __future__ import annotations

import enum
import re

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.values import NamedTuple

BLOCK = 512
_MODE, _SIZE, _CHECKSUM = slice(100, 108), slice(124, 136), slice(148, 156)
_TYPE, _LINK, _MAGIC = slice(156, 157), slice(157, 257), slice(257, 265)
_PREFIX, _AFTER_PREFIX, _AFTER_NAMES = slice(345, 500), slice(500, 512), slice(345, 512)
_AFTER_MAGIC = slice(257, 512)

# Python writes 11 digits and a NUL, libarchive ends with a space, old programs begin with some.
_OCTAL = re.compile(rb" *([0-7]{1,12})[ \0]*")
_KINDS = {b"0": "file", b"\0": "file", b"5": "folder", b"L": "long name", b"x": "pax header"}
_REFUSED_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a FIFO",
    b"7": "a contiguous file",
    b"S": "a sparse file",
    b"K": "a long link target",
    b"g": "a global pax header",
    b"M": "the rest of a file of another volume",
    b"V": "a volume label",
    b"D": "a folder with a list of its files",
}


class Dialect(enum.Enum):
    """The kind of tar that wrote the header; an extension belongs to one dialect."""

    POSIX = b"ustar\x0000"
    GNU = b"ustar  \0"
    OLD = bytes(8)


class TarHeader(NamedTuple):
    """The fields of a header; ``kind`` is file, folder, long name or pax header."""

    name: bytes
    kind: str
    size: int
    mode: int
    dialect: Dialect


def read_header(block: bytes, where: str) -> TarHeader:
    """Return the fields of the header ``block``, or raise ``Refused`` for any other form."""
    _check_sum(block, where)
    try:
        dialect = Dialect(block[_MAGIC])
    except ValueError as error:
        raise bad("a tar header of no known dialect", where) from error
    kind = _KINDS.get(block[_TYPE])
    if kind is None:
        raise _refused_kind(block[_TYPE], where)
    if any(block[_LINK]):
        raise bad("a link target in the header of what is no link", where)
    size = _number(block[_SIZE], "size", where)
    mode = _number(block[_MODE], "mode", where) if any(block[_MODE]) else 0
    if kind == "folder" and size:
        raise bad("a folder with a body", where)
    return TarHeader(_name(block, dialect, where), kind, size, mode, dialect)


def _check_sum(block: bytes, where: str) -> None:
    field = block[_CHECKSUM]
    found = _OCTAL.fullmatch(field)
    if found is None or int(found[1], 8) != sum(block) - sum(field) + 8 * ord(" "):
        raise bad("the checksum of a header is wrong", where)


def _number(field: bytes, what: str, where: str) -> int:
    found = _OCTAL.fullmatch(field)
    if found is None:
        raise bad(f"the {what} in a header is not in octal digits", where)
    return int(found[1], 8)


def _name(block: bytes, dialect: Dialect, where: str) -> bytes:
    name = _text(block[:100], where)
    if dialect is not Dialect.POSIX:
        if any(block[_AFTER_NAMES if dialect is Dialect.GNU else _AFTER_MAGIC]):
            raise bad("fields that this dialect of tar does not have, or that split a file", where)
        return name
    if any(block[_AFTER_PREFIX]):
        raise bad("bytes behind the last field of a header", where)
    prefix = _text(block[_PREFIX], where)
    return prefix + b"/" + name if prefix else name


def _text(field: bytes, where: str) -> bytes:
    """Return the bytes up to the first NUL; only NUL may follow."""
    text, _, rest = field.partition(b"\0")
    if any(rest):
        raise bad("bytes behind the end of a name", where)
    return text


def _refused_kind(flag: bytes, where: str) -> Refused:
    what = _REFUSED_KINDS.get(flag, f"a member of the kind {flag!r}")
    return Refused.of(
        Code.MEMBER_TYPE,
        f"{what}: only files and folders are taken",
        where=where,
        hint="make the package again without it",
    )


def bad(message: str, where: str) -> Refused:
    """Return the error for tar that no packer writes."""
    return Refused.of(Code.BAD_TAR, message, where=where)
