"""One gzip member, one bzip2 stream: everything else is refused, in whatever pieces it comes."""

from __future__ import annotations

import bz2
import gzip
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.formats.legacy.streams import BZIP2, GZIP, MAX_GZIP_HEADER, PIECE, inflate
from tests.support import archives
from tests.support.legacy_cases import TAILS, bzip2_refused, gzip_refused

TEXT = bytes(range(256)) * 40
KINDS = {GZIP: archives.gz, BZIP2: archives.bz2}
each_kind = pytest.mark.parametrize("kind", KINDS)


def out(data: bytes, kind: str, chunk: int = 1000) -> bytes:
    pieces = iter([data[at : at + chunk] for at in range(0, len(data), chunk)])
    return b"".join(inflate(lambda: next(pieces, b""), kind, "x"))


def why(data: bytes, kind: str, chunk: int = 1000) -> str:
    with pytest.raises(Refused) as caught:
        out(data, kind, chunk)
    (found,) = caught.value.diagnostics
    assert found.code is Code.BAD_STREAM
    return found.message


@each_kind
@given(data=st.binary(max_size=3000), chunk=st.integers(1, 100))
def test_gives_back_what_was_compressed(kind, data, chunk):
    assert out(KINDS[kind](data), kind, chunk) == data


@each_kind
def test_gives_pieces_of_a_bounded_size(kind):
    pieces = inflate(iter([KINDS[kind](bytes(3 * PIECE)), b""]).__next__, kind, "x")
    assert max(map(len, pieces)) <= PIECE


@each_kind
@pytest.mark.parametrize("chunk", [1, 7, 10_000])
def test_refuses_every_truncation(kind, chunk):
    data = KINDS[kind](TEXT)
    for end in {0, 1, 2, 5, 9, 10, 11, 14, 20, len(data) // 2, *range(len(data) - 12, len(data))}:
        assert "cut short" in why(data[:end], kind, chunk)


@each_kind
@pytest.mark.parametrize("tail", TAILS)
def test_refuses_bytes_behind_the_stream(kind, tail):
    assert why(KINDS[kind](TEXT) + TAILS[tail], kind).startswith("bytes behind the end")


@each_kind
def test_refuses_a_second_stream(kind):
    for second in (KINDS[kind](TEXT), KINDS[kind](b"")):
        assert why(KINDS[kind](TEXT) + second, kind).startswith("a second stream")
        assert why(KINDS[kind](b"") + second, kind).startswith("a second stream")


def outcome(data: bytes, kind: str) -> bytes | Code:
    try:
        return out(data, kind)
    except Refused as error:
        return error.diagnostics[0].code


@each_kind
def test_never_gives_other_bytes_for_a_damaged_one(kind):
    good = KINDS[kind](TEXT)
    found = [
        outcome(good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :], kind)
        for at in range(len(good))
    ]
    # Both formats have a few bits that decide nothing: a time, tables that are not used.
    assert set(found) == {TEXT, Code.BAD_STREAM}
    assert found.count(TEXT) < len(good) / 10


def test_takes_a_gzip_header_with_every_field_and_reads_none():
    name = b"../../etc/\x1b[2J\0"
    fields = struct.pack("<H", 5) + b"extra" + name + b"comment\0"
    start = struct.pack("<2sBBIBB", b"\x1f\x8b", 8, 1 + 2 + 4 + 8 + 16, 0, 0, 255)
    fields += struct.pack("<H", zlib.crc32(start + fields) & 0xFFFF)
    assert out(archives.gz(TEXT, flags=31, fields=fields), GZIP, 3) == TEXT
    damaged = fields[:-1] + bytes([fields[-1] ^ 1])
    assert "checksum of the gzip header" in why(archives.gz(TEXT, flags=31, fields=damaged), GZIP)


def test_refuses_a_gzip_header_without_end():
    for name in (b"n" * MAX_GZIP_HEADER, b"n" * (4 << 20)):
        message = why(archives.gz(b"", flags=8, fields=name + b"\0"), GZIP, 1 << 16)
        assert message == f"a gzip header of more than {MAX_GZIP_HEADER} bytes"


def test_says_which_field_of_gzip_is_wrong():
    words = {"flag": "reserved flags", "A22-crc": "checksum", "isize": "length"}
    for key, data in gzip_refused(TEXT).items():
        message = why(data, GZIP, 1 << 16)
        assert all(word in message for part, word in words.items() if part in key), key


def test_says_which_field_of_bzip2_is_wrong():
    words = {"level": "level", "randomised": "randomised"}
    for key, data in bzip2_refused(TEXT).items():
        message = why(data, BZIP2)
        assert all(word in message for part, word in words.items() if part in key), key
    assert "level" in why(b"BZ09" + archives.bz2(TEXT)[4:], BZIP2)


def test_reads_what_stock_tools_write():
    assert out(gzip.compress(TEXT), GZIP) == TEXT
    assert out(bz2.compress(TEXT, 1), BZIP2) == TEXT
