"""The part of DER that key files need: one spelling of tag, length and value."""

from __future__ import annotations

INTEGER, BITS, OCTETS, OID, SEQUENCE = 0x02, 0x03, 0x04, 0x06, 0x30


class NotDer(Exception):
    """The bytes are not the DER that was expected."""


def take(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Return the value at the start of ``data``, which must have ``tag``, and the rest."""
    if len(data) < 2 or data[0] != tag:
        raise NotDer
    length, start = data[1], 2
    if length > 127:
        start += length - 128
        length = int.from_bytes(data[2:start], "big")
        if not 2 < start <= 6 or start > len(data) or length < 128 or not data[2]:
            raise NotDer
    if start + length > len(data):
        raise NotDer
    return data[start : start + length], data[start + length :]


def only(data: bytes, tag: int) -> bytes:
    """Return the value that fills all of ``data``."""
    value, rest = take(data, tag)
    if rest:
        raise NotDer
    return value


def take_number(data: bytes) -> tuple[int, bytes]:
    """Return the number, zero or more, at the start of ``data``, and the rest."""
    value, rest = take(data, INTEGER)
    found = int.from_bytes(value[:16], "big")
    if number(found) != data[: len(data) - len(rest)]:  # negative, padded, or far too large
        raise NotDer
    return found, rest


def wrap(tag: int, *parts: bytes) -> bytes:
    """Return ``parts``, one behind the other, as one value of less than 256 bytes."""
    value = b"".join(parts)
    length = bytes([len(value)]) if len(value) < 128 else bytes([0x81, len(value)])
    return bytes([tag]) + length + value


def number(value: int) -> bytes:
    """Return ``value``, zero or more, as a DER integer."""
    return wrap(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))
