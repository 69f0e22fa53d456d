"""Nothing is lost or half there, wherever a change is killed."""

from __future__ import annotations

import pytest

from tests.support.machine import run_program


def killing(*words: object) -> str:
    return run_program("tests.registry.killing", *words)


def test_a_kill_at_some_points_of_every_change_leaves_it_done_or_not():
    assert killing("points", 307, 13).endswith(" kills\n")


def test_some_kills_at_random_times_leave_the_registry_whole():
    assert killing("times", 8, 1) == "8 kills\n"


@pytest.mark.slow
def test_a_kill_at_any_point_of_every_change_leaves_it_done_or_not():
    assert killing("points", 1, 0).endswith(" kills\n")


@pytest.mark.slow
def test_a_thousand_kills_at_random_times_leave_the_registry_whole():
    assert killing("times", 1000, 2) == "1000 kills\n"
