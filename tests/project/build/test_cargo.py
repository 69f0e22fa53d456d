"""Building with cargo: small crates without dependencies, and the fixtures where marked slow."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cloacina_ctl.errors import BuildFailed, Code, UsageError
from cloacina_ctl.project.build.cargo import build, find_cargo
from cloacina_ctl.project.build.target_folders import with_own_folders
from cloacina_ctl.project.model import BuildOptions
from cloacina_ctl.project.rust.cargo_toml import read_crate
from cloacina_ctl.project.rust.cargo_workspace import CargoWorkspace
from tests.project.build.checkouts import built_at
from tests.support.projects import FIXTURES
from tests.support.trees import plant

MEMBER = '[package]\nname = "tiny-flow"\nversion = "0.1.0"\nedition = "2021"\n'
CARGO = MEMBER + "[workspace]\n"
ELSEWHERE = "wasm32-unknown-unknown"
CDYLIB = '[lib]\ncrate-type = ["cdylib", "rlib"]\n'
LIB = """
#[no_mangle] pub extern "C" fn place() -> *const u8 { concat!(file!(), "\\0").as_ptr() }
#[cfg(feature = "packaged")] #[no_mangle] pub extern "C" fn packaged() {}
#[cfg(author)] #[no_mangle] pub extern "C" fn author() {}
#[cfg(author_too)] #[no_mangle] pub extern "C" fn author_too() {}
"""


pytestmark = pytest.mark.usefixtures("plain_cargo", "needs_cargo")


def crate_at(root: Path, **files: str) -> Path:
    base = {"Cargo.toml": CARGO + CDYLIB, "src/lib.rs": LIB}
    return plant(root, {**base, **files})


def own_folder(root: Path, target: str | Path = "target") -> Path:
    """Return the folder that is built in for the workspace at ``root``."""
    place = str(root / target)
    return Path(with_own_folders(CargoWorkspace("", str(root), place, place, ())).target_folder)


def exports(library: str) -> set[str]:
    with open(library, "rb") as file:
        data = file.read()
    return {name for name in ("packaged", "author", "author_too") if f"\0{name}\0".encode() in data}


def test_builds_under_the_authors_target_folder_and_says_with_what(tmp_path: Path) -> None:
    built = built_at(crate_at(tmp_path))
    assert built.library == str(own_folder(tmp_path) / "debug/libtiny_flow.so")
    assert os.path.isfile(built.library)
    assert built.built_with.profile == "dev"
    assert built.built_with.rustc[0].isdigit()
    assert "-" in built.built_with.target
    assert built.complete_remap
    assert sorted(os.listdir(tmp_path / "target")) == ["cloacina-ctl"]


@pytest.mark.slow
def test_a_crate_without_lib_table_and_feature_builds_all_the_same(tmp_path: Path) -> None:
    table = '[dependencies]\ncloacina-workflow = { path = "flow" }\n'
    flow = MEMBER.replace("tiny-flow", "cloacina-workflow")
    crate_at(
        tmp_path,
        **{"Cargo.toml": CARGO + table, "flow/Cargo.toml": flow, "flow/src/lib.rs": ""},
    )
    assert exports(built_at(tmp_path).library) == {"packaged"}


@pytest.mark.slow
def test_a_feature_that_is_off_is_turned_on(tmp_path: Path) -> None:
    crate_at(tmp_path, **{"Cargo.toml": CARGO + CDYLIB + "[features]\npackaged = []\nmore = []\n"})
    assert exports(built_at(tmp_path).library) == {"packaged"}
    options = BuildOptions(profile="dev", features=("more",), jobs=1)
    assert exports(built_at(tmp_path, options).library) == {"packaged"}


@pytest.mark.slow
def test_without_the_default_features_the_one_that_the_macros_want_stays_on(tmp_path: Path) -> None:
    features = '[features]\ndefault = ["packaged", "author"]\npackaged = []\nauthor = []\n'
    lib = LIB.replace("cfg(author)", 'cfg(feature = "author")')
    crate_at(tmp_path, **{"Cargo.toml": CARGO + CDYLIB + features, "src/lib.rs": lib})
    options = BuildOptions(profile="dev", default_features=False)
    assert exports(built_at(tmp_path, options).library) == {"packaged"}
    options = BuildOptions(profile="dev", cargo_flags=("--no-default-features",))
    assert exports(built_at(tmp_path, options).library) == {"packaged"}
    assert exports(built_at(tmp_path).library) == {"packaged", "author"}


@pytest.mark.slow
def test_a_crate_of_the_full_engine_needs_no_feature(tmp_path: Path) -> None:
    assert exports(built_at(crate_at(tmp_path)).library) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "variables"),
    [
        ('[build]\nrustflags = ["--cfg", "author"]', {}),
        ('[build]\nrustflags = "--cfg author"', {}),
        ("[target.'cfg(unix)']\nrustflags = ['--cfg', 'author']", {}),
        ("[target.'cfg(all())']\nrustflags = '--cfg author'\n[build]\nrustflags = ['-g']", {}),
        (f"[target.{ELSEWHERE}]\nrustflags = '-g'\n[build]\nrustflags = ['--cfg', 'author']", {}),
        ("", {"RUSTFLAGS": "--cfg author"}),
        ("", {"CARGO_ENCODED_RUSTFLAGS": "--cfg\x1fauthor"}),
        ("", {"CARGO_BUILD_RUSTFLAGS": "--cfg author"}),
        ("", {"CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS": "--cfg author"}),
    ],
)  # fmt: skip
def test_keeps_the_authors_flags_and_adds_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    built = built_at(crate_at(tmp_path, **{".cargo/config.toml": config}))
    assert exports(built.library) == {"author"}
    assert built.complete_remap
    with open(built.library, "rb") as file:
        data = file.read()
    assert b"/project" in data
    assert os.fsencode(tmp_path) not in data


@pytest.mark.slow
def test_flags_of_two_configuration_files_are_kept(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    crate_at(inner, **{".cargo/config.toml": "[build]\nrustflags = ['--cfg', 'author']"})
    plant(tmp_path, {".cargo/config.toml": "[build]\nrustflags = ['--cfg', 'author_too']"})
    assert exports(built_at(inner).library) == {"author", "author_too"}


@pytest.mark.slow
def test_honours_the_configured_target_folder_and_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crate = crate_at(tmp_path / "crate")
    host = built_at(crate).built_with.target
    plant(crate, {".cargo/config.toml": f'[build]\ntarget = "{host}"\ntarget-dir = "out"\n'})
    built = built_at(crate)
    ours = own_folder(crate, "out")
    assert built.library == str(ours / f"{host}/debug/libtiny_flow.so")
    assert built.built_with.target == host
    monkeypatch.setenv("CARGO_TARGET_DIR", str(tmp_path / "shared"))
    shared = built_at(crate, BuildOptions(profile="release", target=host, quiet=True))
    assert shared.target_folder == str(own_folder(crate, tmp_path / "shared"))


@pytest.mark.slow
@pytest.mark.parametrize("flags", [("--verbose",), ("-v", "--", "--cfg", "author")])
def test_the_authors_flags_for_cargo_go_before_ours(tmp_path: Path, flags: tuple[str, ...]) -> None:
    built = built_at(crate_at(tmp_path), BuildOptions(profile="dev", cargo_flags=flags))
    assert exports(built.library) == ({"author"} if "author" in flags else set())


@pytest.mark.slow
def test_builds_the_shared_library_alone_so_that_lto_has_an_effect(tmp_path: Path) -> None:
    profile = "[profile.release]\nlto = true\n"
    crate = crate_at(tmp_path, **{"Cargo.toml": CARGO + CDYLIB + profile, "src/main.rs": "broken"})
    said: list[str] = []
    options = BuildOptions(cargo_flags=("--verbose",))
    library = build(read_crate(str(crate)), options, said.append).library
    assert any("Running" in line and " -C lto" in line for line in said)
    made = {name for name in os.listdir(os.path.dirname(library)) if "tiny_flow" in name}
    assert made == {"libtiny_flow.so", "libtiny_flow.d"}
    said.clear()
    assert build(read_crate(str(crate)), options, said.append).library == library
    assert not any("Running" in line for line in said)


@pytest.mark.slow
def test_keeps_its_hands_off_a_shared_build_folder(tmp_path: Path) -> None:
    crate_at(tmp_path, **{".cargo/config.toml": '[build]\nbuild-dir = "between"\n'})
    built = built_at(tmp_path)
    assert os.path.isfile(built.library)
    assert os.listdir(tmp_path / "between") == ["cloacina-ctl"]


@pytest.mark.slow
def test_a_member_of_a_workspace_is_built_alone(tmp_path: Path) -> None:
    member = MEMBER + CDYLIB
    broken = member.replace("tiny-flow", "broken")
    plant(
        tmp_path,
        {
            "Cargo.toml": '[workspace]\nmembers = ["*"]\nexclude = ["target"]\nresolver = "2"\n',
            "one/Cargo.toml": member, "one/src/lib.rs": LIB,
            "two/Cargo.toml": broken, "two/src/lib.rs": "not rust",
        },
    )  # fmt: skip
    said: list[str] = []
    built = build(read_crate(str(tmp_path), "tiny-flow"), BuildOptions(profile="dev"), said.append)
    assert built.library == str(own_folder(tmp_path) / "debug/libtiny_flow.so")


@pytest.mark.slow
def test_a_build_that_fails_carries_the_status_and_was_heard(tmp_path: Path) -> None:
    crate_at(tmp_path, **{"src/lib.rs": "pub fn broken( {"})
    said: list[str] = []
    with pytest.raises(BuildFailed, match="cargo failed: exit status 101") as error:
        build(read_crate(str(tmp_path)), BuildOptions(), said.append)
    assert error.value.diagnostics[0].code is Code.BUILD_FAILED
    assert any("error" in line for line in said)


@pytest.mark.slow
def test_a_manifest_that_cargo_refuses_is_a_failed_build(tmp_path: Path) -> None:
    crate = crate_at(tmp_path)
    read = read_crate(str(crate))
    plant(crate, {"Cargo.toml": CARGO + "[lib]\npath = 1\n"})
    with pytest.raises(BuildFailed, match="exit status 101"):
        build(read, BuildOptions(), lambda _: None)


@pytest.mark.slow
def test_locked_without_a_lock_file_fails(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed):
        built_at(crate_at(tmp_path), BuildOptions(locked=True, offline=True))


@pytest.mark.slow
@pytest.mark.parametrize("own", [True, False])
def test_a_library_that_a_macro_forges_is_refused(tmp_path: Path, own: bool) -> None:
    """A macro writes to the stream that cargo's messages come on."""
    crate = crate_at(tmp_path / "crate")
    forged = crate / "forged.so"
    message = {
        "reason": "compiler-artifact",
        "package_id": f"path+file://{crate}#tiny-flow@0.1.0" if own else "another",
        "target": {"crate_types": ["cdylib"]},
        "filenames": [str(forged)],
    }
    macro = MEMBER.replace("tiny-flow", "forger") + "[lib]\nproc-macro = true\n"
    code = (
        "extern crate proc_macro;\n#[proc_macro] pub fn forge(_: proc_macro::TokenStream) -> "
        f'proc_macro::TokenStream {{ println!("{{}}", r##"{json.dumps(message)}"##); '
        'println!("[1] {{"); Default::default() }'
    )
    plant(
        crate,
        {
            "Cargo.toml": CARGO + CDYLIB + '[dependencies]\nforger = { path = "forger" }\n',
            "src/lib.rs": LIB + "forger::forge!();",
            "forger/Cargo.toml": macro, "forger/src/lib.rs": code, "forged.so": "forged",
        },
    )  # fmt: skip
    if own:
        with pytest.raises(BuildFailed, match="expected one shared library, cargo names 2"):
            built_at(crate)
    else:
        assert built_at(crate).library.endswith("/libtiny_flow.so")


