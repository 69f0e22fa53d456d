"""Each package in each released engine: loads, runs, and gives the expected context.

Where a release cannot, its own words are compared with those of `measured.json`.
"""

import pytest

from tests.engines.matrix import ALL, ROWS
from tests.engines.measured import as_cell, measure_cell, measured

pytestmark = [pytest.mark.slow, pytest.mark.engines]


@pytest.mark.parametrize("release", ALL)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_engine_does_with_the_package_what_the_table_says(row, release, tmp_path):
    verdict = measure_cell(row, release, tmp_path)
    assert as_cell(verdict) == measured()["matrix"][row.name][release], verdict.log[-4000:]
    if release in row.runs_on:
        assert verdict.ran, verdict.words
        assert verdict.context is not None
        assert {key: verdict.context.get(key) for key in row.comes_out} == row.comes_out
