"""No folder of the builder in a library, and a word on those that are in it all the same."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cloacina_ctl.errors import Severity
from cloacina_ctl.operations.packaging.build import library_findings
from cloacina_ctl.project.build.builder_paths import (
    C_CODE,
    ELSEWHERE,
    MANIFEST_DIR,
    OUT_DIR,
    SOURCE,
    BuilderFolder,
    PathLeft,
    paths_left,
    remap_flags,
    source_folders,
)
from cloacina_ctl.project.build.cargo import BuiltCrate
from cloacina_ctl.project.model import BuildOptions
from cloacina_ctl.project.rust.cargo_workspace import CargoWorkspace, Compiler, SourcePackage
from cloacina_ctl.project.subprocesses import Program
from tests.project.build.checkouts import LIB, PACKAGE, ROOT, UTIL, built_at, checkout, content
from tests.support.machine import need
from tests.support.trees import plant

VENDORED = (
    '[source.crates-io]\nreplace-with = "here"\n[source.here]\ndirectory = "{}"\n'
    '[build]\ntarget-dir = "target"\n'
)
pytestmark = pytest.mark.usefixtures("plain_cargo")
THIRD = """#[inline(never)] pub fn third(n: usize) -> usize { if n > 99 { panic!("no") }; n }"""


def with_vendored(root: Path, place: str, **more: str) -> Path:
    """Plant a workspace that takes `third` from a directory source."""
    manifest = ROOT.replace("[workspace]", 'third = "1.0"\n[workspace]').replace(
        '[lib]\ncrate-type = ["cdylib"]\n', '[lib]\ncrate-type = ["cdylib"]\n[dependencies]\n'
    )
    code = LIB.replace("println", "third::third(s.len()); println")
    third = {
        "Cargo.toml": PACKAGE.format("third").replace("0.1.0", "1.0.0"),
        "src/lib.rs": THIRD,
        ".cargo-checksum.json": '{"files":{}}',
    }
    plant((root / place).resolve() / "third", third)
    config = {".cargo/config.toml": VENDORED.format(place)}
    return checkout(root, "a", **{"Cargo.toml": manifest, "src/lib.rs": code, **config, **more})


@pytest.mark.slow
@pytest.mark.parametrize("place", ["vendor", "../vendor"])
def test_two_folders_give_the_same_bytes_without_a_path(
    tmp_path: Path, needs_cargo: str, place: str
) -> None:
    """With members, a build script's file, a macro, and a vendored source."""
    libraries = []
    for name in ("one/flow", "another/much/longer/flow"):
        built = built_at(with_vendored(tmp_path / name, place))
        assert built.paths_left == ()
        libraries.append(content(built))
        for folder in (os.fsencode(tmp_path), os.path.expanduser("~").encode() + b"/."):
            assert folder not in libraries[-1]
    assert libraries[0] == libraries[1]
    third = b"/vendor/third" if place == "../vendor" else b"/project/vendor/third"
    assert third in libraries[0]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["dependency", "patch"])
@pytest.mark.parametrize("debug", ["0", '"full"\nsplit-debuginfo = "packed"', "1\nstrip = true"])
def test_a_dependency_outside_of_the_workspace_leaves_no_path(
    tmp_path: Path, needs_cargo: str, how: str, debug: str
) -> None:
    outside = {"Cargo.toml": PACKAGE.format("util"), "src/lib.rs": UTIL}
    plant(tmp_path / "outside" / "util", outside)
    manifest = ROOT.replace('"util", ', "")
    path = '[dependencies.util]\npath = "util"\n'
    there = '"../outside/util"'
    if how == "dependency":
        manifest = manifest.replace(path, path.replace('"util"', there))
    else:
        patch = f"[patch.crates-io]\nutil = {{ path = {there} }}\n"
        manifest = manifest.replace(path, '[dependencies.util]\nversion = "*"\n') + patch
    manifest += f"[profile.dev]\ndebug = {debug}\n"
    built = built_at(checkout(tmp_path / "flow", "a", **{"Cargo.toml": manifest}))
    assert os.fsencode(tmp_path) not in content(built)
    assert built.paths_left == ()
    assert b"/dependency/util/src/lib.rs" in content(built)


