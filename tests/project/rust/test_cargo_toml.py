"""Cargo.toml as TOML: the package, its library, features and dependencies, its workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.errors import Code, FileProblem, Refused, UsageError
from cloacina_ctl.project.rust.cargo_toml import read_crate
from tests.support.trees import found, plant

if TYPE_CHECKING:
    from pathlib import Path

    from cloacina_ctl.project.model import Crate

PACKAGE = '[package]\nname = "my-flow"\nversion = "1.2.3"\n'


def crate_of(root: Path, cargo: str, **files: str) -> Crate:
    return read_crate(str(plant(root, {"Cargo.toml": cargo, "src/lib.rs": "", **files})))


def test_reads_the_package(tmp_path: Path) -> None:
    crate = crate_of(
        tmp_path,
        PACKAGE
        + 'description = """\nOne\n two """\nauthors = ["A <a@x>"]\nlicense = "MIT/Apache-2.0"\n'
        'homepage = "https://x"\nrepository = "https://y"\nkeywords = ["b", "a", "b"]\n',
    )
    assert (crate.name, crate.version, crate.lib_name) == ("my-flow", "1.2.3", "my_flow")
    assert crate.description == "One two"
    assert crate.authors == ("A <a@x>",)
    assert crate.license == "MIT OR Apache-2.0"
    assert (crate.homepage, crate.repository) == ("https://x", "https://y")
    assert crate.keywords == ("a", "b")
    assert (crate.root, crate.workspace_root) == (str(tmp_path), str(tmp_path))
    assert crate.crate_types == ()
    assert crate.has_lib
    assert not crate.has_lock_file
    assert crate.build_script is None
    assert crate.cloacina_release is None


def test_reads_the_library_with_both_spellings_of_its_type(tmp_path: Path) -> None:
    lib = '[lib]\nname = "other"\npath = "code/top.rs"\ncrate_type = ["cdylib"]\n'
    crate = crate_of(tmp_path, PACKAGE + lib, **{"code/top.rs": "", "Cargo.lock": ""})
    assert (crate.lib_name, crate.lib_path) == ("other", "code/top.rs")
    assert crate.crate_types == ("cdylib",)
    assert crate.has_lib
    assert crate.has_lock_file


def test_a_crate_without_a_library_has_none(tmp_path: Path) -> None:
    plant(tmp_path, {"Cargo.toml": PACKAGE, "src/main.rs": ""})
    assert not read_crate(str(tmp_path)).has_lib


def test_a_feature_is_on_by_default_also_through_another(tmp_path: Path) -> None:
    features = """[features]
default = ["all", "dep:x", "serde/derive"]
all = ["packaged", "default"]
packaged = []
off = ["more"]
more = 3
"""
    crate = crate_of(tmp_path, PACKAGE + features)
    assert crate.features == ("all", "more", "off", "packaged")
    assert crate.default_features == ("all", "packaged")


def test_dependencies_are_the_names_in_code_of_every_target(tmp_path: Path) -> None:
    crate = crate_of(
        tmp_path,
        PACKAGE
        + """
[dependencies]
chrono = "0.4"
flow = { package = "cloacina-workflow", version = "0.6.1" }
local = { path = "../local" }
odd = 7
[target.'cfg(unix)'.dependencies]
nix = { version = "1" }
near = { path = "near" }
[dev-dependencies]
cloacina = "0.9"
[build-dependencies]
cloacina-build = "0.6.1"
""",
    )
    assert crate.dependencies == ("chrono", "flow", "local", "near", "nix", "odd")
    assert crate.cloacina_release == "0.6.1"


@pytest.mark.parametrize(
    ("package", "files", "expected"),
    [
        ("", {}, None),
        ("", {"build.rs": ""}, "build.rs"),
        ("build = false\n", {"build.rs": ""}, None),
        ('build = "make.rs"\n', {"make.rs": ""}, "make.rs"),
        ('build = "make.rs"\n', {"build.rs": ""}, None),
    ],
)
def test_finds_the_build_script(
    tmp_path: Path, package: str, files: dict[str, str], expected: str | None
) -> None:
    assert crate_of(tmp_path, PACKAGE + package, **files).build_script == expected


WORKSPACE = """
[workspace]
members = ["crates/*", "extra/tool", "/etc", "crates/[ab]x", "./crates/one", "absent", "absent/*",
    "nul\\u0000/*"]
exclude = ["crates/left-out"]
[workspace.package]
version = "9.0.0"
license = "MIT"
[workspace.dependencies]
chrono = "0.4"
cloacina-workflow = { version = "=0.7.0", path = "vendor/cw" }
"""


def member(name: str) -> str:
    return f"""[package]
