"""Whose code is in a library: no unit of another checkout, whatever its times say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from cloacina_ctl.project.build import target_folders
from cloacina_ctl.project.build.freshness import FreshUnit, outdated
from cloacina_ctl.project.model import BuildOptions
from cloacina_ctl.project.rust.cargo_workspace import CargoWorkspace, SourcePackage
from tests.project.build.checkouts import PACKAGE, ROOT, UTIL, built_at, checkout, date, says
from tests.support.machine import need
from tests.support.trees import plant
from tests.support.waiting import wait_until

OLD = 1_600_000_000
pytestmark = pytest.mark.usefixtures("plain_cargo")


def all_of(who: str) -> set[str]:
    return {f"util of {who}", f"made of {who}", f"macro of {who}"}


@pytest.mark.slow
@pytest.mark.parametrize("way", ["variable", "config", "option", "build-dir", "target"])
def test_two_checkouts_with_one_target_folder_hold_their_own_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs_cargo: str, way: str
) -> None:
    shared, more, flags = str(tmp_path / "shared"), {}, ()
    if way in ("variable", "target"):
        monkeypatch.setenv("CARGO_TARGET_DIR", shared)
    elif way == "option":
        flags = ("--target-dir", shared)
    else:
        key = "target-dir" if way == "config" else "build-dir"
        more = {".cargo/config.toml": f'[build]\n{key} = "{shared}"\n'}
    options = BuildOptions(profile="dev", cargo_flags=flags)
    one = checkout(tmp_path / "one", "a", OLD, **more)
    other = checkout(tmp_path / "other", "b", OLD, **more)
    if way == "target":
        options = options._replace(target=built_at(one, options).built_with.target)
    assert says(built_at(one, options)) == all_of("a")
    assert says(built_at(other, options)) == all_of("b")
    assert says(built_at(one, options)) == all_of("a")
    assert len(os.listdir(os.path.join(shared, "cloacina-ctl"))) == 3  # and CACHEDIR.TAG


@pytest.mark.slow
def test_two_worktrees_of_a_repository_hold_their_own_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs_cargo: str
) -> None:
    git = need("git")
    one, other = tmp_path / "one", tmp_path / "other"

    def run(*words: str) -> None:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        subprocess.run([git, *who, *words], cwd=one, check=True, capture_output=True)

    checkout(one, "a")
    run("init", "-q")
    run("add", ".")
    run("commit", "-qm", "a")
    run("worktree", "add", "-q", str(other))
    monkeypatch.setenv("CARGO_TARGET_DIR", str(tmp_path / "shared"))
    plant(other, {"util/src/lib.rs": UTIL.replace("WHO", "b")})
    date(other, OLD)
    assert says(built_at(one)) == all_of("a")
    assert says(built_at(other)) == {"util of b", "made of a", "macro of a"}


@pytest.mark.slow
def test_another_checkout_in_the_place_of_the_first_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs_cargo: str
) -> None:
    monkeypatch.setenv("CARGO_TARGET_DIR", str(tmp_path / "shared"))
    root = checkout(tmp_path / "here", "a", OLD)
    checkout(tmp_path / "older", "b", OLD)
    assert built_at(root).compiled_again == ()
    root.rename(tmp_path / "away")
    (tmp_path / "older").rename(root)
    built = built_at(root)
    assert says(built) == all_of("b")
    assert sorted(built.compiled_again) == ["flow", "mac", "made", "util"]
    assert built_at(root).compiled_again == ()


@pytest.mark.slow
def test_a_path_dependency_behind_a_link_that_leads_elsewhere_now_is_compiled(
    tmp_path: Path, needs_cargo: str
) -> None:
    for who in ("a", "b"):
        files = {"Cargo.toml": PACKAGE.format("util"), "src/lib.rs": UTIL.replace("WHO", who)}
        date(plant(tmp_path / who, files), OLD)
    (tmp_path / "util").symlink_to("a")
    manifest = ROOT.replace('"util", ', "").replace('path = "util"', 'path = "../util"')
    root = checkout(tmp_path / "flow", "c", **{"Cargo.toml": manifest})
    shutil.rmtree(root / "util")
    assert "util of a" in says(built_at(root))
    (tmp_path / "util").unlink()
    (tmp_path / "util").symlink_to("b")
    built = built_at(root)
    assert "util of b" in says(built)
    assert built.compiled_again == ("util",)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["util/src/lib.rs", "util/src", "made/build.rs", "mac/src"])
def test_what_was_put_there_with_an_older_date_is_compiled(
    tmp_path: Path, needs_cargo: str, what: str
) -> None:
    """As `mv`, `cp -p`, `rsync -a` and `tar` do: cargo sees an old date, and takes its unit."""
    root = checkout(tmp_path / "here", "a", OLD)
    other = checkout(tmp_path / "other", "b", OLD)
    built_at(root)
    (root / what).rename(tmp_path / "away")
    (other / what).rename(root / what)
    date(root / Path(what).parts[0], OLD)
    built = built_at(root)
    part = {"util": "util", "made": "made", "mac": "macro"}[Path(what).parts[0]]
    assert says(built) == all_of("a") - {f"{part} of a"} | {f"{part} of b"}
    assert built.compiled_again == (Path(what).parts[0],)
    assert built_at(root).compiled_again == ()


@pytest.mark.slow
def test_an_ordinary_change_is_left_to_cargo(tmp_path: Path, needs_cargo: str) -> None:
    root = checkout(tmp_path / "here", "a")
    built_at(root)
    plant(root, {"util/src/lib.rs": UTIL.replace("WHO", "b")})
    built = built_at(root)
    assert built.compiled_again == ()
    assert "util of b" in says(built)


@pytest.mark.slow
def test_neither_build_disturbs_the_other(tmp_path: Path, needs_cargo: str) -> None:
    """The author's own `cargo build` and ours: each finds all of its own as it was."""
    root = checkout(tmp_path / "here", "a")

    def cargo() -> str:
        return subprocess.run(
            [needs_cargo, "build"], cwd=root, check=True, capture_output=True, text=True
        ).stderr

    assert "Compiling flow" in cargo()
    first = os.stat(built_at(root).library).st_mtime_ns
    assert "Compiling" not in cargo()
    assert os.stat(built_at(root).library).st_mtime_ns == first


