"""Messages between a session and its child process: JSON behind its length, over two pipes."""

from __future__ import annotations

import json
import struct
from typing import Any

LENGTH = struct.Struct("<I")
MAX_FRAME = (1 << 32) - 1

# Descriptors of the child, besides the standard three.
REQUESTS, ANSWERS, LIBRARY = 3, 4, 5


def pack(message: dict[str, Any]) -> bytes:
    """Return the bytes of a message. Raises ``ValueError`` where it is too long for any."""
    data = json.dumps(message, allow_nan=False).encode()
    if len(data) > MAX_FRAME:
        raise ValueError("a message of more than 4 GiB")
    return LENGTH.pack(len(data)) + data


def unpack(data: bytes) -> dict[str, Any]:
    """Return the message of what stood behind its length. Raises ``ValueError``."""
    try:
        message = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if isinstance(message, dict):
        return message
    raise ValueError("it is no object")
