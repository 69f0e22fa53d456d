"""Forms: how a value of a manifest is read, written and described, each in one place.

A form reads a JSON value into a Python one and appends what is wrong to a list, writes it back,
and gives its JSON Schema. The tables of ``fields`` are made of forms, so decoder, encoder and
schema cannot drift apart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from cloacina_ctl.errors import Code
from cloacina_ctl.manifest.canonical import MAX_INTEGER

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloacina_ctl.manifest.canonical import JsonObject, JsonValue

MAX_TEXT = 4096
MAX_NAME = 255


class Problem:
    """Something wrong at a place; the place grows from the inside out while reading unwinds."""

    __slots__ = ("code", "message", "steps")

    def __init__(self, code: Code, message: str, *steps: str | int) -> None:
        self.code = code
        self.message = message
        self.steps = list(reversed(steps))

    @property
    def pointer(self) -> str:
        """The place as a JSON pointer (RFC 6901)."""
        steps = (str(step).replace("~", "~0").replace("/", "~1") for step in reversed(self.steps))
        return "".join(f"/{step}" for step in steps) or "/"


Problems = list[Problem]


class Form(Protocol):
    """What every form can do."""

    def read(self, value: JsonValue, bad: Problems) -> Any:
        """Return the value, or append to ``bad`` and return anything."""

    def write(self, value: Any) -> JsonValue:
        """Return the JSON of a value that ``read`` would give."""

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the form, as far as a schema can say it."""


def _wrong_type(bad: Problems, expected: str, value: JsonValue) -> None:
    bad.append(Problem(Code.FIELD_TYPE, f"expected {expected}, found {_kind(value)}"))


