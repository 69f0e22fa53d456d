"""Row E, E1 to E7 and E26: texts that are not the JSON of the format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support import json_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.case import Case
from tests.hostile.manifest_case import MANIFEST, of_bytes, with_value


def texts() -> Iterator[Case]:
    """E1 to E6, E26: what is not canonical JSON."""
    for name, raw in json_texts.DOCUMENTS.items():
        yield of_bytes(f"E1-{name}", "not a manifest", lambda good, raw=raw: raw)
    good = b'{"a":1,"format_version":3}\n'
    for name in json_texts.spoiled(good):
        row = "E2" if name.startswith(("utf", "bom", "nul", "invalid")) else "E3"
        yield of_bytes(
            f"{row}-{name}", "another form", lambda good, n=name: json_texts.spoiled(good)[n]
        )
    yield of_bytes("E2-latin-1", "Latin-1", lambda g: g[:-2] + b',"z":"\xe9"}\n')
    for name, raw in json_texts.VALUES.items():
        row = "E6" if name.startswith("deep") else "E5" if raw[:1] in b"-+.0123456789NI" else "E26"
        yield of_bytes(f"{row}-value-{name}", "a value that is none", with_value(raw))

        def as_count(old: bytes, raw: bytes = raw) -> bytes:
            return old.replace(b'"files":3', b'"files":' + raw, 1)

        yield of_bytes(f"{row}-count-{name}", "a number that is none", as_count)


def duplicates() -> Iterator[Case]:
    """E4: keys that stand twice."""
    double = {
        "top": (b"{", b'{"language":"python",'),
        "top-equal": (b'"language":"python"', b'"language":"python","language":"python"'),
        "nested": (b'"name":"demo",', b'"name":"demo","name":"demo",'),
        "escaped": (b'"language":"python"', b'"lang\\u0075age":"rust","language":"python"'),
        "by-case": (b'"language":"python"', b'"Language":"rust","language":"python"'),
        "thousand": (b"{", b"{" + b'"language":"python",' * 1000),
        "format-version": (b'"format_version":3', b'"format_version":3,"format_version":4'),
    }
    for name, (old, new) in double.items():
        yield of_bytes(f"E4-{name}", "a key twice", lambda g, o=old, n=new: g.replace(o, n, 1))


def sizes() -> Iterator[Case]:
    """E6, E7: deep, wide and large."""
    large = {"codes": ("L", *MANIFEST), "heavy": True, "slow": True}
    for depth in (17, 1000, 100_000):
        for name, pair in {"list": (b"[", b"]"), "object": (b'{"a":', b"}")}.items():
            raw = pair[0] * depth + b"1" + pair[1] * depth
            yield of_bytes(f"E6-{name}-{depth}", "nested too deep", with_value(raw))
    yield of_bytes("E6-open-5000000", "five million brackets", lambda g: b"[" * 5_000_000, **large)
    yield of_bytes("E7-64-mib-of-spaces", "spaces", lambda g: b" " * (64 << 20), **large)
    yield of_bytes("E7-15-mib-of-spaces", "spaces", lambda g: b" " * (15 << 20) + g, **large)
    text = b'"' + b"x" * (17 << 20) + b'"'
    yield of_bytes("E7-string-17-mib", "a long string", with_value(text), **large)
    keys = b",".join(b'"k%07d":1' % n for n in range(1_000_000))
    yield of_bytes("E7-million-keys", "keys", lambda g: b"{" + keys + b"}\n", **large)
    crowds = {
        "numbers-3900000": b"[" + b"1," * 3_899_999 + b"1]",
        "lists-1300000": b"[" + b"[]," * 1_299_999 + b"[]]",
        "objects-1300000": b"[" + b"{}," * 1_299_999 + b"{}]",
        "strings-3900000": b"[" + b'"",' * 3_899_999 + b'""]',
    }
    for name, raw in crowds.items():
        yield of_bytes(f"E7-{name}", "more than a manifest needs", with_value(raw), **large)
    yield of_bytes("E7-commas", "commas", lambda g: b"[" + b"1," * 5_000_000 + b"1]\n", **large)


def cases() -> Iterator[Case]:
    """Every case of a text."""
    for part in (
        texts,
        duplicates,
        sizes,
    ):
        yield from part()