@pytest.mark.slow
def test_what_no_flag_keeps_out_is_told(tmp_path: Path, needs_cargo: str) -> None:
    root = tmp_path / "flow"
    build = (
        'fn main() { println!("cargo:rustc-env=WHERE={}/x", std::env::current_dir().unwrap()'
        ".display()); }"
    )
    code = LIB.replace("util::SAID", 'env!("CARGO_MANIFEST_DIR"), env!("WHERE")')
    built = built_at(checkout(root, "a", **{"src/lib.rs": code, "build.rs": build}))
    assert {(one.origin, one.package) for one in built.paths_left} == {(MANIFEST_DIR, "flow")}
    folder, variable = sorted(one.path for one in built.paths_left)
    assert folder == str(root)
    # The library's next text follows at once: where the path ends cannot be seen.
    assert variable.startswith(f"{root}/x")


@pytest.mark.slow
def test_the_sources_of_the_standard_library_change_nothing_where_they_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs_cargo: str
) -> None:
    """The compiler then writes their place, and else a name of its own: `rustup component add`."""
    rustc = need("rustc")
    said = subprocess.run([rustc, "--print=sysroot"], check=True, capture_output=True, text=True)
    real = said.stdout.strip()
    sysroot = tmp_path / "sysroot"
    sysroot.mkdir()
    subprocess.run(["cp", "-rs", f"{real}/lib", str(sysroot)], check=True)
    script = f'#!/bin/sh\nexec {real}/bin/rustc --sysroot {sysroot} "$@"\n'
    (plant(tmp_path, {"rustc": script}) / "rustc").chmod(0o755)
    monkeypatch.setenv("RUSTC", str(tmp_path / "rustc"))
    root = checkout(tmp_path / "flow", "a")
    options = BuildOptions()
    without = content(built_at(root, options))
    for part in ("std", "core", "alloc"):
        plant(sysroot / f"lib/rustlib/src/rust/library/{part}/src", {"lib.rs": ""})
    shutil.rmtree(root / "target")
    assert content(built_at(root, options)) == without
    assert os.fsencode(sysroot) not in without


@pytest.mark.slow
def test_a_text_of_flags_and_a_space_in_the_folder_leave_the_root_out_all_the_same(
    tmp_path: Path, needs_cargo: str
) -> None:
    config = {".cargo/config.toml": '[build]\nrustflags = "--cfg author"\n'}
    root = checkout(tmp_path / "my flow", "a", **config)
    plant(root, {"src/lib.rs": LIB.replace("file!()", 'env!("CARGO_MANIFEST_DIR")')})
    built = built_at(root)
    assert not built.complete_remap
    assert str(root) in [one.path for one in built.paths_left]


def workspace(*packages: tuple[str, str, bool]) -> CargoWorkspace:
    found = tuple(SourcePackage(name, name, folder, path) for name, folder, path in packages)
    root, target = "/home/alice/flow", "/home/alice/flow/target/cloacina-ctl/0"
    return CargoWorkspace("flow", root, target, target, found)


ALL = workspace(
    ("flow", "/home/alice/flow", True),
    ("util", "/srv/util", True),
    ("dep", "/home/alice/.cargo/registry/src/x/dep-1.0.0", False),
    ("third", "/srv/third-party/third", False),
)


def folders() -> tuple[BuilderFolder, ...]:
    cargo = Program("/cargo", (), "/", {"CARGO_HOME": "/home/alice/.cargo"})
    return source_folders(ALL, cargo, Compiler("x", "c0ffee", "/opt/rust"))


def test_inner_folders_come_after_outer_ones_for_the_last_that_fits_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/alice")
    assert remap_flags(folders()) == tuple(
        f"--remap-path-prefix={path}={name}"
        for path, name in [
            ("/srv/util", "/dependency/util"),
            ("/home/alice", "/home"),
            ("/home/alice/flow", "/project"),
            ("/srv/third-party", "/vendor"),
            ("/home/alice/.cargo", "/cargo"),
            ("/home/alice/.rustup", "/rustup"),
            ("/opt/rust/lib/rustlib/src/rust", "/rustc/c0ffee"),
            ("/home/alice/flow/target/cloacina-ctl/0", "/target"),
        ]
    )