def _kind(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "a boolean"
    names = {dict: "an object", list: "a list", str: "a text", int: "a number"}
    return names.get(type(value), "null")


def _shown(text: str) -> str:
    return text if len(text) <= 80 else text[:80] + "…"


class Text(NamedTuple):
    """A text: of bounded length, printable, and of a pattern where one is given.

    Several lines and tabs are only allowed where ``lines`` says so. ``rule`` is for what a pattern
    cannot say; it returns what is wrong.
    """

    what: str = "a text"
    longest: int = MAX_TEXT
    pattern: str | None = None
    lines: bool = False
    rule: Callable[[str], str | None] | None = None

    def read(self, value: JsonValue, bad: Problems) -> str:
        """Return the text."""
        if type(value) is not str:
            _wrong_type(bad, self.what, value)
            return ""
        problem = self._judge(value)
        if problem is not None:
            bad.append(Problem(Code.FIELD_VALUE, problem))
        return value

    def _judge(self, value: str) -> str | None:
        if not value:
            return f"expected {self.what}, found an empty text"
        if len(value) > self.longest:
            return f"{self.what} has at most {self.longest} characters, this one has {len(value)}"
        if not (value.isascii() and value.isprintable()):
            problem = _judge_characters(value, lines=self.lines)
            if problem is not None:
                return problem
        if self.pattern is not None and re.fullmatch(self.pattern, value) is None:
            return f"not {self.what}: {_shown(value)}"
        return None if self.rule is None else self.rule(value)

    def write(self, value: str) -> JsonValue:
        """Return the text."""
        return str(value)

    def schema(self) -> JsonObject:
        """Return the schema; ``rule`` and normal forms are beyond it."""
        schema: JsonObject = {"type": "string", "minLength": 1, "maxLength": self.longest}
        if self.pattern is not None:
            schema["pattern"] = f"^(?:{self.pattern})$"
        return schema


def _judge_characters(text: str, *, lines: bool) -> str | None:
    from unicodedata import is_normalized

    from cloacina_ctl.unicode13 import is_allowed

    for character in text:
        if character in "\n\t" and lines:
            continue
        plain = " " <= character <= "~"
        if not plain and not (character > "\x7f" and is_allowed(character)):
            return f"a character that does not show (U+{ord(character):04X})"
    return None if is_normalized("NFC", text) else "a text that is not in the normal form NFC"


class Integer(NamedTuple):
    """An integer from ``least`` on."""

    least: int = 0
    most: int = MAX_INTEGER

    def read(self, value: JsonValue, bad: Problems) -> int:
        """Return the integer; a boolean is none."""
        if type(value) is not int:
            _wrong_type(bad, "an integer", value)
            return 0
        if not self.least <= value <= self.most:
            message = f"expected an integer from {self.least} to {self.most}, found {value}"
            bad.append(Problem(Code.FIELD_VALUE, message))
        return value

    def write(self, value: int) -> JsonValue:
        """Return the integer."""
        return value

    def schema(self) -> JsonObject:
        """Return the schema."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


class Boolean(NamedTuple):
    """True or false; where it is optional, only true: false is its absence."""

    only_true: bool = False

    def read(self, value: JsonValue, bad: Problems) -> bool:
        """Return the boolean."""
        if type(value) is not bool:
            _wrong_type(bad, "true or false", value)
            return False
        if self.only_true and not value:
            bad.append(Problem(Code.FIELD_VALUE, "false is written by leaving the field out"))
        return value

    def write(self, value: bool) -> JsonValue:  # noqa: FBT001 - the form's one argument
        """Return the boolean."""
        return value

    def schema(self) -> JsonObject:
        """Return the schema."""
        return {"const": True} if self.only_true else {"type": "boolean"}


class Choice(NamedTuple):
    """One of a few texts."""

    choices: tuple[str, ...]
    make: Callable[[str], Any] = str

    def read(self, value: JsonValue, bad: Problems) -> Any:
        """Return the choice."""
        if type(value) is not str:
            _wrong_type(bad, "a text", value)
        elif value not in self.choices:
            message = f"expected one of {', '.join(self.choices)}; found {_shown(value)}"
            bad.append(Problem(Code.FIELD_VALUE, message))
        else:
            return self.make(value)
        return None

    def write(self, value: Any) -> JsonValue:
        """Return the text."""
        return str(getattr(value, "value", value))

    def schema(self) -> JsonObject:
        """Return the schema."""
        return {"enum": list(self.choices)}


class List(NamedTuple):
    """A list that is not empty; in order of ``key`` and without two equal keys, where one is given."""

    of: Form
    key: Callable[[Any], Any] | None = None
    may_be_empty: bool = False

    def read(self, value: JsonValue, bad: Problems) -> tuple[Any, ...]:
        """Return the items as a tuple."""
        if type(value) is not list:
            _wrong_type(bad, "a list", value)
            return ()
        if not value and not self.may_be_empty:
            bad.append(Problem(Code.FIELD_VALUE, "an empty list is written by leaving it out"))
        before, read, items = len(bad), self.of.read, []
        for number, item in enumerate(value):
            known = len(bad)
            items.append(read(item, bad))
            for problem in bad[known:]:
                problem.steps.append(number)
        if self.key is not None and len(bad) == before:
            self._judge_order(items, bad)
        return tuple(items)

    def _judge_order(self, items: list[Any], bad: Problems) -> None:
        assert self.key is not None
        keys = [self.key(item) for item in items]
        for number, (earlier, later) in enumerate(zip(keys, keys[1:]), start=1):
            if earlier == later:
                bad.append(
                    Problem(Code.DUPLICATE_ENTRY, f"a second entry: {_shown(str(later))}", number)
                )
            elif later < earlier:
                bad.append(Problem(Code.NOT_SORTED, f"out of order: {_shown(str(later))}", number))

    def write(self, value: tuple[Any, ...]) -> JsonValue:
        """Return the items as a list."""
        return [self.of.write(item) for item in value]

    def schema(self) -> JsonObject:
        """Return the schema; the order is beyond it."""
        schema: JsonObject = {"type": "array", "items": self.of.schema()}
        if not self.may_be_empty:
            schema["minItems"] = 1
        return schema


class TextMap(NamedTuple):
    """An object of texts, as sorted pairs."""

    of: Text

    def read(self, value: JsonValue, bad: Problems) -> tuple[tuple[str, str], ...]:
        """Return the pairs."""
        if type(value) is not dict:
            _wrong_type(bad, "an object of texts", value)
            return ()
        if not value:
            bad.append(Problem(Code.FIELD_VALUE, "an empty object is written by leaving it out"))
        pairs = []
        for key, item in value.items():
            known = len(bad)
            pairs.append((self.of.read(key, bad), self.of.read(item, bad)))
            for problem in bad[known:]:
                problem.steps.append(key)
        return tuple(sorted(pairs))

    def write(self, value: tuple[tuple[str, str], ...]) -> JsonValue:
        """Return the object."""
        return dict(value)

    def schema(self) -> JsonObject:
        """Return the schema."""
        return {"type": "object", "minProperties": 1, "additionalProperties": self.of.schema()}


class Field(NamedTuple):
    """One member of an object; ``attribute`` is its name in the model where it differs."""

    key: str
    form: Form
    required: bool = False
    attribute: str = ""

    @property
    def name(self) -> str:
        """The attribute that holds it."""
        return self.attribute or self.key


class Object:
    """An object of known members: a row of the model, as ``make`` builds it."""

    def __init__(self, make: Callable[..., Any], *fields: Field) -> None:
        self._make = make
        self.fields = fields
        self._known = frozenset(field.key for field in fields)
        # Reading and writing are per task: what does not change is looked up once.
        self._rows = [(field.key, field.name, field.form.read, field.required) for field in fields]

    def read(self, value: JsonValue, bad: Problems) -> Any:
        """Return the object, or None where anything of it is wrong."""
        if type(value) is not dict:
            _wrong_type(bad, "an object", value)
            return None
        before, found = len(bad), {}
        for key, name, read, required in self._rows:
            if key in value:
                known = len(bad)
                found[name] = read(value[key], bad)
                for problem in bad[known:]:
                    problem.steps.append(key)
            elif required:
                bad.append(Problem(Code.FIELD_MISSING, f"`{key}` is missing"))
        if len(found) < len(value):
            self._judge_unknown(value, bad)
        return self._make(**found) if len(bad) == before else None

    def _judge_unknown(self, value: JsonObject, bad: Problems) -> None:
        for key in value.keys() - self._known:
            bad.append(Problem(Code.FIELD_UNKNOWN, f"no such field: {_shown(key)}", key))

    def write(self, value: Any) -> JsonValue:
        """Return the JSON object; what is None, empty or an optional false is left out."""
        written: JsonObject = {}
        for field in self.fields:
            item = getattr(value, field.name)
            if field.required or not (item is None or item is False or item == ()):
                written[field.key] = field.form.write(item)
        return written

    def schema(self) -> JsonObject:
        """Return the schema."""
        return {
            "type": "object",
            "properties": {field.key: field.form.schema() for field in self.fields},
            "required": [field.key for field in self.fields if field.required],
            "additionalProperties": False,
        }
