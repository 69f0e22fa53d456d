"""Row N: what only this format has. Its signature block, its index, its tables, its sections."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from tests.hostile import json_texts, tar_bytes, zstd_bytes
from tests.hostile.builder import FILES, FRAME_SIZE, File, Json, Recipe, Stored
from tests.hostile.case import NOT_TRUSTED, Case, of
from tests.hostile.envelopes import (
    ALICE,
    BOB,
    MALLORY,
    PAYLOAD_TYPE,
    canonical,
    envelope,
    statement,
)

HEAD: dict[str, Any] = {"reach": "head"}
BLOCK = ("A003", "A006", "L", "S")
TWO = (*FILES, File("platform/linux_x86_64/x", b"x"), File("source/Cargo.toml", b"[package]\n"))
SECTIONS = Recipe(files=TWO)


def _block(case_id: str, what: str, patch: Callable[[Json], Any], **options: Any) -> Case:
    return of(case_id, what, block_patch=patch, **{**HEAD, "codes": BLOCK, **options})


def lead() -> Iterator[Case]:
    """N1: the fixed part of the signature block."""
    for value in (0, 1, 2, 4, 5, 0x0300, 0xFFFF):
        yield of(
            f"N1-format-version-{value}", "another format version", format_version=value, **HEAD
        )
    for value in (1, 2, 0x8000, 0xFFFF):
        yield of(
            f"N1-flags-{value}", "a reserved flag", flags=value, codes=("A006", "A003"), **HEAD
        )
    for name, size in {"0": 0, "1": 1, "17-mib": 17 << 20, "4-gib": 0xFFFFFFFF}.items():
        yield of(f"N1-head-size-{name}", "a wrong size of the head", head_size=size, **HEAD)

    def off(change: int) -> Callable[[bytes], bytes]:
        def patch(block: bytes) -> bytes:
            size = int.from_bytes(block[12:16], "little") + change
            return block[:12] + size.to_bytes(4, "little") + block[16:]

        return patch

    for change in (-1, 1, -4, 8):
        name = f"{'less' if change < 0 else 'more'}-{abs(change)}"
        yield of(
            f"N1-head-size-{name}", "a wrong size of the head", block_bytes=off(change), **HEAD
        )
    for size in (0, 1, 7, 8, 9, 15, 16):
        yield of(
            f"N1-block-of-{size}-bytes",
            "a short block",
            block_bytes=lambda b, n=size: b[:n],
            **HEAD,
        )


def block_texts() -> Iterator[Case]:
    """N2: the JSON of the signature block."""
    for name, raw in json_texts.DOCUMENTS.items():
        yield of(f"N2-{name}", "no block", block_json=lambda g, r=raw: r, codes=BLOCK, **HEAD)
    sample = b'{"envelopes":[],"withheld":[]}\n'
    for name, raw in json_texts.spoiled(sample).items():
        if raw != sample:
            yield of(f"N2-form-{name}", "another form", block_json=lambda g, r=raw: r, **HEAD)
    for name, raw in json_texts.VALUES.items():
        text = b'{"envelopes":[],"withheld":' + raw + b"}\n"
        yield of(f"N2-value-{name}", "a bad value", block_json=lambda g, r=text: r, **HEAD)
    bad: dict[str, Callable[[Json], Any]] = {
        "no-envelopes": lambda b: b.pop("envelopes") and None,
        "unknown-key": lambda b: b.update(x=1),
        "envelopes-null": lambda b: b.update(envelopes=None),
        "envelopes-object": lambda b: b.update(envelopes={}),
        "withheld-null": lambda b: b.update(withheld=None),
        "withheld-string": lambda b: b.update(withheld="linux_x86_64"),
        "withheld-numbers": lambda b: b.update(withheld=[1]),
        "withheld-nested": lambda b: b.update(withheld=[["source"]]),
        "envelope-string": lambda b: b.update(envelopes=["x"]),
        "envelope-null": lambda b: b.update(envelopes=[None]),
        "envelope-empty": lambda b: b.update(envelopes=[{}]),
    }
    for name, patch in bad.items():
        if name == "no-envelopes":
            patch = lambda b: {"withheld": b["withheld"]}  # noqa: E731
        yield _block(f"N2-{name}", "a block of another form", patch)
    yield _block("N2-no-withheld", "a list is missing", lambda b: {"envelopes": b["envelopes"]})


def envelopes() -> Iterator[Case]:
    """N3: envelopes that the block must not hold, whoever signed them."""

    def one(**changed: Any) -> Callable[[list[Json]], Any]:
        return lambda found: [{**found[0], **changed}]

    def signature(**changed: Any) -> Callable[[list[Json]], Any]:
        return lambda found: [
            {**found[0], "signatures": [{**found[0]["signatures"][0], **changed}]}
        ]

    def loose(text: str) -> Callable[[list[Json]], Any]:
        return lambda found: [{**found[0], "payload": text}]

    def spelled(change: Callable[[str], str], where: str) -> Callable[[list[Json]], Any]:
        def patch(found: list[Json]) -> Any:
            if where == "payload":
                return [{**found[0], "payload": change(found[0]["payload"])}]
            sig = found[0]["signatures"][0]
            return [{**found[0], "signatures": [{**sig, "sig": change(sig["sig"])}]}]

        return patch

    bad: dict[str, Callable[[list[Json]], Any]] = {
        "two-equal": lambda found: [found[0], found[0]],
        "unknown-key": one(x=1),
        "no-payload": lambda found: [{k: v for k, v in found[0].items() if k != "payload"}],
        "no-type": lambda found: [{k: v for k, v in found[0].items() if k != "payloadType"}],
        "other-type": one(payloadType="text/plain"),
        "empty-type": one(payloadType=""),
        "no-signature": one(signatures=[]),
        "two-signatures": lambda f: [{**f[0], "signatures": f[0]["signatures"] * 2}],
        "signature-string": one(signatures=["x"]),
        "signature-unknown-key": signature(x=1),
        "keyid-missing": lambda f: [
            {**f[0], "signatures": [{"sig": f[0]["signatures"][0]["sig"]}]}
        ],
        "keyid-null": signature(keyid=None),
        "keyid-number": signature(keyid=1),
        "sig-null": signature(sig=None),
        "payload-number": one(payload=1),
        "payload-not-base64": loose("!!!!"),
        "payload-not-json": loose(base64.b64encode(b"not json").decode()),
    }
    for name, patch in bad.items():
        unsure = name in {"payload-not-json", "keyid-number-x"}
        yield of(
            f"N3-{name}", "an envelope of another form", signers=(ALICE,), envelopes_patch=patch,
            expected="any" if unsure else "refuse", exit=frozenset({3, 4}), **HEAD,
        )  # fmt: skip
    spellings: dict[str, Callable[[str], str]] = {
        "newline": lambda t: t + "\n",
        "space": lambda t: t[:4] + " " + t[4:],
        "more-padding": lambda t: t + "=",
        "junk": lambda t: t[:4] + "*" + t[4:],
        "after-padding": lambda t: t.rstrip("=") + "==" + "AAAA",
        "url-alphabet": lambda t: "_-" + t[2:],
    }
    for name, change in spellings.items():
        for where in ("payload", "sig"):
            yield of(
                f"N3-base64-{where}-{name}", "another spelling", signers=(ALICE,),
                envelopes_patch=spelled(change, where), exit=frozenset({3, 4}), **HEAD,
            )  # fmt: skip

    def trailing_bits(text: str) -> str:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        at = len(text.rstrip("=")) - 1
        return text[:at] + alphabet[alphabet.index(text[at]) + 1] + text[at + 1 :]

    yield of(
        "N3-base64-sig-trailing-bits", "bits that decode to nothing", signers=(ALICE,),
        envelopes_patch=spelled(trailing_bits, "sig"), exit=frozenset({3, 4}), **HEAD,
    )  # fmt: skip
    payloads = [envelope(MALLORY, canonical({"n": n})) for n in range(65)]
    yield of("N3-65-envelopes", "one over the limit", envelopes_patch=lambda f: payloads, **HEAD)
    yield of(
        "N3-64-envelopes",
        "as many as may be",
        envelopes_patch=lambda f: payloads[:64],
        expected="accept",
    )


def withheld() -> Iterator[Case]:
    """N4: lists of withheld sections."""

    def lists(*names: str) -> Callable[[Json], Any]:
        return lambda block: block.update(withheld=list(names))

    bad = {
        "unknown": lists("windows_amd64"),
        "common": lists("common"),
        "end": lists("end"),
        "head": lists("head"),
        "empty-name": lists(""),
        "unsorted": lists("source", "linux_x86_64"),
        "twice": lists("source", "source"),
        "traversal": lists("../.."),
    }
    for name, patch in bad.items():
        yield _block(f"N4-{name}", "a list that cannot be", patch, recipe=SECTIONS, codes=())
    for name in ("source", "linux_x86_64"):
        yield _block(
            f"N4-there-all-the-same-{name.replace('_', '-')}", "withheld and there", lists(name),
            recipe=SECTIONS, codes=(),
        )  # fmt: skip

    def gone(section: str) -> Callable[[list[Stored]], list[Stored]]:
        return lambda frames: [frame for frame in frames if frame.section != section]

    for section in ("source", "linux_x86_64", "common", "end"):
        yield of(
            f"N4-gone-and-not-withheld-{section.replace('_', '-')}", "frames are missing",
            recipe=SECTIONS, stored_patch=gone(section), **HEAD,
        )  # fmt: skip


def index() -> Iterator[Case]:
    """N5: `index.json` against what is there."""

    def frames(change: Callable[[list[Json]], Any]) -> Callable[[Json], Any]:
        return lambda table: change(table["frames"])

    extra = {"content_size": 512, "section": "common", "sha256": "0" * 64, "size": 20}
    bad: dict[str, Callable[[Json], Any]] = {
        "one-more": frames(lambda f: f.append(extra)),
        "one-more-first": frames(lambda f: f.insert(0, extra)),
        "last-missing": frames(lambda f: f.pop() and None),
        "first-missing": frames(lambda f: f.pop(0) and None),
        "none": frames(lambda f: f.clear()),
        "reversed": frames(lambda f: f.reverse()),
        "end-twice": frames(lambda f: f.append(f[-1])),
        "content-size-1-more": frames(lambda f: f[0].update(content_size=f[0]["content_size"] + 1)),
        "content-size-512-more": frames(
            lambda f: f[0].update(content_size=f[0]["content_size"] + 512)
        ),
        "content-size-0": frames(lambda f: f[0].update(content_size=0)),
        "size-1-more": frames(lambda f: f[0].update(size=f[0]["size"] + 1)),
        "size-1-less": frames(lambda f: f[0].update(size=f[0]["size"] - 1)),
        "size-0": frames(lambda f: f[0].update(size=0)),
        "size-over-the-bound": frames(
            lambda f: f[0].update(size=zstd_bytes.bound(f[0]["content_size"]) + 1)
        ),
        "size-shifted": frames(
            lambda f: (
                (f[0].update(size=f[0]["size"] - 1), f[1].update(size=f[1]["size"] + 1)) and None
            )
        ),
        "section-source": frames(lambda f: f[0].update(section="source")),
        "section-end": frames(lambda f: f[0].update(section="end")),
        "section-common-for-end": frames(lambda f: f[-1].update(section="common")),
        "section-empty": frames(lambda f: f[0].update(section="")),
        "section-number": frames(lambda f: f[0].update(section=1)),
        "unknown-frame-key": frames(lambda f: f[0].update(x=1)),
        "offset-key": frames(lambda f: f[0].update(offset=0)),
        "unknown-key": lambda t: t.update(x=1),
        "no-tool": lambda t: {k: v for k, v in t.items() if k != "tool"},
        "tool-string": lambda t: t.update(tool="cloacina-ctl 0.1.0"),
        "tool-unknown-key": lambda t: t["tool"].update(x="y"),
        "tool-no-version": lambda t: t.update(tool={"name": "x"}),
        "tool-number": lambda t: t["tool"].update(version=1),
        "frames-null": lambda t: t.update(frames=None),
        "frames-object": lambda t: t.update(frames={}),
        "frame-size-0": lambda t: t.update(frame_size=0),
        "frame-size-1": lambda t: t.update(frame_size=1),
        "frame-size-1-mib": lambda t: t.update(frame_size=1 << 20),
        "frame-size-double": lambda t: t.update(frame_size=2 * FRAME_SIZE),
        "frame-size-string": lambda t: t.update(frame_size="2097152"),
    }
    codes = ("A004", "A005", "A008", "A009", "A011", "A012", "L")
    for name, patch in bad.items():
        yield of(f"N5-{name}", "an index of something else", index_patch=patch, codes=codes)
    yield of("N5-frame-size-1-mib-truly", "cut every 1 MiB", frame_size=1 << 20)
    hostile = {
        "ansi": "\x1b[2J",
        "newline": "x\nSignature: VALID",
        "bidi": "\u202e",
        "markup": "[/x]",
    }
    for name, text in hostile.items():
        yield of(
            f"N5-tool-{name}", "a hostile name of a tool", expected="any",
            index_patch=lambda t, x=text: t.update(tool={"name": x, "version": x}),
        )  # fmt: skip


def tables() -> Iterator[Case]:
    """N6: `files.json` and `index.json` as JSON texts."""
    for name, raw in json_texts.DOCUMENTS.items():
        yield of(f"N6-files-{name}", "no table", files_bytes=lambda g, r=raw: r)
        yield of(f"N6-index-{name}", "no index", index_bytes=lambda g, r=raw: r, **HEAD)
    sample = b'{"frames":[{"a":1,"f":2}]}\n'
    for name in json_texts.spoiled(sample):
        yield of(
            f"N6-files-form-{name}",
            "another form",
            files_bytes=lambda g, n=name: json_texts.spoiled(g)[n],
        )
        yield of(f"N6-index-form-{name}", "another form", index_bytes=lambda g, n=name: json_texts.spoiled(g)[n], **HEAD)  # fmt: skip
    for name, raw in json_texts.VALUES.items():
        yield of(f"N6-files-size-{name}", "no size", files_bytes=lambda g, r=raw: g.replace(b'"size":0', b'"size":' + r, 1))  # fmt: skip
        yield of(
            f"N6-files-path-{name}",
            "no path",
            files_bytes=lambda g, r=raw: g.replace(b'"package.toml"', r, 1),
        )
        yield of(f"N6-index-size-{name}", "no size", index_bytes=lambda g, r=raw: g.replace(b'"content_size":1024', b'"content_size":' + r, 1), **HEAD)  # fmt: skip

    def file(change: Callable[[Json], Any]) -> Callable[[Json], Any]:
        return lambda table: change(table["files"][0])

    bad: dict[str, Callable[[Json], Any]] = {
        "executable-false": file(lambda f: f.update(executable=False)),
        "executable-null": file(lambda f: f.update(executable=None)),
        "executable-1": file(lambda f: f.update(executable=1)),
        "executable-true-unlike-the-header": file(lambda f: f.update(executable=True)),
        "unknown-key": file(lambda f: f.update(mode=420)),
        "no-size": lambda t: t.update(
            files=[{k: v for k, v in e.items() if k != "size"} for e in t["files"]]
        ),
        "unknown-table-key": lambda t: t.update(x=1),
        "files-null": lambda t: t.update(files=None),
        "files-object": lambda t: t.update(files={}),
        "empty": lambda t: t.update(files=[]),
        "path-null": file(lambda f: f.update(path=None)),
        "path-list": file(lambda f: f.update(path=["package.toml"])),
        "size-8-gib": file(lambda f: f.update(size=8 << 30)),
        "size-64-gib": file(lambda f: f.update(size=64 << 30)),
        "size-2-53": file(lambda f: f.update(size=1 << 53)),
    }
    for name, patch in bad.items():
        yield of(f"N6-files-{name}-entry", "a table of another form", files_patch=patch)
    yield of(
        "N6-no-files", "a package of nothing", files=(), **HEAD,
        manifest={"language": "python", "workflows": [{"name": "a", "tasks": [{"dependencies": [], "id": "a"}]}]},
    )  # fmt: skip


def payload() -> Iterator[Case]:
    """N7: frames that are vouched for and wrong, or right and not vouched for."""
    big = Recipe(
        files=(*FILES, File("workflow/big.bin", bytes(range(256)) * (3 * FRAME_SIZE // 256)))
    )

    def swap(frames: list[Stored]) -> list[Stored]:
        return [frames[1], frames[0], *frames[2:]]

    yield of("N7-swapped", "two frames swapped", recipe=big, stored_patch=swap)
    yield of("N7-swapped-in-the-index-too", "two frames swapped", recipe=big, frames_patch=swap)
    yield of(
        "N7-first-twice",
        "one frame for another",
        recipe=big,
        frames_patch=lambda f: [f[0], f[0], *f[2:]],
    )
    yield of("N7-dropped", "a frame is missing", recipe=big, stored_patch=lambda f: f[1:], **HEAD)
    yield of("N7-doubled", "a frame twice", recipe=big, stored_patch=lambda f: [f[0], *f], **HEAD)
    other = [Stored("common", b"x" * 2560, zstd_bytes.frame(b"x" * 2560))]
    yield of("N7-other-content", "text in place of the tar", frames_patch=lambda f: [*other, f[-1]])

    def recompressed(frames: list[Stored]) -> list[Stored]:
        return [frames[0]._replace(frame=zstd_bytes.frame(frames[0].content, 19)), *frames[1:]]

    yield of("N7-recompressed", "the same content, other bytes", stored_patch=recompressed)

    def body(file: File, member: bytes) -> bytes:
        return member.replace(b"return context", b"return evil!!!") if file.data else member

    yield of("N7-body", "a body that is not the listed one", member_patch=body, codes=("A013",))
    for at in (0, 100, 512):

        def flipped(frames: list[Stored], at: int = at) -> list[Stored]:
            frame = bytearray(frames[0].frame)
            frame[at % len(frame)] ^= 1
            return [frames[0]._replace(frame=bytes(frame)), *frames[1:]]

        yield of(f"N7-bit-{at}", "a bit of a frame", stored_patch=flipped, codes=("A012",))

    def last_byte(frames: list[Stored]) -> list[Stored]:
        frame = frames[-1].frame
        return [*frames[:-1], frames[-1]._replace(frame=frame[:-1] + bytes([frame[-1] ^ 1]))]

    yield of("N7-last-bit", "the last bit of the file", stored_patch=last_byte, codes=("A012",))


PATHS = {
    "directly-under-platform": "platform/x.so",
    "tag-upper": "platform/Linux/x",
    "tag-dash": "platform/linux-x86/x",
    "tag-any": "platform/any/x",
    "tag-common": "platform/common/x",
    "tag-source": "platform/source/x",
    "tag-end": "platform/end/x",
    "tag-head": "platform/head/x",
    "tag-65": "platform/" + "t" * 65 + "/x",
    "tag-dot-first": "platform/.x/x",
    "tag-underscore-first": "platform/_x/x",
    "platform-file": "platform",
    "platform-upper": "PLATFORM/linux/x",
    "source-package-toml": "source/package.toml",
}


def sections() -> Iterator[Case]:
    """N8: paths that no section has, and files in the wrong order."""
    unsure = {"platform-upper", "source-package-toml", "platform-file"}
    for name, path in PATHS.items():
        yield of(
            f"N8-{name}", "a path of no section", recipe=Recipe(files=(*FILES, File(path, b"x"))),
            expected="any" if name in unsure else "refuse",
        )  # fmt: skip
    mixed = (File("source/Cargo.toml", b"x"), *FILES)
    yield of("N8-source-first", "sections in another order", files=mixed, sort=False)

    def joined(frames: list[Stored]) -> list[Stored]:
        both = frames[0].content + frames[1].content
        return [Stored("common", both, zstd_bytes.frame(both)), *frames[2:]]

    yield of(
        "N8-sections-in-one-frame", "a frame of two sections", recipe=SECTIONS, frames_patch=joined
    )

    def with_end(frames: list[Stored]) -> list[Stored]:
        both = frames[-2].content + tar_bytes.END
        return [*frames[:-2], Stored(frames[-2].section, both, zstd_bytes.frame(both))]

    yield of("N8-end-in-the-last-frame", "no frame for the end", frames_patch=with_end)


def signatures() -> Iterator[Case]:
    """N9: envelopes under a key that the reader knows and that vouch for something else."""
    lies: dict[str, Callable[[Json], Any]] = {
        "other-head": lambda s: s["subject"][0]["digest"].update(sha256="0" * 64),
        "other-subject-name": lambda s: s["subject"][0].update(name="other-1.0.0.cloacina"),
        "no-subject": lambda s: s.update(subject=[]),
        "two-subjects": lambda s: s.update(subject=s["subject"] * 2),
        "md5-too": lambda s: s["subject"][0]["digest"].update(md5="0" * 32),
        "other-name": lambda s: s["predicate"].update(name="other"),
        "other-version": lambda s: s["predicate"].update(version="9.9.9"),
        "other-content": lambda s: s["predicate"].update(content="sha256:" + "0" * 64),
        "bare-content": lambda s: s["predicate"].update(content="0" * 64),
        "unknown-key": lambda s: s["predicate"].update(x=1),
        "no-time": lambda s: s["predicate"].pop("signed_at") and None,
        "time-offset": lambda s: s["predicate"].update(signed_at="2026-01-02T03:04:05+00:00"),
        "time-fraction": lambda s: s["predicate"].update(signed_at="2026-01-02T03:04:05.0Z"),
        "time-impossible": lambda s: s["predicate"].update(signed_at="2026-02-30T03:04:05Z"),
        "time-digits": lambda s: s["predicate"].update(signed_at="\u0662026-01-02T03:04:05Z"),
        "empty-comment": lambda s: s["predicate"].update(comment=""),
        "other-statement-type": lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"),
        "unknown-statement-key": lambda s: s.update(x=1),
    }
    for name, patch in lies.items():
        yield of(
            f"N9-{name}", "a known key signed something else", signers=(ALICE,), statement_patch=patch,
            exit=frozenset({3, 4}), verdicts={"inspect": "any"},
        )  # fmt: skip

    def broken(found: list[Json]) -> list[Json]:
        signature = found[0]["signatures"][0]
        raw = bytearray(base64.b64decode(signature["sig"]))
        raw[0] ^= 1
        again = {**signature, "sig": base64.b64encode(raw).decode()}
        return [{**found[0], "signatures": [again]}]

    yield of(
        "N9-signature-bit", "a signature of a known key that fails", signers=(ALICE,),
        envelopes_patch=broken, exit=NOT_TRUSTED, verdicts={"inspect": "any"},
    )  # fmt: skip
    yield of(
        "N9-unknown-signer-is-ignored", "a key nobody knows", signers=(MALLORY,), expected="accept"
    )
    yield of(
        "N9-broken-unknown-is-ignored", "a broken envelope of a key nobody knows", signers=(MALLORY,),
        envelopes_patch=broken, expected="accept",
    )  # fmt: skip
    yield of("N9-head-bit", "a signed head, one byte longer", signers=(ALICE,),
             head_frame=lambda c: zstd_bytes.frame(c) + b"\0", exit=frozenset({3, 4}), **HEAD)  # fmt: skip


def unknown_predicate() -> Json:
    """Return an envelope about something that this format does not know, signed by Bob."""
    made = statement(root="demo-1.0.0", head_sha256=hashlib.sha256(b"").hexdigest(),
                     predicate={"what": "ever"}, predicate_type="https://example.org/x/v1")  # fmt: skip
    return envelope(BOB, canonical(made), payloadType=PAYLOAD_TYPE)


def cases() -> Iterator[Case]:
    """Every case of row N."""
    for part in (
        lead, block_texts, envelopes, withheld, index, tables, payload, sections, signatures,
    ):  # fmt: skip
        yield from part()
