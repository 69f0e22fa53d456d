"""Messages between a session and its child process: length-prefixed JSON over two pipes."""

from __future__ import annotations

import json
import struct
from typing import Any

LENGTH = struct.Struct("<I")
MAX_FRAME = (1 << 32) - 1

# Lists, objects and commas in a message of the child, outside its strings: metadata of ten thousand
# tasks has half as many. A megabyte of brackets alone would become thirty megabytes of objects.
MAX_ITEMS = 200_000
_MAX_DIGITS = 1000

# Descriptors of the child, besides the standard three.
REQUESTS, ANSWERS, LIBRARY, CONTROL = 3, 4, 5, 6

# Commands of the session to the guardian of the child, a byte each.
ASK_TO_END, END_BY_FORCE = b"t", b"k"


def pack(message: dict[str, Any]) -> bytes:
    """Return the bytes of a message. Raises ``ValueError`` where it is longer than 4 GiB."""
    data = json.dumps(message, allow_nan=False).encode()
    if len(data) > MAX_FRAME:
        raise ValueError("a message of more than 4 GiB")
    return LENGTH.pack(len(data)) + data


def check_items(data: bytes) -> None:
    """Raise ``ValueError`` for data that would become far more objects than a message has."""
    if _items(data) <= MAX_ITEMS:
        return
    # Most of it is in strings, such as a context, which are checked where they are parsed.
    bare = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    texts = bare.count(b'"')
    if texts > 4 * MAX_ITEMS or _items(b"".join(bare.split(b'"')[::2])) > MAX_ITEMS:
        raise ValueError(f"a message of more than {MAX_ITEMS} lists, objects and commas")


def _items(data: bytes) -> int:
    return data.count(b"[") + data.count(b"{") + data.count(b",")


def unpack(data: bytes) -> dict[str, Any]:
    """Return the message in ``data``, without its length. Raises ``ValueError``."""
    try:
        message = json.loads(data, parse_int=_integer)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if isinstance(message, dict):
        return message
    raise ValueError("it is not an object")


def _integer(text: str) -> int:
    # Making a number of a million digits takes quadratic time.
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)
