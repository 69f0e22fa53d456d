"""Forms: how a value of a manifest is read, written and described, each in one place.

A form reads a JSON value into a Python one and appends what is wrong to a list, writes it back,
and gives its JSON Schema. The tables of ``fields`` are made of forms, so decoder, encoder and
schema cannot drift apart. ``read`` reports everything that is wrong. ``read_all`` reads many values
at once, column by column, and gives None when there is any problem: a manifest has up to a hundred
thousand tasks, nearly always valid ones. Forms of lists and objects are in ``shapes``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

from cloacina_ctl.errors import Code
from cloacina_ctl.manifest.canonical import MAX_INTEGER
from cloacina_ctl.manifest.problems import Problem, Problems
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloacina_ctl.manifest.canonical import JsonObject, JsonValue

Value = Any  # of the model: the table knows of which class, the type checker cannot
MAX_TEXT = 4096
MAX_NAME = 255

# The characters that a schema can exclude; the rest of `unicode13` is beyond it.
_CONTROLS = r"[\u0000-\u001f\u007f-\u009f]"
_CONTROLS_BUT_LINES = r"[\u0000-\u0008\u000b-\u001f\u007f-\u009f]"


class Form(Protocol):
    """The interface of a form."""

    def read(self, value: JsonValue, bad: Problems) -> Value:
        """Return the value as far as it can be read; append problems to ``bad``."""

    def read_all(self, values: list[JsonValue]) -> list[Any] | None:
        """Return all ``values`` as ``read`` would, or None when anything is wrong with one."""

    def write(self, value: Value) -> JsonValue:
        """Return the JSON of a value that ``read`` would give."""

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the form, as far as a schema can express it."""


def wrong_type(bad: Problems, expected: str, value: JsonValue) -> None:
    """Append the problem that ``value`` is not of the type ``expected``."""
    bad.append(Problem(Code.FIELD_TYPE, f"expected {expected}, found {_kind(value)}"))


