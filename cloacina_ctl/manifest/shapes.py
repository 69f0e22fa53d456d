"""Forms made of other forms: lists, objects of known fields, objects of texts."""

from __future__ import annotations

from functools import partial
from itertools import chain, islice, repeat
from operator import lt
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code
from cloacina_ctl.manifest.forms import one_type, shown, wrong_type
from cloacina_ctl.manifest.problems import Problem, Problems, is_enough, under
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloacina_ctl.manifest.canonical import JsonObject, JsonValue
    from cloacina_ctl.manifest.forms import Form, Text, Value

_LEFT_OUT = (Code.FIELD_VALUE, "an empty list is written by leaving it out")
_ABSENT: Any = object()


class List(NamedTuple):
    """A list, read as a tuple: in strictly rising order of ``key``, where one is given.

    ``empty`` is the code and message for an empty list, None where it is allowed; ``twice`` the
    code for two equal keys.
    """

    of: Form
    key: Callable[[Any], Any] | None = None
    empty: tuple[Code, str] | None = _LEFT_OUT
    twice: Code = Code.DUPLICATE_ENTRY

    def read(self, value: JsonValue, bad: Problems) -> tuple[Any, ...]:
        """Return the items; None stands for one that cannot be read."""
        if type(value) is not list:
            wrong_type(bad, "a list", value)
            return ()
        if not value and self.empty is not None:
            bad.append(Problem(*self.empty))
        items = self.of.read_all(value)
        if items is None:
            items = self._read_each(value, bad)
        if self.key is not None and not _is_rising(items, self.key):
            self._check_order(items, self.key, bad)
        return tuple(items)

    def _read_each(self, value: list[JsonValue], bad: Problems) -> list[Any]:
        items = []
        for number, item in enumerate(value):
            if is_enough(bad):
                break
            known = len(bad)
            items.append(self.of.read(item, bad))
            under(number, bad, known)
        return items

    def _check_order(self, items: list[Any], key: Callable[[Any], Any], bad: Problems) -> None:
        seen, last = set(), None
        for number, item in enumerate(items):
            if is_enough(bad):
                break
            at = None if item is None else key(item)
            if not _is_text(at):
                continue
            if at in seen:
                bad.append(Problem(self.twice, f"it stands there twice: {_said(at)}", number))
            elif last is not None and at < last:
                message = f"out of order: {_said(at)} stands after {_said(last)}"
                bad.append(Problem(Code.NOT_SORTED, message, number))
            seen.add(at)
            last = at

    def read_all(self, values: list[Any]) -> list[Any] | None:
        """Return the lists as tuples: all their items are read together."""
        if not one_type(values, list) or (self.empty is not None and not all(values)):
            return None
        flat = list(chain.from_iterable(values))
        read = self.of.read_all(flat)
        if read is None:
            return None
        if read is flat:  # the items are what they were
            made = list(map(tuple, values))
        else:
            items = iter(read)
            made = [tuple(islice(items, count)) for count in map(len, values)]
        key = self.key
        if key is None or all(_is_rising(one, key) for one in made if len(one) > 1):
            return made
        return None

    def write(self, value: tuple[Any, ...]) -> JsonValue:
        """Return the items as a list."""
        return [self.of.write(item) for item in value]

    def schema(self) -> JsonObject:
        """Return the schema; the order is beyond it."""
        schema: JsonObject = {"type": "array", "items": self.of.schema()}
        if self.empty is not None:
            schema["minItems"] = 1
        if self.key is not None:
            schema["uniqueItems"] = True
        return schema


def _is_rising(items: Value, key: Callable[[Any], Any]) -> bool:
    try:
        keys = list(map(key, items))
        return all(map(lt, keys, islice(keys, 1, None)))
    except (AttributeError, TypeError):  # an item that cannot be read
        return False


def _is_text(key: Value) -> bool:
    return isinstance(key, str) or (
        isinstance(key, tuple) and all(isinstance(part, str) for part in key)
    )


def _said(key: Value) -> str:
    return shown(key if isinstance(key, str) else " → ".join(key))


