"""Shared libraries made by hand, byte by byte, so that no test needs a compiler.

Of any class and byte order; what points into them (relocations, plugins) for 64-bit ones alone.

Three segments: read-only data, code, writable data. Addresses are known as soon as something is
put in, so pointers are plain numbers. What ``build`` adds (tables of symbols, versions,
relocations, the dynamic section) can be overridden to be wrong.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

X86_64, AARCH64, S390 = 62, 183, 22
RELATIVE = {X86_64: 8, AARCH64: 1027, 243: 3, 258: 3, 21: 22}
READ_ONLY, CODE, DATA = 0x1000, 0x0800_0000, 0x0900_0000
RETURN = {X86_64: b"\xc3", AARCH64: b"\xc0\x03\x5f\xd6"}

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_GNU_STACK = 1, 2, 3, 0x6474E551
NEEDED, SONAME, RPATH, RUNPATH = 1, 14, 15, 29
HASH, STRTAB, SYMTAB, STRSZ, SYMENT = 4, 5, 6, 10, 11
RELA, RELASZ, RELAENT, RELRSZ, RELR, RELRENT = 7, 8, 9, 35, 36, 37
GNU_HASH, VERNEED, VERNEEDNUM = 0x6FFFFEF5, 0x6FFFFFFE, 0x6FFFFFFF


class Pointer(int):
    """An address that a loader moves."""


@dataclass
class Elf:
    """A library in the making."""

    machine: int = X86_64
    bits: int = 64
    order: str = "<"
    flags: int = 0
    needed: tuple[str | bytes, ...] = ("libc.so.6",)
    soname: str | None = None
    runpath: str | None = None
    rpath: str | None = None
    # Libraries with the versions needed of them, each with its flags.
    versions: dict[str, list[tuple[str, int]]] = field(
        default_factory=lambda: {"libc.so.6": [("GLIBC_2.2.5", 0), ("GLIBC_2.34", 0)]}
    )
    exports: dict[str, int] = field(default_factory=dict)
    hash_style: str = "gnu"
    packed: bool = False
    stack: int | None = 6
    more_entries: list[tuple[int, int | None]] = field(default_factory=list)
    more_segments: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)
    # Entries of the dynamic section that are to say something else, or (None) nothing.
    wrong: dict[int, int | None] = field(default_factory=dict)
    sections: int = 2
    _ro: bytearray = field(default_factory=bytearray)
    _code: bytearray = field(default_factory=bytearray)
    _data: bytearray = field(default_factory=bytearray)
    _relocations: dict[int, int] = field(default_factory=dict)
    _strings: bytearray = field(default_factory=lambda: bytearray(b"\0"))

    def ro(self, data: bytes, align: int = 1) -> int:
        """Put read-only data; return its address."""
        self._ro += bytes(-len(self._ro) % align)
        self._ro += data
        return READ_ONLY + len(self._ro) - len(data)

    def text(self, text: str | bytes) -> Pointer:
        """Put a C string; return a pointer to it."""
        return Pointer(self.ro((text.encode() if isinstance(text, str) else text) + b"\0"))

    def code(self, code: bytes | None = None) -> Pointer:
        """Put a function; return a pointer to it."""
        self._code += bytes(-len(self._code) % 16)
        at = CODE + len(self._code)
        self._code += code if code is not None else RETURN.get(self.machine, bytes(4))
        return Pointer(at)

    def returning(self, address: int, before: bytes = b"") -> Pointer:
        """Put a function that returns ``address``, as compilers write it."""
        at = self.code(b"") + len(before)
        if self.machine == X86_64:
            body = b"\x48\x8d\x05" + struct.pack("<i", address - at - 7)
        else:
            pages = (address >> 12) - (at >> 12)
            adrp = 0x90000000 | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5
            body = struct.pack("<2I", adrp, 0x91000000 | (address & 0xFFF) << 10)
        return self.code(before + body + RETURN[self.machine])

    def data(self, *items: int | bytes) -> Pointer:
        """Put words: numbers, pointers, or bytes as they are (padded to words)."""
        at = DATA + len(self._data)
        for item in items:
            if isinstance(item, bytes):
                self._data += item + bytes(-len(item) % 8)
                continue
            if isinstance(item, Pointer):
                self._relocations[DATA + len(self._data)] = item
            in_place = not isinstance(item, Pointer) or self.packed
            self._data += self.pack("W", item if in_place else 0)
        return Pointer(at)

    def pack(self, form: str, *values: int | bytes) -> bytes:
        """Return numbers in the file's byte order; ``W`` is as wide as a word of it."""
        return struct.pack(self.order + form.replace("W", "Q" if self.bits == 64 else "I"), *values)

    def string(self, text: str | bytes) -> int:
        """Put a name among the dynamic strings; return its offset."""
        at = len(self._strings)
        self._strings += (text.encode() if isinstance(text, str) else text) + b"\0"
        return at

    def build(self) -> bytes:
        """Return the file."""
        entries = [(NEEDED, self.string(name)) for name in self.needed]
        for tag, text in ((SONAME, self.soname), (RUNPATH, self.runpath), (RPATH, self.rpath)):
            if text is not None:
                entries.append((tag, self.string(text)))
        entries += self._symbols() + self._versions() + self._relocation_table()
        entries += [(STRTAB, self.ro(bytes(self._strings))), (STRSZ, len(self._strings))]
        said = [(tag, self.wrong.get(tag, value)) for tag, value in entries] + self.more_entries
        given = ((tag, value) for tag, value in said if value is not None)
        table = b"".join(self.pack("2W", *entry) for entry in given) + bytes(16)
        dynamic = self.data(table)
        return self._file(dynamic, len(table))

    def _symbols(self) -> list[tuple[int, int]]:
        names = sorted(self.exports, key=lambda name: gnu_hash(name.encode()) % 4)
        size = 24 if self.bits == 64 else 16
        symbols = bytes(size) + b"".join(map(self._symbol, names))
        entries = [(SYMTAB, self.ro(symbols, 8)), (SYMENT, size)]
        if self.hash_style == "gnu":
            entries.append((GNU_HASH, self.ro(gnu_table(self, names), 8)))
        elif self.hash_style == "sysv":
            entries.append((HASH, self.ro(sysv_table(self, names), 8)))
        return entries

    def _symbol(self, name: str) -> bytes:
        at, value = self.string(name), self.exports[name]
        if self.bits == 64:
            return self.pack("IBBHQQ", at, 0x12, 0, 1, value, 8)
        return self.pack("IIIBBH", at, value, 8, 0x12, 0, 1)

    def _versions(self) -> list[tuple[int, int]]:
        if not self.versions:
            return []
        table = b""
        for number, (library, names) in enumerate(self.versions.items(), 1):
            following = 16 + 16 * len(names) if number < len(self.versions) else 0
            table += self.pack("HHIII", 1, len(names), self.string(library), 16, following)
            for index, (name, flags) in enumerate(names, 1):
                further = 16 if index < len(names) else 0
                table += self.pack("IHHII", 0, flags, index + 1, self.string(name), further)
        return [(VERNEED, self.ro(table, 8)), (VERNEEDNUM, len(self.versions))]

    def _relocation_table(self) -> list[tuple[int, int]]:
        if not self._relocations:
            return []
        if self.packed:
            table = packed_places(sorted(self._relocations))
            return [(RELR, self.ro(table, 8)), (RELRSZ, len(table)), (RELRENT, 8)]
        kind = RELATIVE[self.machine]
        table = b"".join(
            struct.pack("<QQq", place, kind, target) for place, target in self._relocations.items()
        )
        return [(RELA, self.ro(table, 8)), (RELASZ, len(table)), (RELAENT, 24)]

    def _file(self, dynamic: int, dynamic_size: int) -> bytes:
        body = bytearray(READ_ONLY)
        segments = []
        for flags, start, content in (
            (4, READ_ONLY, self._ro), (5, CODE, self._code), (6, DATA, self._data)
        ):  # fmt: skip
            body += bytes(-len(body) % 0x1000)
            segments.append((PT_LOAD, flags, len(body), start, len(content), len(content)))
            body += content
        inside = segments[-1][2] + dynamic - DATA
        segments.append((PT_DYNAMIC, 6, inside, dynamic, dynamic_size, dynamic_size))
        if self.stack is not None:
            segments.append((PT_GNU_STACK, self.stack, 0, 0, 0, 0))
        segments += self.more_segments
        table = b"".join(self._segment(*segment) for segment in segments)
        section_offset = len(body) if self.sections else 0
        header, segment, section = (64, 56, 64) if self.bits == 64 else (52, 32, 40)
        body += bytes(section * self.sections)
        ident = b"\x7fELF" + bytes([self.bits // 32, 1 if self.order == "<" else 2, 1])
        head = self.pack(
            "16sHHI3WIHHHHHH", ident, 3, self.machine, 1, 0, header, section_offset,
            self.flags, header, segment, len(segments), section, self.sections, 0,
        )  # fmt: skip
        body[: len(head) + len(table)] = head + table
        return bytes(body)

    def _segment(
        self, kind: int, flags: int, offset: int, address: int, size: int, memory: int
    ) -> bytes:
        where = (offset, address, address, size, memory)
        if self.bits == 64:
            return self.pack("II6Q", kind, flags, *where, 0x1000)
        return self.pack("8I", kind, *where, flags, 0x1000)


def packed_places(places: list[int]) -> bytes:
    """Encode RELR: a place, then maps of 63 words each for what follows it closely."""
    words = []
    while places:
        first, *places = places
        words.append(first)
        following = first + 8
        while places and places[0] < following + 63 * 8:
            near = [place for place in places if place < following + 63 * 8]
            words.append(1 | sum(1 << ((place - following) // 8 + 1) for place in near))
            places = places[len(near) :]
            following += 63 * 8
    return struct.pack(f"<{len(words)}Q", *words)


def gnu_hash(name: bytes) -> int:
    hashed = 5381
    for byte in name:
        hashed = (hashed * 33 + byte) & 0xFFFFFFFF
    return hashed


def gnu_table(elf: Elf, names: list[str]) -> bytes:
    """Return the table for ``names``, which are sorted by bucket (of four)."""
    hashes = [gnu_hash(name.encode()) for name in names]
    buckets = [0] * 4
    chain = []
    for index, hashed in enumerate(hashes):
        bucket = hashed % 4
        buckets[bucket] = buckets[bucket] or index + 1
        is_last = index + 1 == len(hashes) or hashes[index + 1] % 4 != bucket
        chain.append(hashed & ~1 | is_last)
    head = elf.pack("4IW", 4, 1, 1, 0, 2**elf.bits - 1)
    return head + elf.pack(f"4I{len(chain)}I", *buckets, *chain)


def sysv_hash(name: bytes) -> int:
    hashed = 0
    for byte in name:
        hashed = (hashed << 4) + byte
        hashed ^= (hashed & 0xF0000000) >> 24
        hashed &= 0x0FFFFFFF
    return hashed


def sysv_table(elf: Elf, names: list[str]) -> bytes:
    """Return the table with two buckets; s390x has wide entries."""
    buckets = [0] * 2
    chain = [0] * (len(names) + 1)
    for index, name in enumerate(names, 1):
        bucket = sysv_hash(name.encode()) % 2
        chain[index] = buckets[bucket]
        buckets[bucket] = index
    number = "Q" if elf.machine == S390 and elf.bits == 64 else "I"
    return elf.pack(f"{4 + len(chain)}{number}", 2, len(chain), *buckets, *chain)