def left(tmp_path: Path, data: bytes, user: str = "bob") -> list[tuple[str, int, str]]:
    library = plant(tmp_path, {"lib.so": data}) / "lib.so"
    found = paths_left(str(library), folders(), ALL, user)
    return [(one.path, one.times, one.origin) for one in found]


@pytest.mark.parametrize(
    ("text", "path", "origin"),
    [
        ("/home/alice/flow", "/home/alice/flow", MANIFEST_DIR),
        ("/home/alice/flowloading orders", "/home/alice/flow", MANIFEST_DIR),
        ("x/home/alice/flow/src/a.rscalled", "/home/alice/flow/src/a.rs", SOURCE),
        ("/home/alice/.cargo/registry/src/x/dep-1.0.0/z.c:", None, C_CODE),
        ("/home/alice/.cargo/registry/src/x/dep-1.0.0\0", None, MANIFEST_DIR),
        ("/home/alice/flow/target/cloacina-ctl/0/release/build/x/out\0", None, OUT_DIR),
        ("/srv/util/data.json ", "/srv/util/data.json", MANIFEST_DIR),
        ("/home/bob/x\n", "/home/bob/x", ELSEWHERE),
        ("/Users/bob/x\x1b[31m", "/Users/bob/x", ELSEWHERE),
    ],
)
@pytest.mark.parametrize("coding", ["utf-8", "utf-16-le"])
def test_finds_paths_and_says_whence_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, path: str | None, origin: str,
    coding: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("HOME", "/home/alice")
    data = b"\x7fELF" + text.encode(coding) + b"\xff\xff\xff"
    assert left(tmp_path, data) == [(path or text[:-1], 1, origin)]


@pytest.mark.parametrize(
    "text", ["/project/src/lib.rs", "/rustc/x/library", "/home/alicf", "/home", ""]
)
def test_names_of_ours_and_of_others_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("HOME", "/home/alice")
    assert left(tmp_path, text.encode(), user="root") == []


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("/app/src/x.rs", ["/app/src/x.rs"]), ("/app\0", ["/app"]), (" /app", ["/app"]),
        ("/application/json", []), ("/project/app/x", []), ("/app.js", []), ("/app-2/x", []),
    ],
)  # fmt: skip
def test_a_folder_of_one_name_is_found_where_a_path_begins(
    tmp_path: Path, text: str, paths: list[str]
) -> None:
    library = plant(tmp_path, {"lib.so": text.encode()}) / "lib.so"
    found = paths_left(str(library), [BuilderFolder("/app", "/project")], ALL, None)
    assert [one.path for one in found] == paths


def test_without_a_folder_to_look_for_nothing_is_found(tmp_path: Path) -> None:
    library = plant(tmp_path, {"lib.so": "/home/alice"}) / "lib.so"
    assert paths_left(str(library), [], ALL, None) == ()


@pytest.mark.parametrize("coding", ["utf-8", "utf-16-le"])
def test_finds_each_once_wherever_the_pieces_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coding: str
) -> None:
    monkeypatch.setenv("HOME", "/home/alice")
    monkeypatch.setattr("cloacina_ctl.project.build.builder_paths._CHUNK", 4096)
    text = "/home/alice/flow".encode(coding)
    for at in range(0, 3 * 4096, 511):
        data = bytearray(b"\xff" * 5 * 4096)
        data[at : at + len(text)] = text
        assert left(tmp_path, bytes(data)) == [("/home/alice/flow", 1, MANIFEST_DIR)], at


def test_a_few_are_shown_and_the_rest_is_counted() -> None:
    paths = tuple(PathLeft(f"/x/{n}", n, SOURCE, "util") for n in range(1, 9))
    built = BuiltCrate("/t/libx.so", "/t", None, paths_left=paths)  # type: ignore[arg-type]
    said = list(library_findings(built))
    assert len(said) == 6
    assert {one.severity for one in said} == {Severity.WARNING}
    assert said[1].message.endswith("/x/2, 2 times")
    assert "3 more" in said[-1].message
    assert "flags as a list" in str(
        list(library_findings(built._replace(complete_remap=False)))[-1].hint
    )