def _kind(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "a boolean"
    names = {dict: "an object", list: "a list", str: "a text", int: "a number"}
    return names.get(type(value), "null")


def shown(text: str) -> str:
    """Return a text for a message, shortened."""
    return text if len(text) <= 80 else text[:80] + "…"


def one_type(values: list[JsonValue], wanted: type) -> bool:
    """Return whether all values are of exactly one type."""
    return set(map(type, values)) <= {wanted}


class Text(NamedTuple):
    """A text: not empty, of bounded length, of characters that show, in normal form NFC.

    Several lines and tabs are only allowed where ``lines`` says so, spaces around it where
    ``trimmed`` does not. ``pattern`` is for the whole text; ``rule`` is for what a pattern cannot
    say, and returns what is wrong.
    """

    what: str = "a text"
    longest: int = MAX_TEXT
    pattern: str | None = None
    lines: bool = False
    trimmed: bool = False
    rule: Callable[[str], str | None] | None = None

    def read(self, value: JsonValue, bad: Problems) -> str | None:
        """Return the text, also one that breaks a rule."""
        if type(value) is not str:
            wrong_type(bad, self.what, value)
            return None
        problem = self._check(value)
        if problem is not None:
            bad.append(Problem(Code.FIELD_VALUE, problem))
        return value

    def _check(self, value: str) -> str | None:
        if not value:
            return f"expected {self.what}, found an empty text"
        if len(value) > self.longest:
            return f"{self.what} has at most {self.longest} characters, this one has {len(value)}"
        if not (value.isascii() and value.isprintable()):
            problem = _check_characters(value, lines=self.lines)
            if problem is not None:
                return problem
        if self.trimmed and value != value.strip():
            return f"{self.what} neither begins nor ends with a space: {shown(value)}"
        if self.pattern is not None and re.fullmatch(self.pattern, value) is None:
            return f"not {self.what}: {shown(value)}"
        return None if self.rule is None else self.rule(value)

    def read_all(self, values: list[JsonValue]) -> list[Any] | None:
        """Return the texts themselves; texts that are not plain are checked one by one."""
        if not one_type(values, str):
            return None
        texts: list[Any] = values
        together = "".join(texts)
        if together.isascii() and together.isprintable():
            good = not values or (all(texts) and len(max(texts, key=len)) <= self.longest)
            if good and self.trimmed and " " in together:
                good = list(map(str.strip, texts)) == texts
            if good and self.pattern is not None:
                good = all(map(re.compile(self.pattern).fullmatch, texts))
            if good and self.rule is not None:
                good = not any(map(self.rule, texts))
        else:
            good = not any(map(self._check, texts))
        return texts if good else None

    def write(self, value: str) -> JsonValue:
        """Return the text, as a plain one where it is of a type of its own."""
        return str.__str__(value)

    def schema(self) -> JsonObject:
        """Return the schema; ``rule`` and normal forms are beyond it."""
        schema: JsonObject = {"type": "string", "minLength": 1, "maxLength": self.longest}
        if self.pattern is not None:
            schema["pattern"] = f"^(?:{self.pattern})$"
        elif self.trimmed:
            schema["pattern"] = r"^\S(?:.*\S)?$"
        schema["not"] = {"pattern": _CONTROLS_BUT_LINES if self.lines else _CONTROLS}
        return schema


def _check_characters(text: str, *, lines: bool) -> str | None:
    from unicodedata import is_normalized

    from cloacina_ctl.unicode_names import is_allowed

    for character in text:
        if character in "\n\t" and lines:
            continue
        plain = " " <= character <= "~"
        if not plain and not (character > "\x7f" and is_allowed(character)):
            return f"a character that does not show (U+{ord(character):04X})"
    return None if is_normalized("NFC", text) else "a text that is not in the normal form NFC"


class Integer(NamedTuple):
    """An integer from ``least`` to ``most``."""

    least: int = 0
    most: int = MAX_INTEGER

    def read(self, value: JsonValue, bad: Problems) -> int | None:
        """Return the integer; a boolean is none."""
        if type(value) is not int:
            wrong_type(bad, "an integer", value)
            return None
        if not self.least <= value <= self.most:
            message = f"expected an integer from {self.least} to {self.most}, found {value}"
            bad.append(Problem(Code.FIELD_VALUE, message))
        return value

    def read_all(self, values: list[Any]) -> list[Any] | None:
        """Return the integers themselves."""
        good = one_type(values, int) and all(self.least <= value <= self.most for value in values)
        return values if good else None

    def write(self, value: int) -> JsonValue:
        """Return the integer."""
        return value

    def schema(self) -> JsonObject:
        """Return the schema."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


class Boolean(NamedTuple):
    """True or false; where it is optional, only true: false is its absence."""

    only_true: bool = False

    def read(self, value: JsonValue, bad: Problems) -> bool | None:
        """Return the boolean."""
        if type(value) is not bool:
            wrong_type(bad, "true or false", value)
            return None
        if self.only_true and not value:
            bad.append(Problem(Code.FIELD_VALUE, "false is written by leaving the field out"))
        return value

    def read_all(self, values: list[JsonValue]) -> list[Any] | None:
        """Return the booleans themselves."""
        good = one_type(values, bool) and (all(values) or not self.only_true)
        return values if good else None

    def write(self, value: bool) -> JsonValue:  # noqa: FBT001 - the form's one argument
        """Return the boolean."""
        return value

    def schema(self) -> JsonObject:
        """Return the schema."""
        return {"const": True} if self.only_true else {"type": "boolean"}


class OneOf(NamedTuple):
    """One of a few texts, as ``make`` turns it into a value."""

    choices: tuple[str, ...]
    make: Callable[[str], Any] = str

    def read(self, value: JsonValue, bad: Problems) -> Value:
        """Return the choice, or None."""
        if type(value) is not str:
            wrong_type(bad, "a text", value)
        elif value not in self.choices:
            message = f"expected one of {', '.join(self.choices)}; found {shown(value)}"
            bad.append(Problem(Code.FIELD_VALUE, message))
        else:
            return self.make(value)
        return None

    def read_all(self, values: list[Any]) -> list[Any] | None:
        """Return the choices."""
        if one_type(values, str) and set(values) <= set(self.choices):
            return list(map(self.make, values))
        return None

    def write(self, value: Value) -> JsonValue:
        """Return the text."""
        written: JsonValue = getattr(value, "value", value)
        return written

    def schema(self) -> JsonObject:
        """Return the schema."""
        return {"enum": list(self.choices)}
