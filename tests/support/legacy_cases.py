"""Streams and tar members that no reader of legacy packages may take, by the keys of the catalogue.

One list, read by the tests of `formats.legacy` and by rows A and D of the hostile packages.
"""

from __future__ import annotations

import struct
from typing import Any

from tests.support import archives
from tests.support.archives import record

MIB = 1 << 20

# Behind the end of a stream.
TAILS = {
    "nul": b"\0", "newline": b"\n", "text": b"text", "512-zeros": bytes(512),
    "random": b"\x93\x5a", "half-a-magic": b"\x1f", "bzip2-magic": b"BZ",
}  # fmt: skip


def gzip_refused(content: bytes) -> dict[str, bytes]:
    """Return gzip streams of the content with a field that is wrong."""
    good = archives.gz(content)
    checksum, size = struct.unpack("<II", good[-8:])
    return {
        "A22-crc": good[:-8] + struct.pack("<II", checksum ^ 1, size),
        "A22-isize": good[:-4] + struct.pack("<I", size + 1),
        "A22-method": archives.gz(content, method=7),
        **{f"A22-reserved-flag-{bit}": archives.gz(content, flags=bit) for bit in (32, 64, 128)},
        "A22-header-crc": archives.gz(content, flags=2, fields=b"\0\0"),
        "A22-no-trailer": good[:-8],
        "A22-magic-only": good[:2],
        "A24-name-without-end": archives.gz(content, flags=8, fields=b"A" * 4 * MIB)[: 4 * MIB],
        "A24-name-4-mib": archives.gz(content, flags=8, fields=b"A" * 4 * MIB + b"\0"),
    }


def bzip2_refused(content: bytes) -> dict[str, bytes]:
    """Return bzip2 streams of the content with a field that is wrong."""
    good = archives.bz2(content)
    return {
        "A25-block-crc": good[:10] + bytes(4) + good[14:],
        "A25-level-0": good[:3] + b"0" + good[4:],
        "A25-randomised": good[:14] + bytes([good[14] | 0x80]) + good[15:],
        "A25-block-magic": good[:4] + b"\0" + good[5:],
    }


SIZES = {
    "D1-minus-1": b"\xff" * 12, "D1-minus-512": b"\xff" * 10 + b"\xfe\0",
    "D1-minus-1024": b"\xff" * 10 + b"\xfc\0", "D1-minus-sign": b"-0000000512\0",
    "D2-2-40": b"\x80" + (1 << 40).to_bytes(11, "big"),
    "D2-2-63": b"\x80" + (1 << 63).to_bytes(11, "big"),
    "D2-base-256": b"\x80" + (1).to_bytes(11, "big"),
    "D3-letters": b"0000000abcd\0", "D3-nine": b"00000000009\0", "D3-hexadecimal": b"0x000000001\0",
    "D3-plus": b"+0000000001\0", "D3-underscore": b"00000_00001\0",
    "D3-text-after-nul": b"00000001\0xyz", "D3-arabic-digits": "\u0661".encode(), "D3-empty": b"",
}  # fmt: skip
SUMS = {"zero": b"000000\0 ", "blank": b" " * 8, "nul": bytes(8), "other": b"0012345\0"}
# What no packer writes into a header, by its fields.
HEADERS: dict[str, dict[str, Any]] = {
    **{key: {"size": raw} for key, raw in SIZES.items()},
    **{f"D4-{key}": {"chksum": raw} for key, raw in SUMS.items()},
    "D6-star": {"gnu": False, "rest": b"\0" * 8 + b"tar\0"},
    "D6-nul-version": {"gnu": False, "version": b""},
    "D6-junk": {"magic": b"junk\0\0"},
    "D6-gnu-with-times": {"prefix": b"00000000000\0"},
    "D6-old-with-prefix": {"magic": b"", "version": b"", "prefix": b"p"},
    "D6-rest": {"gnu": False, "rest": b"x"},
    "D6-mode-in-letters": {"mode": b"rwxr-x-\0"},
    "D6-target-of-a-file": {"linkname": b"/etc/passwd"},
}
# The records of a pax header.
PAX_SIZES = (
    "-1", "+1", "512.0", "1e3", "0x1", " 1", "1_0", "\u0661", "01", "1" * 30, "",
)  # fmt: skip
RECORDS = {
    **{f"D11-size-{number}": record("size", size) for number, size in enumerate(PAX_SIZES)},
    "D15-length-0": b"0 path=a\n",
    "D15-length-too-short": b"3 path=a\n",
    "D15-length-too-long": b"99 path=a\n",
    "D15-length-negative": b"-9 path=a\n",
    "D15-length-huge": b"999999999999 path=a\n",
    "D15-length-with-zeros": b"09 path=a\n",
    "D15-length-after-a-space": b" 9 path=a\n",
    "D15-no-length": b"path=a\n",
    "D15-no-newline": b"9 path=a",
    "D15-a-space-for-the-newline": b"9 path=a ",
    "D15-no-equals-sign": b"9 patha\n\n",
    "D15-tab": b"9\tpath=a\n",
    "D15-nul": b"\0",
    "D15-newline": b"\n",
    "D15-no-key": b"9 =aaaa\n",
    "D15-key-not-utf8": b"9 pa\xff=a\n\n",
    "D15-key-not-ascii": record("\xe9", "x"),
    "D15-key-unknown": record("path ", "x"),
    "D15-path-with-nul": b"10 path=a\0\n",
    "D15-path-empty": b"8 path=\n",
    "D15-path-not-utf8": b"9 path=\xff\n",
    "D15-text-behind": b"9 path=a\nx",
    "D12-path-twice-in-one": record("path", "a") * 2,
    "D15-link": record("linkpath", "/etc/passwd"),
    "D15-character-set": record("hdrcharset", "BINARY"),
    "D19-sparse-name": record("GNU.sparse.name", "x"),
    "D19-sparse-map": record("GNU.sparse.map", "1"),
    "D19-sparse-major": record("GNU.sparse.major", "1"),
}
