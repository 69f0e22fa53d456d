"""Removing folders of the builder's machine from the path in which a library searches for others.

A loader looks for needed libraries in the folders of ``DT_RUNPATH`` or ``DT_RPATH``. Those that
begin with ``$ORIGIN`` are relative to the library. All others name a place of one machine: an
absolute folder, or for a relative or empty entry the current folder of the process. They are
removed in place, as patches; the file keeps its size and its layout.

Linkers store a name once where another string ends with it, so the end of a search path can be the
name of an exported function. No byte is changed that another string of the table needs; where that
is not known, none of the string is. Rules: System V ABI, "Dynamic Section", "String Table".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Refused
from cloacina_ctl.files.overlay import Patch
from cloacina_ctl.files.staging import reported
from cloacina_ctl.platforms.elf.dynamic import (
    GNU_HASH,
    HASH,
    NEEDED,
    RPATH,
    RUNPATH,
    SONAME,
    STRSZ,
    STRTAB,
    SYMTAB,
    VERNEED,
    VERNEEDNUM,
)
from cloacina_ctl.platforms.elf.header import open_image
from cloacina_ctl.platforms.elf.reader import BadLibrary, OverLimit, open_source
from cloacina_ctl.platforms.folders import SearchPath, fixed_folders, is_beside
from cloacina_ctl.platforms.library_file import read_library
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.platforms.elf.header import Image
    from cloacina_ctl.platforms.elf.reader import ElfSource

_VERDEF, _VERDEFNUM, _GNU_LIBLIST = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFEF9
_CONFIG, _DEPAUDIT, _AUDIT = 0x6FFFFEFA, 0x6FFFFEFB, 0x6FFFFEFC
_AUXILIARY, _USED, _FILTER = 0x7FFFFFFD, 0x7FFFFFFE, 0x7FFFFFFF
_NAMES = frozenset({NEEDED, SONAME, _CONFIG, _DEPAUDIT, _AUDIT, _AUXILIARY, _USED, _FILTER})
_SHT_STRTAB, _SHT_DYNSYM = 3, 11
# The kinds of sections with names that the dynamic section leads to, beside symbols.
_KNOWN_USERS = frozenset({6, _SHT_DYNSYM, 0x6FFFFFFD, 0x6FFFFFFE})
_S390 = 22  # the one machine here whose table DT_HASH has words of 64 bits
_PIECE = 1 << 20
_MOST_VERSIONS = 65_536


def cut_search_path(path: str) -> SearchPath:
    """Return the patches after which the library in the file ``path`` searches only beside itself.

    With the patches all its facts but the search path are the same, or there are no patches. A
    file that is no library, or a damaged one, gives none: ``read_library`` reports it.
    """
    try:
        with reported(path), open(path, "rb") as file:
            found = _Cut(open_source(file.fileno())).run()
        if not found.patches:
            return found
        before, after = read_library(path), read_library(path, patches=found.patches)
    except (Refused, BadLibrary, OverLimit, struct.error):
        return SearchPath()
    same = after._replace(rpath=before.rpath, runpath=before.runpath) == before
    if same and {*fixed_folders(after)} == {*found.left}:
        return found
    return SearchPath(left=fixed_folders(before))


def _shown(entry: str) -> str:
    """Return the entry as ``read_library`` has it: bytes that are not UTF-8 as escapes."""
    return entry.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class _Form(NamedTuple):
    """The encoding of numbers in a file: byte order, and the letter of a word of addresses."""

    order: str
    word: str

    def unpack(self, form: str, data: bytes) -> tuple[int, ...]:
        return struct.unpack(self.order + form, data)

    def pack(self, *words: int) -> bytes:
        return struct.pack(f"{self.order}{len(words)}{self.word}", *words)


class _Cut:
    """One library: its dynamic entries in order, and where its strings lie."""

    def __init__(self, source: ElfSource) -> None:
        self._source = source
        self._image: Image = open_image(source)
        head = source.read(0, 20)
        self._form = _Form(">" if head[5] == 2 else "<", "I" if head[4] == 1 else "Q")
        (self._machine,) = self._form.unpack("H", head[18:20])
        self._entry = 8 if head[4] == 1 else 16
        address, size = self._image.dynamic
        self._table = self._offset(address)
        self._entries = list(self._read_entries(self._image.read(address, size)))
        self._strings = self._value(STRTAB)
        self._size = self._value(STRSZ)
        self._start = self._offset(self._strings)
        # Where each of the search paths begins among the strings now, by the place of its entry.
        self._paths = {
            index: value
            for index, (tag, value) in enumerate(self._entries)
            if tag in (RPATH, RUNPATH)
        }
        self._written: list[Patch] = []
        self._gone: set[int] = set()

    def run(self) -> SearchPath:
        removed: list[str] = []
        left: list[str] = []
        for begin in sorted(set(self._paths.values())):
            text = self._image.string(self._strings + begin, self._size - begin - 1)
            entries = text.decode("utf-8", "surrogateescape").split(":")
            kept = ":".join(filter(is_beside, entries)).encode("utf-8", "surrogateescape")
            if kept != text:
                done = self._replace(begin, text, kept)
                (removed if done else left).extend(
                    _shown(one) for one in entries if not is_beside(one)
                )
        return SearchPath(
            tuple(dict.fromkeys(removed)),
            tuple(dict.fromkeys(left)),
            (*self._written, *self._changed_entries()),
        )

    def _replace(self, begin: int, text: bytes, kept: bytes) -> bool:
        """Make the entries of the search path at ``begin`` say ``kept``; return whether they do.

        Only the bytes of ``text`` that no other string needs are changed.
        """
        free = self._free(begin, text)
        if not kept:
            self._move(begin, None)
            content = b""
        elif len(kept) < free:
            content = kept
        else:
            elsewhere = self._find(kept)
            if elsewhere is None:
                return False
            self._move(begin, elsewhere)
            content = b""
            if begin < elsewhere:  # perhaps the end of the path itself, which stays
                free = min(free, elsewhere - begin)
        if free:
            self._written.append(Patch(self._start + begin, content + bytes(free - len(content))))
        return True

    def _move(self, begin: int, to: int | None) -> None:
        """Point the entries with the string at ``begin`` to that at ``to``; None removes them."""
        for index in [index for index, value in self._paths.items() if value == begin]:
            if to is None:
                self._gone.add(index)
                del self._paths[index]
            else:
                self._paths[index] = to

    def _find(self, text: bytes) -> int | None:
        """Return the place of ``text`` among the kept strings, as a whole or as an end."""
        for found in self._source.find(text + b"\0", self._start, self._start + self._size):
            if all(
                found + len(text) < offset or offset + len(data) <= found
                for offset, data in self._written
            ):
                return found - self._start
        return None

    def _free(self, begin: int, text: bytes) -> int:
        """Return how many bytes of the string at ``begin`` are used by nothing else."""
        try:
            used = min(self._users(begin, begin + len(text)), default=begin + len(text) + 1)
        except BadLibrary:
            return 0
        return max(used - begin, 0)

    def _users(self, begin: int, end: int) -> Iterator[int]:
        """Yield where strings begin that need bytes between ``begin`` and ``end``.

        Raises ``BadLibrary`` where not all of them are known.
        """
        window = min(begin, _PIECE)
        before = self._source.read(self._start + begin - window, window)
        first = begin - window + before.rfind(b"\0") + 1
        if window < begin and not before.rfind(b"\0") + 1:
            raise BadLibrary("a name without an end")
        for name in self._all_names():
            if first <= name <= end:
                yield name
        for value in self._paths.values():
            if first <= value <= end and value != begin:
                yield value

    def _all_names(self) -> Iterator[int]:
        """Yield where every name begins that the dynamic section leads to."""
        for tag, value in self._entries:
            if tag == _GNU_LIBLIST:
                raise BadLibrary("its names are not known")
            if tag in _NAMES:
                yield value
        self._refuse_other_users()
        yield from self._symbol_names()
        yield from self._version_names(VERNEED, VERNEEDNUM, (16, 4, 16, 8))
        yield from self._version_names(_VERDEF, _VERDEFNUM, (20, None, 8, 0))

    def _symbol_names(self) -> Iterator[int]:
        size = 16 if self._form.word == "I" else 24
        rest, start = self._count() * size, self._offset(self._value(SYMTAB))
        form = f"{self._form.order}I{size - 4}x"
        while rest > 0:
            count = min(_PIECE // size * size, rest)
            for (name,) in struct.iter_unpack(form, self._source.read(start, count)):
                yield name
            start, rest = start + count, rest - count

    def _count(self) -> int:
        """Return the number of symbols, from the tables by which a loader finds them."""
        known = []
        if self._has(HASH) and self._machine != _S390:
            known.append(self._form.unpack("2I", self._image.read(self._value(HASH), 8))[1])
        if self._has(GNU_HASH):
            known.append(self._count_by_gnu_hash(self._value(GNU_HASH)))
        if not any(known):
            known += [size // each for kind, start, size, _, each in self._sections()
                      if kind == _SHT_DYNSYM and start == self._value(SYMTAB) and each]  # fmt: skip
        if not any(known):
            raise BadLibrary("the number of its symbols is not known")
        return max(known)

    def _count_by_gnu_hash(self, table: int) -> int:
        buckets, first, filters, _ = self._form.unpack("4I", self._image.read(table, 16))
        place = table + 16 + (self._entry // 2) * filters
        last = max(
            self._form.unpack(f"{buckets}I", self._image.read(place, 4 * buckets)), default=0
        )
        if last < first or not last:
            return 0
        chain = place + 4 * buckets - 4 * first
        while not self._form.unpack("I", self._image.read(chain + 4 * last, 4))[0] & 1:
            last += 1
        return last + 1

    def _version_names(
        self, tag: int, number: int, form: tuple[int, int | None, int, int]
    ) -> Iterator[int]:
        """Yield the names in a list of versions.

        ``form`` is the size of an entry, where its own name stands in it, the size of an entry of
        the inner list, and where the name stands there; the last word of each leads to the next.
        """
        size, own, inner_size, inner_name = form
        address, budget = self._value(tag), _MOST_VERSIONS
        for _ in range(self._value(number) if address else 0):
            head = self._image.read(address, size)
            count, inner, following = self._counts(head, size)
            if own is not None:
                yield self._form.unpack("I", head[own : own + 4])[0]
            place, budget = address + inner, budget - count - 1
            if budget < 0:
                raise BadLibrary("more versions than any library has")
            for _ in range(count):
                aux = self._image.read(place, inner_size)
                yield self._form.unpack("I", aux[inner_name : inner_name + 4])[0]
                place += self._form.unpack("I", aux[inner_size - 4 :])[0]
            address += following

    def _counts(self, head: bytes, size: int) -> tuple[int, ...]:
        """Return the count of an entry of versions, the start of its list, and the next entry."""
        count = self._form.unpack("H", head[2:4] if size == 16 else head[6:8])
        return (*count, *self._form.unpack("2I", head[-8:]))

    def _refuse_other_users(self) -> None:
        """Raise ``BadLibrary`` where a section that no loader reads has names in the same table."""
        sections = list(self._sections())
        own = {
            n for n, one in enumerate(sections) if one[0] == _SHT_STRTAB and one[1] == self._strings
        }
        names = self._form.unpack("H", self._source.read(62 if self._form.word == "Q" else 50, 2))
        users = {one[0] for one in sections if one[3] in own and one[0] not in (0, _SHT_STRTAB)}
        if names[0] in own or not users <= _KNOWN_USERS:
            raise BadLibrary("its names are used by what is not loaded")

    def _sections(self) -> Iterator[tuple[int, int, int, int, int]]:
        """Yield kind, address, size, linked section and size of an entry of each section."""
        wide = self._form.word == "Q"
        place, number = (40, 60) if wide else (32, 48)
        (start,) = self._form.unpack(self._form.word, self._source.read(place, 8 if wide else 4))
        (count,) = self._form.unpack("H", self._source.read(number, 2))
        form, size = ("2I4Q2I2Q", 64) if wide else ("10I", 40)
        for number in range(count if start else 0):
            one = self._form.unpack(form, self._source.read(start + number * size, size))
            yield one[1], one[3], one[5], one[6], one[9]

    def _changed_entries(self) -> Iterator[Patch]:
        """Yield what changes of the dynamic section.

        Its entries may stand in any order, those of needed libraries apart, so the last one takes
        the place of one that goes, and the section ends before it.
        """
        entries = [
            (tag, self._paths.get(index, value)) for index, (tag, value) in enumerate(self._entries)
        ]
        for index in sorted(self._gone, reverse=True):
            last = entries.pop()
            if index < len(entries) and last[0] == NEEDED:
                entries = [*entries[:index], *entries[index + 1 :], last]
            elif index < len(entries):
                entries[index] = last
        entries += [(0, 0)] * len(self._gone)
        for index, (old, new) in enumerate(zip(self._entries, entries, strict=True)):
            if old != new:
                yield Patch(self._table + index * self._entry, self._form.pack(*new))

    def _read_entries(self, table: bytes) -> Iterator[tuple[int, int]]:
        form = f"{self._form.order}2{self._form.word}"
        for tag, value in struct.iter_unpack(
            form, table[: len(table) // self._entry * self._entry]
        ):
            if tag == 0:
                return
            yield tag, value

    def _has(self, tag: int) -> bool:
        return any(one == tag for one, _ in self._entries)

    def _value(self, tag: int) -> int:
        return next((value for one, value in self._entries if one == tag), 0)

    def _offset(self, address: int) -> int:
        segment = self._image.segment_at(address)
        return segment.offset + address - segment.start
