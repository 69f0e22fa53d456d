"""Every trap: the real engine refuses what we refuse, from the release on that has the rule."""

import json

import pytest

from tests.engines.matrix import SOURCE
from tests.engines.measured import as_cell, measure_trap, measured
from tests.engines.traps import TRAPS

slow = [pytest.mark.slow, pytest.mark.engines]
PARAMETERS = [pytest.param(trap, id=trap.name) for trap in TRAPS]


@pytest.mark.parametrize("trap", PARAMETERS)
def test_we_find_it_too(trap, cli, tmp_path):
    package = tmp_path / "trap.cloacina"
    package.write_bytes(trap.build())
    found = json.loads(cli("validate", package, "--json").out)["diagnostics"]
    codes = {one["code"] for one in found}
    assert trap.code is None or trap.code in codes, codes


@pytest.mark.parametrize("release", SOURCE)
@pytest.mark.parametrize("trap", [pytest.param(one, id=one.name, marks=slow) for one in TRAPS])
def test_the_engine_refuses_it_from_the_release_on_that_has_the_rule(trap, release, tmp_path):
    verdict = measure_trap(trap, release, tmp_path)
    assert as_cell(verdict) == measured()["traps"][trap.name][release], verdict.log[-4000:]
    refuses = trap.since is not None and SOURCE.index(release) >= SOURCE.index(trap.since)
    assert verdict.ran is not refuses, verdict.words
