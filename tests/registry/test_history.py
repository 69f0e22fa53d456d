"""The activation history of a name, without any registry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.registry.history import activate, remaining, roll_back

HISTORIES = st.lists(st.sampled_from("abcdef"), unique=True).map(tuple)


@given(HISTORIES, st.sampled_from("abcdef"))
def test_what_becomes_active_is_last_and_there_once(history, version):
    after = activate(history, version)
    assert after[-1] == version
    assert sorted(set(after)) == sorted(after)
    assert tuple(one for one in history if one != version) == after[:-1]


@given(HISTORIES.filter(lambda history: len(history) > 1))
def test_a_roll_back_undoes_what_became_active(history):
    *before, last = history
    assert roll_back(history, history, None, "here") == tuple(before)
    if last not in before:
        assert roll_back(activate(before, last), history, None, "here") == tuple(before)


@pytest.mark.parametrize("history", [("a",), ()])
def test_there_is_nothing_before_the_first(history):
    with pytest.raises(Refused) as caught:
        roll_back(history, ("a", "b"), None, "here")
    assert caught.value.diagnostics[0].code is Code.NO_EARLIER
    assert "b" in (caught.value.diagnostics[0].hint or "")


def test_a_roll_back_to_a_version_passes_over_those_between():
    assert roll_back(("a", "b", "c"), ("a", "b", "c"), "a", "here") == ("a",)


def test_a_version_that_left_the_history_comes_back_by_name():
    assert roll_back(("a",), ("a", "b"), "b", "here") == ("a", "b")


def test_a_version_that_is_not_installed_does_not_become_active():
    with pytest.raises(FileProblem) as caught:
        roll_back(("a",), ("a",), "z", "here")
    assert caught.value.diagnostics[0].code is Code.NOT_INSTALLED


@given(HISTORIES, st.sampled_from("abcdef"))
def test_without_a_version_the_others_keep_their_order(history, gone):
    left = [one for one in "abcdef" if one != gone]
    rest = tuple(one for one in history if one != gone)
    assert remaining(history, left) == (rest or ("e" if gone == "f" else "f",))


def test_where_nothing_is_left_nothing_is_active():
    assert remaining(("a",), []) == ()
