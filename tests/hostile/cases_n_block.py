"""Row N: what only this format has. Its signature block, its envelopes."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from tests.hostile.case import NOT_TRUSTED, Case, of
from tests.support import json_texts, zstd_bytes
from tests.support.envelopes import (
    ALICE,
    BOB,
    MALLORY,
    PAYLOAD_TYPE,
    canonical,
    envelope,
    statement,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.builder import Json, Stored
from tests.hostile.cases_n_native import HEAD, SECTIONS

# These verbs are not told which key counts.
NO_KEY = {"inspect": "any", "validate": "any"}
BLOCK = ("A003", "A006", "L", "M001", "S")


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
        "no-envelopes": lambda b: {"withheld": b["withheld"]},
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
            f"N3-{name}",
            "an envelope of another form",
            signers=(ALICE,),
            envelopes_patch=patch,
            expected="any" if unsure else "refuse",
            exit=frozenset({3, 4}),
            **HEAD,
        )
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
                f"N3-base64-{where}-{name}",
                "another spelling",
                signers=(ALICE,),
                envelopes_patch=spelled(change, where),
                exit=frozenset({3, 4}),
                **HEAD,
            )

    def trailing_bits(text: str) -> str:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        at = len(text.rstrip("=")) - 1
        return text[:at] + alphabet[alphabet.index(text[at]) + 1] + text[at + 1 :]

    yield of(
        "N3-base64-sig-trailing-bits",
        "bits that decode to nothing",
        signers=(ALICE,),
        envelopes_patch=spelled(trailing_bits, "sig"),
        exit=frozenset({3, 4}),
        **HEAD,
    )
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
            f"N4-there-all-the-same-{name.replace('_', '-')}",
            "withheld and there",
            lists(name),
            recipe=SECTIONS,
            codes=(),
        )

    def gone(section: str) -> Callable[[list[Stored]], list[Stored]]:
        return lambda frames: [frame for frame in frames if frame.section != section]

    for section in ("source", "linux_x86_64", "common", "end"):
        yield of(
            f"N4-gone-and-not-withheld-{section.replace('_', '-')}",
            "frames are missing",
            recipe=SECTIONS,
            stored_patch=gone(section),
            **HEAD,
        )


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
            f"N9-{name}",
            "a known key signed something else",
            signers=(ALICE,),
            statement_patch=patch,
            exit=frozenset({3, 4}),
            verdicts=NO_KEY,
        )

    def broken(found: list[Json]) -> list[Json]:
        signature = found[0]["signatures"][0]
        raw = bytearray(base64.b64decode(signature["sig"]))
        raw[0] ^= 1
        again = {**signature, "sig": base64.b64encode(raw).decode()}
        return [{**found[0], "signatures": [again]}]

    yield of(
        "N9-signature-bit",
        "a signature of a known key that fails",
        signers=(ALICE,),
        envelopes_patch=broken,
        exit=NOT_TRUSTED,
        verdicts=NO_KEY,
    )
    yield of(
        "N9-unknown-signer-is-ignored", "a key nobody knows", signers=(MALLORY,), expected="accept"
    )
    yield of(
        "N9-broken-unknown-is-ignored",
        "a broken envelope of a key nobody knows",
        signers=(MALLORY,),
        envelopes_patch=broken,
        expected="accept",
    )
    yield of(
        "N9-head-bit",
        "a signed head, one byte longer",
        signers=(ALICE,),
        head_frame=lambda c: zstd_bytes.frame(c) + b"\0",
        exit=frozenset({3, 4}),
        **HEAD,
    )


def unknown_predicate() -> Json:
    """Return an envelope about something that this format does not know, signed by Bob."""
    made = statement(
        root="demo-1.0.0",
        head_sha256=hashlib.sha256(b"").hexdigest(),
        predicate={"what": "ever"},
        predicate_type="https://example.org/x/v1",
    )
    return envelope(BOB, canonical(made), payloadType=PAYLOAD_TYPE)


def cases() -> Iterator[Case]:
    """Every case of the signature block."""
    for part in (
        lead,
        block_texts,
        envelopes,
        withheld,
        signatures,
    ):
        yield from part()
