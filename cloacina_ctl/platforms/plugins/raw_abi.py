"""The plugin interface of releases 0.2 and 0.3: C structures that a getter returns.

Only the getter's first instructions show where they are, and only the place of the graph's text
among their fields shows the release that made them. Layouts as in the macros of 0.2.0 and 0.3.1.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from cloacina_ctl.platforms.elf.dynamic import C_COLLECTION, C_EXECUTE, C_TASKS
from cloacina_ctl.platforms.elf.reader import BadLibrary, OverLimit
from cloacina_ctl.platforms.library import KIND_C_0_2, KIND_C_0_3, LibraryGraph, Plugin
from cloacina_ctl.platforms.plugins.graph_text import MOST_BYTES, parse_list, parse_tasks
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloacina_ctl.platforms.elf.header import Image
    from cloacina_ctl.platforms.elf.pointers import Pointers

_TASK_SIZE = 48
_TASK_ID, _TASK_NEEDS = 8, 24
_COUNT, _TASKS, _PACKAGE = 0, 8, 16
_GRAPH_0_2 = 24
_DESCRIPTION, _AUTHOR, _FINGERPRINT, _GRAPH_0_3 = 24, 32, 40, 48
_COLLECTION_WORKFLOW = 16
_MOST_TASKS = 100_000
_MOST_TEXT = 64 << 10
_MOST_TEXTS = 16 << 20

_PROLOGUE_X86 = (
    b"\xf3\x0f\x1e\xfa",  # endbr64
    b"\x55",  # push rbp
    b"\x48\x89\xe5",  # mov rbp, rsp
)
_LEA_RAX = b"\x48\x8d\x05"
# nop, bti c, paciasp; LLD writes `nop; adr` for an `adrp; add` that reaches less than 1 MiB.
_PROLOGUE_ARM = (0xD503201F, 0xD503245F, 0xD503233F)


class RawPlugin(NamedTuple):
    """The facts of a library of the C ABIs: its interface, and its one workflow."""

    plugin: Plugin
    graph: LibraryGraph


class _Reader:
    def __init__(self, image: Image, pointers: Pointers) -> None:
        self.image = image
        self.pointers = pointers
        self._left = _MOST_TEXTS

    def text(self, place: int, most: int = _MOST_TEXT) -> str | None:
        """Return the text that the word at ``place`` points to; None where it is empty or null."""
        address = self.pointers.at(place)
        if address is None:
            return None
        text = self.image.string(address, most)
        # Many words may point to one long text.
        self._left -= len(text)
        if self._left < 0:
            raise OverLimit(f"texts of more than {_MOST_TEXTS} bytes")
        try:
            return text.decode("utf-8") or None
        except UnicodeDecodeError as error:
            raise BadLibrary(f"the text at the address {address:#x} is not UTF-8") from error

    def is_graph(self, place: int) -> bool:
        """Return whether the word at ``place`` points to the text of a task graph."""
        try:
            text = self.text(place, MOST_BYTES) or ""
        except BadLibrary:
            return False
        return parse_tasks(text.encode()) is not None


def find_raw_plugin(
    image: Image, exports: Mapping[str, int], pointers: Pointers
) -> RawPlugin | None:
    """Return the facts in the getter's structures; None where no getter can be followed.

    Raises ``BadLibrary`` where the structures contradict themselves.
    """
    if C_TASKS not in exports or C_EXECUTE not in exports:
        return None
    reader = _Reader(image, pointers)
    base = returned_address(image, exports[C_TASKS])
    kind = _layout(reader, base) if base is not None else None
    if base is None or kind is None:
        return None
    graph = LibraryGraph(
        tasks=_tasks(reader, base),
        name=_workflow_name(reader, exports),
        package=reader.text(base + _PACKAGE),
    )
    if kind == KIND_C_0_3:
        graph = graph._replace(
            description=reader.text(base + _DESCRIPTION),
            author=reader.text(base + _AUTHOR),
            fingerprint=reader.text(base + _FINGERPRINT),
        )
    return RawPlugin(Plugin(kind), graph)


def _layout(reader: _Reader, base: int) -> str | None:
    if reader.is_graph(base + _GRAPH_0_2):
        return KIND_C_0_2
    return KIND_C_0_3 if reader.is_graph(base + _GRAPH_0_3) else None


def _tasks(reader: _Reader, base: int) -> tuple[tuple[str, tuple[str, ...]], ...]:
    count = reader.image.number(base + _COUNT, 4)
    if count > _MOST_TASKS:
        raise OverLimit(f"{count} tasks")
    first = reader.pointers.at(base + _TASKS)
    if first is None:
        raise BadLibrary("its list of tasks is not there")
    return tuple(sorted(_task(reader, first + _TASK_SIZE * index) for index in range(count)))


def _task(reader: _Reader, place: int) -> tuple[str, tuple[str, ...]]:
    id_ = reader.text(place + _TASK_ID)
    needs = parse_list((reader.text(place + _TASK_NEEDS) or "[]").encode())
    if id_ is None or needs is None:
        raise BadLibrary(
            f"the task at the address {place:#x} has no id, or no list of dependencies"
        )
    return id_, tuple(sorted(set(needs)))


def _workflow_name(reader: _Reader, exports: Mapping[str, int]) -> str | None:
    getter = exports.get(C_COLLECTION)
    base = returned_address(reader.image, getter) if getter is not None else None
    if base is None:
        return None
    try:
        return reader.text(base + _COLLECTION_WORKFLOW)
    except BadLibrary:
        return None


def returned_address(image: Image, function: int) -> int | None:
    """Return the address that ``function`` returns at once; None where it does anything else."""
    try:
        if image.machine.name == "x86_64":
            return _after_lea(image, function)
        if image.machine.name == "aarch64":
            return _after_adrp(image, function)
    except BadLibrary:
        return None
    return None


def _after_lea(image: Image, address: int) -> int | None:
    """Follow ``lea rax, [rip + distance]`` behind an ordinary prologue."""
    for prologue in _PROLOGUE_X86:
        if image.read(address, len(prologue)) == prologue:
            address += len(prologue)
    code = image.read(address, 7)
    if not code.startswith(_LEA_RAX):
        return None
    return address + 7 + int(struct.unpack_from("<i", code, 3)[0])


def _after_adrp(image: Image, address: int) -> int | None:
    """Follow ``adrp x0, page; add x0, x0, offset``, or ``adr x0, distance``."""
    for _ in _PROLOGUE_ARM:
        if image.number(address, 4) in _PROLOGUE_ARM:
            address += 4
    first = image.number(address, 4)
    distance = _signed(((first >> 5) & 0x7FFFF) << 2 | (first >> 29) & 3, 21)
    if first & 0x9F00001F == 0x10000000:
        return address + distance
    second = image.number(address + 4, 4)
    if first & 0x9F00001F != 0x90000000 or second & 0xFFC003FF != 0x91000000:
        return None
    return (address & ~0xFFF) + (distance << 12) + ((second >> 10) & 0xFFF)


def _signed(number: int, bits: int) -> int:
    return number - ((number >> (bits - 1) & 1) << bits)
