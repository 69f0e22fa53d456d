"""The dynamic section: needed libraries, symbol versions, exported entry points.

Names are looked up as a loader does it, through the hash tables, so that neither section headers
nor the number of symbols matter. Rules: System V ABI, "Dynamic Section"; the GNU extensions as in
glibc's ``elf/dl-lookup.c`` and ``elf/dl-version.c``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from cloacina_ctl.platforms.elf import other_kind
from cloacina_ctl.platforms.reading import OverLimit, Unreadable
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.platforms.elf import Image

# What a Cloacina host asks for, by generation.
FIDIUS_REGISTRY = "fidius_get_registry"
C_TASKS = "cloacina_get_task_metadata"
C_COLLECTION = "get_task_metadata"
C_EXECUTE = "cloacina_execute_task"
ENTRY_POINTS = (
    C_EXECUTE,
    C_TASKS,
    "fidius_get_host_imports",
    FIDIUS_REGISTRY,
    C_COLLECTION,
)

NEEDED, SONAME, RPATH, RUNPATH = 1, 14, 15, 29
HASH, STRTAB, SYMTAB, STRSZ, SYMENT = 4, 5, 6, 10, 11
RELA, RELASZ, RELAENT, RELRSZ, RELR, RELRENT = 7, 8, 9, 35, 36, 37
INIT, TEXTREL, DEBUG, INIT_ARRAYSZ, FLAGS, PREINIT_ARRAYSZ = 12, 22, 21, 27, 30, 33
GNU_HASH, FLAGS_1, VERNEED, VERNEEDNUM = 0x6FFFFEF5, 0x6FFFFFFB, 0x6FFFFFFE, 0x6FFFFFFF
_SINGLE = frozenset(
    {
        *(SONAME, RPATH, RUNPATH, HASH, STRTAB, SYMTAB, STRSZ, SYMENT, RELA, RELASZ, RELAENT),
        *(RELRSZ, RELR, RELRENT, GNU_HASH, VERNEED, VERNEEDNUM),
    }
)
_DF_TEXTREL, _DF_1_PIE = 4, 0x08000000

_ENTRY = struct.Struct("<QQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_VERSION_NEED = struct.Struct("<HHIII")
_VERSION_AUX = struct.Struct("<IHHII")
_FUNCTION, _NO_TYPE = 2, 0
_BINDINGS = (1, 2)
_WEAK_VERSION = 2

_MOST_ENTRIES = 65_536
_MOST_NEEDED = 1024
_MOST_VERSIONS = 4096
_MOST_NAME = 4096
_MOST_CHAIN = 4096


class _Symbol(NamedTuple):
    name: int
    info: int
    other: int
    section: int
    value: int
    size: int

    @property
    def is_exported_function(self) -> bool:
        kind, binding = self.info & 15, self.info >> 4
        return kind in (_FUNCTION, _NO_TYPE) and binding in _BINDINGS and self.section != 0


class Dynamic:
    """The dynamic section of an image; each property is read when it is asked."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._single: dict[int, int] = {}
        self._needed: list[int] = []
        self._read_entries()
        self._strings = (self.value(STRTAB), self.value(STRSZ))
        if self.value(FLAGS_1) & _DF_1_PIE or (image.interpreted and self.has(DEBUG)):
            raise other_kind("an ELF executable that can be loaded anywhere")

    def _read_entries(self) -> None:
        address, size = self._image.dynamic
        if size > _MOST_ENTRIES * _ENTRY.size:
            raise OverLimit(f"a dynamic section of {size} bytes")
        table = self._image.read(address, size - size % _ENTRY.size)
        for tag, value in _ENTRY.iter_unpack(table):
            if tag == 0:
                return
            if tag == NEEDED:
                self._needed.append(value)
            elif tag in self._single and tag in _SINGLE:
                raise Unreadable(f"its dynamic section has the entry {tag:#x} twice")
            else:
                self._single[tag] = value
        raise Unreadable("its dynamic section has no end")

    def has(self, tag: int) -> bool:
        """Tell whether the section has the entry ``tag``."""
        return tag in self._single

    def value(self, tag: int) -> int:
        """Return the value of the entry ``tag``, 0 where it is absent."""
        return self._single.get(tag, 0)

    def table(
        self, address_tag: int, size_tag: int, size_of_one: int, tag_of_one: int
    ) -> tuple[int, int]:
        """Return address and number of entries of a table; ``(0, 0)`` where it is absent."""
        address, size = self.value(address_tag), self.value(size_tag)
        if not address or not size:
            return (0, 0)
        if self.value(tag_of_one) != size_of_one or size % size_of_one:
            raise Unreadable(
                f"entries of the table {address_tag:#x} have {size_of_one} bytes: "
                f"it says {self.value(tag_of_one)}, and {size} in all"
            )
        return (address, size // size_of_one)

    @property
    def needed(self) -> tuple[str, ...]:
        """Return the libraries that get loaded with it, in the order of the file."""
        if len(self._needed) > _MOST_NEEDED:
            raise OverLimit(f"{len(self._needed)} needed libraries")
        return tuple(self._name(offset) for offset in self._needed)

    def text(self, tag: int) -> str | None:
        """Return the string that the entry ``tag`` names; None where it is absent."""
        return self._name(self._single[tag]) if tag in self._single else None

    @property
    def text_relocations(self) -> bool:
        """Tell whether a loader has to rewrite the code."""
        return self.has(TEXTREL) or bool(self.value(FLAGS) & _DF_TEXTREL)

    @property
    def constructors(self) -> int:
        """Count the functions that run when the library is loaded."""
        arrays = self.value(INIT_ARRAYSZ) + self.value(PREINIT_ARRAYSZ)
        return arrays // 8 + self.has(INIT)

    def needed_versions(self) -> Iterator[str]:
        """Yield the versions of symbols without which a loader refuses the library.

        A version that is only needed weakly is none of them.
        """
        address, left, budget = self.value(VERNEED), self.value(VERNEEDNUM), _MOST_VERSIONS
        if not address:
            return
        while left:
            _, count, _, aux, following = _VERSION_NEED.unpack(
                self._image.read(address, _VERSION_NEED.size)
            )
            budget -= count + 1
            if budget < 0:
                raise OverLimit(f"more than {_MOST_VERSIONS} symbol versions")
            yield from self._versions_at(address + aux, count)
            left -= 1
            if left and not following:
                raise Unreadable("its list of symbol versions ends before its count")
            address += following

    def _versions_at(self, address: int, count: int) -> Iterator[str]:
        for left in range(count, 0, -1):
            _, flags, _, name, following = _VERSION_AUX.unpack(
                self._image.read(address, _VERSION_AUX.size)
            )
            if not flags & _WEAK_VERSION:
                yield self._name(name)
            if left > 1 and not following:
                raise Unreadable("its list of symbol versions ends before its count")
            address += following

    def exports(self) -> dict[str, int]:
        """Return the addresses of the functions of ``ENTRY_POINTS`` that are exported."""
        found = {name: self._function(name) for name in ENTRY_POINTS}
        return {name: address for name, address in found.items() if address is not None}

    def _function(self, name: str) -> int | None:
        if not self.has(SYMTAB):
            return None
        if self.value(SYMENT) != _SYMBOL.size:
            raise Unreadable(f"symbols have {_SYMBOL.size} bytes, it says {self.value(SYMENT)}")
        wanted = name.encode() + b"\0"
        for index in self._candidates(name.encode()):
            place = self.value(SYMTAB) + index * _SYMBOL.size
            symbol = _Symbol._make(_SYMBOL.unpack(self._image.read(place, _SYMBOL.size)))
            if (
                symbol.is_exported_function
                and self._string_is(symbol.name, wanted)
                and self._image.is_code(symbol.value)
            ):
                return symbol.value
        return None

    def _candidates(self, name: bytes) -> Iterator[int]:
        if self.has(GNU_HASH):
            return self._by_gnu_hash(self.value(GNU_HASH), _gnu_hash(name))
        if self.has(HASH):
            return self._by_hash(self.value(HASH), _sysv_hash(name))
        return iter(())

    def _by_gnu_hash(self, table: int, hashed: int) -> Iterator[int]:
        buckets, first, filters, _ = struct.unpack("<4I", self._image.read(table, 16))
        if not buckets:
            return
        bucket_table = table + 16 + 8 * filters
        index = self._image.number(bucket_table + 4 * (hashed % buckets), 4)
        if not index:
            return
        if index < first:
            raise Unreadable(f"its hash table names the symbol {index}, and begins at {first}")
        chain = bucket_table + 4 * buckets - 4 * first
        for number in range(index, index + _MOST_CHAIN):
            entry = self._image.number(chain + 4 * number, 4)
            if entry | 1 == hashed | 1:
                yield number
            if entry & 1:
                return
        raise OverLimit(f"more than {_MOST_CHAIN} symbols in one chain of the hash table")

    def _by_hash(self, table: int, hashed: int) -> Iterator[int]:
        buckets, symbols = struct.unpack("<2I", self._image.read(table, 8))
        if not buckets:
            return
        index = self._image.number(table + 8 + 4 * (hashed % buckets), 4)
        for _ in range(_MOST_CHAIN):
            if not index:
                return
            if index >= symbols:
                raise Unreadable(f"its hash table names the symbol {index} of {symbols}")
            yield index
            index = self._image.number(table + 8 + 4 * buckets + 4 * index, 4)
        raise OverLimit(f"more than {_MOST_CHAIN} symbols in one chain of the hash table")

    def _string_is(self, offset: int, wanted: bytes) -> bool:
        start, size = self._strings
        if offset >= size:
            raise Unreadable(f"a name begins at {offset} of {size} bytes of names")
        count = min(len(wanted), size - offset)
        return self._image.read(start + offset, count) == wanted

    def _name(self, offset: int) -> str:
        start, size = self._strings
        if offset >= size:
            raise Unreadable(f"a name begins at {offset} of {size} bytes of names")
        name = self._image.string(start + offset, min(_MOST_NAME, size - offset - 1))
        # Names are bytes to a loader; what is not UTF-8 is shown, and kept, as escapes.
        return name.decode("utf-8", "backslashreplace")


def _gnu_hash(name: bytes) -> int:
    hashed = 5381
    for byte in name:
        hashed = (hashed * 33 + byte) & 0xFFFFFFFF
    return hashed


def _sysv_hash(name: bytes) -> int:
    hashed = 0
    for byte in name:
        hashed = (hashed << 4) + byte
        high = hashed & 0xF0000000
        hashed = (hashed ^ (high >> 24)) & ~high & 0xFFFFFFFF
    return hashed