class TextMap(NamedTuple):
    """An object of texts, as sorted pairs."""

    of: Text

    def read(self, value: JsonValue, bad: Problems) -> tuple[tuple[str | None, str | None], ...]:
        """Return the pairs."""
        if type(value) is not dict:
            wrong_type(bad, "an object of texts", value)
            return ()
        if not value:
            bad.append(Problem(Code.FIELD_VALUE, "an empty object is written by leaving it out"))
        pairs = []
        for key in sorted(value):
            if is_enough(bad):
                break
            known = len(bad)
            pairs.append((self.of.read(key, bad), self.of.read(value[key], bad)))
            under(key, bad, known)
        return tuple(pairs)

    def read_all(self, values: list[JsonValue]) -> list[Any] | None:
        """Return the pairs of each object."""
        bad: Problems = []
        made = [self.read(value, bad) for value in values]
        return None if bad else made

    def write(self, value: tuple[tuple[str, str], ...]) -> JsonValue:
        """Return the object."""
        return dict(value)

    def schema(self) -> JsonObject:
        """Return the schema."""
        return {
            "type": "object",
            "minProperties": 1,
            "propertyNames": self.of.schema(),
            "additionalProperties": self.of.schema(),
        }


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
    """An object of known members, read as the value of the model that ``make`` is.

    ``rule`` checks the fields together. It gets the value even when something is wrong with it:
    None then stands for a field that could not be read. ``also`` is the part of the rule that a
    schema can express.
    """

    def __init__(
        self,
        make: Value,
        *fields: Field,
        rule: Callable[[Any, Problems], None] | None = None,
        also: JsonObject | None = None,
    ) -> None:
        self.fields = fields
        self._make = make
        self._make_of = partial(tuple.__new__, make)  # `_make` without its checks and its call
        self._rule = rule
        self._also = also or {}
        self._keys = frozenset(field.key for field in fields)
        self._may_be_empty = any(field.required for field in fields)  # reported otherwise
        by_name = {field.name: field for field in fields}
        defaults = make._field_defaults
        # In the order of the model, with the value of an absent field.
        self._columns = [(by_name[name], defaults.get(name)) for name in make._fields]

    def read(self, value: JsonValue, bad: Problems) -> Value:
        """Return the value of the model, or None for what is no object."""
        if type(value) is not dict:
            wrong_type(bad, "an object", value)
            return None
        found: dict[str, Any] = {}
        for field in self.fields:
            if field.key in value:
                known = len(bad)
                found[field.name] = field.form.read(value[field.key], bad)
                under(field.key, bad, known)
            elif field.required:
                found[field.name] = None
                bad.append(Problem(Code.FIELD_MISSING, f"`{field.key}` is missing"))
        self._check_keys(value, bad)
        made = self._make_of([found.get(field.name, default) for field, default in self._columns])
        if self._rule is not None and not is_enough(bad):
            self._rule(made, bad)
        return made

    def _check_keys(self, value: JsonObject, bad: Problems) -> None:
        if not (value or self._may_be_empty):
            bad.append(Problem(Code.FIELD_VALUE, "an empty object is written by leaving it out"))
        for key in value:
            if key not in self._keys:
                bad.append(Problem(Code.FIELD_UNKNOWN, f"no such field: {shown(key)}", key))
                if is_enough(bad):
                    break

    def read_all(self, values: list[Any]) -> list[Any] | None:
        """Return the values of the model, read field by field for all of them at once."""
        if not one_type(values, dict) or not (self._may_be_empty or all(values)):
            return None
        columns, fields = [], 0
        for field, default in self._columns:
            column, count = _column(field, default, values)
            if column is None:
                return None
            columns.append(column)
            fields += count
        if fields != sum(map(len, values)):  # some have an unknown field
            return None
        made = list(map(self._make_of, zip(*columns)))  # noqa: B905 - all are of one length
        if self._rule is not None:
            bad: Problems = []
            for value in made:
                self._rule(value, bad)
                if bad:
                    return None
        return made

    def write(self, value: Value) -> JsonValue:
        """Return the JSON object; what is None, empty or an optional false is left out."""
        written: JsonObject = {}
        for field in self.fields:
            item = getattr(value, field.name)
            if field.required or not (item is None or item is False or item == ()):
                written[field.key] = field.form.write(item)
        return written

    def schema(self) -> JsonObject:
        """Return the schema."""
        schema: JsonObject = {
            "type": "object",
            "properties": {field.key: field.form.schema() for field in self.fields},
            "additionalProperties": False,
            **self._also,
        }
        if self._may_be_empty:
            schema["required"] = [field.key for field in self.fields if field.required]
        else:
            schema["minProperties"] = 1
        return schema


def _column(field: Field, default: Value, values: list[Any]) -> tuple[Any, int]:
    """Return one field of all ``values``, or None, and how many have it."""
    key = field.key
    if field.required:
        try:
            return field.form.read_all([value[key] for value in values]), len(values)
        except KeyError:
            return None, 0
    raw = [value.get(key, _ABSENT) for value in values]
    absent = raw.count(_ABSENT)
    if absent == len(raw):
        return repeat(default, absent), 0
    if not absent:
        return field.form.read_all(raw), len(raw)
    read = field.form.read_all([item for item in raw if item is not _ABSENT])
    if read is None:
        return None, 0
    items = iter(read)
    return [default if item is _ABSENT else next(items) for item in raw], len(read)