def fake_cargo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metadata: object, line: str
) -> Path:
    """Put a cargo into PATH that says what we make it say."""
    crate = crate_at(tmp_path / "crate")
    folder = plant(tmp_path / "bin", {"metadata": json.dumps(metadata), "line": line + "\n"})
    (folder / "cargo").write_text(
        f'#!/bin/sh\n[ "$1" = metadata ] && exec /bin/cat {folder}/metadata\n'
        f"/bin/cat {folder}/line\n"
    )
    (folder / "cargo").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return crate


def facts_of(crate: Path) -> dict[str, Any]:
    package = {"id": "ours", "name": "tiny-flow", "manifest_path": str(crate / "Cargo.toml")}
    folders = {"workspace_root": str(crate), "target_directory": str(crate / "target")}
    return {"packages": [package], **folders}


def artifact(path: str) -> str:
    target = {"crate_types": ["cdylib"]}
    return json.dumps(
        {"reason": "compiler-artifact", "package_id": "ours", "target": target, "filenames": [path]}
    )


def test_a_configuration_for_several_targets_is_refused_before_anything_is_built(
    tmp_path: Path,
) -> None:
    several = "cargo builds for 2 targets, and a package is made of one: here-linux, there-linux"
    config = '[build]\ntarget = ["here-linux", "there-linux", "here-linux"]\n'
    crate = crate_at(tmp_path, **{".cargo/config.toml": config})
    with pytest.raises(BuildFailed, match=several) as error:
        built_at(crate)
    assert error.value.diagnostics[0].hint == "choose one: --target here-linux"
    assert not (tmp_path / "target").exists()


