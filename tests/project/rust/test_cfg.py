"""Which features a build of a crate has on, as cargo itself has it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.project.model import BuildOptions
from cloacina_ctl.project.rust.cargo_toml import read_crate
from cloacina_ctl.project.rust.cfg import features_on, packaged_features
from tests.support.machine import need
from tests.support.trees import plant

if TYPE_CHECKING:
    from pathlib import Path

CARGO = """
[package]
name = "flow"
version = "1.0.0"

[workspace]

[features]
default = ["one", "helper/fast"]
one = ["shared"]
two = ["dep:hidden", "maybe?/fast", "always/fast"]
three = ["two", "flow-extra"]
flow-extra = []
shared = []
packaged = ["late"]
late = []

[dependencies]
helper = { path = "helper", optional = true }
hidden = { path = "hidden", optional = true }
maybe = { path = "maybe", optional = true }
always = { path = "always" }
"""
DEPENDENCIES = ("helper", "hidden", "maybe", "always")
OTHER = '[package]\nname = "{}"\nversion = "1.0.0"\n[features]\nfast = []\n'
CASES = {
    "nothing": ((), "default helper one shared"),
    "chosen": (("--features=two",), "default helper one shared two"),
    "chosen, in other words": (
        ("-F", "two three", "-Flate,", "--features", "packaged"),
        "default flow-extra helper late one packaged shared three two",
    ),
    "a dependency": (("-F=maybe/fast",), "default helper maybe one shared"),
    "a dependency that is none": (("--features", "maybe?/fast"), "default helper one shared"),
    "no default": (("--no-default-features",), ""),
    "no default, and chosen": (("--no-default-features", "-F", "one"), "one shared"),
    "all": (
        ("--all-features",),
        "default flow-extra helper late maybe one packaged shared three two",
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {"Cargo.toml": CARGO, "src/lib.rs": ""}
    files |= {f"{name}/Cargo.toml": OTHER.format(name) for name in DEPENDENCIES}
    return plant(tmp_path, {**files, **{f"{name}/src/lib.rs": "" for name in DEPENDENCIES}})


@pytest.mark.parametrize(("flags", "on"), CASES.values(), ids=CASES)
def test_the_features_that_are_on(folder: Path, flags: tuple[str, ...], on: str) -> None:
    crate = read_crate(str(folder))
    assert sorted(features_on(crate, BuildOptions(cargo_flags=flags))) == on.split()


def test_options_say_the_same_as_flags(folder: Path) -> None:
    crate = read_crate(str(folder))
    options = BuildOptions(features=("one", "late"), default_features=False)
    assert features_on(crate, options) == {"one", "shared", "late"}
    assert packaged_features(crate, options) == {"one", "shared", "late", "packaged"}
    assert packaged_features(crate, BuildOptions(default_features=False)) == {"late", "packaged"}


@pytest.mark.slow
@pytest.mark.parametrize(("flags", "on"), CASES.values(), ids=CASES)
def test_cargo_turns_on_the_same(folder: Path, flags: tuple[str, ...], on: str) -> None:
    line = [need("cargo"), "rustc", "--offline", "--quiet", "--lib", *flags, "--", "--print=cfg"]
    told = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=True).stdout
    found = [line.split('"')[1] for line in told.splitlines() if line.startswith("feature=")]
    assert sorted(found) == on.split()
