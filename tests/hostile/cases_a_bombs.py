"""Row A: small files that become large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.case import Case, of
from tests.support import tar_bytes, zstd_bytes
from tests.support.builder import FILES, File, Recipe, Stored, build, make

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
from tests.hostile.cases_a_container import GIB, MIB, raw_case


def zeros_package(size: int) -> bytes:
    """Return a package with one file of so many zeros: every size in it is true."""
    whole, digest = make(Recipe()), "0" * 64
    header = tar_bytes.member(b"demo-1.0.0", b"workflow/zeros", b"")[1]
    header = tar_bytes.patched(header, size=b"%011o\0" % size)
    piece = zstd_bytes.frame(bytes(1 << 21))
    common = next(stored.content for stored in whole.frames)
    total = len(common) + len(header) + size
    first = common + header + bytes((1 << 21) - len(common) - len(header))
    count, rest = divmod(total, 1 << 21)
    frames = [Stored("common", first, zstd_bytes.frame(first))]
    frames += [Stored("common", bytes(1 << 21), piece)] * (count - 1)
    frames += [Stored("common", bytes(rest), zstd_bytes.frame(bytes(rest)))] if rest else []

    def entries(table: dict[str, list[dict[str, object]]]) -> None:
        table["files"].append({"path": "workflow/zeros", "sha256": digest, "size": size})

    def contents(manifest: dict[str, dict[str, int]]) -> None:
        manifest["contents"]["files"] += 1
        manifest["contents"]["size"] += size

    return build(
        files_patch=entries,
        manifest_patch=contents,
        frames_patch=lambda old: [*frames, old[-1]],
    )


def _bomb_head(size: int) -> Callable[[], bytes]:
    return lambda: build(head_frame=lambda content: zstd_bytes.zeros_frame(size))


def _rle_head(size: int) -> bytes:
    frame = zstd_bytes.header(size) + zstd_bytes.rle_blocks(size) + bytes(4)
    return build(head_frame=lambda content: frame)


def _lying_head(size: int) -> bytes:
    def frame(content: bytes) -> bytes:
        lead = zstd_bytes.header(len(content))
        return lead + zstd_bytes.rle_blocks(size) + bytes(4)

    return build(head_frame=frame)


def bombs() -> Iterator[Case]:
    """A26, A28: small files that become large."""
    over = {"codes": ("L",), "heavy": True}
    yield raw_case("A26-head-1-gib", "a head of 1 GiB zeros", _bomb_head(GIB), slow=True, **over)
    yield raw_case("A26-head-65-mib", "a head just over 64 MiB", _bomb_head(65 * MIB), **over)
    yield raw_case(
        "A26-head-rle-8-gib", "8 GiB of RLE blocks", lambda: _rle_head(8 * GIB), heavy=True
    )
    yield raw_case(
        "A26-head-rle-lies", "1 GiB behind a small claim", lambda: _lying_head(GIB), heavy=True
    )

    def lying(stored: Stored) -> bytes:
        lead = zstd_bytes.header(len(stored.content))
        return lead + zstd_bytes.rle_blocks(64 * MIB) + bytes(4)

    yield of("A26-payload-rle-lies", "64 MiB behind 2 KiB", frame_patch=lying, heavy=True)
    yield raw_case(
        "A28-zeros-300-mib",
        "300 MiB of zeros, all sizes true: over the ratio",
        lambda: zeros_package(300 * MIB),
        reach="payload",
        **over,
    )
    yield raw_case(
        "A28-zeros-8-gib",
        "a file of 8 GiB, which no header holds",
        lambda: build(files_patch=lambda t: t["files"][0].update(size=8 * GIB)),
        reach="payload",
    )
    many = tuple(File(f"workflow/z{n:03}", bytes(4 * MIB)) for n in range(70))
    yield of(
        "A28-spread-over-many-files",
        "280 MiB of zeros in 70 files: over the ratio",
        recipe=Recipe(files=(*FILES, *many)),
        slow=True,
        **over,
    )
    yield of(
        "A28-padding-16-mib",
        "16 MiB of zeros after the last file",
        section_patch=lambda s, stream: stream + bytes(16 * MIB) if s == "common" else stream,
    )


def cases() -> Iterator[Case]:
    """Every bomb."""
    for part in (bombs,):
        yield from part()
