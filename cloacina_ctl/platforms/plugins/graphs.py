"""The workflows that were compiled into a library: their graphs, and the entries around them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloacina_ctl.platforms.elf.reader import BadLibrary, OverLimit
from cloacina_ctl.platforms.library import LibraryGraph
from cloacina_ctl.platforms.plugins.graph_text import MOST_BYTES, STARTS, extent_of, parse_tasks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.platforms.elf.header import Image
    from cloacina_ctl.platforms.elf.pointers import Pointers
    from cloacina_ctl.platforms.plugins.graph_text import Tasks

# The limit of all attempts, so that a file full of beginnings costs no more than a few long texts.
_MOST_STARTS = 1024
_MOST_LOOKED_AT = 16 << 20
_FIRST_WINDOW = 64 << 10
_MOST_TEXT = 4096

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
# From release 0.6 on the text is a field of a static entry: name, description, author,
# fingerprint, graph, each a pointer and a length (as laid out by rustc for 0.6.1 to 0.12.0).
_NAME, _DESCRIPTION, _AUTHOR, _FINGERPRINT_FIELD = -64, -48, -32, -16


def find_graphs(image: Image, pointers: Pointers) -> Iterator[LibraryGraph]:
    """Yield every task graph of the image, with name and fingerprint where they are known."""
    texts = {address: (size, tasks) for address, size, tasks in _texts(image)}
    for place, address in pointers.to(texts):
        size, tasks = texts[address]
        entry = _entry(image, pointers, place, size)
        if entry is not None:
            yield entry._replace(tasks=tasks)
    yield from (LibraryGraph(tasks) for _, tasks in texts.values())


def _texts(image: Image) -> Iterator[tuple[int, int, Tasks]]:
    """Yield address, size and tasks of each text that is a task graph."""
    starts = 0
    budget = _MOST_LOOKED_AT
    for start in STARTS:
        for address in image.find(start):
            starts += 1
            if starts > _MOST_STARTS or budget < 0:
                raise OverLimit("more beginnings of graphs than any library has")
            text, looked_at = _text_at(image, address)
            budget -= looked_at
            tasks = parse_tasks(text) if text else None
            if text and tasks:
                yield address, len(text), tasks


def _text_at(image: Image, address: int) -> tuple[bytes | None, int]:
    """Return the JSON object at ``address``, if there is one, and how many bytes were read."""
    segment = image.segment_at(address)
    room = segment.start + segment.size - address
    looked_at = 0
    for most in (_FIRST_WINDOW, MOST_BYTES):
        window = image.read(address, min(most, room))
        extent = extent_of(window)
        looked_at += extent.seen
        if extent.end or not extent.cut:
            return (window[: extent.end] or None), looked_at
        if room <= most:
            return None, looked_at
    raise OverLimit(f"a task graph of more than {MOST_BYTES} bytes")


def _entry(image: Image, pointers: Pointers, place: int, size: int) -> LibraryGraph | None:
    """Return the entry around ``place``, the graph's pointer; None where it is in no entry."""
    try:
        if image.number(place + 8, 8) != size:
            return None
        fingerprint = _text(image, pointers, place + _FINGERPRINT_FIELD)
        name = _text(image, pointers, place + _NAME)
        if not name or not fingerprint or not _FINGERPRINT.fullmatch(fingerprint):
            return None
        return LibraryGraph(
            tasks=(),
            name=name,
            description=_text(image, pointers, place + _DESCRIPTION),
            author=_text(image, pointers, place + _AUTHOR),
            fingerprint=fingerprint,
        )
    except BadLibrary:
        return None


def _text(image: Image, pointers: Pointers, place: int) -> str | None:
    """Return the text whose pointer and length are at ``place``; None where it is empty."""
    size = image.number(place + 8, 8)
    if not size:
        return None
    address = pointers.at(place)
    if address is None or size > _MOST_TEXT:
        raise BadLibrary(f"no text at the address {place:#x}")
    try:
        return image.read(address, size).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadLibrary(f"the text at the address {address:#x} is not UTF-8") from error
