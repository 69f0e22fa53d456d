"""What a crate's source needs: which files the compiler reads, a manifest for the crate alone."""

from __future__ import annotations

import itertools
import random
import subprocess
from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.errors import CloacinaError, Code, Refused
from cloacina_ctl.project.build.cargo import build
from cloacina_ctl.project.crate_source.local_packages import find_packages, stands_alone
from cloacina_ctl.project.crate_source.manifest import normal_manifest
from cloacina_ctl.project.model import BuildOptions
from cloacina_ctl.project.reading import read_project
from cloacina_ctl.project.rust.cargo_toml import read_crate
from cloacina_ctl.project.rust.reads import reads_in
from cloacina_ctl.project.rust.syntax import parse_rust
from cloacina_ctl.project.selection.select import select_source
from cloacina_ctl.toml import parse_toml
from tests.support.machine import need
from tests.support.trees import plant

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = rb"""#![doc = include_str!("../README.md")]
// include_str!("comment")
const A: &str = include_str!("../../q.sql");
const S: &str = "include_str!(\"text\")";
const B: &[u8] = core::include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../x.bin"),);
const D: &str = include_str!(concat!(env!("OUT_DIR"), "/generated"));
fn f() { println!("{}", include_str!("c.txt")); let v = vec![std::include_bytes!("d.bin")]; }
#[cfg(test)] mod tests { const X: &str = include_str!("test.sql"); fn a() { include_str!("e"); } }
macro_rules! m { () => { include_str!("macro.txt") } }
#[cfg(windows)] include!("win.rs");
#[cfg_attr(doc, doc = include_str!("docs.md"))]
#[doc = include_str!("item.md")]
pub struct Y;
#[doc = include_str!("no.md")]
#[cfg(test)]
pub struct Z;
mod inner { #![cfg(test)] const Q: &str = include_str!("q"); }
fn g() { #[cfg(not(test))] let x = include_str!(r#"raw.txt"#); }
"""


def test_finds_the_literal_paths_that_a_packaged_build_reads() -> None:
    root = parse_rust(SOURCE)
    assert root is not None
    found = list(reads_in(root, SOURCE, "src/lib.rs", frozenset({"packaged"})))
    assert [(one.place, one.path, one.how) for one in found] == [
        ("src/lib.rs:1", "README.md", "include_str!"),
        ("src/lib.rs:3", "../q.sql", "include_str!"),
        ("src/lib.rs:5", "../x.bin", "include_bytes!"),
        ("src/lib.rs:7", "src/c.txt", "include_str!"),
        ("src/lib.rs:7", "src/d.bin", "include_bytes!"),
        ("src/lib.rs:10", "src/win.rs", "include!"),
        ("src/lib.rs:12", "src/item.md", "include_str!"),
        ("src/lib.rs:18", "src/raw.txt", "include_str!"),
    ]
    assert [one.path for one in found if not one.is_certain] == ["src/win.rs"]


TOP = """
[workspace]
members = ["a", "b"]
[workspace.package]
version = "1.2.3"
edition = "2021"
readme = "README.md"
license-file = "LICENSE"
include = ["src/**"]
[workspace.lints.clippy]
all = "warn"
[workspace.dependencies]
serde = { version = "1", default-features = false, features = ["derive"] }
b = { path = "b" }
[patch.crates-io]
itoa = { path = "b/itoa" }
ryu = { path = "ryu" }
[profile.release]
strip = true
"""
A = """
[package]
name = "a"
version.workspace = true
edition.workspace = true
readme.workspace = true
license-file.workspace = true
workspace = ".."
default-run = "gone"
[lints]
workspace = true
[dependencies]
serde = { workspace = true, features = ["std"], optional = true, default-features = true }
[target.'cfg(unix)'.dependencies]
b = { workspace = true, features = ["x"] }
[build-dependencies]
cc = "1"
[dev-dependencies]
helper = { path = "../helper" }
tempfile = "3"
[[bin]]
name = "gone"
[[bin]]
name = "kept"
"""
SMALL = '[package]\nname = "{}"\nversion = "0.1.0"\n'


def workspace(root: Path) -> Path:
    return plant(
        root,
        {
            "Cargo.toml": TOP,
            "Cargo.lock": 'version = 4\n[[package]]\nname = "itoa"\nversion = "1.0.0"\n',
            "LICENSE": "mine",
            "a/Cargo.toml": A,
            "a/src/lib.rs": "",
            "b/Cargo.toml": SMALL.format("b") + '[dev-dependencies]\nhelper.path = "../helper"\n',
            "b/src/lib.rs": "",
            "b/itoa/Cargo.toml": SMALL.format("itoa"),
            "helper/Cargo.toml": SMALL.format("helper"),
            "ryu/Cargo.toml": SMALL.format("ryu"),
        },
    )