def test_libraries_for_several_targets_are_told_from_a_crate_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "crate"
    lines = [artifact(f"{own_folder(root)}/{name}/debug/x.so") for name in ("one", "two")]
    fake_cargo(tmp_path, monkeypatch, facts_of(root), "\n".join(lines))
    with pytest.raises(BuildFailed, match=r"cargo builds for 2 targets, .*: one, two"):
        built_at(root)
    fake_cargo(tmp_path, monkeypatch, facts_of(root), "\n".join((lines[0], lines[0])))
    with pytest.raises(BuildFailed, match="expected one shared library, cargo names 2"):
        built_at(root)


@pytest.mark.parametrize("name", ["../../elsewhere.so", "missing.so", "link.so", "target"])
def test_a_library_outside_of_our_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    root = tmp_path / "crate"
    ours = own_folder(root)
    crate = fake_cargo(tmp_path, monkeypatch, facts_of(root), artifact(f"{ours}/{name}.so"))
    plant(ours, {"real.so": "x"})
    (ours / "link.so.so").symlink_to(ours / "real.so")
    plant(root, {"elsewhere.so.so": "x"})
    with pytest.raises(BuildFailed, match="outside of the target folder"):
        built_at(crate)


def test_a_compiler_that_does_not_say_its_version_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "crate"
    library = f"{own_folder(root)}/real.so"
    crate = fake_cargo(tmp_path, monkeypatch, facts_of(root), artifact(library))
    plant(own_folder(root), {"real.so": "x", ".rustc_info.json": "[]"})
    with pytest.raises(BuildFailed, match="does not report its version"):
        built_at(crate)
    rustc = plant(
        tmp_path / "bin", {"rustc": '#!/bin/sh\nprintf "rustc 9.9 (x)\\nhost: here\\n"\n'}
    )
    (rustc / "rustc").chmod(0o755)
    assert built_at(crate).built_with == ("9.9 (x)", "dev", "here")


