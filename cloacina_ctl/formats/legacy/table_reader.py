"""Reading the tables of a legacy manifest field by field, with all problems at once.

Unknown keys are remembered and not refused: most releases accept them. ``validate`` reports the
releases that do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from cloacina_ctl.errors import Code, Diagnostic, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TEXT = 64 << 10
MAX_SHOWN = 80

T = TypeVar("T")


class Problems:
    """The problems of one manifest, and its unknown keys."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._found: list[Diagnostic] = []
        self.unknown: list[str] = []

    def add(self, place: str, message: str) -> None:
        """Note a problem at ``place``."""
        self._found.append(Diagnostic(Code.BAD_MANIFEST, f"{place}: {message}", self._where))

    def raise_any(self) -> None:
        """Raise ``Refused`` with all problems, if there are any."""
        if self._found:
            raise Refused(*self._found[:100])


class TableFields:
    """One table; ``place`` is its path in the manifest, with a dot at its end or empty."""

    def __init__(self, value: object, place: str, problems: Problems) -> None:
        self.place = place
        self.problems = problems
        self._asked: set[str] = set()
        self._values: dict[str, Any] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            problems.add(place.rstrip(".") or "the manifest", "expected a table")

    def has(self, key: str) -> bool:
        """Return whether the key is there and not null."""
        return self._values.get(key) is not None

    def names(self) -> tuple[str, ...]:
        """Return the keys, sorted."""
        return tuple(sorted(self._values))

    def text(self, key: str) -> str:
        """Return a required text; an empty one is a problem."""
        value = self._get(key, str, "a text", required=True)
        if value == "":
            self.bad(key, "is empty")
        return value or ""

    def optional(self, key: str) -> str | None:
        """Return a text, or None."""
        return self._get(key, str, "a text")

    def number(self, key: str) -> int | None:
        """Return a whole number that is not negative, or None."""
        value = self._get(key, int, "a whole number")
        if value is not None and value < 0:
            self.bad(key, "is negative")
        return value

    def flag(self, key: str) -> bool | None:
        """Return a boolean, or None."""
        return self._get(key, bool, "true or false")

    def texts(self, key: str, *, required: bool = False) -> tuple[str, ...]:
        """Return a list of texts."""
        values = self._get(key, list, "a list of texts", required=required) or []
        if not all(isinstance(value, str) and len(value) <= MAX_TEXT for value in values):
            self.bad(key, "expected a list of texts")
            return ()
        return tuple(values)

    def table(self, key: str) -> TableFields:
        """Return the table under ``key``; an empty one where there is none, which is a problem."""
        value = self._get(key, dict, "a table", required=True)
        return TableFields(value or {}, f"{self.place}{key}.", self.problems)

    def maybe_table(self, key: str) -> TableFields | None:
        """Return the table under ``key``, or None where there is none."""
        value = self._get(key, dict, "a table")
        return None if value is None else TableFields(value, f"{self.place}{key}.", self.problems)

    def tables(self, key: str, *, required: bool = False) -> Iterator[TableFields]:
        """Yield the tables in the list under ``key``."""
        values = self._get(key, list, "a list of tables", required=required) or []
        for number, value in enumerate(values):
            yield TableFields(value, f"{self.place}{key}[{number}].", self.problems)

    def raw(self, key: str) -> object:
        """Return the value under ``key``, of any type."""
        self._asked.add(key)
        return self._values.get(key)

    def note_unknown(self) -> None:
        """Remember the keys that were not read."""
        left = (key for key in self._values if key not in self._asked)
        self.problems.unknown.extend(f"{self.place}{key}" for key in left)

    def _get(self, key: str, kind: type[T], what: str, *, required: bool = False) -> T | None:
        self._asked.add(key)
        value = self._values.get(key)
        if value is None:
            if required:
                self.bad(key, "is missing")
            return None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.bad(key, f"expected {what}, found {_kind(value)}")
            return None
        if isinstance(value, str) and len(value) > MAX_TEXT:
            self.bad(key, f"is longer than {MAX_TEXT} characters")
            return None
        return value

    def bad(self, key: str, message: str) -> None:
        """Note a problem with the value of ``key``."""
        self.problems.add(f"{self.place}{key}", message)


def _kind(value: object) -> str:
    names = {dict: "a table", list: "a list", str: "a text", int: "a number", bool: "a boolean"}
    return names.get(type(value), "a value of another kind")


def shown(text: str) -> str:
    """Return a text for a message, shortened."""
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