def test_the_manifest_of_a_member_leads_nowhere_out_of_the_crate(tmp_path: Path) -> None:
    crate = read_crate(str(workspace(tmp_path)), "a")
    packages = find_packages(crate)
    assert [(one.name, one.place) for one in packages] == [
        ("a", ""), ("b", "path-dependencies/b"), ("itoa", "path-dependencies/itoa"),
    ]  # fmt: skip
    packed = {"Cargo.toml", "src/lib.rs", "src/bin/kept.rs"}
    written = normal_manifest(packages[0], packages, packed)
    assert written.beside == {"LICENSE": str(tmp_path / "LICENSE")}
    assert parse_toml(written.text, where="") == {
        "package": {
            "name": "a", "version": "1.2.3", "edition": "2021", "license-file": "LICENSE",
        },
        "lints": {"clippy": {"all": "warn"}},
        "dependencies": {
            "serde": {
                "version": "1", "default-features": True, "features": ["derive", "std"],
                "optional": True,
            },
        },
        "target": {
            "cfg(unix)": {"dependencies": {"b": {"path": "path-dependencies/b", "features": ["x"]}}}
        },
        "build-dependencies": {"cc": {"version": "1"}},
        "dev-dependencies": {"tempfile": {"version": "3"}},
        "bin": [{"name": "kept"}],
        "profile": {"release": {"strip": True}},
        "patch": {"crates-io": {"itoa": {"path": "path-dependencies/itoa"}}},
        "workspace": {
            "resolver": "1", "exclude": ["path-dependencies/b", "path-dependencies/itoa"],
        },
    }  # fmt: skip
    inner = normal_manifest(packages[1], packages, packed)
    assert b"helper" not in inner.text
    assert b"[workspace]" not in inner.text


def test_a_member_without_its_workspace_is_refused_with_the_keys_that_it_lacks(
    tmp_path: Path,
) -> None:
    root = workspace(tmp_path) / "a"
    manifest = root / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace('workspace = ".."\n', ""))
    (tmp_path / "Cargo.toml").unlink()
    with pytest.raises(Refused) as error:
        find_packages(read_crate(str(root)))
    assert [one.code for one in error.value.diagnostics] == [Code.NO_WORKSPACE]


def test_a_crate_stands_alone_where_all_that_cargo_reads_is_packed(tmp_path: Path) -> None:
    text = SMALL.format("a") + '[dependencies]\nb.path = "b"\n[workspace]\nmembers = ["c"]\n'
    files = {"Cargo.toml": text, "src/lib.rs": ""}
    files |= {f"{name}/Cargo.toml": SMALL.format(name) for name in "bc"}
    crate = read_crate(str(plant(tmp_path, files)))
    every = {"Cargo.toml", "b/Cargo.toml", "c/Cargo.toml"}
    assert stands_alone(crate, every)
    assert not any(stands_alone(crate, every - {one}) for one in every)
    plant(
        tmp_path, {"c/Cargo.toml": SMALL.format("c") + '[dev-dependencies]\nd.path = "../../d"\n'}
    )
    assert not stands_alone(crate, every)


VALUES = ("1", "true", '"x"', "[]", '["a"]', "{}", "{ a = 1 }", "nan", "1979-05-27", '"\\u0000"')
KEYS = (
    "package.readme", "package.name", "package.default-run", "package.edition",
    "package.include", "lints", "dependencies", "dependencies.serde", "dependencies.b.path",
    "dependencies.b.features", "dependencies.b.package", "target", "target.x", "bin",
    "target.x.dependencies", "patch", "patch.y", "patch.y.z", "profile", "workspace", "replace",
    "workspace.package", "workspace.dependencies", "workspace.dependencies.serde", "features",
    "workspace.lints", "workspace.resolver", "package.workspace", "package.build",
)  # fmt: skip


