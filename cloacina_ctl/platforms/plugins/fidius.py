"""The descriptor of a fidius plugin, in the library's data.

The registry that a host requests is built at run time, the descriptors in it are not: each is found
by the pointer to the name of its interface, 8 bytes into it. Layouts as measured on libraries of
releases 0.4 to 0.12 (ABI 2, 200, 500).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from cloacina_ctl.platforms.elf.reader import BadLibrary, OverLimit
from cloacina_ctl.platforms.library import KIND_FIDIUS, Plugin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.platforms.elf.header import Image
    from cloacina_ctl.platforms.elf.pointers import Pointers

INTERFACE = "CloacinaPlugin"
_NEEDLE = INTERFACE.encode() + b"\0"
_MOST_NAMES = 1024
_MOST_METHODS = 64
_MOST_TEXT = 256

# ABI 2 begins with its number, later ones with their size; the two never coincide.
_FIRST_ABIS = (1, 2)
_FIRST_SIZE = 80
_SIZES = {200: 104, 500: 120}
_LATER_SIZES = range(80, 4096, 8)
_HEAD = struct.Struct("<II8xQI4xQB7x")
_NAME, _VTABLE, _COUNT = 48, 56, 72
_WIRES = {0: "json", 1: "bincode"}


def find_plugins(image: Image, pointers: Pointers) -> Iterator[Plugin]:
    """Yield the plugins of the interface ``CloacinaPlugin``, by address."""
    names = set()
    for address in image.find(_NEEDLE):
        names.add(address)
        if len(names) > _MOST_NAMES:
            raise OverLimit(f"the text {INTERFACE} stands in it more than {_MOST_NAMES} times")
    for place, _ in pointers.to(names):
        try:
            plugin = _descriptor(image, pointers, place - 8)
        except BadLibrary:
            # Other data points to the name too; only a complete descriptor counts.
            continue
        if plugin is not None:
            yield plugin


def _descriptor(image: Image, pointers: Pointers, base: int) -> Plugin | None:
    first, second, interface_hash, version, capabilities, byte = _HEAD.unpack(
        image.read(base, _HEAD.size)
    )
    abi, size = (first, _FIRST_SIZE) if first in _FIRST_ABIS else (second, first)
    if _SIZES.get(abi, size) != size or size not in _LATER_SIZES or not abi:
        return None
    image.read(base, size)
    wire = _WIRES.get(byte) if first in _FIRST_ABIS else "bincode"
    count = image.number(base + _COUNT, 4)
    vtable = pointers.at(base + _VTABLE)
    name = pointers.at(base + _NAME)
    if wire is None or vtable is None or name is None or not 0 < count <= _MOST_METHODS:
        return None
    slots = _filled_slots(image, pointers, vtable, count)
    if slots is None:
        return None
    return Plugin(
        kind=KIND_FIDIUS,
        abi=abi,
        descriptor_size=size,
        interface=INTERFACE,
        hash=f"{interface_hash:016x}",
        version=version,
        capabilities=capabilities,
        wire=wire,
        name=_text(image, name),
        method_count=count,
        slots=slots,
    )


def _filled_slots(
    image: Image, pointers: Pointers, vtable: int, count: int
) -> tuple[int, ...] | None:
    """Return the numbers of the present methods; None if one of them is not code."""
    methods = [pointers.at(vtable + 8 * slot) for slot in range(count)]
    if any(method is not None and not image.is_code(method) for method in methods):
        return None
    return tuple(slot for slot, method in enumerate(methods) if method is not None)


def _text(image: Image, address: int) -> str:
    try:
        return image.string(address, _MOST_TEXT).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadLibrary("the name of its plugin is not UTF-8") from error
