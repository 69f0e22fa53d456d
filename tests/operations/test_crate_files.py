"""The source of a crate in a package: it builds where nothing else of its project is."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.errors import Refused
from cloacina_ctl.operations.packaging.crate_files import CrateFiles, check_build
from cloacina_ctl.project.build.dep_info import FilesRead
from cloacina_ctl.project.model import Selection
from cloacina_ctl.project.reading import read_project
from tests.support.archives import PACKAGE_TOML, bz2, members, source_tar
from tests.support.machine import need
from tests.support.trees import plant

if TYPE_CHECKING:
    from pathlib import Path

DEPENDENCIES = """
cloacina-workflow = { version = "=0.6.1", default-features = false, features = ["macros"] }
cloacina-workflow-plugin = "=0.6.1"
serde_json = "1.0"
async-trait = "0.1"
chrono = "0.4"
cloacina-computation-graph = "=0.6.1"
"""
TOP = f"""
[workspace]
members = ["crates/etl", "shared", "crates/other"]
resolver = "2"

[workspace.package]
version = "0.2.0"
edition = "2021"
license-file = "LICENSE"
readme = "README.md"
authors = ["Ada <ada@example.org>"]

[workspace.lints.rust]
unused_mut = "warn"

[workspace.dependencies]{DEPENDENCIES}
shared = {{ path = "shared", version = "0.1" }}

[profile.release]
lto = "thin"
"""
MEMBER = """
[package]
name = "orders-etl"
version.workspace = true
edition.workspace = true
authors.workspace = true
readme.workspace = true
license-file.workspace = true

[lints]
workspace = true

[features]
default = ["packaged"]
packaged = []

[lib]
crate-type = ["cdylib", "rlib"]

[dependencies]
cloacina-workflow = { workspace = true, features = ["packaged"], default-features = true }
cloacina-workflow-plugin.workspace = true
serde_json.workspace = true
async-trait.workspace = true
chrono.workspace = true
cloacina-computation-graph.workspace = true
shared = { workspace = true, optional = true }

