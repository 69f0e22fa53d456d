"""The controls: good packages that every verb must take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.case import Case, of
from tests.hostile.cases_n_block import unknown_predicate
from tests.support import zstd_bytes
from tests.support.builder import FILES, FRAME_SIZE, File, Recipe, plain_manifest
from tests.support.envelopes import ALICE, BOB
from tests.support.full_manifest import FULL_FILES, full_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = "demo-1.0.0/"
NOISE = b"".join(n.to_bytes(4, "big") * 64 for n in range(FRAME_SIZE * 3 // 256))


def _of_length(length: int, *, folder: int = 0) -> str:
    """Return a path whose whole name in the tar has so many bytes."""
    rest = length - len(ROOT)
    if folder:
        return "d" * folder + "/" + "f" * (rest - folder - 1)
    return "f" * rest


LENGTHS = {
    "name-99": _of_length(99),
    "name-100": _of_length(100),
    "name-101-split-at-the-root": _of_length(101),
    "name-111-split-at-the-root": _of_length(111),
    "name-112-pax": _of_length(112),
    "split-155-and-100": _of_length(256, folder=144),
    "split-155-and-101-pax": _of_length(257, folder=144),
    "split-156-and-99-pax": _of_length(256, folder=145),
    "split-at-the-last-slash": "a" * 60 + "/" + "b" * 60 + "/" + "c" * 20,
    "pax-cut-inside-a-character": "x" * 88 + "\xe9" * 40,
    "pax-three-byte-characters": "\u6f22" * 80,
    "pax-four-byte-characters": "\U00010330" * 60,
    "pax-1024": "/".join(["x" * 204] * 5),
    "pax-record-of-99-bytes": _of_length(112 + 1),
}
NFC = (
    "caf\xe9.py",
    "\u6f22\u5b57/\u6587.txt",
    "\u0440\u0443\u0441.md",
    "\U0001f600.txt",
    "\xe5.txt",
)


def _ok(name: str, what: str, recipe: Recipe, **options: object) -> Case:
    return of(f"OK-{name}", what, recipe=recipe, **{"expected": "accept", **options})


def cases() -> Iterator[Case]:
    """Every control."""
    plain = Recipe()
    yield _ok("unsigned", "nothing special", plain)
    yield _ok("signed", "signed once", plain.but(signers=(ALICE,)))
    yield _ok("signed-twice", "signed by two", plain.but(signers=(ALICE, BOB)))
    yield _ok(
        "unknown-predicate",
        "an envelope of a type that nobody knows",
        plain.but(signers=(ALICE,), envelopes_patch=lambda e: [*e, unknown_predicate()]),
    )
    for name, path in LENGTHS.items():
        yield _ok(name, "a long name", Recipe(files=(*FILES, File(path, b"x\n"))))
    yield _ok(
        "nfc-names", "names of many scripts", Recipe(files=(*FILES, *(File(p, b"x") for p in NFC)))
    )
    tool = File("workflow/tool.sh", b"#!/bin/sh\n", executable=True)
    yield _ok("executable", "an executable file", Recipe(files=(*FILES, tool)))
    long_tool = tool._replace(path="workflow/" + "t" * 200)
    yield _ok("executable-with-pax", "an executable file", Recipe(files=(*FILES, long_tool)))
    sizes = [
        File(f"workflow/s{n:05}", b"x" * n) for n in (0, 1, 2, 511, 512, 513, 1024, 65535, 65536)
    ]
    yield _ok("sizes", "files around a block", Recipe(files=(*FILES, *sizes)))
    sections = (
        *FILES,
        File("platform/linux_aarch64/vendor/a.so", b"a"),
        File("platform/linux_x86_64/vendor/a.so", b"x"),
        File("platform/linux.x/vendor/a.so", b"dot sorts before underscore"),
        File("source/Cargo.toml", b"[package]\n"),
        File("source/src/lib.rs", b""),
    )
    yield _ok("sections", "several sections", Recipe(files=sections))
    slim = {"unpack": "refuse", "validate": "any"}
    yield _ok(
        "withheld",
        "a section was taken out",
        Recipe(files=sections, withheld=("linux_x86_64",)),
        verdicts=slim,
    )
    yield _ok(
        "withheld-two",
        "two sections were taken out",
        Recipe(files=sections, withheld=("linux_x86_64", "source")),
        verdicts=slim,
    )
    big = File("workflow/big.bin", NOISE)
    yield _ok("many-frames", "more than one frame", Recipe(files=(*FILES, big)))
    # The header and body of a file that makes its section end exactly with a frame.
    used = 512 * 3 + 512 + 512
    full = File("workflow/fill.bin", NOISE[: FRAME_SIZE - used - 512])
    yield _ok("section-of-one-whole-frame", "a section of one frame", Recipe(files=(*FILES, full)))
    more = full._replace(data=NOISE[: FRAME_SIZE - used - 511])
    yield _ok(
        "section-of-a-frame-and-a-block", "a last frame of one block", Recipe(files=(*FILES, more))
    )
    longest = Recipe(name="n" * 64, version="1." + "1" * 62)
    yield _ok("longest-root", "the longest root there is", longest)
    for level in (1, 9, 19):
        yield _ok(f"level-{level}", "another level", plain.but(level=level))
    yield _ok(
        "frames-by-hand",
        "raw blocks",
        plain.but(frame_patch=lambda s: zstd_bytes.raw_frame(s.content)),
    )
    yield _ok("head-by-hand", "raw blocks", plain.but(head_frame=zstd_bytes.raw_frame))
    window = zstd_bytes.window_byte(23)

    def eight(content: bytes) -> bytes:
        blocks = zstd_bytes.raw_blocks(content) + zstd_bytes.checksum(content)
        return zstd_bytes.header(len(content), window=window) + blocks

    yield _ok(
        "window-8-mib", "the largest window", plain.but(frame_patch=lambda s: eight(s.content))
    )
    one = plain_manifest()
    one["package"] = {"description": "Ein Test", "keywords": ["a", "b"], "license": "MIT"}
    yield _ok("described", "optional fields", Recipe(manifest=one))
    library = {"verify": "any", "validate": "any", "unpack": "any"}
    yield _ok(
        "every-field",
        "a manifest with every field; its library is none, which the head cannot show",
        Recipe(files=FULL_FILES, manifest=full_manifest()),
        verdicts=library,
    )
