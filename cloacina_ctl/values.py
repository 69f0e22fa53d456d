"""Named tuples and tables of constants that cost next to nothing to declare.

A short command spends most of its time on declaring classes. ``typing.NamedTuple`` compiles every
annotation and a constructor for each class, and an ``Enum`` takes ten times as long as a string
for each member. To type checkers, and in what they promise, these are the standard ones
(``tests/test_values.py`` compares them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enum import Enum as Constants
    from typing import NamedTuple
else:
    from _collections import _tuplegetter as field_getter

    class _Value(tuple):
        """What all named tuples have; each adds its fields."""

        __slots__ = ()
        _fields = ()
        _field_defaults = {}  # noqa: RUF012 - each class has its own

        def __new__(cls, *values, **named):
            """Make a value of what is given in order and by name, and of the defaults."""
            if named or len(values) != len(cls._fields):
                values = _complete(cls, values, named)
            return tuple.__new__(cls, values)

        @classmethod
        def _make(cls, values):
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"expected {len(cls._fields)} values, found: {len(made)}")
            return made

        def _replace(self, **changes):
            made = self._make(map(changes.pop, self._fields, self))
            if changes:
                raise ValueError(f"no such fields: {', '.join(changes)}")
            return made

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __getnewargs__(self):
            """Return the values, for copies and pickles."""
            return tuple(self)

        def __repr__(self):
            """Return the call that makes it."""
            pairs = zip(self._fields, self, strict=True)
            return (
                f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in pairs)})"
            )

    def _complete(cls, values, named):
        rest = cls._fields[len(values) :]
        defaults = cls._field_defaults
        try:
            values += tuple(
                [named.pop(field) if field in named else defaults[field] for field in rest]
            )
        except KeyError as error:
            raise TypeError(f"{cls.__name__} needs a value for {error}") from None
        if named or len(values) > len(cls._fields):
            extra = ", ".join(named) or f"{len(values)} values"
            raise TypeError(f"{cls.__name__} does not take {extra}")
        return values

    class _Declares(type):
        """Turns the body of ``class X(NamedTuple)`` into a class of tuples."""

        def __new__(cls, name, _bases, body):
            fields = tuple(body.get("__annotations__", ()))
            defaults = {field: body.pop(field) for field in fields if field in body}
            if tuple(defaults) != fields[len(fields) - len(defaults) :]:
                raise TypeError(f"{name}: a field without a default follows one with a default")
            getters = {field: field_getter(i, "") for i, field in enumerate(fields)}
            body.update(getters, __slots__=(), __match_args__=fields)
            body.update(_fields=fields, _field_defaults=defaults)
            return type(name, (_Value,), body)

    NamedTuple = type.__new__(_Declares, "NamedTuple", (), {})

    class _Table(type):
        """Makes the tuples in the body of a class its members, each by the class's ``__new__``."""

        def __new__(cls, name, bases, body):
            rows = {
                key: row
                for key, row in body.items()
                if isinstance(row, tuple) and not key.startswith("_")
            }
            rest = {key: value for key, value in body.items() if key not in rows}
            made = type.__new__(cls, name, bases, rest)
            made._members = members = {}  # noqa: SLF001 - its own
            for key, row in rows.items():
                member = made.__new__(made, *row)
                member.name = key
                type.__setattr__(made, key, member)
                members[member] = member
            return made

        def __call__(cls, value):
            """Return the member of that value."""
            try:
                return cls._members[value]
            except KeyError:
                raise ValueError(f"{value!r} is no {cls.__name__}") from None

        def __iter__(cls):
            return iter(cls._members.values())

        def __len__(cls):
            return len(cls._members)

        def __contains__(cls, value):
            return value in cls._members

    class Constants(metaclass=_Table):
        """Base of a table of constants; each holds its value as ``_value_``."""

        __slots__ = ()

        @property
        def value(self):
            """What it stands for."""
            return self._value_


__all__ = ["Constants", "NamedTuple"]