[dev-dependencies]
tests-only = { path = "../tests-only" }
"""
SHARED = """
[package]
name = "shared"
version = "0.1.0"
edition.workspace = true
[dev-dependencies]
tests-only = { path = "../crates/tests-only" }
"""
SMALL = '[package]\nname = "{}"\nversion = "0.1.0"\nedition = "2021"\n'
ALONE = "\n[workspace]\n"


def problem(answer, code: str):
    return next(one for one in answer.json["diagnostics"] if one["code"] == code)


def paths(answer) -> list[str]:
    return [one["path"] for one in answer.json["result"]["files"]]


@pytest.fixture
def workspace(crate, tmp_path) -> Path:
    """Return a workspace: the crate inherits everything, a sibling it needs, one it does not."""
    need("cargo")
    root = tmp_path / "ws"
    lock = (crate / "Cargo.lock").read_text()
    local = "".join(
        f'[[package]]\nname = "{name}"\nversion = "{version}"\n\n'
        for name, version in (("other", "0.1.0"), ("shared", "0.1.0"), ("tests-only", "0.1.0"))
    )
    plant(
        root,
        {
            "Cargo.toml": TOP,
            "Cargo.lock": lock + "\n" + local,
            "LICENSE": "mine",
            "README.md": "read me",
            "crates/etl/Cargo.toml": MEMBER,
            "crates/other/Cargo.toml": SMALL.format("other"),
            "crates/other/src/lib.rs": "",
            "crates/tests-only/Cargo.toml": SMALL.format("tests-only"),
            "crates/tests-only/src/lib.rs": "",
            "shared/Cargo.toml": SHARED,
            "shared/src/lib.rs": 'pub const Q: &str = include_str!("../q.sql");\n',
            "shared/q.sql": "select 1",
            "shared/secret.pem": "x",
        },
    )
    (crate / "src").rename(root / "crates/etl/src")
    return root


def frozen(folder: Path) -> None:
    """Have cargo read the source alone, as a server that builds with --frozen does."""
    done = subprocess.run(
        [need("cargo"), "metadata", "--format-version=1", "--frozen"],
        cwd=folder, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.slow
def test_a_member_is_packed_as_a_crate_that_needs_no_workspace(cli, workspace, tmp_path):
    made = cli("package", workspace / "crates/etl", "--format", "source", "-o", "x.cloacina")
    assert made.status == 0, made.err
    found = members(tmp_path / "x.cloacina")
    assert set(found) == {
        "Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "package.toml", "src/lib.rs",
        "src/money.rs", "src/orders.rs", "path-dependencies/shared/Cargo.toml",
        "path-dependencies/shared/src/lib.rs", "path-dependencies/shared/q.sql",
    }  # fmt: skip
    assert b"tests-only" not in b"".join(found.values())
    assert b'lto = "thin"' in found["Cargo.toml"]
    cli("unpack", "x.cloacina", "-o", "there", "--allow-unsigned")
    frozen(tmp_path / "there")
    assert cli("validate", "x.cloacina", "--ignore", "S001", "--json").codes == []
    assert sorted(os.listdir(workspace / "crates/etl")) == ["Cargo.toml", "src"]


@pytest.mark.slow
def test_a_member_gives_the_same_bytes_wherever_its_workspace_lies(cli, workspace, tmp_path):
    cli("package", workspace / "crates/etl", "--format", "source", "-o", "one.cloacina")
    workspace.rename(tmp_path / "élsewhere")
    moved = tmp_path / "by-a-link"
    moved.symlink_to("élsewhere")
    (moved / "shared").rename(tmp_path / "apart")
    (moved / "shared").symlink_to(tmp_path / "apart")
    cli("package", moved, "--package", "orders-etl", "--format", "source", "-o", "two.cloacina")
    assert (tmp_path / "one.cloacina").read_bytes() == (tmp_path / "two.cloacina").read_bytes()


@pytest.mark.slow
def test_a_lock_that_is_behind_is_refused_with_what_it_lacks(cli, workspace):
    lock = workspace / "Cargo.lock"
    parts = lock.read_text().split("[[package]]")
    lock.write_text("[[package]]".join(p for p in parts if 'name = "async-trait"' not in p))
    answer = cli("package", workspace / "crates/etl", "--format", "source", "--json", "--offline")
    assert answer.codes == ["R027"]
    assert not (workspace / "target").exists()


@pytest.mark.slow
def test_what_steers_the_builds_of_a_workspace_and_is_not_packed_is_said(cli, workspace):
    plant(
        workspace,
        {
            ".cargo/config.toml": '[env]\nA = "b"\n[alias]\nx = "y"\n',
            "rust-toolchain.toml": '[toolchain]\nchannel = "stable"\n',
        },
    )
    answer = cli("package", workspace / "crates/etl", "--format", "source", "--list", "--json")
    said = [one for one in answer.json["diagnostics"] if one["code"] == "R026"]
    assert [os.path.normpath(one["where"]) for one in said] == [
        str(workspace / ".cargo/config.toml"), str(workspace / "rust-toolchain.toml"),
    ]  # fmt: skip
    assert "env.A" in said[0]["message"]
    assert "alias" not in said[0]["message"]


def test_a_dependency_by_path_inside_of_the_crate_stays_where_it_is(cli, crate, tmp_path):
    manifest = crate / "Cargo.toml"
    text = manifest.read_text()
    manifest.write_text(text.replace("[dependencies]", '[dependencies]\nin = { path = "in" }'))
    plant(crate, {"in/Cargo.toml": SMALL.format("in"), "in/src/lib.rs": ""})
    lock = (crate / "Cargo.lock").read_text()
    lock = lock.replace(' "cloacina-workflow-plugin",\n "serde_json",\n]',
                        ' "cloacina-workflow-plugin",\n "in",\n "serde_json",\n]')  # fmt: skip
    (crate / "Cargo.lock").write_text(lock + '\n[[package]]\nname = "in"\nversion = "0.1.0"\n')
    before = manifest.read_bytes()
    assert cli("package", crate, "--format", "source", "-o", "x.cloacina").status == 0
    found = members(tmp_path / "x.cloacina")
    assert found["Cargo.toml"] == before
    assert "in/src/lib.rs" in found
    assert cli("validate", "x.cloacina", "--ignore", "S001", "--json").codes == []


@pytest.mark.slow
def test_a_crate_whose_declared_test_is_kept_out_is_packed_without_it(cli, crate, tmp_path):
    need("cargo")
    manifest = crate / "Cargo.toml"
    text = manifest.read_text().replace("publish = false", 'publish = false\nexclude = ["/tests"]')
    manifest.write_text(text + '\n[[test]]\nname = "slow"\nharness = false\n')
    plant(crate, {"tests/slow.rs": "fn main() {}"})
    assert cli("package", crate, "--format", "source", "-o", "x.cloacina").status == 0
    cli("unpack", "x.cloacina", "-o", "there", "--allow-unsigned")
    frozen(tmp_path / "there")


# --- files that the compiler reads


OUTSIDE = 'pub const Q: &str = include_str!("../../shared/q.sql");\n'


@pytest.mark.parametrize(
    "line",
    [
        OUTSIDE,
        'include!("../../shared/q.sql");\n',
        'const B: &[u8] = core::include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../b"));\n',
        '#[doc = include_str!("../../README.md")]\npub struct Documented;\n',
        '#[path = "../../shared/code.rs"]\nmod code;\n',
        'fn in_a_macro() { println!("{}", include_str!(r#"../../shared/q.sql"#)); }\n',
    ],
)
def test_a_file_outside_of_the_crate_that_is_compiled_in_is_refused(cli, crate, line):
    source = crate / "src" / "money.rs"
    source.write_text(line + source.read_text())
    answer = cli("package", crate, "--format", "source", "--json")
    assert (answer.status, answer.codes) == (3, ["R023"])
    said = answer.json["diagnostics"][0]
    assert (said["file"], said["line"]) == (str(source), 1 + line.startswith("#[path"))
    warned = cli("validate", crate, "--json")
    assert (warned.status, problem(warned, "R023")["severity"]) == (0, "warning")


@pytest.mark.parametrize(
    "line",
    [
        f"#[cfg(test)]\nmod tests {{ {OUTSIDE} }}\n",
        f"#[test]\nfn reads() {{ {OUTSIDE} }}\n",
        f"#[harness::test]\nasync fn reads() {{ {OUTSIDE} }}\n",
        f"// {OUTSIDE}",
        'const S: &str = "include_str!(..)";\n',
        'const G: &str = include_str!(concat!(env!("OUT_DIR"), "/made.rs"));\n',
        'const T: &str = include_str!("money.rs");\n',
    ],
)
def test_what_the_build_does_not_read_or_finds_is_no_fault(cli, crate, line):
    source = crate / "src" / "money.rs"
    source.write_text(line + source.read_text())
    assert cli("package", crate, "--format", "source", "--list").status == 0


def test_a_file_that_is_kept_out_and_compiled_in_is_refused_with_the_key_that_packs_it(cli, crate):
    plant(crate, {"certs/ca.pem": "x"})
    source = crate / "src" / "money.rs"
    source.write_text('pub const C: &str = include_str!("../certs/ca.pem");\n' + source.read_text())
    answer = cli("package", crate, "--format", "source", "--json")
    assert answer.codes == ["R023"]
    said = answer.json["diagnostics"][0]
    assert "it may hold a private key" in said["message"]
    assert 'include = ["certs/ca.pem"]' in said["hint"]
    with (crate / "Cargo.toml").open("a") as file:
        file.write('include = ["certs/ca.pem"]\n')
    assert cli("package", crate, "--format", "source", "--list").status == 0


@pytest.mark.parametrize(
    ("table", "line", "code"),
    [
        ('gone = { path = "../gone" }\n', "", "R015"),
        ("", 'const Q: &str = include_str!("gone.sql");\n', "R023"),
    ],
)
def test_what_no_build_finds_is_an_error_before_cargo_starts(cli, crate, table, line, code):
    manifest, source = crate / "Cargo.toml", crate / "src" / "money.rs"
    text = manifest.read_text()
    manifest.write_text(text.replace("[dependencies]\n", f"[dependencies]\n{table}"))
    source.write_text(line + source.read_text())
    for verb, status in (("validate",), 1), (("package", "--list"), 3), (("inspect",), 3):
        answer = cli(*verb, crate, "--json")
        assert (answer.status, problem(answer, code)["severity"]) == (status, "error")
    build = crate / "build.rs"
    build.write_text("fn main() {}\n")  # a script that makes the file, but no package
    assert cli("validate", crate).status == (1 if table else 0)


def lacking(crate: Path) -> dict[str, bytes]:
    """Return the files of a source package as other packers make them of the crate."""
    found = {
        str(path.relative_to(crate)): path.read_bytes()
        for path in crate.rglob("*") if path.is_file()
    }  # fmt: skip
    text = found["Cargo.toml"].decode().replace("[workspace]\n", "")
    text = text.replace("[dependencies]", '[dependencies]\nnear = { path = "../near" }')
    found["Cargo.toml"] = text.replace('edition = "2021"', "edition.workspace = true").encode()
    found["src/money.rs"] = OUTSIDE.encode() + found["src/money.rs"]
    manifest = PACKAGE_TOML.replace(b'entry_module = "demo.tasks"\n', b"")
    manifest = manifest.replace(b'requires_python = ">=3.10"\n', b"")
    return {**found, "package.toml": manifest.replace(b'"python"', b'"rust"')}


def test_a_package_whose_source_cannot_be_built_is_told_and_not_converted(cli, crate, tmp_path):
    (tmp_path / "old.cloacina").write_bytes(bz2(source_tar(lacking(crate))))
    wrong = ["R015", "R023", "R025"]
    answer = cli("validate", "old.cloacina", "--select", "R", "--json")
    assert (answer.status, [code for code in answer.codes if code in wrong]) == (1, wrong)
    made = cli(
        "convert", "old.cloacina", "--format", "native", "-o", "new.cloacina", "--allow-unsigned"
    )
    assert made.status == 0, made.err
    answer = cli("validate", "new.cloacina", "--select", "R", "--json")
    assert (answer.status, answer.codes) == (1, wrong)
    assert all(one["where"].startswith("source/") for one in answer.json["diagnostics"])
    back = cli(
        "convert", "new.cloacina", "--format", "source", "-o", "back.cloacina", "--allow-unsigned",
        "--lossy", "--json",
    )  # fmt: skip
    assert (back.status, sorted(back.codes)) == (3, wrong)
    assert not (tmp_path / "back.cloacina").exists()


def test_what_a_build_script_may_make_is_a_warning_and_without_one_an_error(cli, crate):
    plant(crate, {".gitignore": "made.rs\n", "src/made.rs": ""})
    source = crate / "src" / "money.rs"
    source.write_text('include!("made.rs");\n' + source.read_text())
    assert cli("package", crate, "--format", "source", "--json").codes == ["R023"]
    (crate / "build.rs").write_text("fn main() {}\n")
    made = cli("package", crate, "--format", "source", "--list", "--json")
    assert (made.status, problem(made, "R023")["severity"]) == (0, "warning")


def test_what_the_build_read_must_be_packed_and_what_a_script_watches_may_be(crate, tmp_path):
    plant(tmp_path, {"hidden.txt": "", "VERSION": "", "rust_etl/notes.txt": ""})
    project = read_project(str(crate))
    packed = CrateFiles((), frozenset({str(crate / "src/lib.rs")}))
    watched = (str(tmp_path / "VERSION"), str(crate / "src"))
    read = FilesRead((str(crate / "src/lib.rs"),), watched)
    (said,) = check_build(project, Selection(()), read, packed)
    assert (said.code, said.where, said.severity.value) == ("R024", "../VERSION", "warning")
    compiled = (str(crate / "src/../../hidden.txt"), str(crate / "notes.txt"))
    with pytest.raises(Refused) as error:
        check_build(project, Selection(()), read._replace(compiled=compiled), packed)
    assert [one.message for one in error.value.diagnostics] == [
        "`rustc` reads ../hidden.txt, which is not packed: outside of the crate",
        "`rustc` reads notes.txt, which is not packed: left out",
    ]


@pytest.mark.slow
def test_a_file_that_only_a_dependency_by_path_reads_is_refused_at_its_place(cli, workspace):
    source = workspace / "shared/src/lib.rs"
    source.write_text('pub const O: &str = include_str!("../../LICENSE");\n')
    answer = cli("package", workspace / "crates/etl", "--format", "source", "--json")
    assert (answer.status, answer.codes) == (3, ["R023"])
    place = os.path.normpath(answer.json["diagnostics"][0]["file"])
    assert place == str(source)


# --- settings of cargo, and the list that cargo packs by


def test_settings_of_cargo_stay_on_the_machine_that_they_are_for(cli, crate, tmp_path):
    plant(crate, {".cargo/config.toml": '[build]\nrustc-wrapper = "sccache"\n'})
    made = cli("package", crate, "--format", "source", "-o", "x.cloacina", "--json")
    assert ".cargo/config.toml" not in members(tmp_path / "x.cloacina")
    assert "build.rustc-wrapper" in problem(made, "R026")["message"]


def test_settings_of_cargo_that_are_named_are_packed_and_their_keys_told(cli, crate, tmp_path):
    plant(crate, {".cargo/config.toml": '[build]\nrustc-wrapper = "sccache"\n'})
    with (crate / "Cargo.toml").open("a") as file:
        file.write('include = [".cargo/config.toml"]\n')
    made = cli("package", crate, "--format", "source", "-o", "x.cloacina", "--json")
    assert ".cargo/config.toml" in members(tmp_path / "x.cloacina")
    warned = cli("validate", "x.cloacina", "--json")
    assert "its own settings of cargo, .cargo/config.toml" in cli("inspect", "x.cloacina").out
    for answer in (made, warned):
        found = [one for one in answer.json["diagnostics"] if one["code"] == "R018"]
        assert any("build.rustc-wrapper" in one["message"] for one in found)


def listed(cli, crate, keys: str) -> tuple[set[str], dict[str, str]]:
    manifest = crate / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace("publish = false", keys))
    answer = cli("package", crate, "--format", "source", "--list", "--json")
    assert answer.status == 0, answer.err
    left_out = {one["path"]: one["reason"] for one in answer.json["result"]["left_out"]}
    return set(paths(answer)), left_out


FILES = {
    "data/big.csv": "1",
    "data/keep.csv": "1",
    "notes/todo.txt": "x",
    "made.rs": "",
    ".env": "",
}


def test_exclude_of_the_package_table_counts(cli, crate):
    plant(crate, FILES)
    found, left_out = listed(cli, crate, 'exclude = ["data/*", "!data/keep.csv", "/notes/"]')
    assert {"data/keep.csv", "made.rs", "Cargo.toml", "Cargo.lock"} <= found
    assert not found & {"data/big.csv", "notes/todo.txt", ".env"}
    assert left_out["data/big.csv"] == "excluded by [package] of Cargo.toml"


def test_include_of_the_package_table_is_the_whole_list_whatever_git_ignores(cli, crate):
    plant(crate, {**FILES, ".gitignore": "made.rs\ndata/\n"})
    found, left_out = listed(cli, crate, 'include = ["src/**", "made.rs", "data/keep.csv", ".env"]')
    assert found == {
        "Cargo.toml", "Cargo.lock", "package.toml", "made.rs", "data/keep.csv", "src/lib.rs",
        "src/money.rs", "src/orders.rs",
    }  # fmt: skip
    assert left_out["notes/todo.txt"] == "not in `include` of [package] in Cargo.toml"
    assert left_out[".env"] == "it may hold secrets of an environment"


def test_the_configuration_of_this_program_stands_above_the_package_table(cli, crate):
    plant(crate, FILES)
    with (crate / "Cargo.toml").open("a") as file:
        file.write('include = ["/notes/"]\nexclude = ["made.rs"]\n')
    found, _ = listed(cli, crate, 'include = ["src/**", "made.rs"]')
    assert "notes/todo.txt" in found
    assert "made.rs" not in found
