"""Row A: the container. Frames, blocks, and what stands around them."""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING, Any

from tests.hostile.case import Case, of
from tests.support import tar_bytes, zstd_bytes
from tests.support.builder import FILES, File, Recipe, Stored, build, make

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEAD = {"reach": "head"}

MIB = 1 << 20

GIB = 1 << 30


def raw_case(case_id: str, what: str, data: Callable[[], bytes], **options: Any) -> Case:
    return Case(id=case_id, what=what, build=data, **{"reach": "head", **options})


def parts_case(case_id: str, what: str, patch: Callable[[list[bytes]], list[bytes]]) -> Case:
    return of(case_id, what, parts_patch=patch, reach="head")


def plain_tar() -> bytes:
    return b"".join(tar_bytes.member(b"demo-1.0.0", b"manifest.json", b"{}")) + tar_bytes.END


def damaged_magic() -> Iterator[Case]:
    """A2: magic bytes, one at a time."""
    places = {"outer": 0, "block": 8, "head": None, "payload": None}
    for name, start in places.items():
        for at in range(8 if name == "block" else 4):

            def damage(name: str = name, start: int | None = start, at: int = at) -> bytes:
                whole = make(Recipe())
                offset = start if start is not None else len(whole.signature_frame)
                offset += len(whole.head) if name == "payload" else 0
                data = bytearray(whole.data)
                data[offset + at] ^= 0xFF
                return bytes(data)

            yield raw_case(
                f"A2-{name}-byte-{at}",
                "a byte of a magic number is wrong",
                damage,
                reach="payload" if name == "payload" else "head",
            )

    def first_byte(stored: Stored) -> bytes:
        return b"\x29" + stored.frame[1:]

    yield of("A2-payload-indexed", "wrong magic that the index vouches for", frame_patch=first_byte)


