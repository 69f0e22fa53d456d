"""Every case of the catalogue through every verb that there is.

The quick run takes a share that finds what one change is likely to break; the slow one takes
every verb for every case, and measures time and memory of the large ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.hostile import verbs
from tests.hostile.catalogue import every_case
from tests.hostile.runner import Sandbox, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hostile.case import Case

VERBS = tuple(verbs.available())
QUICK = [case for case in every_case() if not case.slow]
QUICK_ROWS = sorted({case.row for case in QUICK})
LARGE = [case for case in every_case() if case.slow or case.heavy]
# Rows of very many small variations of one text.
MASS = {"C14", "E9", "E26", "N2", "N6"}

pytestmark = pytest.mark.skipif(not VERBS, reason="no verb is there yet")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return Sandbox(str(tmp_path_factory.mktemp("sandbox")))


def _share(case: Case) -> tuple[str, ...]:
    """Return the verbs of the quick run: all for controls and containers."""
    if case.row == "OK" or case.row[0] == "A" or case.verdicts:
        return VERBS
    share = {"verify"} if case.row in MASS else {"unpack"}
    if case.reach == "head" and case.row not in MASS:
        share.add("inspect")
    return tuple(verb for verb in VERBS if verb in share)


def _check(row: str, share: Callable[[Case], tuple[str, ...]], sandbox: Sandbox) -> None:
    """Fail with one line for each finding; a row is one test, for a test each costs more."""
    cases = [case for case in QUICK if case.row == row]
    found = [line for case in cases for verb in share(case) for line in run(case, verb, sandbox)]
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize("row", QUICK_ROWS)
def test_the_verdict_is_the_expected_one_and_nothing_is_left(row: str, sandbox: Sandbox) -> None:
    _check(row, _share, sandbox)


@pytest.mark.slow
@pytest.mark.parametrize("row", QUICK_ROWS)
def test_every_verb_says_the_same(row: str, sandbox: Sandbox) -> None:
    _check(row, lambda case: VERBS, sandbox)


@pytest.mark.slow
@pytest.mark.parametrize("case", LARGE, ids=lambda case: case.id)
def test_large_cases_stay_within_time_and_memory(case: Case, sandbox: Sandbox) -> None:
    assert [found for verb in VERBS for found in run(case, verb, sandbox, apart=True)] == []
