"""Row D: the structure of the tar stream. Sizes, checksums, dialects, ends, padding, extensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.case import Case, of
from tests.hostile.cases_c_types import ROOT, TASKS, before, everywhere
from tests.support import tar_bytes, zstd_bytes
from tests.support.builder import FILES, FRAME_SIZE, File, Json, Recipe, Stored, build, make

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SMUGGLED = b"".join(tar_bytes.member(ROOT, b"workflow/smuggled.py", b"evil = 1\n"))
LONG = "workflow/" + "n" * 200 + ".py"
LONG_RECIPE = Recipe(files=(*FILES, File(LONG, b"x = 1\n")))


def numbers() -> Iterator[Case]:
    """D1 to D4: the size and the checksum."""
    sizes = {
        "D1-minus-1": b"\xff" * 12,
        "D1-minus-512": b"\xff" * 10 + b"\xfe\0",
        "D1-minus-1024": b"\xff" * 10 + b"\xfc\0",
        "D1-minus-sign": b"-0000000512\0",
        "D2-2-40": b"\x80" + (1 << 40).to_bytes(11, "big"),
        "D2-2-63": b"\x80" + (1 << 63).to_bytes(11, "big"),
        "D2-base-256": b"\x80" + (174).to_bytes(11, "big"),
        "D2-octal-maximum": b"77777777777\0",
        "D2-twelve-digits": b"000000000256",
        "D3-letters": b"0000000abcd\0",
        "D3-nine": b"00000000299\0",
        "D3-hexadecimal": b"0x000000100\0",
        "D3-plus": b"+0000000256\0",
        "D3-underscore": b"00000_00256\0",
        "D3-leading-spaces": b"        256\0",
        "D3-no-zeros": b"256\0",
        "D3-trailing-space": b"00000000256 ",
        "D3-text-after-nul": b"00000256\0xyz",
        "D3-arabic-digits": "\u0662\u0665\u0666".encode(),
        "D3-empty": b"",
        "D3-zero": b"00000000000\0",
        "D3-one-more": b"00000000257\0",
        "D3-one-less": b"00000000255\0",
    }
    for name, raw in sizes.items():
        yield from everywhere(name, "a size that is not the true one in the true form", size=raw)
    sums = {
        "zero": b"000000\0 ",
        "blank": b" " * 8,
        "nul": bytes(8),
        "off-by-one": b"0012345\0",
        "seven-digits": b"0000000\0",
        "spaces-first": b"  1234\0 ",
    }
    for name, raw in sums.items():
        yield from everywhere(f"D4-checksum-{name}", "a wrong checksum", chksum=raw)

    def form(end: bytes) -> Callable[[File, bytes], bytes]:
        return lambda f, h: h[:148] + h[148:154] + end + h[156:]

    yield of("D4-right-sum-space-nul", "the sum in another form", header_patch=form(b" \0"))
    yield of("D4-right-sum-two-nuls", "the sum in another form", header_patch=form(b"\0\0"))


def dialects() -> Iterator[Case]:
    """D5, D6: damaged headers and those of other dialects."""
    for at in (0, 50, 100, 125, 150, 156, 200, 257, 263, 345, 400, 500, 511):

        def flip(path: str, at: int) -> Callable[[File, bytes], bytes]:
            def patch(file: File, old: bytes) -> bytes:
                damaged = old[:at] + bytes([old[at] ^ 1]) + old[at + 1 :]
                return damaged if file.path == path else old

            return patch

        what = "one bit of a header"
        yield of(f"D5-first-header-byte-{at}", what, header_patch=flip("package.toml", at))
        yield of(f"D5-last-header-byte-{at}", what, header_patch=flip(TASKS, at))
        yield of(f"D5-head-byte-{at}", what, head_header_patch=flip("index.json", at), reach="head")
    kinds: dict[str, dict[str, bytes]] = {
        "v7": {"magic": bytes(6), "version": bytes(2)},
        "gnu": {"magic": b"ustar ", "version": b" \0"},
        "nul-version": {"version": bytes(2)},
        "version-1": {"version": b"01"},
        "star": {"rest": b"\0" * 8 + b"tar\0"},
        "junk-magic": {"magic": b"xstar\0"},
        "upper-magic": {"magic": b"USTAR\0"},
        "rest-not-nul": {"rest": b"x"},
        "devices-as-octal": {"devmajor": b"0000000\0", "devminor": b"0000000\0"},
    }
    for name, fields in kinds.items():
        yield from everywhere(f"D6-{name}", "another dialect", **fields)


def _section(case_id: str, what: str, patch: Callable[[bytes], bytes]) -> Case:
    return of(case_id, what, section_patch=lambda s, b: patch(b) if s == "common" else b)


def ends() -> Iterator[Case]:
    """D7 to D9: the end, what is missing before it, what comes after it, padding."""
    for name, end in {
        "no-end": b"",
        "one-zero-block": bytes(512),
        "three-zero-blocks": bytes(1536),
        "half-a-block": bytes(256),
        "ten-kib": bytes(10240),
        "not-zero": bytes(1023) + b"\1",
        "header-for-an-end": tar_bytes.header(ROOT + b"/x", 0) + bytes(512),
    }.items():
        row = "D9" if name == "not-zero" else "D7"
        yield of(f"{row}-{name}", "another end of the tar", end=end)
    yield of("D8-member-after-the-end", "a member after the end", end=tar_bytes.END + SMUGGLED)
    yield of("D8-garbage-after-the-end", "text after the end", end=tar_bytes.END + b"x" * 512)
    fake = b"".join(tar_bytes.member(ROOT, b"manifest.json", b"{}\n"))
    yield of("D8-manifest-after-the-end", "a second manifest", end=tar_bytes.END + fake)
    yield _section("D7-half-a-header", "half a header at last", lambda b: b + SMUGGLED[:256])
    yield _section("D7-header-only", "a header without its body", lambda b: b + SMUGGLED[:512])
    yield _section("D7-short-body", "the last body is short", lambda b: b[:-512])
    yield _section("D7-body-not-padded", "no padding", lambda b: b.rstrip(b"\0"))
    yield _section("D7-end-inside", "the end in the middle", lambda b: b + tar_bytes.END + SMUGGLED)
    yield _section("D8-unlisted-member-last", "a member too many", lambda b: b + SMUGGLED)
    yield _section("D8-unlisted-member-first", "a member too many", lambda b: SMUGGLED + b)
    yield _section("D9-padding", "padding is not zero", lambda b: b[:-1] + b"\1")
    yield _section("D9-padding-code", "code in the padding", lambda b: b[:-40] + b"import os\n" * 4)

    def head_padding(content: bytes) -> bytes:
        return content[:-1] + b"\1"

    what = "the tar of the head ends otherwise"
    for name, patch in {
        "D9-head-padding": head_padding,
        "D7-head-with-an-end": lambda c: c + tar_bytes.END,
        "D7-head-with-a-zero-block": lambda c: c + bytes(512),
        "D7-head-not-padded": lambda c: c.rstrip(b"\0"),
        "D7-head-short": lambda c: c[:-512],
        "D7-head-half-a-header": lambda c: c[:256],
        "D7-head-header-only": lambda c: c[:512],
        "D8-head-garbage": lambda c: c + b"x" * 512,
        "D8-head-member": lambda c: c + SMUGGLED,
    }.items():
        yield of(name, what, head_patch=patch, reach="head")

    def first_padding(file: File, old: bytes) -> bytes:
        return old[:-1] + b"\1" if file.path == "package.toml" else old

    yield of("D9-first-padding", "padding of an inner file", member_patch=first_padding)
    yield of(
        "D9-pax-padding",
        "padding of a pax header",
        recipe=LONG_RECIPE,
        member_patch=lambda f, m: m[:1023] + b"\1" + m[1024:] if f.path == LONG else m,
    )


def _pax(*records: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    made = b"".join(tar_bytes.pax_record(key, value) for key, value in records)
    return tar_bytes.pax_member(ROOT, made, typeflag=kind)


def pax_where_none_belongs() -> Iterator[Case]:
    """D10, D11: sizes by pax, and the member that they would hide."""
    record = "a pax size"
    yield before("D10-tarmageddon", record, _pax((b"size", b"%d" % len(SMUGGLED))))
    hidden = tar_bytes.header(ROOT + b"/workflow/hole", 0) + SMUGGLED
    yield before("D10-header-0-pax-large", record, _pax((b"size", b"1024")), hidden)
    large = tar_bytes.header(ROOT + b"/workflow/hole", len(SMUGGLED)) + SMUGGLED
    yield before("D10-header-large-pax-0", record, _pax((b"size", b"0")), large)
    values = {
        "minus-1": b"-1",
        "plus": b"+174",
        "point": b"174.0",
        "exponent": b"1e3",
        "hexadecimal": b"0xae",
        "spaces": b" 174 ",
        "underscore": b"1_74",
        "arabic": "\u0661\u0667\u0664".encode(),
        "30-digits": b"1" * 30,
        "empty": b"",
        "equal": b"174",
    }
    for name, value in values.items():
        yield before(f"D11-size-{name}", record, _pax((b"size", value)))
    yield before("D11-size-twice", record, _pax((b"size", b"174"), (b"size", b"0")))
    yield before("D11-size-global", record, _pax((b"size", b"0"), kind=b"g"))
    path = (b"path", b"demo-1.0.0/workflow/demo/tasks.py")
    evil = (b"path", b"demo-1.0.0/evil.py")
    gnu = tar_bytes.header(b"././@LongLink", 12, typeflag=b"L", magic=b"ustar ", version=b" \0")
    gnu += tar_bytes.padded(b"demo-1.0.0/x")
    what = "extension headers that contradict"
    yield before("D12-path-twice", what, _pax(path, evil))
    yield before("D12-pax-then-gnu", what, _pax(path), gnu)
    yield before("D12-gnu-then-pax", what, gnu, _pax(path))
    yield before("D12-two-pax-headers", what, _pax(path), _pax(evil))
    yield before("D13-pax-size-for-gnu", what, _pax((b"size", b"4096")), gnu)
    for name, lead in {"pax": _pax(path), "gnu": gnu, "global": _pax(path, kind=b"g")}.items():
        yield _section(f"D14-dangling-{name}", "an extension at last", lambda b, x=lead: b + x)
    yield of("D14-carried-over-the-end", "an extension after the end", end=tar_bytes.END + gnu)


def pax_where_one_belongs() -> Iterator[Case]:
    """D15 to D18: the one pax header that the profile has, written otherwise."""
    full = b"demo-1.0.0/" + LONG.encode()
    good = tar_bytes.pax_record(b"path", full)
    n = len(good)
    body = good[good.index(b" ") :]
    records = {
        "length-0": b"0" + body,
        "length-short": b"%d" % (n - 1) + body,
        "length-long": b"%d" % (n + 1) + body,
        "length-huge": b"9" * 40 + body,
        "length-negative": b"-%d" % n + body,
        "length-plus": b"+%d" % n + body,
        "length-zeros": b"0%d" % (n + 1) + body,
        "length-space": b" %d" % (n + 1) + body,
        "length-empty": body,
        "length-only": b"%d" % n,
        "no-newline": good[:-1] + b"x",
        "no-equals": good.replace(b"=", b" "),
        "no-space": good.replace(b" ", b"=", 1),
        "tab": good.replace(b" ", b"\t", 1),
        "nul-in-key": good.replace(b"path", b"pat\0"),
        "upper-key": good.replace(b"path", b"PATH"),
        "empty-key": tar_bytes.pax_record(b"", full),
        "empty-value": tar_bytes.pax_record(b"path", b""),
        "other-value": tar_bytes.pax_record(b"path", full[:-1] + b"z"),
        "bad-utf-8": tar_bytes.pax_record(b"path", full[:-1] + b"\xff"),
        "nul-in-value": tar_bytes.pax_record(b"path", full[:-1] + b"\0"),
        "two-records": good + tar_bytes.pax_record(b"mtime", b"0"),
        "same-twice": good * 2,
        "record-before": tar_bytes.pax_record(b"comment", b"x") + good,
        "text-after": good + b"x",
        "nul-after": good + b"\0",
        "empty": b"",
    }
    for name, raw in records.items():

        def patch(file: File, old: bytes, raw: bytes = raw) -> bytes:
            return tar_bytes.pax_member(ROOT, raw) + old[1024:] if file.path == LONG else old

        what = "another pax record"
        yield of(f"D15-{name}", what, recipe=LONG_RECIPE, member_patch=patch)

    def lead(**fields: bytes) -> Callable[[File, bytes], bytes]:
        return lambda f, m: tar_bytes.patched(m[:512], **fields) + m[512:] if f.path == LONG else m

    for name, fields in {
        "D17-v7": {"magic": bytes(6), "version": bytes(2)},
        "D17-gnu": {"magic": b"ustar ", "version": b" \0"},
        "D15-pax-global": {"typeflag": b"g"},
        "D15-pax-solaris": {"typeflag": b"X"},
        "D15-pax-name": {"name": b"demo-1.0.0/PaxHeaders/x"},
        "D15-pax-mode": {"mode": b"0000755\0"},
        "D15-pax-mtime": {"mtime": b"00000000000\0"},
        "D15-pax-size-large": {"size": b"00000001000\0"},
        "D15-pax-size-small": {"size": b"00000000001\0"},
        "D15-pax-size-base-256": {"size": b"\x80" + bytes(9) + b"\1\0"},
        "D15-pax-checksum": {"chksum": b"000000\0 "},
    }.items():
        yield of(
            name, "the pax header's own header", recipe=LONG_RECIPE, member_patch=lead(**fields)
        )

    def own(**fields: bytes) -> Callable[[File, bytes], bytes]:
        return lambda f, h: tar_bytes.patched(h, **fields) if f.path == LONG else h

    for name, fields in {
        "D18-short-name-cut-earlier": {"name": full[:99]},
        "D18-short-name-empty": {"name": b""},
        "D18-short-name-other": {"name": b"demo-1.0.0/evil.py"},
        "D18-short-prefix": {"prefix": b"demo-1.0.0"},
        "D17-file-after-pax-v7": {"magic": bytes(6), "version": bytes(2)},
    }.items():
        yield of(
            name, "the header after a pax header", recipe=LONG_RECIPE, header_patch=own(**fields)
        )

    def drop(file: File, old: bytes) -> bytes:
        return old[1024:] if file.path == LONG else old

    yield of("D14-pax-missing", "no pax header", recipe=LONG_RECIPE, member_patch=drop)
    gnu = tar_bytes.header(b"././@LongLink", n, typeflag=b"L", magic=b"ustar ", version=b" \0")
    gnu += tar_bytes.padded(full + b"\0")

    def by_gnu(file: File, old: bytes) -> bytes:
        return gnu + old[1024:] if file.path == LONG else old

    yield of("D18-gnu-long-name", "GNU in place of pax", recipe=LONG_RECIPE, member_patch=by_gnu)


def floods() -> Iterator[Case]:
    """D16, D18, D19: large and many extension headers, sparse files."""
    big = _pax((b"path", b"demo-1.0.0/" + b"a" * (8 << 20)))
    yield before("D16-pax-8-mib", "a pax header of 8 MiB", big)
    many = b"".join(tar_bytes.pax_record(b"k%d" % n, b"") for n in range(100_000))
    yield before("D16-100000-records", "100 000 records", tar_bytes.pax_member(ROOT, many))
    gnu = tar_bytes.header(b"././@LongLink", 2, typeflag=b"L", magic=b"ustar ", version=b" \0")
    gnu += tar_bytes.padded(b"x\0")
    for name, one in {
        "x": _pax((b"a", b"b")),
        "g": _pax((b"a", b"b"), kind=b"g"),
        "l": gnu,
    }.items():
        yield before(f"D16-10000-headers-{name}", "10 000 extension headers", one * 10_000)
    yield before("D18-gnu-8-mib", "a name of 8 MiB", gnu[:124] + b"00040000000\0" + gnu[136:])
    yield from everywhere(
        "D19-sparse-old", "an old sparse file", typeflag=b"S", magic=b"ustar ", version=b" \0"
    )
    for name, records in {
        "0.1": [(b"GNU.sparse.size", b"1000"), (b"GNU.sparse.map", b"0,1")],
        "1.0": [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.realsize", b"4611686018427387904")],
        "orphan-name": [(b"GNU.sparse.name", b"evil")],
    }.items():
        yield before(f"D19-sparse-{name}", "a sparse file", _pax(*records))


def many(count: int) -> Recipe:
    """Return a package of so many empty files."""
    return Recipe(files=(*FILES, *(File(f"workflow/d/{n:06}.txt") for n in range(count))))


def _claims(count: int) -> bytes:
    """Return a package whose head lists so many files and whose stream holds three."""
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    def files(table: Json) -> None:
        table["files"] += [
            {"path": f"workflow/x/{n:06}", "sha256": empty, "size": 0} for n in range(count)
        ]

    def contents(manifest: Json) -> None:
        manifest["contents"]["files"] += count

    return build(files_patch=files, manifest_patch=contents)


def crowds() -> Iterator[Case]:
    """D20: many members."""
    yield of(
        "D20-5000-files", "many files", recipe=many(5000), expected="accept", slow=True, seconds=4
    )
    yield of(
        "D20-100000-files",
        "very many files",
        recipe=many(100_000),
        expected="accept",
        slow=True,
        heavy=True,
        seconds=60,
    )
    yield Case(
        id="D20-250001-files",
        what="one file over the limit",
        build=lambda: _claims(249_998),
        codes=("L",),
        slow=True,
        heavy=True,
        seconds=4,
    )
    yield Case(
        id="D20-50000-listed-3-there",
        what="files that are not there",
        build=lambda: _claims(50_000),
        slow=True,
        heavy=True,
    )
    one_name = (*FILES, *[File("workflow/same.py", b"")] * 2000)
    yield of("D20-2000-of-one-name", "one name 2000 times", recipe=Recipe(files=one_name))
    nested = tuple(File("d/" * n + "f") for n in range(1, 400))
    yield of("D20-nested-one-by-one", "ever deeper", recipe=Recipe(files=(*FILES, *nested)))


def _empty_frames(frames: list[Stored]) -> list[Stored]:
    empty = Stored("common", b"", zstd_bytes.frame(b""))
    return [empty] * 65_537 + frames


def frame_crowds() -> Iterator[Case]:
    """D20 for frames: too many, too small."""
    yield of(
        "D20-65537-empty-frames",
        "more frames than the limit",
        frames_patch=_empty_frames,
        reach="head",
    )

    def small_pieces(recipe: Recipe) -> bytes:
        made = make(recipe)
        stored = made.frames[0]
        pieces = [stored.content[at : at + 512] for at in range(0, len(stored.content), 512)]
        cut = [Stored("common", piece, zstd_bytes.frame(piece)) for piece in pieces]
        return build(recipe, frames_patch=lambda old: [*cut, old[-1]])

    yield Case(
        id="D20-frames-of-512-bytes",
        what="cut finer than the format says",
        build=lambda: small_pieces(Recipe()),
    )
    body = File("workflow/two.bin", bytes(range(256)) * (FRAME_SIZE // 256 + 1))
    yield of(
        "D20-uncut",
        "a frame over the frame size",
        recipe=Recipe(files=(*FILES, body)),
        frames_patch=lambda old: [
            Stored("common", both := old[0].content + old[1].content, zstd_bytes.frame(both)),
            old[-1],
        ],
    )


def cases() -> Iterator[Case]:
    """Every case of row D."""
    for part in (
        numbers,
        dialects,
        ends,
        pax_where_none_belongs,
        pax_where_one_belongs,
        floods,
        crowds,
        frame_crowds,
    ):
        yield from part()