def hostile_frames() -> dict[str, tuple[str, Callable[[bytes], bytes]]]:
    """Return ways to write a frame that the format forbids, by case name."""
    good, by_hand, lead = zstd_bytes.frame, zstd_bytes.raw_frame, zstd_bytes.header

    def body(content: bytes) -> bytes:
        return zstd_bytes.raw_blocks(content) + zstd_bytes.checksum(content)

    def claims(size: int) -> Callable[[bytes], bytes]:
        return lambda content: lead(size) + body(content)

    def window(log: int, mantissa: int = 0) -> Callable[[bytes], bytes]:
        byte = zstd_bytes.window_byte(log, mantissa)
        return lambda content: lead(len(content), window=byte) + body(content)

    def bits(value: int) -> Callable[[bytes], bytes]:
        return lambda content: lead(len(content), bits=value) + body(content)

    def dictionary(width: int) -> Callable[[bytes], bytes]:
        field = b"\x07".ljust(width, b"\0")
        return lambda content: lead(len(content), dictionary=field) + body(content)

    def magic(value: bytes) -> Callable[[bytes], bytes]:
        return lambda content: value + good(content)[4:]

    def reserved_block(content: bytes) -> bytes:
        blocks = zstd_bytes.block(3, len(content), content, last=True)
        return by_hand(content, blocks=blocks)

    def endless(content: bytes) -> bytes:
        return by_hand(content, blocks=zstd_bytes.raw_blocks(content, last=False))

    def half(content: bytes) -> bytes:
        middle = len(content) // 1024 * 512
        return good(content[:middle]) + good(content[middle:])

    def long_block(content: bytes) -> bytes:
        blocks = zstd_bytes.block(0, zstd_bytes.MAX_BLOCK + 1, content, last=True)
        return by_hand(content, blocks=blocks)

    return {
        "A3-zst-of-zst": ("a frame in a frame", lambda c: good(good(c))),
        "A3-gz-of-tar": ("gzip in place of a frame", gzip.compress),
        "A3-gz-in-zst": ("gzip in a frame", lambda c: good(gzip.compress(c))),
        "A4-text": ("a frame of text", lambda c: good(b"not a tar\n" * 99)),
        "A4-empty-frame": ("a frame of nothing", lambda c: good(b"")),
        "A4-zeros": ("a frame of zeros", lambda c: good(bytes(len(c)))),
        "A5-frame-cut-by-1": ("a frame without its last byte", lambda c: good(c)[:-1]),
        "A5-frame-cut-by-4": ("a frame without its checksum", lambda c: good(c)[:-4]),
        "A5-frame-half": ("half a frame", lambda c: good(c)[: len(good(c)) // 2]),
        "A5-frame-header-only": ("the header of a frame", lambda c: good(c)[:6]),
        "A6-nul-after-frame": ("a NUL that the sizes include", lambda c: good(c) + b"\0"),
        "A6-text-after-frame": ("text that the sizes include", lambda c: good(c) + b"x = 1\n"),
        "A8-empty-frame-after": ("an empty frame after the frame", lambda c: good(c) + good(b"")),
        "A8-empty-frame-before": ("an empty frame first", lambda c: good(b"") + good(c)),
        "A9-two-frames": ("one entry, two frames", half),
        "A12-entry-led-by-skippable": (
            "a skippable frame first",
            lambda c: zstd_bytes.skippable(b"x") + good(c),
        ),
        "A12-entry-ended-by-skippable": (
            "a skippable frame after",
            lambda c: good(c) + zstd_bytes.skippable(b"x", nibble=0),
        ),
        "A12-entry-is-skippable": ("a skippable frame alone", zstd_bytes.skippable),
        "A14-checksum-wrong": (
            "a wrong content checksum",
            lambda c: good(c)[:-1] + bytes([good(c)[-1] ^ 1]),
        ),
        "A14-checksum-absent": (
            "no content checksum",
            lambda c: lead(len(c), bits=0) + zstd_bytes.raw_blocks(c),
        ),
        "A15-size-absent": (
            "no content size",
            lambda c: lead(None, window=zstd_bytes.window_byte(21)) + body(c),
        ),
        "A15-size-one-less": ("content size too small", lambda c: claims(len(c) - 1)(c)),
        "A15-size-one-more": ("content size too large", lambda c: claims(len(c) + 1)(c)),
        "A15-size-zero": ("content size 0", claims(0)),
        "A15-size-1-tib": ("content size 1 TiB", claims(1 << 40)),
        "A15-size-2-63": ("content size 2^63", claims(1 << 63)),
        "A15-size-2-64-less-1": ("content size 2^64 - 1", claims((1 << 64) - 1)),
        "A16-window-16-mib": ("a window of 2^24", window(24)),
        "A16-window-9-mib": ("a window of 9 MiB", window(23, 1)),
        "A16-window-2-27": ("a window of 2^27", window(27)),
        "A16-window-2-31": ("a window of 2^31", window(31)),
        "A16-window-2-41-maximum": ("the largest window there is", window(41, 7)),
        "A16-single-segment-9-mib": ("one segment over 8 MiB", claims(9 * MIB)),
        "A17-dictionary-1": ("a dictionary id of one byte", dictionary(1)),
        "A17-dictionary-2": ("a dictionary id of two bytes", dictionary(2)),
        "A17-dictionary-4": ("a dictionary id of four bytes", dictionary(4)),
        "A18-reserved-bit": ("the reserved bit", bits(0b1100)),
        "A18-unused-bit": ("the unused bit", bits(0b10100)),
        "A18-reserved-block": ("the reserved block type", reserved_block),
        "A19-no-last-block": ("no block is the last", endless),
        "A19-long-block": ("a block over 128 KiB", long_block),
        "A21-zstd-0.7": ("the magic of zstd 0.7", magic(b"\x27\xb5\x2f\xfd")),
        "A21-zstd-0.1": ("the magic of zstd 0.1", magic(b"\x1e\xb5\x2f\xfd")),
        "A21-magicless": ("no magic", magic(b"")),
        "A27-claims-1-tib": ("a claim of 1 TiB without data", lambda c: lead(1 << 40)),
        "A27-claims-65-mib": ("a claim over the head's limit", lambda c: lead(65 * MIB)),
    }


def frames() -> Iterator[Case]:
    """Each hostile frame as the head, as a payload frame, and as the end."""
    filler = (*FILES, File("workflow/filler.bin", bytes(range(256)) * 600))
    for name, (what, hostile) in hostile_frames().items():
        big = Recipe(files=filler) if name.endswith("long-block") else Recipe()
        if not name.endswith("long-block"):
            yield of(f"{name}-head", what, recipe=big, head_frame=hostile, reach="head")

        def at(section: str, hostile: Callable[[bytes], bytes] = hostile) -> Callable[..., bytes]:
            return lambda stored: (
                hostile(stored.content) if stored.section == section else stored.frame
            )

        yield of(f"{name}-payload", what, recipe=big, frame_patch=at("common"))
        if name.endswith("long-block") or name == "A4-zeros":
            continue
        yield of(f"{name}-end", what, recipe=big, frame_patch=at("end"))


def empty_blocks(content: bytes) -> bytes:
    """Return a frame of 200 000 empty blocks and then the content."""
    blocks = zstd_bytes.block(0, 0, b"") * 200_000 + zstd_bytes.raw_blocks(content)
    return zstd_bytes.raw_frame(content, blocks=blocks)


def streams() -> Iterator[Case]:
    """A5 to A13: what stands around the frames."""
    size = len(build())
    for cut in (1, 2, 4, 8, 16, 23, 24, 200, size // 2, size - 40, size - 9, size - 1):
        yield raw_case(
            f"A5-cut-by-{cut}", "cut short", lambda cut=cut: build()[: len(build()) - cut]
        )
    for name in ("signature", "head", "payload", "all-but-the-end"):
        count = ["signature", "head", "payload", "all-but-the-end"].index(name) + 1
        keep = 3 if name == "all-but-the-end" else count
        if name != "payload":
            yield parts_case(
                f"A5-ends-after-{name}", "parts are missing", lambda p, keep=keep: p[:keep]
            )
    trailers = {
        "one-nul": b"\0",
        "newline": b"\n",
        "text": b"signature: valid\n",
        "512-zeros": bytes(512),
        "random": bytes(range(7, 97)),
        "tar-end": tar_bytes.END,
    }
    for name, tail in trailers.items():
        yield parts_case(f"A6-{name}", "bytes after the end", lambda p, tail=tail: [*p, tail])
        yield parts_case(
            f"A6-{name}-after-head",
            "bytes between the frames",
            lambda p, tail=tail: [*p[:2], tail, *p[2:]],
        )
    yield parts_case("A7-second-package", "a second package after the first", lambda p: [*p, *p])
    empty = zstd_bytes.frame(b"")
    yield parts_case("A8-empty-frame-last", "an empty frame at the end", lambda p: [*p, empty])
    yield parts_case(
        "A8-empty-frame-inside", "an empty frame in the middle", lambda p: [*p[:2], empty, *p[2:]]
    )
    small = zstd_bytes.frame(plain_tar())
    yield parts_case("A10-archive-in-front", "a small archive first", lambda p: [small, *p])
    for count in (1, 1000, 100_000):
        yield parts_case(
            f"A11-{count}-empty-frames",
            "empty frames first",
            lambda p, count=count: [empty * count, *p],
        )
        yield parts_case(
            f"A11-{count}-empty-frames-before-head",
            "empty frames before the head",
            lambda p, count=count: [p[0], empty * count, *p[1:]],
        )
    yield of(
        "A20-empty-blocks-head", "200 000 empty blocks", head_frame=empty_blocks, expected="any"
    )
    yield of(
        "A20-empty-blocks-payload",
        "200 000 empty blocks, far over the bound of a frame",
        frame_patch=lambda stored: empty_blocks(stored.content),
    )


def skippables() -> Iterator[Case]:
    """A12, A13: skippable frames in other places, of other kinds, of other lengths."""
    extra = zstd_bytes.skippable(b"hello")
    for at, name in ((0, "first"), (1, "before-head"), (2, "after-head"), (3, "before-end")):
        yield parts_case(
            f"A12-skippable-{name}",
            "another skippable frame",
            lambda p, at=at: [*p[:at], extra, *p[at:]],
        )
    yield parts_case("A12-skippable-last", "another skippable frame", lambda p: [*p, extra])
    yield parts_case("A12-two-signature-frames", "the frame twice", lambda p: [p[0], *p])
    yield parts_case("A12-signature-frame-last", "the frame at the end", lambda p: [*p[1:], p[0]])
    yield parts_case("A12-no-signature-frame", "no signature frame", lambda p: p[1:])
    for nibble in [n for n in range(16) if n != 12]:
        yield of(
            f"A12-magic-{nibble:x}",
            "another magic of the skippable range",
            signature_frame=lambda frame, n=nibble: bytes([0x50 | n]) + frame[1:],
            reach="head",
        )
    for name, claim in (("4-gib", 0xFFFFFFFF), ("2-gib", 1 << 31), ("1-mib-and-1", MIB + 1)):
        yield of(
            f"A13-claims-{name}",
            "a signature frame that claims more than is there",
            signature_frame=lambda frame, n=claim: frame[:4] + struct.pack("<I", n) + frame[8:],
            reach="head",
        )
    for name, change in (("1-less", -1), ("1-more", 1)):
        yield of(
            f"A13-length-{name}",
            "the length of the signature frame is off by one",
            signature_frame=lambda f, n=change: f[:4] + struct.pack("<I", len(f) - 8 + n) + f[8:],
            reach="head",
        )
    yield of(
        "A13-over-1-mib",
        "a signature block over its limit that is really there",
        block_bytes=lambda block: block + b" " * MIB,
        reach="head",
    )


def cases() -> Iterator[Case]:
    """Every case of frames and streams."""
    for part in (
        damaged_magic,
        frames,
        streams,
        skippables,
    ):
        yield from part()
