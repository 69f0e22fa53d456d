"""Named tuples that are cheap to declare.

A short command spends most of its time on declaring classes, and ``typing.NamedTuple`` compiles
every annotation and a constructor for each class. To type checkers, and in what it promises, this
is the standard one (``tests/test_values.py`` compares them). Annotations have to be strings, as
``from __future__ import annotations`` makes them: the linter requires it of every module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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


__all__ = ["NamedTuple"]
