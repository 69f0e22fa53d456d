"""From a cargo crate to a package that runs, by the page's own files and commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.publish import guide
from tests.support.cloacina_server import TENANT, WRITE


@pytest.fixture
def crate(tmp_path):
    guide.write_project(tmp_path)
    return tmp_path


def test_the_page_has_a_crate_and_the_way_from_cargo_to_the_server(crate):
    assert (crate / "Cargo.toml").is_file()
    assert (crate / "src" / "lib.rs").is_file()
    words = [" ".join(one.line.split()[:2]) for one in guide.commands()]
    verbs = ["key", "package", "inspect", "validate", "run", "publish", "convert", "sign"]
    assert words == ["cargo build", *(f"cloacina-ctl {verb}" for verb in [*verbs, "validate"])]


def test_of_the_crate_only_the_lock_file_is_missing_that_cargo_writes(run, crate):
    found = run("validate", crate, "--json").json["diagnostics"]
    assert [one["code"] for one in found] == ["R014"]


def test_the_line_that_the_guide_leaves_out_is_missed_before_cargo_runs(run, crate):
    """Nothing else says so: cargo builds the crate, and no host finds a plugin in it."""
    source = crate / "src" / "lib.rs"
    source.write_text(source.read_text().replace("cloacina_workflow_plugin::package!();", ""))
    done = run("package", crate, "-o", crate / "x.cloacina", "--no-sign", "--json")
    assert done.codes == ["R006"]
    assert not (crate / "target").exists()


@pytest.mark.slow
def test_the_commands_of_the_page_up_to_the_server(server):
    """A server of the tests is at the end; the real one is in `test_real_server.py`."""
    server.tasks, server.asleep = ["extract", "transform"], False
    with guide.crate() as crate:
        (Path.home() / "token").write_text(WRITE)
        for command in guide.commands():
            guide.run(command, crate, server.url)
    assert TENANT in guide.PAGE.read_text("utf-8")
    assert len(server.uploads) == 1
    assert len(server.contexts) == 1