def workspace(root: Path, target: Path, *names: str) -> CargoWorkspace:
    packages = tuple(
        SourcePackage(f"path+file://{root}/{name}#0.1.0", name, str(root / name), by_path=True)
        for name in names
    )
    made = CargoWorkspace("", str(root), str(target), str(target), packages)
    return target_folders.with_own_folders(made)


def test_the_same_root_by_a_link_has_one_folder_and_a_copy_another(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "link").symlink_to("root")
    names = [workspace(tmp_path / n, tmp_path).target_folder for n in ("root", "link", "copy")]
    assert names[0] == names[1] != names[2]


def test_a_record_tells_which_packages_lie_elsewhere_by_now(tmp_path: Path) -> None:
    plant(tmp_path / "root", {"one/x": "", "two/x": ""})
    ours = workspace(tmp_path / "root", tmp_path / "target", "one", "two")

    def moved(kind: str = "/release") -> list[str]:
        return [one.name for one in target_folders.BuildRecord(ours, kind).moved()]

    assert moved() == []
    target_folders.BuildRecord(ours, "/release").write()
    assert moved() == moved("/dev") == []
    (tmp_path / "root/one").rename(tmp_path / "away")
    plant(tmp_path / "root", {"one/x": ""})
    assert moved() == ["one"]
    assert moved("/dev") == []
    os.unlink(os.path.join(ours.build_folder, target_folders.RECORD))
    assert moved() == ["one", "two"]


def make_older(folder: Path, age: float = 3 * target_folders.KEEP_SECONDS) -> None:
    """Let the record in ``folder`` say that it was used that many seconds ago."""
    record = folder / target_folders.RECORD
    built = time.strftime("%Y-%m-%d", time.gmtime(time.time() - age))
    record.write_text(json.dumps({**json.loads(record.read_text()), "built": built}))


def cleared(tmp_path: Path, *, age: float = 3 * target_folders.KEEP_SECONDS) -> tuple[str, ...]:
    """Write a record of ``root``, make it as old as that, and build another workspace."""
    theirs = workspace(tmp_path / "root", tmp_path / "target", "one")
    target_folders.BuildRecord(theirs, "/release").write()
    plant(Path(theirs.build_folder), {"release/deps/big": "x"})
    make_older(Path(theirs.build_folder), age)
    ours = workspace(tmp_path / "ours", tmp_path / "target")
    target_folders.BuildRecord(ours, "/release").write()
    found = target_folders.clear_abandoned(ours)
    assert os.path.isdir(ours.build_folder)
    assert os.path.isdir(theirs.build_folder) is (found == ())
    return found


def test_what_was_built_for_a_workspace_that_is_gone_is_removed(tmp_path: Path) -> None:
    assert cleared(tmp_path) == (str(tmp_path / "root"),)


def test_it_stays_while_the_workspace_is_there_or_was_built_a_moment_ago(tmp_path: Path) -> None:
    assert cleared(tmp_path, age=60) == ()
    (tmp_path / "root").mkdir()
    assert cleared(tmp_path) == ()


