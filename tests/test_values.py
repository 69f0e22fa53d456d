"""The values of this project behave as those that type checkers take them for."""

from __future__ import annotations

import copy
import pickle
import typing

import pytest

from cloacina_ctl.errors import Code
from cloacina_ctl.values import NamedTuple


class Ours(NamedTuple):
    """A value."""

    path: str
    size: int = 0
    parts: tuple[str, ...] = ()

    @property
    def doubled(self) -> int:
        return self.size * 2


class Standard(typing.NamedTuple):
    """A value."""

    path: str
    size: int = 0
    parts: tuple[str, ...] = ()


class Empty(NamedTuple):
    """Nothing."""


@pytest.mark.parametrize(
    "make",
    [
        lambda kind: kind("a"),
        lambda kind: kind("a", 1, ("x",)),
        lambda kind: kind(size=3, path="b"),
        lambda kind: kind("a")._replace(size=7),
        lambda kind: kind._make(["a", 1, ()]),
    ],
)
def test_a_value_is_made_as_the_standard_one_is(make):
    ours, standard = make(Ours), make(Standard)
    assert ours == standard
    assert hash(ours) == hash(standard)
    assert repr(ours) == repr(standard).replace("Standard", "Ours")
    assert ours._asdict() == standard._asdict()
    assert ours.parts == standard.parts
    assert ours.doubled == 2 * standard.size


@pytest.mark.parametrize(
    "make",
    [
        lambda kind: kind(),
        lambda kind: kind("a", 1, (), 2),
        lambda kind: kind("a", other=1),
        lambda kind: kind("a", path="b"),
        lambda kind: kind._make(["a"]),
    ],
)
def test_what_the_standard_one_refuses_is_refused(make):
    for kind in (Ours, Standard):
        with pytest.raises(TypeError):
            make(kind)


def test_a_value_cannot_be_changed_and_takes_no_other_names():
    value = Ours("a")
    with pytest.raises(AttributeError):
        value.size = 1
    with pytest.raises(AttributeError):
        value.other = 1
    with pytest.raises((ValueError, TypeError)):
        value._replace(other=1)


def test_a_value_is_copied_pickled_and_matched():
    value = Ours("a", 1)
    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
    match value:
        case Ours(path, size):
            assert (path, size) == ("a", 1)
    assert Ours._fields == Standard._fields
    assert Ours._field_defaults == Standard._field_defaults
    assert Empty() == ()


def test_a_field_without_a_default_cannot_follow_one_with_a_default():
    with pytest.raises(TypeError, match="without a default"):
        type(NamedTuple)("Bad", (), {"__annotations__": {"a": "int", "b": "int"}, "a": 1})


def test_a_code_is_looked_up_by_its_text_and_knows_its_name():
    assert Code("A001") is Code.NOT_A_PACKAGE
    assert Code.NOT_A_PACKAGE.name == "NOT_A_PACKAGE"
    assert Code.NOT_A_PACKAGE.value == "A001" == str(Code.NOT_A_PACKAGE) == f"{Code.NOT_A_PACKAGE}"
    assert Code.NOT_A_PACKAGE.meaning == "not a package"
    assert Code.NOT_A_PACKAGE in Code
    assert len({code.value for code in Code}) == len(Code)
    with pytest.raises(ValueError, match="Z999"):
        Code("Z999")
