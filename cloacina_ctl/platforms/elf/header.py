"""The image that a loader would make of an ELF shared library, as bounded reads by address.

Only the parts that a loader uses are read: the header, the program headers, the loaded segments.
Section headers can say anything, so they only show whether the file is whole.
Rules: System V ABI, "ELF Header", "Program Header".
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.platforms.elf.encoding import ENCODINGS
from cloacina_ctl.platforms.elf.reader import BadLibrary
from cloacina_ctl.platforms.recognition import SYSTEMS, describe_elf
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.platforms.elf.encoding import ElfHeader, Encoding, SegmentHeader
    from cloacina_ctl.platforms.elf.reader import ElfSource

_MOST_HEADER = 64
_VERSION = 1
_SHARED = 3
_MOST_SEGMENTS = 256
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP, _PT_GNU_STACK = 1, 2, 3, 0x6474E551
_EXECUTABLE = 1


class Machine(NamedTuple):
    """A processor: its name in tags, and the peculiarities of its libraries.

    ``relative`` is the relocation that adds the load address to a word. ``hash_entry`` is the
    width of the entries of the System V hash table. With ``descriptors`` the address of a function
    is that of a record in data, which says where its code is. ``has_plugins``: the layouts of
    plugins are known for 64-bit little-endian machines alone.
    """

    name: str
    relative: int = 0
    executable_stack_by_default: bool = False
    hash_entry: int = 4
    descriptors: bool = False
    has_plugins: bool = True


# By number, class and byte order, as a header has them.
MACHINES = {
    (3, 1, 1): Machine("i686", executable_stack_by_default=True, has_plugins=False),
    (21, 2, 1): Machine("ppc64le", 22),
    (21, 2, 2): Machine("ppc64", descriptors=True, has_plugins=False),
    (22, 2, 2): Machine("s390x", hash_entry=8, has_plugins=False),
    (40, 1, 1): Machine("armv7l", has_plugins=False),
    (62, 2, 1): Machine("x86_64", 8, executable_stack_by_default=True),
    (183, 2, 1): Machine("aarch64", 1027),
    (243, 2, 1): Machine("riscv64", 3),
    (258, 2, 1): Machine("loongarch64", 3),
}
MACHINE_NAMES = tuple(sorted(machine.name for machine in MACHINES.values()))
# Version 5 of the Arm ABI. Platforms named armv7l pass floating-point numbers in registers; a
# linker may leave the mark for that out (Arm, "ELF for the Arm Architecture", 5.2).
_ARM, _ARM_ABI, _ARM_ABI_5, _ARM_SOFT_FLOAT = 40, 0xFF000000, 0x05000000, 0x200


def reads_plugins(machine: str) -> bool:
    """Return whether plugins are found in libraries for the machine of that name."""
    return any(one.name == machine and one.has_plugins for one in MACHINES.values())


class Segment(NamedTuple):
    """A loaded range: ``size`` bytes of the file from ``offset``, at the address ``start``."""

    start: int
    size: int
    offset: int
    flags: int

    @property
    def executable(self) -> bool:
        """Return whether the segment is executable."""
        return bool(self.flags & _EXECUTABLE)


class ProgramHeaders(NamedTuple):
    """The facts of the program headers."""

    segments: tuple[Segment, ...]
    dynamic: tuple[int, int]
    interpreted: bool
    stack_flags: int | None


class Image:
    """The bytes of a library by address, as if it were loaded at 0."""

    def __init__(
        self, source: ElfSource, machine: Machine, encoding: Encoding, layout: ProgramHeaders
    ) -> None:
        self.machine = machine
        self.encoding = encoding
        self.dynamic = layout.dynamic
        self.interpreted = layout.interpreted
        self.segments = layout.segments
        self._stack_flags = layout.stack_flags
        self._source = source
        self._starts = [segment.start for segment in layout.segments]

    @property
    def executable_stack(self) -> bool:
        """Return whether the library asks for an executable stack, which is also the default."""
        if self._stack_flags is None:
            return self.machine.executable_stack_by_default
        return bool(self._stack_flags & _EXECUTABLE)

    def segment_at(self, address: int) -> Segment:
        """Return the segment whose bytes of the file hold ``address``; raise ``BadLibrary``."""
        index = bisect_right(self._starts, address) - 1
        if index >= 0:
            segment = self.segments[index]
            if address < segment.start + segment.size:
                return segment
        raise BadLibrary(f"it refers to the address {address:#x}, which holds nothing of it")

    def read(self, address: int, count: int) -> bytes:
        """Return exactly ``count`` bytes at ``address``; they lie in one segment."""
        segment = self.segment_at(address)
        inside = address - segment.start
        if count > segment.size - inside:
            raise BadLibrary(f"{count} bytes at the address {address:#x} run over their segment")
        return self._source.read(segment.offset + inside, count)

    def number(self, address: int, size: int) -> int:
        """Return the unsigned number of ``size`` bytes at ``address``."""
        return self.encoding.number(self.read(address, size))

    def string(self, address: int, most: int) -> bytes:
        """Return the bytes from ``address`` to the next NUL, which is at most ``most`` away."""
        segment = self.segment_at(address)
        room = min(segment.start + segment.size - address, most + 1)
        done = 0
        while done < room:
            # Most strings are short; a long one is read in growing pieces.
            count = min(max(64, done), room - done)
            end = self.read(address + done, count).find(b"\0")
            if end >= 0:
                return self.read(address, done + end)
            done += count
        raise BadLibrary(f"the string at the address {address:#x} has no end within {room} bytes")

    def find(self, needle: bytes) -> Iterator[int]:
        """Yield the addresses where ``needle`` stands, ascending."""
        for segment in self.segments:
            end = segment.offset + segment.size
            for offset in self._source.find(needle, segment.offset, end):
                yield segment.start + offset - segment.offset

    def is_code(self, address: int) -> bool:
        """Return whether ``address`` is in executable code."""
        try:
            return self.segment_at(address).executable
        except BadLibrary:
            return False


def open_image(source: ElfSource) -> Image:
    """Return the image of an ELF shared library for Linux.

    Raises ``Refused`` (B001) where ``source`` is another kind of ELF file, ``BadLibrary`` where
    it is one that contradicts itself.
    """
    head = source.read(0, min(source.size, _MOST_HEADER))
    encoding = ENCODINGS.get((head[4], head[5])) if len(head) > 5 else None
    if len(head) < (encoding.header_size if encoding else _MOST_HEADER):
        raise BadLibrary(f"it is cut short within its header, after {len(head)} bytes")
    if encoding is None or head[6] != _VERSION or head[7] not in SYSTEMS:
        raise other_kind(describe_elf(head))
    header = encoding.header(head[: encoding.header_size])
    machine = MACHINES.get((header.machine, head[4], head[5]))
    if header.kind != _SHARED or machine is None:
        raise other_kind(describe_elf(head))
    if header.machine == _ARM and not _is_hard_float(header.flags):
        raise other_kind(f"{describe_elf(head)}, with another ABI than that of armv7l")
    _check_sections(source, header, encoding)
    return Image(source, machine, encoding, _layout(source, header, encoding))


def other_kind(found: str) -> Refused:
    """Return the error for a file that is ``found`` and not a supported library."""
    return Refused.of(
        Code.NOT_A_LIBRARY,
        f"expected an ELF shared library for Linux, found: {found}",
        hint=f"libraries for these machines are read: {', '.join(MACHINE_NAMES)}",
    )


def _is_hard_float(flags: int) -> bool:
    return flags & _ARM_ABI == _ARM_ABI_5 and not flags & _ARM_SOFT_FLOAT


def _check_sections(source: ElfSource, header: ElfHeader, encoding: Encoding) -> None:
    offset, size, count = header.section_offset, header.section_size, header.section_count
    if offset == 0:
        return
    if count and size != encoding.section_size:
        raise BadLibrary(f"section headers have {encoding.section_size} bytes, and it says {size}")
    if offset + count * size > source.size:
        raise BadLibrary(
            f"it is cut short: its section headers end at {offset + count * size}, "
            f"the file at {source.size}"
        )


def _layout(source: ElfSource, header: ElfHeader, encoding: Encoding) -> ProgramHeaders:
    size, count = header.segment_size, header.segment_count
    if size != encoding.segment_size:
        raise BadLibrary(f"program headers have {encoding.segment_size} bytes, and it says {size}")
    if not 0 < count <= _MOST_SEGMENTS:
        raise BadLibrary(f"it has between 1 and {_MOST_SEGMENTS} program headers, it says {count}")
    headers = list(encoding.segments(source.read(header.segment_offset, count * size)))
    dynamic = [(one.address, one.file_size) for one in headers if one.kind == _PT_DYNAMIC]
    if len(dynamic) != 1:
        raise BadLibrary(f"it has one dynamic section, and it says {len(dynamic)}")
    stack = [one.flags for one in headers if one.kind == _PT_GNU_STACK]
    return ProgramHeaders(
        segments=_segments(source, headers, 1 << (encoding.bits - 1)),
        dynamic=dynamic[0],
        interpreted=any(one.kind == _PT_INTERP for one in headers),
        stack_flags=stack[-1] if stack else None,
    )


def _segments(source: ElfSource, headers: list[SegmentHeader], top: int) -> tuple[Segment, ...]:
    """Return the loaded segments; all of them lie below the address ``top``."""
    segments = []
    free_from = 0
    for one in headers:
        if one.kind != _PT_LOAD:
            continue
        if one.offset + one.file_size > source.size:
            raise BadLibrary(
                f"it is cut short: a segment ends at {one.offset + one.file_size}, "
                f"the file at {source.size}"
            )
        end = one.address + one.memory_size
        if one.file_size > one.memory_size or one.address < free_from or end >= top:
            raise BadLibrary(
                f"the segment at the address {one.address:#x} overlaps or wraps around"
            )
        free_from = end
        segments.append(Segment(one.address, one.file_size, one.offset, one.flags))
    if not segments:
        raise BadLibrary("nothing of it would be loaded")
    return tuple(segments)
