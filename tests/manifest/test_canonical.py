"""Canonical JSON: one spelling, bounded before it is parsed."""

from __future__ import annotations

import gc
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.manifest import canonical

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


def refused(data: bytes, **bounds: int) -> tuple[Code, str]:
    with pytest.raises(Refused) as caught:
        canonical.decode(data, what="the text", **bounds)
    diagnostic = caught.value.diagnostics[0]
    assert len(diagnostic.message) < 300
    return diagnostic.code, diagnostic.message


@given(VALUES)
def test_what_is_encoded_is_decoded(value: Any) -> None:
    data = canonical.encode(value)
    assert canonical.decode(data, what="x", max_depth=99) == value
    plain = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert data == plain.encode() + b"\n"


@given(VALUES, st.integers(0, 400), st.integers(0, 255))
def test_every_other_byte_gives_another_value_or_is_refused(
    value: Any, place: int, byte: int
) -> None:
    data = bytearray(canonical.encode(value))
    place %= len(data)
    if data[place] == byte:
        return
    data[place] = byte
    try:
        read = canonical.decode(bytes(data), what="x", max_depth=99)
    except Refused:
        return
    assert canonical.encode(read) == bytes(data)


@given(st.binary(max_size=80) | st.text('{}[]",:\\au0d12.-e\n ', max_size=80).map(str.encode))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    try:
        value = canonical.decode(data, what="x")
    except Refused:
        return
    assert canonical.encode(value) == data


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "line 1, column 1"),
        (b"\n", "line"),
        (b"{", "line 1, column 2"),
        (b'{"a":1', "line 1, column 7"),
        (b'{"a":1,}\n', "line 1"),
        (b"{'a':1}\n", "line 1, column 2"),
        (b'{"a":1} // x\n', "extra data"),
        (b"[1]\n[2]\n", "extra data at line 2"),
        (b'"a"', "byte 3 should begin"),
        (b'"a"\n\n', "byte 4 should begin"),
        (b'"a"\r\n', "byte 3 should begin"),
        (b' "a"\n', "byte 0 should begin"),
        (b"[1, 2]\n", "byte 3 should begin"),
        (b'{"b":1,"a":2}\n', "byte 2 should begin `a"),
        (b'{"a":1,"a":2}\n', "byte 5 should begin `2"),
        (b'{"a":1,"\\u0061":2}\n', "byte 5 should begin"),
        (b'"\\/"\n', "byte 1 should begin"),
        (b'"\\u00e9"\n', "byte 1 should begin"),
        (b'"\\u001F"\n', "byte 6 should begin"),
        (b'"\\u000a"\n', "byte 2 should begin"),
        (b'"\\ud83d\\ude00"\n', "byte 1 should begin"),
        (b'"\\ud800"\n', "a lone surrogate"),
        (b'"\xed\xa0\x80"\n', "not UTF-8 at byte 1"),
        (b'"\xff"\n', "not UTF-8 at byte 1"),
        (b"\xef\xbb\xbf1\n", "bom"),
        ('"a"\n'.encode("utf-16"), "not UTF-8"),
        (b'"a\nb"\n', "control character"),
        (b"1.0\n", "no integer: 1.0"),
        (b"1e400\n", "no integer"),
        (b"NaN\n", "no integer: NaN"),
        (b"-Infinity\n", "no integer"),
        (b"-0\n", "byte 0"),
        (b"01\n", "extra data"),
        (b"+1\n", "expecting value"),
        (b"0x1\n", "extra data"),
        (b"9007199254740992\n", "beyond"),
        (b"-9007199254740992\n", "beyond"),
        (b"9" * 5000 + b"\n", "beyond"),
        (b'{"a":1}\n\0', "extra data"),
    ],
)
def test_refuses_any_other_spelling_and_says_where(data: bytes, says: str) -> None:
    code, message = refused(data)
    assert code is Code.NOT_CANONICAL
    assert message.startswith("the text is not canonical JSON: ") or says == "a lone surrogate"
    assert says in message


def test_takes_the_largest_integers() -> None:
    for value in (canonical.MAX_INTEGER, -canonical.MAX_INTEGER):
        assert canonical.decode(b"%d\n" % value, what="x") == value


def test_brackets_in_texts_nest_nothing() -> None:
    for text in ("[" * 50, '"[' * 50, '\\"[' * 50, "\\" * 7 + "[" * 40, "[]" * 30, '""' * 20 + "{"):
        value: Any = {"a": [text, {"b" + text: text}] + [[]] * 20}
        assert canonical.decode(canonical.encode(value), what="x", max_depth=3) == value


@pytest.mark.parametrize(("left", "right"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_is_bounded_before_the_parser_runs(left: bytes, right: bytes) -> None:
    for depth, good in ((15, True), (16, True), (17, False), (100_000, False)):
        data = left * depth + b"1" + right * depth + b"\n"
        if good:
            canonical.decode(data, what="x")
        else:
            assert refused(data)[0] is Code.LIMIT
    code, message = refused(left * 100_000)
    assert (code, message) == (Code.LIMIT, "the text is nested more than 16 deep")


def test_mixed_brackets_are_counted_together() -> None:
    deep = '[{"a":' * 8 + "1" + "}]" * 8 + "\n"
    canonical.decode(deep.encode(), what="x")
    assert refused(f"[{deep.strip()}]\n".encode())[0] is Code.LIMIT


def test_size_and_number_of_items_are_bounded() -> None:
    assert refused(b" " * 11, max_bytes=10) == (
        Code.LIMIT,
        "the text is 11 bytes, and at most 10 are allowed",
    )
    canonical.decode(b"[1,2]\n", what="x", max_items=2)
    assert refused(b"[1,2]\n", max_items=1)[0] is Code.LIMIT


def test_more_texts_than_commas_are_no_json() -> None:
    code, message = refused(b"[" * 20 + b'"]' * 1000)
    assert code is Code.NOT_CANONICAL
    assert "more texts" in message


HOSTILE = {
    "escaped quotes": b"[" * 20 + b'"' + b'\\"' * 8_000_000,
    "backslashes": b"[" * 20 + b'"' + b"\\" * 16_000_000,
    "quotes": b"[" * 20 + b'"' * 16_000_000,
    "quoted brackets": b"[" * 20 + b'"]' * 8_000_000,
    "brackets": b"[" * 16_000_000,
    "pairs": b"[" + b"[]," * 5_000_000 + b"[]]",
    "digits": b"1" * 16_000_000,
    "digits in a list": b"[" + b"1" * 16_000_000 + b"]",
    "spaces": b" " * 16_000_000,
    "a text": b'"' + b"a" * 16_000_000 + b'"',
    "a float": b"1." + b"1" * 16_000_000,
    "commas": b"," * 16_000_000,
    "late difference": b'["' + b"a" * 16_000_000 + b'", 1]\n',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_sixteen_mebibytes_of_nothing_take_no_time(name: str) -> None:
    started = time.process_time()
    refused(HOSTILE[name])
    assert time.process_time() - started < 1


def test_the_collector_is_left_as_it_was() -> None:
    assert gc.isenabled()
    canonical.decode(b"1\n", what="x")
    refused(b"{")
    assert gc.isenabled()
    gc.disable()
    try:
        canonical.decode(b"1\n", what="x")
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", ["\udfff"]])
def test_what_has_no_spelling_is_not_encoded(value: Any) -> None:
    with pytest.raises(Refused) as caught:
        canonical.encode(value)
    assert caught.value.diagnostics[0].code is Code.NOT_CANONICAL
