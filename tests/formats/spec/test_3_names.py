"""Docs/format.md, 3, "Names"."""

from __future__ import annotations

import pytest

from cloacina_ctl.paths import MemberPath, collisions
from tests.formats.spec.verdicts import refusal
from tests.support.builder import FILES, File, build
from tests.support.member_names import ACCEPTED, COLLISIONS, NO_COLLISIONS, REFUSED


def test_f21_a_name_that_every_system_takes_is_taken(judge):
    assert judge.verify(build(files=(*FILES, *map(File, ACCEPTED.values())))).complete


@pytest.mark.parametrize("rule", REFUSED)
def test_f21_a_name_that_some_system_takes_otherwise_is_refused(judge, rule):
    for key, path in REFUSED[rule].items():
        assert refusal(MemberPath.parse, path) == {"A015"}, key
        codes = judge.refuses(build(files=(*FILES, File(path, b"x"))))
        # A010: a quote, a backslash, no name or no UTF-8 has no spelling there
        assert codes <= {"A015", "A010"}, key


def test_f21_the_rules_are_for_the_path_without_its_root(judge):
    longest = "/".join(["p" * 127] * 8)
    assert len(longest) == 1023
    assert judge.verify(build(files=(*FILES, File(longest))))


@pytest.mark.parametrize("name", COLLISIONS)
def test_f22_two_paths_that_some_system_takes_for_one_are_refused(judge, name):
    first, second = COLLISIONS[name]
    assert collisions((first, second))
    codes = judge.refuses(build(files=(*FILES, File("v/" + first), File("v/" + second))))
    assert codes <= {"A016", "A010"}  # A010: listed twice is out of order, too


def test_f22_the_names_of_the_head_clash_too(judge):
    for path in ("MANIFEST.json", "files.JSON", "index.json/x"):
        assert judge.refuses(build(files=(*FILES, File(path)))) == {"A016"}


def test_f22_what_no_system_takes_for_one_may_stand_side_by_side(judge):
    for key, apart in NO_COLLISIONS.items():
        assert collisions(apart) == (), key
        assert judge.verify(build(files=(*FILES, *(File("v/" + path) for path in apart))))
