"""Messages between a session and its child process: JSON behind its length, over two pipes."""

from __future__ import annotations

import json
import struct
from typing import Any

LENGTH = struct.Struct("<I")
MAX_FRAME = (1 << 32) - 1

# Lists, objects and commas of what a child says, outside its texts: a description of ten thousand
# tasks has half as many. A megabyte of nothing but brackets would become thirty of objects.
MAX_ITEMS = 200_000
_MAX_DIGITS = 1000

# Descriptors of the child, besides the standard three.
REQUESTS, ANSWERS, LIBRARY, CONTROL = 3, 4, 5, 6

# What the session says to the guardian of the child, a byte each.
ASK_TO_END, END_BY_FORCE = b"t", b"k"


def pack(message: dict[str, Any]) -> bytes:
    """Return the bytes of a message. Raises ``ValueError`` where it is too long for any."""
    data = json.dumps(message, allow_nan=False).encode()
    if len(data) > MAX_FRAME:
        raise ValueError("a message of more than 4 GiB")
    return LENGTH.pack(len(data)) + data


def check_items(data: bytes) -> None:
    """Raise ``ValueError`` for what would become far more objects than a message is made of."""
    if _items(data) <= MAX_ITEMS:
        return
    # Most of it is in texts, such as a context, which are judged by those who parse them.
    bare = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    texts = bare.count(b'"')
    if texts > 4 * MAX_ITEMS or _items(b"".join(bare.split(b'"')[::2])) > MAX_ITEMS:
        raise ValueError(f"a message of more than {MAX_ITEMS} lists, objects and commas")


def _items(data: bytes) -> int:
    return data.count(b"[") + data.count(b"{") + data.count(b",")


def unpack(data: bytes) -> dict[str, Any]:
    """Return the message of what stood behind its length. Raises ``ValueError``."""
    try:
        message = json.loads(data, parse_int=_integer)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if isinstance(message, dict):
        return message
    raise ValueError("it is no object")


def _integer(text: str) -> int:
    # Making a number of a million digits takes quadratic time.
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)
