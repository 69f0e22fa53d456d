"""Canonical JSON: one value, one spelling (docs/format.md, "Canonical JSON").

Reading is decoding, encoding again, and comparing bytes: repeated keys, NaN, odd escapes and
trailing data all fail the same test. Before the parser runs, a scan bounds its work: a few
megabytes of brackets or digits take a general parser seconds and a gigabyte.
"""

from __future__ import annotations

import gc
import json
from typing import NoReturn

from cloacina_ctl.errors import Code, Refused

JsonValue = None | bool | int | str | list["JsonValue"] | dict[str, "JsonValue"]
JsonObject = dict[str, JsonValue]

MAX_BYTES = 16 << 20
MAX_DEPTH = 16
MAX_ITEMS = 2_000_000  # brackets and commas: one for every 8 bytes that a manifest may have
MAX_INTEGER = 2**53 - 1

_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_STRUCTURE = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_LONGEST_INTEGER = len(str(-MAX_INTEGER))

_encode = json.JSONEncoder(
    sort_keys=True,
    separators=(",", ":"),
    ensure_ascii=False,
    allow_nan=False,
    check_circular=False,  # values of JSON cannot hold themselves, and looking takes a fifth longer
).encode


def encode(value: JsonValue) -> bytes:
    """Return the one spelling of ``value``, or raise ``Refused`` where it has none."""
    try:
        return (_encode(value) + "\n").encode("utf-8")
    except UnicodeEncodeError as error:
        raise Refused.of(Code.NOT_CANONICAL, "a lone surrogate in a text") from error
    except ValueError as error:  # NaN and infinity: floats that no JSON has
        raise Refused.of(Code.NOT_CANONICAL, "a number that is no integer") from error


def decode(
    data: bytes,
    *,
    what: str,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    max_items: int = MAX_ITEMS,
) -> JsonValue:
    """Return the value that ``data`` spells, or raise ``Refused``, where ``what`` names it."""
    check_bounds(data, what=what, max_bytes=max_bytes, max_depth=max_depth, max_items=max_items)
    collecting = gc.isenabled()
    gc.disable()  # the parser makes no cycles, and the collector would take most of the time
    try:
        value = _parse(data, what)
        again = encode(value)
    finally:
        if collecting:
            gc.enable()
    if again != data:
        raise _refuse(what, _difference(again, data))
    return value


def check_bounds(
    data: bytes,
    *,
    what: str,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    max_items: int = MAX_ITEMS,
) -> None:
    """Raise ``Refused`` for a text that would cost a parser too much, before it is parsed."""
    if len(data) > max_bytes:
        raise Refused.of(
            Code.LIMIT, f"{what} is {len(data)} bytes, and at most {max_bytes} are allowed"
        )
    opened = data.count(b"{") + data.count(b"[")
    items = opened + data.count(b",")
    if items > max_items:
        raise Refused.of(
            Code.LIMIT,
            f"{what} has {items} lists, objects and commas; at most {max_items} are allowed",
        )
    if opened > max_depth:
        _scan_depth(_brackets(data, what, items), what, max_depth)


def _brackets(data: bytes, what: str, items: int) -> bytes:
    r"""Return the brackets outside strings, all written as `[` and `]`.

    No regular expression: one for strings with escapes takes quadratic time over a text that does
    not end, and 40 KB of `\"` took it five seconds.
    """
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    # An empty string may go, and a string that ends where the next begins may be one with it.
    kept = data.translate(_ONE_KIND, _NO_STRUCTURE).replace(b'""', b"")
    if kept.count(b'"') > 4 * (items + 1):  # a comma parts two keys with their two values at most
        raise _refuse(what, "it has more texts than its commas can part")
    return b"".join(kept.split(b'"')[::2])


def _scan_depth(brackets: bytes, what: str, max_depth: int) -> None:
    """Refuse nesting over ``max_depth``.

    Innermost pairs are removed repeatedly, at most as often as the allowed depth. The parser
    refuses brackets without a partner: it knows their place.
    """
    for _ in range(max_depth):
        if b"[]" not in brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    if b"[]" in brackets or brackets.count(b"[") > max_depth:
        raise Refused.of(Code.LIMIT, f"{what} is nested more than {max_depth} deep")


def _difference(expected: bytes, found: bytes) -> str:
    """Say where two texts differ, by bisection: faster than comparing byte by byte."""
    same, length = 0, min(len(expected), len(found))
    while same < length:
        middle = (same + length + 1) // 2
        if expected[same:middle] == found[same:middle]:
            same = middle
        else:
            length = middle - 1
    shown = [text[same : same + 12].decode("utf-8", "replace") for text in (expected, found)]
    return f"byte {same} should begin `{shown[0]}`, found: {shown[1]}"


def _parse(data: bytes, what: str) -> JsonValue:
    try:
        text = data.decode("utf-8")
        value: JsonValue = json.loads(
            text, parse_float=_no_float, parse_constant=_no_float, parse_int=_integer
        )
    except UnicodeDecodeError as error:
        raise _refuse(what, f"it is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _refuse(what, f"{error.msg.lower()} at {place}") from error
    except ValueError as error:
        raise _refuse(what, str(error)) from error
    return value


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"a number that is no integer: {text[:40]}")


def _integer(text: str) -> int:
    # The length first: making a number of a million digits takes quadratic time.
    if len(text) <= _LONGEST_INTEGER:
        value = int(text)
        if -MAX_INTEGER <= value <= MAX_INTEGER:
            return value
    raise ValueError(f"a number beyond ±{MAX_INTEGER}: {text[:40]}")


def _refuse(what: str, why: str) -> Refused:
    return Refused.of(Code.NOT_CANONICAL, f"{what} is not canonical JSON: {why}")
