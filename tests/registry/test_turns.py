"""Whose turn it is, without any registry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.registry.history import activate, step_back, without

TURNS = st.lists(st.sampled_from("abcdef"), unique=True).map(tuple)


@given(TURNS, st.sampled_from("abcdef"))
def test_what_becomes_active_has_the_last_turn_and_one_turn(turns, version):
    after = activate(turns, version)
    assert after[-1] == version
    assert sorted(set(after)) == sorted(after)
    assert tuple(one for one in turns if one != version) == after[:-1]


@given(TURNS.filter(lambda turns: len(turns) > 1))
def test_a_step_back_undoes_what_became_active(turns):
    *before, last = turns
    assert step_back(turns, turns, None, "here") == tuple(before)
    if last not in before:
        assert step_back(activate(before, last), turns, None, "here") == tuple(before)


@pytest.mark.parametrize("turns", [("a",), ()])
def test_there_is_no_step_before_the_first(turns):
    with pytest.raises(Refused) as caught:
        step_back(turns, ("a", "b"), None, "here")
    assert caught.value.diagnostics[0].code is Code.NO_EARLIER
    assert "b" in (caught.value.diagnostics[0].hint or "")


def test_a_step_back_to_a_version_passes_over_those_between():
    assert step_back(("a", "b", "c"), ("a", "b", "c"), "a", "here") == ("a",)


def test_a_version_that_had_its_turn_gets_another_by_name():
    assert step_back(("a",), ("a", "b"), "b", "here") == ("a", "b")


def test_a_version_that_is_not_installed_gets_no_turn():
    with pytest.raises(FileProblem) as caught:
        step_back(("a",), ("a",), "z", "here")
    assert caught.value.diagnostics[0].code is Code.NOT_INSTALLED


@given(TURNS, st.sampled_from("abcdef"))
def test_without_a_version_the_others_keep_their_order(turns, gone):
    left = [one for one in "abcdef" if one != gone]
    after = without(turns, gone, left)
    rest = tuple(one for one in turns if one != gone)
    assert after == (rest or ("e" if gone == "f" else "f",))


def test_where_nothing_is_left_nothing_has_a_turn():
    assert without(("a",), "a", []) == ()
