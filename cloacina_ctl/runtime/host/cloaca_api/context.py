"""``Context``: the input and result of a task. It holds JSON, and returns copies."""

from __future__ import annotations

import json
import math
from typing import Any

_MISSING = object()


def json_value(value: object, name: str = "") -> Any:  # noqa: ANN401 - JSON
    """Return a copy of a Python value as JSON. Raises where JSON cannot hold it.

    The error names the place in the value, beginning with ``name``.
    """
    try:
        return _copy(value)
    except (TypeError, ValueError) as error:
        place = _place(value, name)
        if not place:
            raise
        raise type(error)(f"{error}: `{place}`") from None


def _place(value: object, name: str) -> str:
    """Return the place of the first part of a value that JSON cannot hold."""
    parts: Any = ()
    if isinstance(value, dict):
        parts = ((f"{name}.{key}" if name else str(key), one) for key, one in value.items())
    elif isinstance(value, list | tuple):
        parts = ((f"{name}[{number}]", one) for number, one in enumerate(value))
    return next((_place(one, inner) for inner, one in parts if not _fits(one)), name)


def _fits(value: object) -> bool:
    try:
        _copy(value)
    except (TypeError, ValueError):
        return False
    return True


def _copy(value: object) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {_key(key): _copy(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(one) for one in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"JSON cannot hold {value!r}")
        return value
    raise TypeError(f"JSON cannot hold a value of type {type(value).__name__}")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"the key of a JSON object is a string, not {type(key).__name__}")
    return key


class Context:
    """Values by name; each must be JSON."""

    def __init__(self, data: dict[str, Any] | None = None) -> None:
        if data is not None and not isinstance(data, dict):
            raise TypeError(f"a Context is made from a dict, not {type(data).__name__}")
        self._data: dict[str, Any] = json_value(data or {})

    def get(self, key: str, default: object = None) -> Any:  # noqa: ANN401 - JSON
        """Return a copy of the value, or ``default``."""
        value = self._data.get(key, _MISSING)
        return default if value is _MISSING else json_value(value)

    def set(self, key: str, value: object) -> None:
        """Set the value of ``key``, new or not."""
        self._data[_key(key)] = json_value(value, key)

    def insert(self, key: str, value: object) -> None:
        """Add the value of a new key. Raises ``ValueError`` where the key exists."""
        if key in self._data:
            raise ValueError(f"the context already has this key: {key}")
        self.set(key, value)

    def update(self, key: str, value: object) -> None:
        """Replace the value of an existing key. Raises ``KeyError`` where there is none."""
        if key not in self._data:
            raise KeyError(f"no such key in the context: {key}")
        self.set(key, value)

    def remove(self, key: str) -> Any:  # noqa: ANN401 - JSON
        """Remove a value and return it, None where there is none."""
        return self._data.pop(key, None)

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of all values."""
        copy: dict[str, Any] = json_value(self._data)
        return copy

    def update_from_dict(self, data: dict[str, Any]) -> None:
        """Set all values of ``data``."""
        for key, value in data.items():
            self.set(key, value)

    def to_json(self) -> str:
        """Return the values as JSON."""
        return json.dumps(self._data)

    @staticmethod
    def from_json(json_str: str) -> Context:
        """Return the context of a JSON object; raises where it is not one."""
        data = json.loads(json_str)
        return Context(data)

    def secret(self, name: str) -> dict[str, str]:
        """Refuse: secrets are kept by a server."""
        raise RuntimeError(f"no secrets are configured here: {name}")

    def secret_field(self, name: str, field: str) -> str:
        """Refuse: secrets are kept by a server."""
        raise RuntimeError(f"no secrets are configured here: {name}.{field}")

    def __len__(self) -> int:
        return len(self._data)

    def __contains__(self, key: object) -> bool:
        return key in self._data

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - JSON
        value = self.get(key)
        if value is None:  # the bindings treat null as missing here too
            raise KeyError(f"no such key in the context: {key}")
        return value

    def __setitem__(self, key: str, value: object) -> None:
        self.set(key, value)

    def __delitem__(self, key: str) -> None:
        if self._data.pop(key, None) is None:
            raise KeyError(f"no such key in the context: {key}")

    def __repr__(self) -> str:
        return f"Context({self.to_json()})"
