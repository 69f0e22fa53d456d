"""Row D for gzip and bzip2: the structure of the tar stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.case import Case
from tests.hostile.legacy_case import PREFIX, members_of, of_stream, stream_of, with_members
from tests.support.archives import END, entry, folder, long_name, pax, record
from tests.support.legacy_cases import HEADERS, RECORDS
from tests.support.tar_bytes import BLOCK, header

if TYPE_CHECKING:
    from collections.abc import Iterator

TAR = ("A011",)


def numbers() -> Iterator[Case]:
    """D1 to D6: sizes, checksums, dialects."""
    for case_id, fields in HEADERS.items():
        yield from with_members(
            case_id, "a header", lambda at, f=fields: entry(f"{at}x", b"x", **f), codes=TAR
        )
    yield from with_members(
        "D2-octal-maximum", "a size without data", lambda at: header(f"{at}x".encode(), 8**11 - 1),
        codes=("L",),
    )  # fmt: skip
    for place in (0, 1, -1):

        def damaged(kind: str, place: int = place) -> bytes:
            members = members_of(kind)
            members[place] = b"\xff" + members[place][1:]
            return b"".join(members) + END

        yield from of_stream(f"D5-header-{place + 1}", "a damaged header", damaged, codes=TAR)
    for name, raw in {"v7": {"magic": b"", "version": b""}, "gnu": {}}.items():
        yield from with_members(
            f"D6-{name}", "a dialect", lambda at, r=raw: entry(f"{at}x", **r), expected="accept"
        )
    yield from with_members(
        "D6-posix", "a dialect", lambda at: entry(f"{at}x", gnu=False), expected="accept"
    )


def ends() -> Iterator[Case]:
    """D7 to D9: how a stream ends, and what stands in the gaps."""

    def body(kind: str) -> bytes:
        return b"".join(members_of(kind))

    streams = {
        "D7-no-end": body,
        "D7-one-zero-block": lambda kind: body(kind) + bytes(BLOCK),
        "D7-half-a-header": lambda kind: body(kind) + header(b"x", 0)[:300],
        "D7-header-only": lambda kind: body(kind) + header(PREFIX[kind].encode() + b"x", 9),
        "D7-short-body": lambda kind: body(kind) + entry(PREFIX[kind] + "x", b"x" * 900)[:-600],
        "D7-no-padding": lambda kind: body(kind) + entry(PREFIX[kind] + "x", b"x" * 9)[:-503] + END,
        "D8-member-behind": lambda kind: stream_of(kind) + entry(PREFIX[kind] + "x") + END,
        "D8-manifest-behind": lambda kind: stream_of(kind) + stream_of(kind),
        "D8-garbage-behind": lambda kind: stream_of(kind) + b"garbage",
        "D8-one-zero-block-more": lambda kind: stream_of(kind) + bytes(BLOCK),
        "D8-zero-block-between": lambda kind: bytes(BLOCK) + stream_of(kind),
    }
    for case_id, make in streams.items():
        yield from of_stream(case_id, "an end", make, codes=(*TAR, "A021"))
    filled = {"OK-filled-up": 10240, "D8-two-records": 20480}
    for case_id, record_size in filled.items():
        good = case_id.startswith("OK")

        def fill(kind: str, size: int = record_size) -> bytes:
            stream = stream_of(kind)
            return stream + bytes(-len(stream) % size or size)

        options = {"expected": "accept"} if good else {"codes": TAR}
        yield from of_stream(case_id, "zeros at the end", fill, **options)
    yield from with_members(
        "D9-padding", "padding that is not zero",
        lambda at: entry(f"{at}x", b"x")[:-1] + b"x", codes=TAR,
    )  # fmt: skip


def smuggled(at: str) -> bytes:
    """Return a body that is a member itself, for who reads another size."""
    return entry(f"{at}smuggled.py", b"evil = 1\n")


def extensions() -> Iterator[Case]:
    """D10 to D18: extensions that disagree, dangle, repeat or are malformed."""
    for size in ("0", "1", "512", "1536"):

        def other(at: str, size: str = size) -> bytes:
            return pax(record("size", size)) + entry(f"{at}x", smuggled(at), gnu=False)

        yield from with_members(f"D10-size-{size}", "another size", other, codes=TAR)
    made = {
        "D11-size-twice": lambda at: pax(record("size", "1") * 2) + entry("x", b"x", gnu=False),
        "D11-size-global": lambda at: (
            pax(record("size", "1"), typeflag=b"g") + entry("x", gnu=False)
        ),
        "D12-path-twice": lambda at: pax(record("path", at + "a") * 2) + entry("x", gnu=False),
        "D12-two-pax": lambda at: pax(record("path", at + "a")) * 2 + entry("x", gnu=False),
        "D12-pax-then-gnu": lambda at: (
            pax(record("path", at + "a")) + long_name(b"b") + entry(f"{at}x")
        ),
        "D12-gnu-then-pax": lambda at: (
            long_name(b"b") + pax(record("path", at + "a")) + entry(f"{at}x", gnu=False)
        ),
        "D13-pax-size-on-long-name": lambda at: (
            pax(record("size", "0")) + long_name(b"b" * 120) + entry(f"{at}x")
        ),
        "D17-pax-before-gnu": lambda at: pax(record("path", at + "a")) + entry(f"{at}x"),
        "D17-pax-before-v7": lambda at: (
            pax(record("path", at + "a")) + entry(f"{at}x", magic=b"", version=b"")
        ),
        "D18-text-behind-nul": lambda at: long_name(at.encode() + b"a\0b") + entry(f"{at}x"),
        "D18-empty": lambda at: entry("x", b"\0", typeflag=b"L") + entry(f"{at}x"),
        "D18-8-mib": lambda at: long_name(b"n" * (8 << 20)) + entry(f"{at}x"),
        "D16-8-mib": lambda at: pax(record("comment", "x" * (8 << 20))) + entry("x", gnu=False),
        "D16-records": lambda at: pax(record("comment", "x") * 100_000) + entry("x", gnu=False),
        "D16-10000-pax": lambda at: pax(record("path", at + "a")) * 10_000,
        "D16-10000-long": lambda at: long_name(b"a" * 120) * 10_000,
    }
    for case_id, make in made.items():
        yield from with_members(case_id, "an extension", make, codes=(*TAR, "A020"))
    for name, lead in {"pax": pax(record("path", "a")), "long": long_name(b"a" * 120)}.items():
        yield from of_stream(
            f"D14-{name}-last", "an extension before the end",
            lambda kind, lead=lead: b"".join(members_of(kind)) + lead + END, codes=TAR,
        )  # fmt: skip
    for case_id, raw in RECORDS.items():
        yield from with_members(
            case_id, "a malformed record",
            lambda at, r=raw: pax(r) + entry(f"{at}x", b"x", gnu=False), codes=(*TAR, "A015"),
        )  # fmt: skip


def sparse_and_many() -> Iterator[Case]:
    """D19, D20: sparse files, and very many members."""
    yield from with_members(
        "D19-old", "a sparse file", lambda at: entry(f"{at}x", typeflag=b"S"), codes=("A020",)
    )

    def many(at: str, count: int) -> bytes:
        return b"".join(entry(f"{at}{number}") for number in range(count))

    yield from with_members(
        "D20-10001", "a member too many", lambda at: many(at, 9_998), codes=("L",), seconds=10.0
    )
    yield from with_members(
        "D20-10000", "as many as there may be", lambda at: many(at, 9_997), expected="accept",
        seconds=6.0, slow=True,
    )  # fmt: skip
    yield from with_members(
        "D20-100000", "far too many", lambda at: many(at, 100_000), codes=("L",), slow=True,
        heavy=True, seconds=10.0,
    )  # fmt: skip
    yield from with_members(
        "D20-one-name", "one name again and again", lambda at: entry(f"{at}x") * 50_000,
        codes=("A016",), slow=True,
    )  # fmt: skip
    yield from with_members(
        "D20-folders", "folders alone",
        lambda at: b"".join(folder(f"{at}{number}") for number in range(20_000)), codes=("L",),
        slow=True,
    )  # fmt: skip


def cases() -> Iterator[Case]:
    """Every case of the row."""
    yield from numbers()
    yield from ends()
    yield from extensions()
    yield from sparse_and_many()