def test_no_value_in_a_manifest_is_more_than_a_clear_error(tmp_path: Path) -> None:
    choose = random.Random(25)
    pairs = list(itertools.product(KEYS, VALUES))
    plant(tmp_path, {"b/Cargo.toml": SMALL.format("b"), "src/lib.rs": ""})
    for _ in range(50):
        lines = ['package.name = "a"', "dependencies.serde.workspace = true"]
        lines += [f"{key} = {value}" for key, value in choose.sample(pairs, 2)]
        plant(tmp_path, {"Cargo.toml": "\n".join(dict.fromkeys(lines))})
        try:
            packages = find_packages(read_crate(str(tmp_path)))
            stands_alone(read_crate(str(tmp_path)), {"Cargo.toml"})
            normal_manifest(packages[0], packages, {"src/lib.rs"})
        except CloacinaError:
            continue


# --- compared with cargo


BUILD = """
fn main() {
    println!("cargo:rerun-if-changed=../VERSION");
    println!("cargo::rerun-if-changed=src");
}
"""
HIDDEN = """
macro_rules! hidden { ($name:literal) => { include_str!(concat!("../../", $name)) } }
pub const H: &str = hidden!("hidden.txt");
pub const N: &str = near::Q;
"""


@pytest.mark.slow
def test_a_build_tells_what_macros_read_and_what_scripts_watch(tmp_path: Path) -> None:
    need("cargo")
    manifest = SMALL.format("a") + '[lib]\ncrate-type = ["cdylib"]\n[dependencies]\n'
    plant(
        tmp_path,
        {
            "Cargo.toml": '[workspace]\nmembers = ["a", "near"]\n',
            "VERSION": "1",
            "hidden.txt": "h",
            "a/Cargo.toml": manifest + 'near.path = "../near"\n',
            "a/build.rs": BUILD,
            "a/src/lib.rs": HIDDEN,
            "near/Cargo.toml": SMALL.format("near"),
            "near/q.sql": "select 1",
            "near/src/lib.rs": 'pub const Q: &str = include_str!("../q.sql");',
        },
    )
    built = build(read_crate(str(tmp_path), "a"), BuildOptions(profile="dev"), lambda _: None)
    read = built.files_read
    names = [path.removeprefix(f"{tmp_path}/") for path in read.compiled]
    assert names == [
        "a/build.rs", "a/src/lib.rs", "hidden.txt", "near/q.sql", "near/src/lib.rs",
    ]  # fmt: skip
    assert [path.removeprefix(f"{tmp_path}/") for path in read.watched] == ["VERSION", "a/src"]


LISTS = (
    'exclude = ["data/"]',
    'exclude = ["data/*", "!data/keep.csv"]',
    'exclude = ["*.csv", "/notes"]',
    'exclude = ["keep.*", "data/**/deep.txt"]',
    'include = ["src/**"]',
    'include = ["/src", "data"]',
    'include = ["*.rs", "!src/b.rs", "data/[a-k]*.csv"]',
    'include = ["src", "made.rs", "data/in"]\nexclude = ["src/b.rs"]',
    'include = ["**/*.txt", "src/lib.rs"]\nreadme = "READ"\nlicense-file = "COPYING"',
)


@pytest.mark.slow
@pytest.mark.parametrize("lists", LISTS)
@pytest.mark.parametrize("in_git", [False, True])
def test_the_lists_of_the_package_table_choose_what_cargo_would(
    tmp_path: Path, lists: str, *, in_git: bool
) -> None:
    names = (
        "src/lib.rs", "src/b.rs", "data/big.csv", "data/keep.csv", "data/in/deep.txt", "made.rs",
        "notes/todo.txt", "READ", "COPYING", "top.csv",
    )  # fmt: skip
    manifest = f'{SMALL.format("a")}edition = "2021"\n{lists}\n[workspace]\n'
    plant(tmp_path, {**dict.fromkeys(names, ""), "Cargo.toml": manifest})
    if in_git:
        plant(tmp_path, {".gitignore": "made.rs\nnotes/\nCargo.lock\n"})
        for words in (("init", "-q"), ("add", ".")):  # before that cargo sees no repository
            subprocess.run([need("git"), *words], cwd=tmp_path, check=True)
    done = subprocess.run(
        [need("cargo"), "package", "--list", "--allow-dirty", "--offline"],
        cwd=tmp_path, capture_output=True, check=True,
    )  # fmt: skip
    made = {"Cargo.lock", "Cargo.toml.orig", ".cargo_vcs_info.json", ".gitignore"}
    selection = select_source(read_project(str(tmp_path)))
    ours = {str(file.path).removeprefix("source/") for file in selection.files}
    assert ours - made == set(done.stdout.decode().split()) - made
