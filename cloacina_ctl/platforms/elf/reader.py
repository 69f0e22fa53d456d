"""Bounded reads of one file: at a place, or for a sequence of bytes, never past the end.

A file may change while it is read, so nothing is mapped: each byte is copied once, from the same
descriptor, and each read is checked by itself.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from cloacina_ctl.files.overlay import laid_over

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.files.overlay import Patch

# Up to this size a file is read whole: a release library is 1 MB and most of it is used.
WHOLE = 8 << 20
# Larger ones are searched in pieces of this size; a debug library is 30 MB, most of it unmapped.
PIECE = 1 << 20


class BadLibrary(Exception):
    """The bytes contradict themselves; the message says how. Never leaves this package."""


class OverLimit(Exception):
    """More than any library has, and more than is read; the message says of what."""


class ElfSource(Protocol):
    """The bytes of a file."""

    size: int

    def read(self, offset: int, count: int) -> bytes:
        """Return exactly ``count`` bytes from ``offset``, or raise ``BadLibrary``."""

    def find(self, needle: bytes, start: int, end: int) -> Iterator[int]:
        """Yield the offsets of ``needle`` within ``start`` and ``end``, ascending."""


class BytesSource:
    """A file that is in memory."""

    def __init__(self, data: bytes | bytearray) -> None:
        self._data = data
        self.size = len(data)

    def read(self, offset: int, count: int) -> bytes:
        """Return exactly ``count`` bytes from ``offset``, or raise ``BadLibrary``."""
        _within(self.size, offset, count)
        return bytes(self._data[offset : offset + count])

    def find(self, needle: bytes, start: int, end: int) -> Iterator[int]:
        """Yield the offsets of ``needle`` within ``start`` and ``end``, ascending."""
        found = self._data.find(needle, start, end)
        while found >= 0:
            yield found
            found = self._data.find(needle, found + 1, end)


class FileSource:
    """A file behind an open descriptor, read on demand, with ``patches`` over it."""

    def __init__(self, fd: int, size: int, patches: tuple[Patch, ...] = ()) -> None:
        self._fd = fd
        self.size = size
        self._patches = patches

    def read(self, offset: int, count: int) -> bytes:
        """Return exactly ``count`` bytes from ``offset``, or raise ``BadLibrary``."""
        _within(self.size, offset, count)
        start, pieces = offset, []
        while count:
            piece = os.pread(self._fd, count, offset)
            if not piece:
                raise BadLibrary("it became shorter while it was read")
            pieces.append(piece)
            offset += len(piece)
            count -= len(piece)
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return laid_over(data, start, self._patches)

    def find(self, needle: bytes, start: int, end: int) -> Iterator[int]:
        """Yield the offsets of ``needle`` within ``start`` and ``end``, ascending."""
        last = end - len(needle)
        while start <= last:
            # Pieces overlap by less than the needle, so that each place is seen once.
            count = min(PIECE, end - start)
            piece = BytesSource(self.read(start, count))
            for found in piece.find(needle, 0, count):
                yield start + found
            start += count - len(needle) + 1


def open_source(fd: int, patches: tuple[Patch, ...] = ()) -> ElfSource:
    """Return the bytes behind ``fd``, ``patches`` over them: whole in memory when they are few."""
    size = os.fstat(fd).st_size
    source = FileSource(fd, size, patches)
    return BytesSource(source.read(0, size)) if size <= WHOLE else source


def _within(size: int, offset: int, count: int) -> None:
    if offset < 0 or count < 0 or offset + count > size:
        raise BadLibrary(
            f"it is cut short or points outside itself: "
            f"{count} bytes expected at {offset}, the file ends at {size}"
        )
