"""The image that a loader would make of an ELF shared library, as bounded reads by address.

Only what a loader uses is read: the header, the program headers, the loaded segments. Section
headers can say anything, so they only serve to see that the file is whole.
Rules: System V ABI, "ELF Header", "Program Header".
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.platforms.reading import Unreadable
from cloacina_ctl.platforms.recognition import SYSTEMS, describe_elf
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.platforms.reading import Source

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION_SIZE = 64
_SHARED = 3
_MOST_SEGMENTS = 256
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP, _PT_GNU_STACK = 1, 2, 3, 0x6474E551
_EXECUTABLE = 1


class Machine(NamedTuple):
    """A processor: its name in tags, and the relocation that adds the load address to a word."""

    name: str
    relative: int
    executable_stack_by_default: bool = False


MACHINES = {
    21: Machine("ppc64le", 22),
    62: Machine("x86_64", 8, executable_stack_by_default=True),
    183: Machine("aarch64", 1027),
    243: Machine("riscv64", 3),
    258: Machine("loongarch64", 3),
}


class Segment(NamedTuple):
    """A loaded range: ``size`` bytes of the file from ``offset``, at the address ``start``."""

    start: int
    size: int
    offset: int
    flags: int

    @property
    def executable(self) -> bool:
        """Tell whether the processor may run what is in it."""
        return bool(self.flags & _EXECUTABLE)


class Layout(NamedTuple):
    """What the program headers say."""

    segments: tuple[Segment, ...]
    dynamic: tuple[int, int]
    interpreted: bool
    stack_flags: int | None


class Image:
    """The bytes of a library by the addresses that it is loaded at, were it loaded at 0."""

    def __init__(self, source: Source, machine: Machine, layout: Layout) -> None:
        self.machine = machine
        self.dynamic = layout.dynamic
        self.interpreted = layout.interpreted
        self.segments = layout.segments
        self._stack_flags = layout.stack_flags
        self._source = source
        self._starts = [segment.start for segment in layout.segments]

    @property
    def executable_stack(self) -> bool:
        """Tell whether the library asks for a stack that can be executed, also by silence."""
        if self._stack_flags is None:
            return self.machine.executable_stack_by_default
        return bool(self._stack_flags & _EXECUTABLE)

    def segment_at(self, address: int) -> Segment:
        """Return the segment whose bytes of the file hold ``address``; raise ``Unreadable``."""
        index = bisect_right(self._starts, address) - 1
        if index >= 0:
            segment = self.segments[index]
            if address < segment.start + segment.size:
                return segment
        raise Unreadable(f"it refers to the address {address:#x}, which holds nothing of it")

    def read(self, address: int, count: int) -> bytes:
        """Return exactly ``count`` bytes at ``address``; they lie in one segment."""
        segment = self.segment_at(address)
        inside = address - segment.start
        if count > segment.size - inside:
            raise Unreadable(f"{count} bytes at the address {address:#x} run over their segment")
        return self._source.read(segment.offset + inside, count)

    def number(self, address: int, size: int) -> int:
        """Return the unsigned number of ``size`` bytes at ``address``."""
        return int.from_bytes(self.read(address, size), "little")

    def string(self, address: int, most: int) -> bytes:
        """Return the bytes from ``address`` to the next NUL, which is at most ``most`` away."""
        segment = self.segment_at(address)
        room = min(segment.start + segment.size - address, most + 1)
        done = 0
        while done < room:
            # Most strings are short; a long one is met in growing pieces.
            count = min(max(64, done), room - done)
            end = self.read(address + done, count).find(b"\0")
            if end >= 0:
                return self.read(address, done + end)
            done += count
        raise Unreadable(f"the string at the address {address:#x} has no end within {room} bytes")

    def find(self, needle: bytes) -> Iterator[int]:
        """Yield the addresses where ``needle`` stands, ascending."""
        for segment in self.segments:
            end = segment.offset + segment.size
            for offset in self._source.find(needle, segment.offset, end):
                yield segment.start + offset - segment.offset

    def is_code(self, address: int) -> bool:
        """Tell whether the processor could run what is at ``address``."""
        try:
            return self.segment_at(address).executable
        except Unreadable:
            return False


def open_image(source: Source) -> Image:
    """Return the image of an ELF shared library for Linux.

    Raises ``Refused`` (B001) where ``source`` is another kind of ELF file, ``Unreadable`` where
    it is one that contradicts itself.
    """
    head = source.read(0, min(source.size, _HEADER.size))
    if len(head) < _HEADER.size:
        raise Unreadable(f"it is cut short within its header, after {len(head)} bytes")
    fields = _HEADER.unpack(head)
    ident, kind, machine = fields[0], fields[1], fields[2]
    # Class 64-bit, little-endian, version 1.
    if ident[4:7] != b"\x02\x01\x01" or kind != _SHARED or ident[7] not in SYSTEMS:
        raise other_kind(describe_elf(head))
    if machine not in MACHINES:
        raise other_kind(describe_elf(head))
    _check_sections(source, fields)
    return Image(source, MACHINES[machine], _layout(source, fields))


def other_kind(found: str) -> Refused:
    """Return the refusal of a file that is ``found`` and not a library that we read."""
    known = ", ".join(sorted(machine.name for machine in MACHINES.values()))
    return Refused.of(
        Code.NOT_A_LIBRARY,
        f"expected a 64-bit little-endian ELF shared library for Linux, found: {found}",
        hint=f"libraries for these machines are read: {known}",
    )


def _check_sections(source: Source, fields: tuple[int, ...]) -> None:
    offset, size, count = fields[6], fields[11], fields[12]
    if offset == 0:
        return
    if count and size != _SECTION_SIZE:
        raise Unreadable(f"section headers have 64 bytes, and it says {size}")
    if offset + count * size > source.size:
        raise Unreadable(
            f"it is cut short: its section headers end at {offset + count * size}, "
            f"the file at {source.size}"
        )


def _layout(source: Source, fields: tuple[int, ...]) -> Layout:
    offset, size, count = fields[5], fields[9], fields[10]
    if size != _SEGMENT.size:
        raise Unreadable(f"program headers have {_SEGMENT.size} bytes, and it says {size}")
    if not 0 < count <= _MOST_SEGMENTS:
        raise Unreadable(f"it has between 1 and {_MOST_SEGMENTS} program headers, it says {count}")
    headers = list(_SEGMENT.iter_unpack(source.read(offset, count * size)))
    dynamic = [(header[3], header[5]) for header in headers if header[0] == _PT_DYNAMIC]
    if len(dynamic) != 1:
        raise Unreadable(f"it has one dynamic section, and it says {len(dynamic)}")
    stack = [header[1] for header in headers if header[0] == _PT_GNU_STACK]
    return Layout(
        segments=_segments(source, headers),
        dynamic=dynamic[0],
        interpreted=any(header[0] == _PT_INTERP for header in headers),
        stack_flags=stack[-1] if stack else None,
    )


def _segments(source: Source, headers: list[tuple[int, ...]]) -> tuple[Segment, ...]:
    segments = []
    free_from = 0
    for kind, flags, offset, address, _, file_size, memory_size, _ in headers:
        if kind != _PT_LOAD:
            continue
        if offset + file_size > source.size:
            raise Unreadable(
                f"it is cut short: a segment ends at {offset + file_size}, "
                f"the file at {source.size}"
            )
        if file_size > memory_size or address < free_from or address + memory_size >= 1 << 63:
            raise Unreadable(f"the segment at the address {address:#x} overlaps or wraps around")
        free_from = address + memory_size
        segments.append(Segment(address, file_size, offset, flags))
    if not segments:
        raise Unreadable("nothing of it would be loaded")
    return tuple(segments)
