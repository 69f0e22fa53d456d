"""Words that hold addresses: the values that a loader would write into them.

In a shared library every address in data is a relocation that adds the load address: a table of
places and values (RELA), or a packed list of places whose values stand in them (RELR).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from cloacina_ctl.platforms.elf.dynamic import RELA, RELAENT, RELASZ, RELR, RELRENT, RELRSZ
from cloacina_ctl.platforms.elf.reader import BadLibrary, OverLimit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from cloacina_ctl.platforms.elf.dynamic import Dynamic
    from cloacina_ctl.platforms.elf.header import Image

_RELOCATION = struct.Struct("<QQq")
_PIECE = 4096
# The largest libraries known have about 500 000.
MOST = 1 << 20
_MOST_TO_ONE = 4096


class Pointers:
    """The relocated words of an image, read on the first use."""

    def __init__(self, image: Image, dynamic: Dynamic) -> None:
        self._image = image
        self._dynamic = dynamic
        self._known: dict[int, int] | None = None

    def at(self, place: int) -> int | None:
        """Return the address that the word at ``place`` holds; None for a null pointer.

        Raises ``BadLibrary`` where the word is neither.
        """
        target = self._targets().get(place)
        if target is not None:
            return target
        if self._image.number(place, 8):
            raise BadLibrary(f"the word at the address {place:#x} is no pointer")
        return None

    def to(self, targets: Collection[int]) -> list[tuple[int, int]]:
        """Return the places of words that hold one of ``targets``, sorted, each with its target."""
        if not targets:
            return []
        found = [(p, target) for p, target in self._targets().items() if target in targets]
        if len(found) > _MOST_TO_ONE:
            raise OverLimit(f"{len(found)} pointers to the same texts")
        return sorted(found)

    def _targets(self) -> dict[int, int]:
        if self._known is None:
            self._known = dict(self._packed())
            self._known.update(self._listed())
        return self._known

    def _listed(self) -> Iterator[tuple[int, int]]:
        address, count = self._dynamic.table(RELA, RELASZ, 24, RELAENT)
        if count > MOST:
            raise OverLimit(f"{count} relocations")
        relative = self._image.machine.relative
        for first in range(0, count, _PIECE):
            size = min(_PIECE, count - first) * 24
            piece = self._image.read(address + first * 24, size)
            for place, kind, target in _RELOCATION.iter_unpack(piece):
                if kind == relative and target > 0:
                    yield place, target

    def _packed(self) -> Iterator[tuple[int, int]]:
        """Decode RELR: an even word is a place, an odd one a map of the 63 words that follow."""
        address, count = self._dynamic.table(RELR, RELRSZ, 8, RELRENT)
        if not count:
            return
        if count > MOST:
            raise OverLimit(f"{count} packed relocations")
        known = following = 0
        for (word,) in struct.iter_unpack("<Q", self._image.read(address, count * 8)):
            is_map = word & 1
            place, bits = (following, word >> 1) if is_map else (word, 1)
            known += (bits).bit_count()
            if known > MOST:
                raise OverLimit(f"more than {MOST} packed relocations")
            yield from self._words(place, bits)
            following = place + (63 * 8 if is_map else 8)

    def _words(self, place: int, bits: int) -> Iterator[tuple[int, int]]:
        """Yield the words from ``place`` on that have a bit, with their places."""
        count = bits.bit_length()
        words = struct.unpack(f"<{count}Q", self._image.read(place, count * 8))
        for index, word in enumerate(words):
            if bits >> index & 1:
                yield place + 8 * index, word
