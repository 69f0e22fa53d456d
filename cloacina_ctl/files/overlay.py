"""Patches over the bytes of a file as it is read; the file itself stays as it is.

A reader lays the patches over each piece that it reads, so no copy is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Patch(NamedTuple):
    """The bytes that stand at ``offset``."""

    offset: int
    data: bytes


def lay_over(piece: bytearray | memoryview, start: int, patches: Iterable[Patch]) -> None:
    """Apply the patches to ``piece``, which begins at the offset ``start``."""
    end = start + len(piece)
    for offset, data in patches:
        first, last = max(offset, start), min(offset + len(data), end)
        if first < last:
            piece[first - start : last - start] = data[first - offset : last - offset]


def laid_over(piece: bytes, start: int, patches: tuple[Patch, ...]) -> bytes:
    """Return ``piece``, which begins at the offset ``start``, with the patches applied."""
    if not patches:
        return piece
    patched = bytearray(piece)
    lay_over(patched, start, patches)
    return bytes(patched)