name = "{name}"
version.workspace = true
license = {{ workspace = true }}
[dependencies]
chrono.workspace = true
cloacina-workflow = {{ workspace = true, features = ["x"] }}
serde.workspace = true
"""


def workspace(root: Path, top: str = WORKSPACE) -> Path:
    return plant(
        root,
        {
            "Cargo.toml": top, "Cargo.lock": "",
            "crates/one/Cargo.toml": member("one"), "crates/one/src/lib.rs": "",
            "crates/two/Cargo.toml": member("two"), "crates/left-out/Cargo.toml": PACKAGE,
            "crates/empty/": "", "extra/tool/Cargo.toml": member("tool"),
            "crates/virtual/Cargo.toml": "[workspace]\n",
        },
    )  # fmt: skip


def test_lists_the_members_of_a_workspace_where_none_was_chosen(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="several members: one, tool, two") as error:
        read_crate(str(workspace(tmp_path)))
    assert found(error.value) == [(Code.SEVERAL_MEMBERS, "Cargo.toml")]
    assert "--package" in (error.value.diagnostics[0].hint or "")


def test_a_member_inherits_from_its_workspace(tmp_path: Path) -> None:
    workspace(tmp_path)
    for crate in (read_crate(str(tmp_path), "one"), read_crate(str(tmp_path / "crates" / "one"))):
        assert crate.root == str(tmp_path / "crates" / "one")
        assert crate.workspace_root == str(tmp_path)
        assert (crate.version, crate.license) == ("9.0.0", "MIT")
        assert crate.cloacina_release == "=0.7.0"
        assert crate.dependencies == ("chrono", "cloacina-workflow", "serde")
        assert crate.has_lock_file


def test_the_only_member_needs_no_choice(tmp_path: Path) -> None:
    plant(tmp_path, {"Cargo.toml": '[workspace]\nmembers = ["a"]\n', "a/Cargo.toml": PACKAGE})
    assert read_crate(str(tmp_path)).root == str(tmp_path / "a")


def test_the_package_at_the_top_is_the_choice(tmp_path: Path) -> None:
    workspace(tmp_path, PACKAGE + WORKSPACE)
    assert read_crate(str(tmp_path)).name == "my-flow"
    assert read_crate(str(tmp_path), "my-flow").workspace_members == ("one", "tool", "two")
    assert read_crate(str(tmp_path), "two").name == "two"


def test_a_member_that_is_not_there_is_a_mistake_of_the_command(tmp_path: Path) -> None:
    workspace(tmp_path)
    with pytest.raises(UsageError) as error:
        read_crate(str(tmp_path), "tol")
    assert error.value.diagnostics[0].hint == "did you mean `tool`?"
    with pytest.raises(UsageError) as error:
        read_crate(str(tmp_path), "entirely-different")
    assert error.value.diagnostics[0].hint == "there are one, tool, two"
    crate_of(tmp_path / "alone", PACKAGE)
    with pytest.raises(UsageError):
        read_crate(str(tmp_path / "alone"), "other")


def test_a_crate_may_name_its_workspace_or_be_left_out_of_it(tmp_path: Path) -> None:
    workspace(tmp_path)
    assert read_crate(str(tmp_path / "crates/left-out")).workspace_root == str(
        tmp_path / "crates/left-out"
    )
    plant(tmp_path, {"away/Cargo.toml": PACKAGE + 'workspace = "../crates/virtual"\n'})
    assert read_crate(str(tmp_path / "away")).workspace_root == str(tmp_path / "crates/virtual")


def test_a_path_with_a_nul_is_no_path(tmp_path: Path) -> None:
    nul = 'workspace = "\\u0000"\nbuild = "\\u0000"\n[lib]\npath = "\\u0000"\n'
    crate = crate_of(tmp_path, PACKAGE + nul)
    assert not crate.has_lib
    assert crate.build_script is None


def test_a_crate_below_another_is_not_of_its_workspace(tmp_path: Path) -> None:
    plant(tmp_path, {"Cargo.toml": PACKAGE, "in/Cargo.toml": PACKAGE})
    assert read_crate(str(tmp_path / "in")).workspace_root == str(tmp_path / "in")


@pytest.mark.parametrize(
    ("cargo", "code"),
    [
        ("[dependencies]\n", Code.NO_PROJECT),
        ("package = 1\n", Code.NO_PROJECT),
        ("[workspace]\nmembers = []\n", Code.SEVERAL_MEMBERS),
        ("[workspace]\nmembers = 'a'\n", Code.SEVERAL_MEMBERS),
        ("[package]\nname = 3\n", Code.PROJECT_NAME),
        ("[package\n", Code.BAD_TOML),
    ],
)
def test_what_is_no_crate_is_refused(tmp_path: Path, cargo: str, code: Code) -> None:
    with pytest.raises(Refused) as error:
        crate_of(tmp_path, cargo)
    assert error.value.diagnostics[0].code is code


def test_a_folder_without_cargo_toml_is_a_problem_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileProblem):
        read_crate(str(tmp_path))
