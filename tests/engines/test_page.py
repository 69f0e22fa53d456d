"""The committed page is what the measurements say, and they say what we promise."""

from cloacina_ctl.releases.table import RELEASES, find_release
from tests.engines.matrix import ALL, ROWS, SOURCE
from tests.engines.measured import measured
from tests.engines.report import PAGE, page
from tests.engines.traps import TRAPS


def test_the_page_is_in_the_generated_form():
    assert PAGE.read_text(encoding="utf-8") == page(measured())


def test_every_cell_was_measured_and_what_is_promised_runs():
    cells = measured()["matrix"]
    assert set(cells) == {row.name for row in ROWS}
    for row in ROWS:
        assert set(cells[row.name]) == set(ALL)
        runs = {release for release, cell in cells[row.name].items() if cell["outcome"] == "runs"}
        assert runs == set(row.runs_on), row.name


def test_every_trap_was_measured_and_catches_from_the_release_on_that_has_the_rule():
    cells = measured()["traps"]
    assert set(cells) == {trap.name for trap in TRAPS}
    for trap in TRAPS:
        assert set(cells[trap.name]) == set(SOURCE)
        caught = {one for one, cell in cells[trap.name].items() if cell["outcome"] != "runs"}
        first = len(SOURCE) if trap.since is None else SOURCE.index(trap.since)
        assert caught == set(SOURCE[first:]), trap.name


def test_what_an_engine_does_not_run_it_explains():
    for cells in measured()["matrix"].values():
        assert all("words" in cell for cell in cells.values() if cell["outcome"] != "runs")


def test_the_measured_releases_are_those_of_the_table_of_runtimes():
    """The table has lines between, read in source; each measured release has a line of its own."""
    lines = [find_release(release).name for release in ALL]
    assert len(set(lines)) == len(ALL)
    assert lines[-1] == RELEASES[-1].name