def test_a_copy_of_the_folder_is_removed(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    theirs = workspace(tmp_path / "root", tmp_path / "first")
    target_folders.BuildRecord(theirs, "/release").write()
    shutil.copytree(tmp_path / "first", tmp_path / "target")
    ours = workspace(tmp_path / "ours", tmp_path / "target")
    copy = tmp_path / "target/cloacina-ctl" / os.path.basename(theirs.build_folder)
    make_older(copy)
    assert target_folders.clear_abandoned(ours) == (str(tmp_path / "root"),)
    assert not copy.exists()
    assert os.path.isdir(theirs.build_folder)


def test_what_was_built_under_another_spelling_of_the_target_folder_is_no_copy(
    tmp_path: Path,
) -> None:
    plant(tmp_path, {"root/": "", "target/": ""})
    (tmp_path / "link").symlink_to("target")
    theirs = workspace(tmp_path / "root", tmp_path / "link")
    target_folders.BuildRecord(theirs, "/release").write()
    make_older(Path(theirs.build_folder))
    ours = workspace(tmp_path / "ours", tmp_path / "target")
    target_folders.BuildRecord(ours, "/release").write()
    assert target_folders.clear_abandoned(ours) == ()
    assert os.path.isdir(theirs.build_folder)


def test_no_link_leads_to_what_is_removed(tmp_path: Path) -> None:
    elsewhere = workspace(tmp_path / "root", tmp_path / "elsewhere")
    target_folders.BuildRecord(elsewhere, "/release").write()
    make_older(Path(elsewhere.build_folder))
    ours = workspace(tmp_path / "ours", tmp_path / "target")
    target_folders.BuildRecord(ours, "/release").write()
    link = tmp_path / "target/cloacina-ctl" / os.path.basename(elsewhere.build_folder)
    link.symlink_to(elsewhere.build_folder)
    strange = tmp_path / "target/cloacina-ctl/0123456789abcdef"
    said = {"workspace": str(tmp_path / "gone"), "folder": str(strange)}
    plant(strange, {target_folders.RECORD: json.dumps(said)})
    make_older(strange)
    assert target_folders.clear_abandoned(ours) == ()
    assert link.is_symlink()
    assert strange.is_dir()  # not the name that such a workspace has
    assert os.path.isdir(elsewhere.build_folder)


def test_files_with_spaces_and_from_elsewhere_are_looked_at(tmp_path: Path) -> None:
    root = plant(tmp_path / "a root", {"one/src/a b.rs": "", "two/src/lib.rs": "", "text": ""})
    ours = workspace(root, tmp_path / "target", "one", "two")
    date(root, OLD)
    unit = plant(tmp_path, {"unit.rlib": "", "lib.so": ""}) / "unit.rlib"
    units = [FreshUnit(one.id, str(unit)) for one in ours.packages]

    def names(*listed: Path) -> list[str]:
        text = " ".join(str(path).replace(" ", "\\ ") for path in listed)
        plant(tmp_path, {"lib.d": f"{tmp_path}/lib.so: {text}\n"})
        found = outdated(units, str(tmp_path / "lib.so"), ours)
        return [one.name for one in found]

    os.utime(unit, (OLD + 9, OLD + 9))
    assert names(root / "one/src/a b.rs") == ["one"]
    assert names(root / "text") == ["one", "two"]
    assert names(Path(ours.build_folder) / "made.rs") == []
    future = time.time() + 60
    os.utime(unit, (future, future))
    assert names(root / "one/src/a b.rs", root / "text") == []


def test_a_link_that_leads_to_another_file_by_now_is_seen(tmp_path: Path) -> None:
    root = plant(tmp_path / "root", {"one/src/b.rs": "", "one/src/a.rs": ""})
    ours = workspace(root, tmp_path / "target", "one")
    unit = plant(tmp_path, {"unit.rlib": "", "lib.so": ""}) / "unit.rlib"
    link = root / "one/src/lib.rs"
    plant(tmp_path, {"lib.d": f"{tmp_path}/lib.so: {link}\n"})

    def found() -> list[str]:
        units = [FreshUnit(ours.packages[0].id, str(unit))]
        return [one.name for one in outdated(units, str(tmp_path / "lib.so"), ours)]

    link.symlink_to("a.rs")
    built = os.lstat(link).st_ctime_ns
    os.utime(unit, ns=(built, built))
    assert found() == []
    wait_until(  # clocks of file systems go in steps
        lambda: os.stat(plant(tmp_path, {"clock": ""}) / "clock").st_ctime_ns > built
    )
    link.unlink()
    link.symlink_to("b.rs")
    assert found() == ["one"]
    link.unlink()
    plant(root, {"one/src/lib.rs": ""})
    assert found() == []  # a new date: cargo sees it
