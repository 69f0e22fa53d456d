"""Row A for gzip and bzip2: one stream, nothing around it, and not more in it than it may hold."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING

from tests.hostile.case import Case
from tests.hostile.legacy_case import (
    END,
    PACK,
    legacy_case,
    of_stream,
    package_of,
    stream_of,
    with_members,
)
from tests.support import archives
from tests.support.legacy import library, v1, v1_manifest
from tests.support.legacy_cases import TAILS, bzip2_refused, gzip_refused
from tests.support.tar_bytes import header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STREAM = ("A019",)
MIB = 1 << 20


def changed(
    case_id: str, what: str, change: Callable[[str, bytes], bytes], **options: object
) -> Iterator[Case]:
    """Yield a case for each kind, with the bytes of its package changed."""
    for kind in PACK:

        def build(kind: str = kind) -> bytes:
            return change(kind, package_of(kind))

        yield legacy_case(case_id, kind, what, build, **options)


def controls() -> Iterator[Case]:
    """What must be taken."""
    for kind in PACK:
        files = _files(kind)
        yield Case(
            id=f"OK-{kind}", what="a plain package", build=lambda k=kind: package_of(k),
            expected="accept", tree=files,
        )  # fmt: skip
    manifest = archives.pretty(v1_manifest())
    yield Case(
        id="OK-gz-v1", what="a package of 0.2.0", build=v1, expected="accept",
        tree={"manifest.json": manifest, "libdemo.so": library()},
    )  # fmt: skip
    last = archives.entry("libdemo.so", library()) + archives.entry("manifest.json", manifest) + END
    yield Case(
        id="E21-gz-manifest-last", what="the manifest behind the library",
        build=lambda: archives.gz(last), expected="accept",
    )  # fmt: skip


def _files(kind: str) -> dict[str, bytes]:
    from tests.hostile.legacy_case import files_of

    return files_of(kind)


def contents() -> Iterator[Case]:
    """A1 to A4: something else, or nothing, in a good stream; damaged magic bytes."""
    others = {
        "A4-empty": b"",
        "A4-text": b"not a tar\n" * 100,
        "A4-zip": b"PK\x03\x04" + bytes(600),
        "A4-html": b"<!DOCTYPE html>" * 50,
    }
    for name, data in others.items():
        yield from of_stream(name, "no tar in it", lambda kind, d=data: d, codes=("A011",))
    yield from of_stream("A4-end-alone", "no member", lambda kind: END, codes=("A021",))
    for outer, pack in PACK.items():
        for inner in PACK:

            def nested(pack: Callable[[bytes], bytes] = pack, inner: str = inner) -> bytes:
                return pack(package_of(inner))

            yield legacy_case(f"A3-{inner}", outer, "compressed twice", nested, codes=("A011",))
    for at in range(3):

        def damage(kind: str, good: bytes, at: int = at) -> bytes:
            return good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :]

        yield from changed(f"A2-byte-{at}", "a damaged magic number", damage)


def ends() -> Iterator[Case]:
    """A5 to A11: cut short, and more than one stream."""
    for tenth in range(10):

        def cut(kind: str, good: bytes, tenth: int = tenth) -> bytes:
            return good[: max(4, len(good) * tenth // 10)]

        yield from changed(f"A5-{tenth}-tenths", "cut short", cut, codes=STREAM)
    for left in (1, 4, 8):

        def trailer(kind: str, good: bytes, left: int = left) -> bytes:
            return good[:-left]

        yield from changed(f"A5-without-{left}-bytes", "cut short", trailer, codes=STREAM)
    for name, tail in TAILS.items():

        def append(kind: str, good: bytes, tail: bytes = tail) -> bytes:
            return good + tail

        yield from changed(f"A6-{name}", "bytes behind it", append, codes=STREAM)
    yield from changed("A7-twice", "a second package", lambda k, good: good * 2, codes=STREAM)
    yield from changed("A8-empty-last", "an empty one", lambda k, g: g + PACK[k](b""), codes=STREAM)
    yield from changed(
        "A9-two-streams",
        "one tar in two streams",
        lambda k, _: PACK[k](stream_of(k)[:1024]) + PACK[k](stream_of(k)[1024:]),
        codes=(*STREAM, "A011"),
    )
    yield from changed(
        "A10-small-first", "a small one in front",
        lambda k, good: PACK[k](archives.entry("x") + END) + good, codes=(*STREAM, "A021"),
    )  # fmt: skip
    for count in (1, 1000, 100_000):
        yield from changed(
            f"A11-{count}-empty-first", "empty streams first",
            lambda k, good, n=count: PACK[k](b"") * n + good, codes=(*STREAM, "A011"),
        )  # fmt: skip


def gzip_headers() -> Iterator[Case]:
    """A22 to A24: fields of gzip."""
    stream = stream_of("gz")
    for name, data in gzip_refused(stream).items():
        yield legacy_case(name, "gz", "a field of gzip", lambda d=data: d, codes=STREAM)
    names = b"../../evil\0" + b"\x1b[2Jcomment\0"
    extra = struct.pack("<H", 65535) + bytes(65535)
    taken = {
        "A23-name-traversal-and-ansi": archives.gz(stream, flags=24, fields=names),
        "A24-extra-64-kib": archives.gz(stream, flags=4, fields=extra),
    }
    for name, data in taken.items():
        yield legacy_case(
            name, "gz", "a field that is ignored", lambda d=data: d, expected="accept",
            tree=_files("gz"),
        )  # fmt: skip


def bzip2_headers() -> Iterator[Case]:
    """A25: fields of bzip2."""
    good = package_of("bz2")
    for name, data in bzip2_refused(stream_of("bz2")).items():
        yield legacy_case(name, "bz2", "a field of bzip2", lambda d=data: d, codes=STREAM)
    bzip0 = good[:2] + b"0" + good[3:]
    yield legacy_case("A25-bzip0", "bz2", "an early bzip", lambda: bzip0, codes=("A001",))


@lru_cache(maxsize=4)
def zeros(kind: str, size: int) -> bytes:
    """Return a package whose one large file is of zeros; made piece by piece."""
    lead = header(b"demo-1.0.0/zeros" if kind == "bz2" else b"zeros", size)
    block = bytes(MIB)
    if kind == "bz2":
        import bz2

        compressor = bz2.BZ2Compressor()
        pieces = [
            compressor.compress(lead),
            *(compressor.compress(block) for _ in range(size // MIB)),
        ]
        return b"".join((*pieces, compressor.flush()))
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    made = [deflate.compress(lead), *(deflate.compress(block) for _ in range(size // MIB))]
    return b"".join((*made, deflate.flush()))


def bombs() -> Iterator[Case]:
    """A26 to A28: what grows out of all proportion."""
    large = {"codes": ("L",), "heavy": True, "slow": True}
    for kind, size in (("gz", 1 << 30), ("bz2", 512 * MIB)):

        def bomb(kind: str = kind, size: int = size) -> bytes:
            return zeros(kind, size)

        yield legacy_case("A26-bomb", kind, "a bomb", bomb, **large)
    for kind in PACK:
        yield legacy_case(
            "A26-64-mib", kind, "a small bomb", lambda k=kind: zeros(k, 64 * MIB), codes=("L",)
        )

    def padding(kind: str) -> bytes:
        return stream_of(kind) + bytes(16 * MIB)

    yield from of_stream(
        "A28-zeros-behind-the-end", "padding without end", padding, codes=("A011",)
    )

    def claims(at: str, size: int) -> bytes:
        return header(at.encode() + b"claim", size)

    for name, size in {"A27-8-gib": 8**11 - 1, "A27-3-gib": 3 << 30, "A27-ratio": 40 * MIB}.items():
        yield from with_members(
            name, "a claim without data", lambda at, s=size: claims(at, s), codes=("L",)
        )

    def spread(at: str) -> bytes:
        return b"".join(archives.entry(f"{at}z{n}", bytes(MIB)) for n in range(40))

    yield from with_members("A28-spread", "a bomb over many files", spread, codes=("L",))


def polyglots() -> Iterator[Case]:
    """A29: something else in front, or an empty zip at the end."""
    for name, lead in {"shell": b"#!/bin/sh\n", "html": b"<html><!--", "nul": b"\0"}.items():

        def put(kind: str, good: bytes, lead: bytes = lead) -> bytes:
            return lead + good

        yield from changed(f"A29-{name}", "something else first", put, codes=("A001",))
    tail = b"PK\x05\x06" + bytes(18)
    yield from changed("A29-zip-last", "a zip at the end", lambda k, g: g + tail, codes=STREAM)


def cases() -> Iterator[Case]:
    """Every case of the row."""
    yield from controls()
    yield from contents()
    yield from ends()
    yield from gzip_headers()
    yield from bzip2_headers()
    yield from bombs()
    yield from polyglots()
