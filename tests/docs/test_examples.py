"""The examples of the pages run as they stand there."""

import re
import subprocess
import sys

import pytest

from cloacina_ctl.operations import keys
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.unpack import Wanted, unpack
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support.projects import ROOT

EXAMPLES = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "manifest.md").read_text(), re.DOTALL
)


@pytest.fixture
def folder(tmp_path):
    keys.generate_key()
    keys.export_key(keys.ExportRequest("default", str(tmp_path / "author.pub")))
    made = PackageRequest(
        str(ROOT / "fixtures" / "python_report"), str(tmp_path / "x.cloacina"),
        keys=keys.signing_keys(()),
    )  # fmt: skip
    package(made)
    unpack(
        str(tmp_path / "x.cloacina"),
        str(tmp_path / "there"),
        VerificationPolicy(),
        Wanted(metadata=True),
    )
    return tmp_path


@pytest.mark.parametrize(("number", "argument"), [(0, "there/manifest.json"), (1, "x.cloacina")])
def test_the_example_for_runtimes_runs(folder, number, argument):
    (folder / "runtime.py").write_text(EXAMPLES[number])
    done = subprocess.run(
        [sys.executable, "runtime.py", argument], cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "daily_report" in done.stdout
    assert "write_report" in done.stdout
