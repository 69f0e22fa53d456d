"""The dynamic section: needed libraries, symbol versions, exported entry points.

Names are looked up as a loader does, through the hash tables, so that neither section headers
nor the number of symbols matter. Rules: System V ABI, "Dynamic Section"; the GNU extensions as in
glibc's ``elf/dl-lookup.c`` and ``elf/dl-version.c``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.platforms.baseline import Need
from cloacina_ctl.platforms.elf.header import other_kind
from cloacina_ctl.platforms.elf.reader import BadLibrary, OverLimit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.platforms.elf.encoding import Symbol
    from cloacina_ctl.platforms.elf.header import Image

# The functions that a Cloacina host looks up, by interface.
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

_FUNCTION, _NO_TYPE = 2, 0
_BINDINGS = (1, 2)
_WEAK_VERSION = 2

_MOST_ENTRIES = 65_536
_MOST_NEEDED = 1024
_MOST_VERSIONS = 4096
_MOST_NAME = 4096
_MOST_CHAIN = 4096


class Dynamic:
    """The dynamic section of an image; each property is read on its first use."""

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
        entry = self._image.encoding.entry
        if size > _MOST_ENTRIES * entry.size:
            raise OverLimit(f"a dynamic section of {size} bytes")
        table = self._image.read(address, size - size % entry.size)
        for tag, value in entry.iter_unpack(table):
            if tag == 0:
                return
            if tag == NEEDED:
                self._needed.append(value)
            elif tag in self._single and tag in _SINGLE:
                raise BadLibrary(f"its dynamic section has the entry {tag:#x} twice")
            else:
                self._single[tag] = value
        raise BadLibrary("its dynamic section has no end")

    def has(self, tag: int) -> bool:
        """Return whether the section has the entry ``tag``."""
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
            raise BadLibrary(
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
        """Return whether a loader has to rewrite the code."""
        return self.has(TEXTREL) or bool(self.value(FLAGS) & _DF_TEXTREL)

    @property
    def constructors(self) -> int:
        """Count the functions that run when the library is loaded."""
        arrays = self.value(INIT_ARRAYSZ) + self.value(PREINIT_ARRAYSZ)
        return arrays // self._image.encoding.word + self.has(INIT)

    @property
    def packed_relocations(self) -> bool:
        """Return whether relocations are packed (RELR), whatever their number."""
        return self.has(RELR)

    def needed_versions(self) -> Iterator[Need]:
        """Yield the versions of symbols without which a loader refuses the library.

        A version that is only needed weakly is none of them.
        """
        record = self._image.encoding.version_need
        address, left, budget = self.value(VERNEED), self.value(VERNEEDNUM), _MOST_VERSIONS
        if not address:
            return
        while left:
            _, count, file, aux, following = record.unpack(self._image.read(address, record.size))
            budget -= count + 1
            if budget < 0:
                raise OverLimit(f"more than {_MOST_VERSIONS} symbol versions")
            name = self._name(file)
            yield from (Need(name, one) for one in self._versions_at(address + aux, count))
            left -= 1
            if left and not following:
                raise BadLibrary("its list of symbol versions ends before its count")
            address += following

    def _versions_at(self, address: int, count: int) -> Iterator[str]:
        record = self._image.encoding.version_aux
        for left in range(count, 0, -1):
            _, flags, _, name, following = record.unpack(self._image.read(address, record.size))
            if not flags & _WEAK_VERSION:
                yield self._name(name)
            if left > 1 and not following:
                raise BadLibrary("its list of symbol versions ends before its count")
            address += following

    def exports(self) -> dict[str, int]:
        """Return the addresses of the functions of ``ENTRY_POINTS`` that are exported."""
        found = {name: self._function(name) for name in ENTRY_POINTS}
        return {name: address for name, address in found.items() if address is not None}

    def _function(self, name: str) -> int | None:
        if not self.has(SYMTAB):
            return None
        encoding = self._image.encoding
        size = encoding.symbol_size
        if self.value(SYMENT) != size:
            raise BadLibrary(f"symbols have {size} bytes, it says {self.value(SYMENT)}")
        wanted = name.encode() + b"\0"
        for index in self._candidates(name.encode()):
            symbol = encoding.symbol(self._image.read(self.value(SYMTAB) + index * size, size))
            if (
                _is_exported_function(symbol)
                and self._string_is(symbol.name, wanted)
                and self._is_callable(symbol.value)
            ):
                return symbol.value
        return None

    def _is_callable(self, address: int) -> bool:
        if self._image.is_code(address) or not self._image.machine.descriptors:
            return self._image.is_code(address)
        return self._image.is_code(self._image.number(address, self._image.encoding.word))

    def _candidates(self, name: bytes) -> Iterator[int]:
        if self.has(GNU_HASH):
            return self._by_gnu_hash(self.value(GNU_HASH), _gnu_hash(name))
        if self.has(HASH):
            return self._by_hash(self.value(HASH), _sysv_hash(name))
        return iter(())

    def _by_gnu_hash(self, table: int, hashed: int) -> Iterator[int]:
        encoding = self._image.encoding
        buckets, first, filters, _ = encoding.hash_head.unpack(self._image.read(table, 16))
        if not buckets:
            return
        bucket_table = table + 16 + encoding.word * filters
        index = self._image.number(bucket_table + 4 * (hashed % buckets), 4)
        if not index:
            return
        if index < first:
            raise BadLibrary(f"its hash table names the symbol {index}, and begins at {first}")
        chain = bucket_table + 4 * buckets - 4 * first
        for number in range(index, index + _MOST_CHAIN):
            entry = self._image.number(chain + 4 * number, 4)
            if entry | 1 == hashed | 1:
                yield number
            if entry & 1:
                return
        raise OverLimit(f"more than {_MOST_CHAIN} symbols in one chain of the hash table")

    def _by_hash(self, table: int, hashed: int) -> Iterator[int]:
        width = self._image.machine.hash_entry
        buckets, symbols = (self._image.number(table + place, width) for place in (0, width))
        if not buckets:
            return
        table += 2 * width
        index = self._image.number(table + width * (hashed % buckets), width)
        for _ in range(_MOST_CHAIN):
            if not index:
                return
            if index >= symbols:
                raise BadLibrary(f"its hash table names the symbol {index} of {symbols}")
            yield index
            index = self._image.number(table + width * (buckets + index), width)
        raise OverLimit(f"more than {_MOST_CHAIN} symbols in one chain of the hash table")

    def _string_is(self, offset: int, wanted: bytes) -> bool:
        start, size = self._strings
        if offset >= size:
            raise BadLibrary(f"a name begins at {offset} of {size} bytes of names")
        count = min(len(wanted), size - offset)
        return self._image.read(start + offset, count) == wanted

    def _name(self, offset: int) -> str:
        start, size = self._strings
        if offset >= size:
            raise BadLibrary(f"a name begins at {offset} of {size} bytes of names")
        name = self._image.string(start + offset, min(_MOST_NAME, size - offset - 1))
        # Names are bytes to a loader; bytes that are not UTF-8 are kept and shown as escapes.
        return name.decode("utf-8", "backslashreplace")


def _is_exported_function(symbol: Symbol) -> bool:
    kind, binding = symbol.info & 15, symbol.info >> 4
    return kind in (_FUNCTION, _NO_TYPE) and binding in _BINDINGS and symbol.section != 0


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
