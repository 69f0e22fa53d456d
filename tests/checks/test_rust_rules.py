"""The rules for Rust crates find what rustc would say, release by release, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.checks.graph import RULES as GRAPH
from cloacina_ctl.checks.rust.crate import check_crate
from cloacina_ctl.errors import Severity
from cloacina_ctl.project.reading import read_project
from tests.engines.rust_cases import CASES, files_of, releases_of
from tests.support.trees import plant

if TYPE_CHECKING:
    from pathlib import Path

SLOW = ("0.3.1", "0.5.1", "0.6.1", "0.7.0", "0.8.0", "0.9.0", "0.10.0", "0.11.1")


def errors(folder: Path) -> set[str]:
    """Return the codes of the errors in a crate."""
    project = read_project(str(folder))
    found = [*check_crate(project), *(one for w in project.workflows for one in GRAPH.run(w))]
    return {str(one.code) for one in found if one.severity is Severity.ERROR}


@pytest.mark.parametrize(
    "release", ["0.12.0", *(pytest.param(one, marks=pytest.mark.slow) for one in SLOW)]
)
def test_finds_what_the_macros_and_rustc_refuse(tmp_path: Path, release: str) -> None:
    said, right = {}, {}
    for case in CASES:
        if release in releases_of(case):
            found = errors(plant(tmp_path / case.name, files_of(case, release)))
            said[case.name] = found - set(case.also)
            right[case.name] = {case.code} if case.is_refused(release) else set()
    assert said == right
