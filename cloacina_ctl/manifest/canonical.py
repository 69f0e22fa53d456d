"""Canonical JSON: one value, one spelling (docs/format.md, "Canonical JSON").

Reading is decoding, encoding again, and comparing bytes: repeated keys, NaN, odd escapes and
trailing data all fail the same test. Before the parser runs, a scan bounds what it can be made to
do: a few megabytes of brackets or digits take a general parser seconds and a gigabyte.
"""

from __future__ import annotations

import gc
import json
import re
from typing import NoReturn

from cloacina_ctl.errors import Code, Refused

JsonValue = None | bool | int | str | list["JsonValue"] | dict[str, "JsonValue"]
JsonObject = dict[str, JsonValue]

MAX_BYTES = 16 << 20
MAX_DEPTH = 16
MAX_ITEMS = 4_000_000  # commas and brackets: 100 000 tasks with everything they can have
MAX_INTEGER = 2**53 - 1

_TOO_MANY_DIGITS = re.compile(rb"[0-9]{17}")
_OUTSIDE_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_INNERMOST = re.compile(rb"\[\]|\{\}")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def encode(value: JsonValue) -> bytes:
    """Return the one spelling of ``value``, or raise ``Refused`` where it has none."""
    try:
        text = json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return (text + "\n").encode("utf-8")
    except UnicodeEncodeError as error:
        raise Refused.of(Code.NOT_CANONICAL, "a lone surrogate in a text") from error


def decode(
    data: bytes,
    *,
    what: str,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    max_items: int = MAX_ITEMS,
) -> JsonValue:
    """Return the value that ``data`` spells, or raise ``Refused``; ``what`` names it in messages."""
    if len(data) > max_bytes:
        raise Refused.of(
            Code.LIMIT, f"{what} is {len(data)} bytes, and at most {max_bytes} are allowed"
        )
    _scan(data, what, max_depth, max_items)
    collecting = gc.isenabled()
    gc.disable()  # the parser makes no cycles, and the collector would take most of the time
    try:
        value = _parse(data, what)
        again = encode(value)
    finally:
        if collecting:
            gc.enable()
    if again != data:
        place = next(
            (at for at, (a, b) in enumerate(zip(again, data)) if a != b), min(len(again), len(data))
        )
        raise _refuse(what, f"it has another spelling from byte {place} on")
    return value


def _scan(data: bytes, what: str, max_depth: int, max_items: int) -> None:
    items = data.count(b"{") + data.count(b"[") + data.count(b",")
    if items > max_items:
        raise Refused.of(
            Code.LIMIT,
            f"{what} has {items} lists, objects and commas; at most {max_items} are allowed",
        )
    if data.count(b"{") + data.count(b"[") > max_depth:
        _scan_depth(data, what, max_depth)
    if _TOO_MANY_DIGITS.search(data) is not None:
        outside = _OUTSIDE_STRINGS.sub(b"", data)
        if _TOO_MANY_DIGITS.search(outside) is not None:
            raise _refuse(what, f"a number beyond ±{MAX_INTEGER}")


def _scan_depth(data: bytes, what: str, max_depth: int) -> None:
    """Refuse nesting over ``max_depth``, whatever stands in strings.

    Brackets inside strings are taken out first. Then innermost pairs are: as often as it takes,
    but no more often than the depth that is allowed.
    """
    brackets = _OUTSIDE_STRINGS.sub(b"", data).translate(None, _NO_BRACKETS)
    for _ in range(max_depth):
        if not brackets:
            return
        brackets = _INNERMOST.sub(b"", brackets)
    if brackets:
        raise Refused.of(
            Code.LIMIT, f"{what} is nested more than {max_depth} deep, or its brackets do not match"
        )


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
    value = int(text)
    if abs(value) > MAX_INTEGER:
        raise ValueError(f"a number beyond ±{MAX_INTEGER}: {text[:40]}")
    return value


def _refuse(what: str, why: str) -> Refused:
    return Refused.of(Code.NOT_CANONICAL, f"{what} is not canonical JSON: {why}")
