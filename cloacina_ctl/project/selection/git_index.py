"""Which files git tracks: the names in its index, read strictly and without git.

The format: gitformat-index(5), versions 2 to 4, with names of SHA-1 and of SHA-256.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.project.selection.repository import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_INDEX_BYTES = 256 << 20
_MAGIC = b"DIRC"
_HEADER_BYTES = 12
_STAT_BYTES = 40
_MODE_AT = 24
_HASH_BYTES = (20, 32)
_EXTENDED, _LENGTH = 0x4000, 0xFFF
_REGULAR = 0o100  # the upper bits of a regular file's mode
_FIRST_COMPRESSED = 4
# Extensions that a reader must know begin with a small letter. That of a sparse index tells of
# folders that are not here; with any other the names may be somewhere else.
_SPARSE = b"sdir"


def tracked_files(path: str, prefix: str) -> frozenset[str] | None:
    """Return the tracked regular files under ``prefix``, relative to it.

    ``prefix`` is a path in the work tree with its slash at the end, or empty. None where the index
    cannot be understood; a repository without one tracks nothing.
    """
    try:
        data = read_regular(path, MAX_INDEX_BYTES, follow=True)
    except FileNotFoundError:
        return frozenset()
    except OSError:
        return None
    if data is None or len(data) > MAX_INDEX_BYTES:
        return None
    start = prefix.encode("utf-8", "surrogateescape")
    found = (_read(data, hash_bytes, start) for hash_bytes in _HASH_BYTES)
    return next((names for names in found if names is not None), None)


def _read(data: bytes, hash_bytes: int, start: bytes) -> frozenset[str] | None:
    """Return the names with ``start`` taken off, None where they are not of this form."""
    try:
        return frozenset(
            name[len(start) :].decode("utf-8", "surrogateescape")
            for name in _names(data, hash_bytes, start)
        )
    except (ValueError, IndexError):
        return None


def _names(data: bytes, hash_bytes: int, start: bytes) -> Iterator[bytes]:
    """Yield the names that begin with ``start``; ``ValueError`` where the form is not kept."""
    version = int.from_bytes(data[4:8], "big")
    if data[:4] != _MAGIC or version not in (2, 3, _FIRST_COMPRESSED):
        raise ValueError("not an index that is known")
    at, before = _HEADER_BYTES, b""
    for _ in range(int.from_bytes(data[8:12], "big")):
        flags_at = at + _STAT_BYTES + hash_bytes
        flags = data[flags_at] << 8 | data[flags_at + 1]
        name_at = flags_at + (4 if flags & _EXTENDED else 2)
        if version == _FIRST_COMPRESSED:
            strip, name_at = _varint(data, name_at)
            end = data.index(b"\0", name_at)
            name = before[: len(before) - strip] + data[name_at:end]
            following = end + 1
        else:
            length = flags & _LENGTH
            end = data.index(b"\0", name_at if length == _LENGTH else name_at + length)
            name = data[name_at:end]
            following = at + (end - at + 8) // 8 * 8
        if name < before or len(name) < flags & _LENGTH or (flags & _LENGTH) not in (
            len(name), _LENGTH,
        ):  # fmt: skip
            raise ValueError("not in order, or not as long as it says")
        if name.startswith(start) and _is_regular(data, at):
            yield name
        at, before = following, name
    _check_extensions(data, at, len(data) - hash_bytes)


def _is_regular(data: bytes, at: int) -> bool:
    return int.from_bytes(data[at + _MODE_AT : at + _MODE_AT + 4], "big") >> 9 == _REGULAR


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number as packs spell offsets, and where it ends."""
    byte = data[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = data[at]
        value = (value + 1) << 7 | byte & 0x7F
    return value, at + 1


def _check_extensions(data: bytes, at: int, end: int) -> None:
    while at < end:
        signature = data[at : at + 4]
        if signature[:1].islower() and signature != _SPARSE:
            raise ValueError("the names may be in another file")
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "big")
    if at != end:
        raise ValueError("longer or shorter than it says")