@pytest.mark.parametrize("metadata", [{}, {"packages": []}, 7])
def test_a_package_that_cargo_does_not_know_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metadata: object
) -> None:
    crate = fake_cargo(tmp_path, monkeypatch, metadata, "")
    with pytest.raises(BuildFailed, match="does not know the package"):
        built_at(crate)


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        '{"compiler-artifact" cdylib',
        '["compiler-artifact", "cdylib"]',
        '{"reason": "compiler-artifact", "package_id": "ours", "target": "cdylib"}',
        artifact("/x.so").replace("cdylib", "rlib") + " cdylib",
        artifact("/x.so")
        .replace('"target": {', '"cdylib": 1, "target": {')
        .replace('["cdylib"]', "7"),
        artifact("/x.rlib"),
        artifact("/x.so").replace('"/x.so"', "7"),
    ],
)
def test_no_library_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    crate = fake_cargo(tmp_path, monkeypatch, facts_of(tmp_path / "crate"), line)
    with pytest.raises(BuildFailed, match="cargo names 0"):
        built_at(crate)


def test_the_compiler_is_known_from_what_cargo_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "crate"
    library = f"{own_folder(root)}/real.so"
    crate = fake_cargo(tmp_path, monkeypatch, facts_of(root), artifact(library))
    outputs = {"outputs": {"1": {"stdout": "rustc 1.2 (y)\nhost: there\n"}, "2": {}}}
    plant(own_folder(root), {"real.so": "x", ".rustc_info.json": json.dumps(outputs)})
    assert built_at(crate).built_with == ("1.2 (y)", "dev", "there")


