"""What `validate` says of crates as authors write them: no cargo is started, nothing is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.checks.engine import FindingFilter
from cloacina_ctl.operations.package import PackageRequest, _other_features
from cloacina_ctl.operations.packaging.build import BuildRequest
from cloacina_ctl.operations.validate import validate
from cloacina_ctl.project.model import BuildOptions
from cloacina_ctl.project.reading import read_project
from tests.support.trees import plant

if TYPE_CHECKING:
    from pathlib import Path

CARGO = """
[package]
name = "flows"
version = "1.0.0"

[workspace]

[features]
default = ["packaged", "one"]
packaged = []
one = []
two = []

[lib]
crate-type = ["cdylib"]

[dependencies]
cloacina-workflow = "{}"
"""
TASK = '#[task(id = "{0}")] {1} async fn {0}(context: &mut Context<Value>) {{}}\n'
TWO = """
#[cfg(feature = "one")] #[workflow(name = "one")] mod one { #[task] pub fn a() {} }
#[cfg(feature = "two")] #[workflow(name = "two")] mod two { #[task] pub fn b() {} }
"""


def findings(
    folder: Path, source: str, release: str = "0.12", options: BuildOptions = BuildOptions()
) -> list[str]:
    """Return what is wrong, but for what the tests of crates leave out to be short."""
    source += "\ncloacina_workflow_plugin::package!();\n"
    plant(folder, {"Cargo.toml": CARGO.format(release), "Cargo.lock": "", "src/lib.rs": source})
    chosen = FindingFilter(ignore=("R013", "R032", "R034", "R043"))
    found = validate(str(folder), chosen, build=BuildRequest(options=options)).report.findings
    said = (f"{one.code} {one.where}: {one.message} — {one.hint}" for one in found)
    return [one.replace(f"{folder}/", "") for one in said]


@pytest.mark.parametrize(
    "release", [f"0.{minor}" for minor in range(4, 13)] + ["=0.10.0", "^0.12", ">=0.4"]
)
def test_a_private_task_is_refused_where_the_macros_name_it(tmp_path: Path, release: str) -> None:
    source = '#[workflow(name = "w")] mod w {\n' + TASK.format("a", "") + "}"
    found = findings(tmp_path, source, release)
    if release in ("0.4", "0.5", ">=0.4"):
        assert found == []
        return
    (one,) = found
    name = release.lstrip("=^").removesuffix(".0")
    assert one.startswith(
        f"R008 src/lib.rs:2: the function of the task `a` is private, and the macros of {name} "
    )
    assert one.endswith("write `pub` in front of it; `pub(super)` is enough")


@pytest.mark.parametrize("visibility", ["pub", "pub(super)", "pub(crate)"])
def test_a_private_module_is_no_reason_to_refuse(tmp_path: Path, visibility: str) -> None:
    task = TASK.format("a", visibility)
    assert findings(tmp_path, f'mod inner {{ #[workflow(name = "w")] mod w {{ {task} }} }}') == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (BuildOptions(), None),
        (BuildOptions(default_features=False, features=("two",)), None),
        (BuildOptions(cargo_flags=("--no-default-features", "-Ftwo", "--", "-v")), None),
        (BuildOptions(features=("two",)), "R009 src/lib.rs:3: a second workflow in one crate"),
        (BuildOptions(cargo_flags=("--all-features",)), "R009 src/lib.rs:3: a second workflow"),
        (BuildOptions(default_features=False), "R010 src/lib.rs: no `#[workflow]` and no"),
    ],
)
def test_the_features_that_are_chosen_choose_the_workflow(
    tmp_path: Path, options: BuildOptions, words: str | None
) -> None:
    found = findings(tmp_path, TWO, options=options)
    assert len(found) == (0 if words is None else 1)
    assert found[0].startswith(words) if words else True
    if words and "R010" in words:
        assert found[0].endswith("with the enabled features — choose with --features: one, two")


def test_packed_sources_that_a_server_builds_otherwise_are_a_warning(tmp_path: Path) -> None:
    assert findings(tmp_path, TWO) == []
    project = read_project(str(tmp_path))

    def said(*, include_source: bool = True, **chosen: object) -> list[str]:
        build = BuildRequest(options=BuildOptions(**chosen))
        request = PackageRequest(include_source=include_source, build=build)
        return [f"{one.code}: {one.message}" for one in _other_features(project, request)]

    two = {"default_features": False, "features": ("two",)}
    assert said() == said(features=("one",)) == said(include_source=False, **two) == []
    assert said(**two) == [
        "T020: a server builds the default features; this library differs in: one, two"
    ]


def test_what_the_platform_decides_is_no_error(tmp_path: Path) -> None:
    source = """
    #[cfg(unix)] #[workflow(name = "u")] mod u {
        #[cfg(target_arch = "x86_64")] #[task(id = "a")] pub fn a() {}
        #[cfg(not(target_arch = "x86_64"))] #[task(id = "a")] pub fn a() {}
    }
    #[cfg(windows)] #[workflow(name = "w")] mod w {
        #[task(id = "a", dependencies = ["a", "b"])] fn a() {}
    }
    """
    assert findings(tmp_path, source) == []
    found = findings(tmp_path, source.replace("#[cfg(windows)]", ""))
    assert {one[:4] for one in found} == {"G002", "G005", "R008"}


RULED = """
#[workflow(name = "w", tenant = "{}")] mod w {{
    #[task] pub async fn a() {{}}
    #[task(dependencies = ["a"], trigger_rules = {})] pub async fn b() {{}}
}}
"""
FAILED = 'any(task_failed("a"), task_skipped("a"))'


@pytest.mark.parametrize(
    ("tenant", "rule", "release", "words"),
    [
        ("public", FAILED, "0.8", None), ("acme", "always", "0.12", None),
        ("acme", 'context_value("k", equals, 1)', "0.12", None), ("acme", FAILED, ">=0.4", None),
        ("acme", FAILED, "0.8", "T018 src/lib.rs:4: the trigger rule of the task `b` names `a` of"),
        ("acme", FAILED, "0.7", "T019 src/lib.rs:4: engines of 0.7 do not know the trigger rule"),
        ("public", FAILED, "0.4", "T019 src/lib.rs:4: engines of 0.4 do not know"),
    ],
)  # fmt: skip
def test_a_rule_that_an_engine_cannot_follow_is_a_warning(
    tmp_path: Path, tenant: str, rule: str, release: str, words: str | None
) -> None:
    found = findings(tmp_path, RULED.format(tenant, rule), release)
    assert [one[: len(words or "")] for one in found] == ([] if words is None else [words])


def test_a_task_that_cfg_hides_from_its_workflow_is_an_error(tmp_path: Path) -> None:
    source = """
    #[workflow(name = "w")] mod w {
        #[cfg_attr(feature = "packaged", task(id = "lost"))] pub fn lost() {}
        #[cfg(test)] #[task(id = "absent")] pub fn absent() {}
        #[task(id = "a", dependencies = ["absent"])] pub fn a() {}
    }
    """
    lost, absent = findings(tmp_path, source)
    assert lost.startswith("R037 src/lib.rs:3: the task `lost` is not in its workflow")
    assert absent.startswith("R037 src/lib.rs:4: the task `absent` is left out by `cfg`")
