"""The wire formats of plugins: bincode 1 with fixed-width integers, or JSON.

A shape is the type of a value; it writes values, reads them, and takes them from parsed JSON.
bincode has no names and no defaults: a record with one field less is another shape. Rules as
measured on plugins of releases 0.4 to 0.12: little endian, lengths of 64 bits, strings in UTF-8, an
option begins with a byte that says whether a value follows.

Runs in the child process on bytes from a plugin, so no length is trusted.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LENGTH = struct.Struct("<Q")
_U32 = struct.Struct("<I")
MAX_U32 = (1 << 32) - 1
_MISSING = object()


class BadWire(Exception):
    """Bytes or JSON of the wrong shape; the text says how."""


class Cursor:
    """Bytes and a position to read from."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes are still unread."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes."""
        if count > self.left:
            raise BadWire(f"cut short: {count} bytes expected, {self.left} left")
        start, self._at = self._at, self._at + count
        return self._data[start : self._at]

    def length(self) -> int:
        """Return a length, at most the number of unread bytes."""
        (count,) = _LENGTH.unpack(self.take(_LENGTH.size))
        if count > self.left:
            raise BadWire(f"cut short: a length of {count}, {self.left} bytes left")
        return int(count)


class Shape(Protocol):
    """The type of a value on the wire."""

    def read(self, cursor: Cursor) -> Any:  # noqa: ANN401 - what a shape holds
        """Return the next value."""

    def write(self, value: Any) -> bytes:  # noqa: ANN401 - what a shape holds
        """Return the bytes of a value of this shape."""

    def of_json(self, value: object) -> Any:  # noqa: ANN401 - what a shape holds
        """Return the value of its JSON, or raise ``BadWire``."""


class TextType:
    """A string in UTF-8."""

    def read(self, cursor: Cursor) -> str:
        """Return the next string."""
        data = cursor.take(cursor.length())
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise BadWire("a string that is not UTF-8") from error

    def write(self, value: str) -> bytes:
        """Return length and bytes."""
        data = value.encode("utf-8", "surrogatepass")
        return _LENGTH.pack(len(data)) + data

    def of_json(self, value: object) -> str:
        """Return the string itself."""
        if not isinstance(value, str):
            raise BadWire(f"a string expected, found: {type(value).__name__}")
        return value


class Number:
    """An unsigned number of 32 bits."""

    def read(self, cursor: Cursor) -> int:
        """Return the next number."""
        return int(_U32.unpack(cursor.take(_U32.size))[0])

    def write(self, value: int) -> bytes:
        """Return its four bytes."""
        return _U32.pack(value)

    def of_json(self, value: object) -> int:
        """Return the number itself."""
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_U32:
            raise BadWire(f"a number of 32 bits expected, found: {value!r:.40}")
        return value


class Flag:
    """True or false."""

    def read(self, cursor: Cursor) -> bool:
        """Return the next flag."""
        (byte,) = cursor.take(1)
        if byte > 1:
            raise BadWire(f"neither true nor false: {byte}")
        return byte == 1

    def write(self, value: bool) -> bytes:  # noqa: FBT001 - it is the value
        """Return its byte."""
        return b"\1" if value else b"\0"

    def of_json(self, value: object) -> bool:
        """Return the flag itself."""
        if not isinstance(value, bool):
            raise BadWire(f"true or false expected, found: {type(value).__name__}")
        return value


class OptionType:
    """A value or none."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def read(self, cursor: Cursor) -> Any:  # noqa: ANN401 - what the shape holds
        """Return the value, or None."""
        return self._shape.read(cursor) if FLAG.read(cursor) else None

    def write(self, value: Any) -> bytes:  # noqa: ANN401 - what the shape holds
        """Return the byte for some or none, and the value's bytes."""
        return b"\0" if value is None else b"\1" + self._shape.write(value)

    def of_json(self, value: object) -> Any:  # noqa: ANN401 - what the shape holds
        """Return the value, None for null and for a missing field."""
        return None if value is None or value is _MISSING else self._shape.of_json(value)


class Many:
    """Values of one shape."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def read(self, cursor: Cursor) -> list[Any]:
        """Return the values; each takes at least a byte, so an excessive count is refused."""
        return [self._shape.read(cursor) for _ in range(cursor.length())]

    def write(self, value: list[Any]) -> bytes:
        """Return the count and the values."""
        return _LENGTH.pack(len(value)) + b"".join(map(self._shape.write, value))

    def of_json(self, value: object) -> list[Any]:
        """Return the list of values."""
        if not isinstance(value, list):
            raise BadWire(f"a list expected, found: {type(value).__name__}")
        return list(map(self._shape.of_json, value))


class Pair:
    """Two values, one behind the other."""

    def __init__(self, first: Shape, second: Shape) -> None:
        self._first = first
        self._second = second

    def read(self, cursor: Cursor) -> tuple[Any, Any]:
        """Return the two."""
        return self._first.read(cursor), self._second.read(cursor)

    def write(self, value: tuple[Any, Any]) -> bytes:
        """Return the bytes of both."""
        return self._first.write(value[0]) + self._second.write(value[1])

    def of_json(self, value: object) -> tuple[Any, Any]:
        """Return the two of a list of two."""
        if not isinstance(value, list) or len(value) != 2:
            raise BadWire("a list of two expected")
        return self._first.of_json(value[0]), self._second.of_json(value[1])


class Table:
    """Values by string key; written in the order of the keys, read in any order."""

    def __init__(self, shape: Shape) -> None:
        self._entries = Many(Pair(TEXT, shape))
        self._shape = shape

    def read(self, cursor: Cursor) -> dict[str, Any]:
        """Return the values by their keys."""
        return dict(self._entries.read(cursor))

    def write(self, value: Mapping[str, Any]) -> bytes:
        """Return the count and the entries."""
        return self._entries.write(sorted(value.items()))

    def of_json(self, value: object) -> dict[str, Any]:
        """Return the values of an object."""
        if not isinstance(value, dict):
            raise BadWire(f"an object expected, found: {type(value).__name__}")
        return {key: self._shape.of_json(one) for key, one in value.items()}


class RecordType:
    """Fields in their order; bincode has only the values."""

    def __init__(self, **fields: Shape) -> None:
        self.fields = fields

    def with_(self, **fields: Shape) -> RecordType:
        """Return the record with more fields at its end."""
        return RecordType(**self.fields, **fields)

    def read(self, cursor: Cursor) -> dict[str, Any]:
        """Return the values by the names of their fields."""
        return {name: shape.read(cursor) for name, shape in self.fields.items()}

    def write(self, value: Mapping[str, Any]) -> bytes:
        """Return the bytes of all fields."""
        return b"".join(shape.write(value[name]) for name, shape in self.fields.items())

    def of_json(self, value: object) -> dict[str, Any]:
        """Return the fields of an object; other members are ignored."""
        if not isinstance(value, dict):
            raise BadWire(f"an object expected, found: {type(value).__name__}")
        return dict(self._named(value))

    def _named(self, value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, shape in self.fields.items():
            if name not in value and not isinstance(shape, OptionType):
                raise BadWire(f"the field `{name}` is missing")
            yield name, shape.of_json(value.get(name, _MISSING))


TEXT = TextType()
NUMBER = Number()
FLAG = Flag()


def decode(shape: Shape, data: bytes) -> Any:  # noqa: ANN401 - what the shape holds
    """Return the value of all of ``data``. Raises ``BadWire``."""
    cursor = Cursor(data)
    value = shape.read(cursor)
    if cursor.left:
        raise BadWire(f"{cursor.left} bytes too many")
    return value