def test_what_cargo_takes_for_fresh_again_and_again_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "crate"
    library = own_folder(root) / "real.so"
    line = json.loads(artifact(str(library))) | {"package_id": "path+ours", "fresh": True}
    facts = facts_of(root) | {"packages": [{**facts_of(root)["packages"][0], "id": "path+ours"}]}
    crate = fake_cargo(tmp_path, monkeypatch, facts, json.dumps(line, separators=(",", ":")))
    plant(own_folder(root), {"real.so": "x", "real.d": f"{library}: {root}/src/lib.rs\n"})
    for path, when in ((root / "src/lib.rs", 1_500_000_000), (library, 1_600_000_000)):
        os.utime(path, (when, when))
    with pytest.raises(BuildFailed, match="compiled from other files: tiny-flow") as error:
        built_at(crate)
    (found,) = error.value.diagnostics
    assert (found.code, found.where) == (Code.STALE_UNITS, str(own_folder(root)))


def test_cargo_is_asked_again_where_it_must_fetch_or_choose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crate = fake_cargo(tmp_path, monkeypatch, facts_of(tmp_path / "crate"), "")
    asked = tmp_path / "bin" / "cargo"
    words = (
        'for w in "$@"; do case $w in --frozen) echo no >&2; exit 101;; esac; done\n'
        f'echo "$@" >> {tmp_path}/asked\n'
    )
    asked.write_text(asked.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\n{words}"))
    flags = ("--config", "a=1", "-Zb", "--features=x", "-v", "--all-features", "--", "--config=no")
    options = BuildOptions(locked=True, features=("y",), cargo_flags=flags)
    said: list[str] = []
    with pytest.raises(BuildFailed, match="cargo names 0"):
        build(read_crate(str(crate)), options, said.append)
    assert said == []  # that it cannot answer without network is no message for the author
    common = "metadata --format-version=1 --features=y --config a=1 -Zb --features=x --all-features"
    asked_for = (tmp_path / "asked").read_text().splitlines()
    assert asked_for[:2] == [f"{common} --no-deps", f"{common} --locked"]


@pytest.mark.parametrize(
    ("files", "asked_for_all"),
    [
        ({}, False),
        ({"Cargo.lock": None}, True),
        ({"Cargo.lock": '[[package]]\nname = "other"\nversion = "1.0.0"\n'}, True),
        ({"Cargo.toml": CARGO + '[patch.crates-io]\nx = { path = "../x" }\n'}, True),
        ({".cargo/config.toml": 'paths = ["../x"]\n'}, True),
        ({".cargo/config.toml": '[source.crates-io]\nreplace-with = "x"\n'}, True),
        ({".cargo/config.toml": "[build]\njobs = 1\n"}, False),
        ({"needs": "../x"}, True),
    ],
)
def test_all_packages_are_asked_for_only_where_some_may_lie_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str | None],
    asked_for_all: bool,
) -> None:  # fmt: skip
    root = tmp_path / "crate"
    facts = facts_of(root)
    package = {**facts["packages"][0], "version": "0.1.0", "dependencies": []}
    if "needs" in files:
        package["dependencies"] = [{"name": "x", "path": files["needs"]}]
    crate = fake_cargo(tmp_path, monkeypatch, {**facts, "packages": [package]}, "")
    source = 'source = "registry+https://example.org"\n'
    lock = f'version = 4\n[[package]]\nname = "x"\nversion = "1.0.0"\n{source}'
    lock += '[[package]]\nname = "tiny-flow"\nversion = "0.1.0"\n'
    planted = {"Cargo.lock": lock, **files}
    plant(crate, {name: text for name, text in planted.items() if text and name != "needs"})
    program = tmp_path / "bin" / "cargo"
    noted = f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n'
    program.write_text(program.read_text().replace("#!/bin/sh\n", noted))
    with pytest.raises(BuildFailed, match="cargo names 0"):
        built_at(crate)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert any("--frozen" in line for line in asked) is asked_for_all


