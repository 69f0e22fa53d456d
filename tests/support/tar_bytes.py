"""Tar headers byte by byte: the profile of the format, and whatever breaks it.

Nothing here reads the product's code or Python's `tarfile`: the fields stand in one table, and
each of them can be replaced by raw bytes.
"""

from __future__ import annotations

from typing import Any

BLOCK = 512
EPOCH = 315532800
END = bytes(2 * BLOCK)

FIELDS = {
    "name": (0, 100),
    "mode": (100, 8),
    "uid": (108, 8),
    "gid": (116, 8),
    "size": (124, 12),
    "mtime": (136, 12),
    "chksum": (148, 8),
    "typeflag": (156, 1),
    "linkname": (157, 100),
    "magic": (257, 6),
    "version": (263, 2),
    "uname": (265, 32),
    "gname": (297, 32),
    "devmajor": (329, 8),
    "devminor": (337, 8),
    "prefix": (345, 155),
    "rest": (500, 12),
}


def checksum_field(block: bytes) -> bytes:
    """Return the checksum field as the profile writes it: 6 octal digits, NUL, space."""
    blanked = block[:148] + b" " * 8 + block[156:]
    return b"%06o\0 " % sum(blanked)


def patched(block: bytes, **raw: bytes) -> bytes:
    """Return the header with these fields replaced, NUL filled; the checksum follows.

    Give `chksum` to have another checksum than the right one.
    """
    made = bytearray(block)
    for field, value in raw.items():
        offset, width = FIELDS[field]
        if len(value) > width:
            raise ValueError(f"{field} holds {width} bytes")
        made[offset : offset + width] = value.ljust(width, b"\0")
    if "chksum" not in raw:
        made[148:156] = checksum_field(bytes(made))
    return bytes(made)


def header(
    name: bytes,
    size: int,
    *,
    prefix: bytes = b"",
    mode: int = 0o644,
    typeflag: bytes = b"0",
    **raw: bytes,
) -> bytes:
    """Return a header of the profile, with raw fields on top."""
    fields = {
        "name": name,
        "mode": b"%07o\0" % mode,
        "uid": b"0000000\0",
        "gid": b"0000000\0",
        "size": b"%011o\0" % size,
        "mtime": b"%011o\0" % EPOCH,
        "typeflag": typeflag,
        "magic": b"ustar\0",
        "version": b"00",
        "prefix": prefix,
    }
    return patched(bytes(BLOCK), **{**fields, **raw})


def padded(data: bytes) -> bytes:
    """Return the data with zeros up to a whole block."""
    return data + bytes(-len(data) % BLOCK)


def pax_record(key: bytes, value: bytes) -> bytes:
    """Return one record, its length counting itself."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(rest) + len(b"%d" % length):
        length = len(rest) + len(b"%d" % length)
    return b"%d" % length + rest


def pax_member(root: bytes, records: bytes, *, typeflag: bytes = b"x", **raw: Any) -> bytes:
    """Return a pax header as the profile names it, with its records and padding."""
    name, prefix, _ = split_name(root + b"/pax")
    return header(name, len(records), prefix=prefix, typeflag=typeflag, **raw) + padded(records)


def split_name(full: bytes) -> tuple[bytes, bytes, bool]:
    """Return name, prefix and whether a pax header must come first."""
    if len(full) <= 100:
        return full, b"", False
    for at in range(min(155, len(full) - 1), 0, -1):
        if full[at : at + 1] == b"/" and 0 < len(full) - at - 1 <= 100:
            return full[at + 1 :], full[:at], False
    head = full[:100]
    while len(head) < len(full) and full[len(head)] & 0xC0 == 0x80 and head:
        head = head[:-1]
    return head, b"", True


def member(root: bytes, path: bytes, data: bytes, *, executable: bool = False) -> list[bytes]:
    """Return pax header (or nothing), header, and body with padding of a regular file."""
    full = root + b"/" + path if root else path
    name, prefix, needs_pax = split_name(full)
    extension = pax_member(root, pax_record(b"path", full)) if needs_pax else b""
    mode = 0o755 if executable else 0o644
    return [extension, header(name, len(data), prefix=prefix, mode=mode), padded(data)]
