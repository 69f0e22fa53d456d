"""Splits the bytes from the child's pipe of answers into messages of bounded size."""

from __future__ import annotations

from typing import Any

from cloacina_ctl.runtime.process.framing import LENGTH, check_items, unpack


class TooLarge(Exception):
    """A message that is longer than an answer may be."""


class MessageReader:
    """Splits bytes into messages by their lengths; none may have more than ``longest`` bytes."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._data = bytearray()

    def take(self, data: bytes) -> list[dict[str, Any]]:
        """Return the messages that are complete now. Raises ``ValueError`` and ``TooLarge``."""
        self._data += data
        messages = []
        while len(self._data) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._data)
            if length > self._longest:
                raise TooLarge
            end = LENGTH.size + length
            if len(self._data) < end:
                break
            message = bytes(self._data[LENGTH.size : end])
            check_items(message)
            messages.append(unpack(message))
            del self._data[:end]
        return messages
