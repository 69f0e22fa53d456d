"""The catalogue itself: every row is there, every case can be built, every mutation bites."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.hostile.case import ROW
from tests.hostile.catalogue import ROWS, every_case
from tests.support.builder import Recipe, build

CASES = every_case()
PARTS = (
    "name",
    "version",
    "files",
    "manifest",
    "sort",
    "level",
    "frame_size",
    "signers",
    "withheld",
)


def test_every_row_has_a_case() -> None:
    covered = {case.row for case in CASES}
    assert [row for row in ROWS if row not in covered] == []


def test_names_are_unique_and_start_with_the_row() -> None:
    names = Counter(case.id for case in CASES)
    assert [name for name, count in names.items() if count > 1] == []
    assert [name for name in names if not ROW.match(name)] == []


def test_verdicts_are_words_that_the_runner_knows() -> None:
    words = {"accept", "refuse", "any"}
    assert {case.expected for case in CASES} == words
    assert {word for case in CASES for word in case.verdicts.values()} <= words
    assert {case.reach for case in CASES} == {"head", "payload"}
    assert {verb for case in CASES for verb in case.verdicts} <= {
        "inspect",
        "verify",
        "unpack",
        "validate",
    }


def test_most_cases_must_fail() -> None:
    refused = sum(case.expected == "refuse" for case in CASES)
    assert refused / len(CASES) >= 0.6


@pytest.mark.slow  # each is built again to be judged
@pytest.mark.parametrize("row", sorted({case.row[0] for case in CASES}))
def test_every_case_can_be_built(row: str) -> None:
    for case in CASES:
        if case.row[0] == row and not case.slow:
            assert isinstance(case.build(), bytes), case.id


def _without_hooks(recipe: Recipe) -> Recipe:
    return Recipe(**{part: getattr(recipe, part) for part in PARTS})


@pytest.mark.slow  # each is built twice
def test_every_mutation_changes_the_package() -> None:
    """A hook that finds nothing to change would make a case that tests nothing."""
    same = []
    for case in CASES:
        if case.recipe is None or case.slow or case.expected != "refuse" or case.prepare:
            continue
        plain = _without_hooks(case.recipe)
        if plain != case.recipe and build(plain) == case.build():
            same.append(case.id)
    assert same == []


def test_what_is_built_is_the_same_every_time() -> None:
    for case in CASES[:: len(CASES) // 200]:
        if not case.slow:
            assert case.build() == case.build(), case.id
