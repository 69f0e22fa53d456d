"""The crates of this project, built by cargo and run: the tutorial's interface and today's."""

import pytest

from cloacina_ctl.runtime import open_package
from cloacina_ctl.runtime.scheduler.run import RunOptions, run_workflow
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support.machine import need
from tests.support.projects import FIXTURES

pytestmark = pytest.mark.slow


@pytest.fixture
def packed(cli, tmp_path):
    def make(name):
        need("cargo")
        made = cli("package", FIXTURES / name, "-o", "x.cloacina", "--locked", "--no-sign")
        assert made.status == 0, made.err
        return str(tmp_path / "x.cloacina")

    return make


@pytest.mark.parametrize(
    ("name", "kind", "key", "value"),
    [
        ("rust_etl", "fidius", "report", "3195 cents, 1 bad orders"),
        ("rust_tutorial", "c-abi-0.3", "final_report", {"count": 3, "sum": 60}),
    ],
)
def test_a_real_crate_runs_from_its_package(packed, name, kind, key, value):
    with open_package(packed(name), VerificationPolicy(allow_unsigned=True)) as loaded:
        said = loaded.session.describe()
        assert said.interface.kind == kind
        assert loaded.warnings == ()
        options = RunOptions(jobs=2)
        outcome = run_workflow(loaded.session, loaded.workflows[0], {}, options)
        assert outcome.status == "completed"
        assert outcome.context[key] == value
        # The macros put tasks in another order in each compilation.
        first = next(task for task in said.tasks if not task.dependencies)
        assert loaded.session.run_task(first.id, {}, timeout=60).succeeded