def test_without_cargo_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildFailed) as error:
        find_cargo()
    assert error.value.diagnostics[0].code is Code.NO_CARGO
    assert "rustup" in (error.value.diagnostics[0].hint or "")


@pytest.mark.parametrize(
    "options",
    [
        BuildOptions(profile="--config=x"),
        BuildOptions(target="-Zx"),
        BuildOptions(target="../spec.json"),
        BuildOptions(features=("a", "--all")),
        BuildOptions(features=("a,b c",)),
    ],
)
def test_a_name_that_is_an_option_is_refused(tmp_path: Path, options: BuildOptions) -> None:
    with pytest.raises(UsageError):
        built_at(crate_at(tmp_path), options)


@pytest.mark.slow
@pytest.mark.parametrize("fixture", ["rust_etl", "rust_tutorial"])
def test_the_fixture_builds_from_its_lock_file_and_names_no_folder_of_ours(
    tmp_path: Path, fixture: str
) -> None:
    """Where it stands: its dependencies take minutes, and other tests build it there as well."""
    project = os.path.realpath(os.path.join(FIXTURES, fixture))
    built = built_at(project, BuildOptions(locked=True))  # type: ignore[arg-type] # a path
    with open(built.library, "rb") as file:
        data = file.read()
    for folder in (os.path.expanduser("~") + "/", str(tmp_path), os.path.realpath(FIXTURES)):
        assert folder.encode() not in data


@pytest.mark.slow
def test_names_the_missing_step_below_the_words_of_the_compiler(tmp_path: Path) -> None:
    crate_at(tmp_path, **{"src/lib.rs": "\nuse chrono::Utc;\npub fn f() -> Utc { nothing }\n"})
    with pytest.raises(BuildFailed) as error:
        built_at(tmp_path)
    failed, cause = error.value.diagnostics
    assert failed.message == "cargo failed: exit status 101"
    assert (cause.code, cause.where) == (Code.BUILD_FAILED, "src/lib.rs:2")
    assert cause.message == "the code names the crate `chrono`, which is not a dependency"
    assert cause.hint == "run `cargo add chrono@0.4`"


@pytest.mark.slow
def test_leaves_to_the_compiler_what_it_says_clearly(tmp_path: Path) -> None:
    crate_at(tmp_path, **{"src/lib.rs": "pub fn f() -> u8 { nothing }\n"})
    with pytest.raises(BuildFailed) as error:
        built_at(tmp_path)
    assert len(error.value.diagnostics) == 1
