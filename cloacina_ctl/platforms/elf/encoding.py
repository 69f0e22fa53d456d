"""The encoding of an ELF file: the width of its words, and the order of their bytes.

Rules: System V ABI, "ELF Header" to "Symbol Table". A 32-bit file has the same fields as a 64-bit
one, in other widths and partly in another order.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class ElfHeader(NamedTuple):
    """The fields of the file's header that are used."""

    kind: int
    machine: int
    segment_offset: int
    section_offset: int
    flags: int
    segment_size: int
    segment_count: int
    section_size: int
    section_count: int


class SegmentHeader(NamedTuple):
    """A program header."""

    kind: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int


class Symbol(NamedTuple):
    """An entry of the symbol table."""

    name: int
    info: int
    section: int
    value: int


class Encoding:
    """The records of ELF files of one class (32 or 64 ``bits``) and byte order."""

    def __init__(self, bits: int, *, big_endian: bool = False) -> None:
        order, word = (">" if big_endian else "<"), ("Q" if bits == 64 else "I")
        self.bits = bits
        self.big_endian = big_endian
        self.word = bits // 8
        self.section_size = 64 if bits == 64 else 40
        self.entry = struct.Struct(f"{order}2{word}")
        self.version_need = struct.Struct(f"{order}HHIII")
        self.version_aux = struct.Struct(f"{order}IHHII")
        self.hash_head = struct.Struct(f"{order}4I")
        self._header = struct.Struct(f"{order}16xHHI3{word}I6H")
        self._segment = struct.Struct(f"{order}{'2I6Q' if bits == 64 else '8I'}")
        self._symbol = struct.Struct(f"{order}{'I2BH2Q' if bits == 64 else '3I2BH'}")
        self.header_size = self._header.size
        self.segment_size = self._segment.size
        self.symbol_size = self._symbol.size

    def number(self, data: bytes) -> int:
        """Return the unsigned number that ``data`` is."""
        return int.from_bytes(data, "big" if self.big_endian else "little")

    def header(self, data: bytes) -> ElfHeader:
        """Return the file's header."""
        kind, machine, _, _, segments, sections, flags, _, size, count, *rest = self._header.unpack(
            data
        )
        return ElfHeader(kind, machine, segments, sections, flags, size, count, rest[0], rest[1])

    def segments(self, data: bytes) -> Iterator[SegmentHeader]:
        """Yield the program headers."""
        for fields in self._segment.iter_unpack(data):
            if self.bits == 64:
                kind, flags, offset, address, _, file_size, memory_size, _ = fields
            else:
                kind, offset, address, _, file_size, memory_size, flags, _ = fields
            yield SegmentHeader(kind, flags, offset, address, file_size, memory_size)

    def symbol(self, data: bytes) -> Symbol:
        """Return an entry of the symbol table."""
        if self.bits == 64:
            name, info, _, section, value, _ = self._symbol.unpack(data)
        else:
            name, value, _, info, _, section = self._symbol.unpack(data)
        return Symbol(name, info, section, value)


_LITTLE, _BIG = 1, 2
# By the two bytes of the header that say so: class, byte order.
ENCODINGS = {
    (1, _LITTLE): Encoding(32),
    (2, _LITTLE): Encoding(64),
    (1, _BIG): Encoding(32, big_endian=True),
    (2, _BIG): Encoding(64, big_endian=True),
}
