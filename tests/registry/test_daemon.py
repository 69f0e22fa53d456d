"""`install --daemon`: the folder that a daemon watches, and what it must never see there."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.operations.keys import signing_keys
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.verify import verify
from cloacina_ctl.registry import daemon_folder
from cloacina_ctl.registry.daemon_folder import STAGING, StagedDelivery, file_name, watched_files
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support import archives
from tests.support.json_schemas import judge
from tests.support.machine import small_disk
from tests.support.projects import ROOT
from tests.support.registries import make_project, read_only, source
from tests.support.waiting import wait_until

ANY = VerificationPolicy(allow_unsigned=True)
OLD = ("--daemon-version", "0.5")


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "packages"
    folder.mkdir()
    return folder


def rust_source(path: Path, version: str, code: bytes = b"") -> Path:
    """Write a source package of a crate called `demo`."""
    text = archives.PACKAGE_TOML.replace(b'version = "1.0.0"', b'version = "%s"' % version.encode())
    lines = [line for line in text.splitlines() if b"entry_module" not in line]
    crate = (
        b'[package]\nname = "demo"\nversion = "%s"\nedition = "2021"\n\n'
        b'[lib]\ncrate-type = ["cdylib"]\n\n[dependencies]\ncloacina-workflow = "0.5"\n'
        b'cloacina-workflow-plugin = "0.5"\n' % version.encode()
    )
    files = {
        "package.toml": b"\n".join(lines).replace(b'"python"', b'"rust"'),
        "Cargo.toml": crate,
        "src/lib.rs": b'#[workflow(name = "demo")]\npub mod demo {}\n' + code,
    }
    path.write_bytes(archives.bz2(archives.source_tar(files, f"demo-{version}")))
    return path


def fake_daemon(tmp_path: Path, monkeypatch, script: str) -> None:
    """Put a `cloacinactl` into PATH."""
    program = tmp_path / "bin" / "cloacinactl"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


# What the daemon sees


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("etl", "1.0.0", "etl-1.0.0.cloacina"),
        (".hidden", "1", "hidden-1.cloacina"),
        ("../../etc/x", "1", "_.._etc_x-1.cloacina"),
        ("a/b c\n", "1+x", "a_b_c_-1+x.cloacina"),
        ("-rf", "1", "rf-1.cloacina"),
        (".", "-", "package.cloacina"),
        ("x" * 400, "1", "x" * 200 + ".cloacina"),
    ],
)
def test_a_file_in_the_folder_is_never_hidden_nor_elsewhere(name, version, expected):
    assert file_name(name, version) == expected


def test_the_daemon_sees_what_ends_as_a_package_hidden_or_not(folder):
    for name in ("a.cloacina", ".b.cloacina", ".c.cloacina.tmp", "d.CLOACINA", "e.txt"):
        (folder / name).write_text("")
    (folder / "f.cloacina").mkdir()
    assert [os.path.basename(path) for path in watched_files(str(folder))] == [
        ".b.cloacina", "a.cloacina", "f.cloacina",
    ]  # fmt: skip
    assert not STAGING.endswith(daemon_folder.SUFFIX)


def test_nothing_half_is_ever_seen(folder, tmp_path, cli):
    """A watcher that looks all the time sees whole packages alone."""
    path = source(tmp_path / "x.cloacina", comment=os.urandom(100_000).hex().encode())
    seen, stop = set(), threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for one in watched_files(str(folder)):
                with contextlib.suppress(FileNotFoundError):
                    seen.add(Path(one).read_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(3):
        assert cli("install", path, "--daemon", folder, *OLD, "--allow-unsigned").status == 0
        wait_until(lambda: seen)
        (folder / "demo-1.0.0.cloacina").unlink()
    cli("install", path, "--daemon", folder, *OLD, "--allow-unsigned")
    stop.set()
    watcher.join()
    assert seen == {path.read_bytes()}
    assert [one.name for one in folder.iterdir()] == ["demo-1.0.0.cloacina"]


def test_a_killed_delivery_leaves_nothing_that_is_seen_and_the_next_one_clears_up(
    folder, tmp_path, cli
):
    code = (
        "import sys, time; from cloacina_ctl.registry.daemon_folder import StagedDelivery\n"
        "with StagedDelivery(sys.argv[1]) as d:\n"
        "    d.write(b'half'); print('x', flush=True); time.sleep(60)"
    )
    killed = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, stdout=subprocess.PIPE
    )
    with killed:
        assert killed.stdout.readline() == b"x\n"
        assert watched_files(str(folder)) == ()
        with pytest.raises(FileProblem) as caught, StagedDelivery(str(folder), busy_seconds=0.05):
            pass
        assert caught.value.diagnostics[0].code is Code.REGISTRY_BUSY
        killed.send_signal(signal.SIGKILL)
    path = source(tmp_path / "x.cloacina")
    assert cli("install", path, "--daemon", folder, *OLD, "--allow-unsigned").status == 0
    assert [one.name for one in folder.iterdir()] == ["demo-1.0.0.cloacina"]
    assert (folder / "demo-1.0.0.cloacina").read_bytes() == path.read_bytes()


def test_what_is_left_without_being_delivered_goes(folder):
    with StagedDelivery(str(folder)) as dropped:
        dropped.write(b"half")
    assert list(folder.iterdir()) == []


def test_only_a_regular_file_is_replaced(folder):
    (folder / "x.cloacina").symlink_to("/etc/passwd")
    with pytest.raises(FileProblem), StagedDelivery(str(folder)) as dropped:
        dropped.commit(str(folder / "x.cloacina"))
    assert (folder / "x.cloacina").is_symlink()


# The formats that daemons read


def test_a_native_package_is_converted_and_what_is_lost_is_said(cli, made, folder):
    said = cli("install", made.first, "--daemon", folder, *OLD, "--json")
    judge(said.json)
    assert said.status == 3
    assert all(one["message"].startswith("would be lost") for one in said.json["diagnostics"])
    assert list(folder.iterdir()) == []
    said = cli("install", made.first, "--daemon", folder, *OLD, "--lossy", "--json")
    judge(said.json)
    result = said.json["result"]
    assert result["source_format"] == "native"
    assert result["losses"]
    assert len(result["trusted_signers"]) == 1
    there = verify(result["file"], ANY)
    assert (there.format, there.name, there.version) == ("source", "daily-report", "1.0.0")
    assert there.content == result["content"]
    again = cli("install", made.first, "--daemon", folder, *OLD, "--lossy", "--json")
    assert again.json["result"]["changed"] is False
    assert len(list(folder.iterdir())) == 1


def native(tmp_path: Path, needs: str | None) -> Path:
    """Package a project of which a source package holds everything but a signature."""
    project = Path(make_project(tmp_path / "project", "1.0.0"))
    settings, lines = project / "pyproject.toml", []
    for line in settings.read_text().splitlines():
        if line.startswith("requires_cloacina"):
            lines += [f'requires_cloacina = "{needs}"'] * (needs is not None)
        elif not line.startswith(("license", "keywords", "[project.urls]", "Home", "Repo")):
            lines.append(line)
    settings.write_text("\n".join(lines) + "\n")
    path = tmp_path / "x.cloacina"
    package(PackageRequest(str(project), str(path), keys=signing_keys(())))
    return path


@pytest.mark.parametrize("needs", [None, ">=0.4, <0.6"])
def test_a_signature_that_was_judged_here_is_no_loss(cli, folder, tmp_path, needs):
    path = native(tmp_path, needs)
    said = cli("install", path, "--daemon", folder, *OLD)
    assert said.status == 0, said.err
    assert "lost" not in said.err
    assert "its signature was verified here and is not delivered with it" in said.err
    said = cli("install", path, "--daemon", folder, *OLD, "--json")
    judge(said.json)
    assert said.json["result"]["losses"] == []
    assert len(said.json["result"]["trusted_signers"]) == 1


def test_a_daemon_of_a_release_that_the_package_does_not_name_is_refused(cli, folder, tmp_path):
    path = native(tmp_path, ">=0.6")
    for more in ((), ("--lossy",), ("--lossy", "--force")):
        said = cli("install", path, "--daemon", folder, *OLD, *more, "--json")
        judge(said.json)
        assert (said.status, said.json["diagnostics"][0]["code"]) == (6, "A027")
        assert ">=0.6" in said.json["diagnostics"][0]["message"]
    assert list(folder.iterdir()) == []


def test_so_is_a_conversion_for_such_a_release(cli, tmp_path):
    path = native(tmp_path, ">=0.6")
    for more in ((), ("--lossy",)):
        said = cli("convert", path, "--runtime", "0.5", "-o", "y.cloacina", *more, "--json")
        judge(said.json)
        assert (said.status, said.json["diagnostics"][0]["code"]) == (6, "A027")
    assert not (tmp_path / "y.cloacina").exists()
    said = cli("convert", path, "--format", "source", "-o", "y.cloacina", "--json")
    lost = [one["message"] for one in said.json["diagnostics"]]
    assert any("the range of releases: >=0.6" in one for one in lost)
    assert cli("convert", path, "--runtime", "0.6", "-o", "y.cloacina", "--lossy").status == 0


def test_an_unsigned_one_needs_to_be_allowed(cli, made, folder, tmp_path):
    path = source(tmp_path / "x.cloacina")
    for words in ((path,), (made.unsigned, "--lossy")):
        said = cli("install", *words, "--daemon", folder, *OLD, "--json")
        judge(said.json)
        assert (said.status, said.json["diagnostics"][0]["code"]) == (4, "S001")
    said = cli("install", path, "--daemon", folder, *OLD, "--allow-unsigned")
    assert "the daemon verifies no signature" in said.err


def test_a_library_of_an_old_release_is_not_what_a_daemon_reads(cli, folder, tmp_path):
    (tmp_path / "x").write_bytes(archives.gz(archives.v1_tar()))
    said = cli("install", "x", "--daemon", folder, *OLD, "--allow-unsigned", "--json")
    assert said.status in (3, 6)
    assert list(folder.iterdir()) == []


def test_a_package_that_the_release_refuses_is_refused(cli, folder, tmp_path):
    text = archives.PACKAGE_TOML.replace(b'workflow_name = "demo"\n', b"")
    files = {**archives.SOURCE, "package.toml": text}
    (tmp_path / "x").write_bytes(archives.bz2(archives.source_tar(files)))
    words = ("install", "x", "--daemon", folder, "--daemon-version", "0.4", "--allow-unsigned")
    said = cli(*words, "--json")
    judge(said.json)
    assert (said.status, said.json["diagnostics"][0]["code"]) == (6, "D012")
    said = cli(*words, "--force", "--json")
    judge(said.json)
    assert [one["severity"] for one in said.json["diagnostics"]] == ["warning"]


# The daemons that load nothing, and the one that is not known


@pytest.mark.parametrize("release", ["0.6", "0.10.0", "newest"])
def test_a_daemon_that_loads_nothing_is_told_with_the_way_that_works(
    cli, folder, tmp_path, release
):
    path = source(tmp_path / "x.cloacina")
    words = ("install", path, "--daemon", folder, "--daemon-version", release, "--allow-unsigned")
    said = cli(*words, "--json")
    judge(said.json)
    assert (said.status, said.json["diagnostics"][0]["code"]) == (6, "D010")
    assert "publish" in said.json["diagnostics"][0]["hint"]
    assert list(folder.iterdir()) == []
    said = cli(*words, "--force", "--json")
    judge(said.json)
    assert (said.status, said.json["diagnostics"][0]["severity"]) == (0, "warning")
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize(("release", "status"), [("0.3", 6), ("1.7", 2), ("x", 2)])
def test_a_release_without_a_daemon(cli, folder, tmp_path, release, status):
    path = source(tmp_path / "x.cloacina")
    said = cli("install", path, "--daemon", folder, "--daemon-version", release, "--force")
    assert said.status == status


def test_the_release_is_what_the_program_in_path_says(cli, folder, tmp_path, monkeypatch):
    path = source(tmp_path / "x.cloacina")
    words = ("install", path, "--daemon", folder, "--allow-unsigned", "--json")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert cli(*words).json["diagnostics"][0]["code"] == "D011"
    for script, status in (
        ("echo cloacinactl 0.5.1", 0),
        ("echo cloacinactl 0.10.0", 6),
        ("echo something else", 2),
        ("exit 3", 2),
        ("echo cloacinactl", 2),
    ):
        fake_daemon(tmp_path, monkeypatch, script)
        said = cli(*words)
        judge(said.json)
        assert said.status == status, script
        assert status != 2 or said.json["diagnostics"][0]["code"] == "D011"


# What lies there already


def test_a_version_is_there_once_and_keeps_its_bytes(cli, folder, tmp_path):
    first = source(tmp_path / "x.cloacina")
    other = source(tmp_path / "y.cloacina", comment=b"other")
    words = ("--daemon", folder, *OLD, "--allow-unsigned")
    (folder / "mine.cloacina").write_bytes(first.read_bytes())
    said = cli("install", first, *words)
    assert "mine.cloacina: demo 1.0.0 was delivered already" in said.out
    said = cli("install", other, *words, "--json")
    judge(said.json)
    assert (said.status, said.json["diagnostics"][0]["code"]) == (8, "D002")
    assert cli("install", other, *words, "--force").status == 0
    assert [one.name for one in folder.iterdir()] == ["demo-1.0.0.cloacina"]
    assert (folder / "demo-1.0.0.cloacina").read_bytes() == other.read_bytes()


@pytest.mark.parametrize("kind", ["package", "folder", "broken"])
def test_a_file_of_its_name_that_is_another_package_stays(cli, folder, tmp_path, kind):
    there = folder / "demo-1.0.0.cloacina"
    if kind == "folder":
        there.mkdir()
    elif kind == "broken":
        there.write_text("half")
    else:
        text = archives.PACKAGE_TOML.replace(b'name = "demo"', b'name = "other"', 1)
        files = {**archives.SOURCE, "package.toml": text}
        there.write_bytes(archives.bz2(archives.source_tar(files, "other-1.0.0")))
    path = source(tmp_path / "x.cloacina")
    for more in ((), ("--force",)):
        said = cli("install", path, "--daemon", folder, *OLD, "--allow-unsigned", "--json", *more)
        judge(said.json)
        assert (said.status, said.json["diagnostics"][0]["code"]) == (8, "D002")
        assert said.json["diagnostics"][0]["hint"] == "rename that file"
    assert [one.name for one in folder.iterdir()] == [there.name]


def test_a_version_takes_the_place_of_the_others_of_its_name(cli, folder, tmp_path):
    """The daemon does not hold versions of a name apart: one alone may lie there."""
    first, second = source(tmp_path / "x"), source(tmp_path / "y", version="1.1.0")
    words = ("--daemon", folder, *OLD, "--allow-unsigned", "--json")
    assert cli("install", first, *words).json["result"]["restart"] is False
    source(folder / "mine.cloacina", version="0.9.0")
    said = cli("install", second, *words)
    judge(said.json)
    assert said.json["result"]["replaced"] == ["0.9.0", "1.0.0"]
    assert said.json["result"]["restart"] is True
    assert [one.name for one in folder.iterdir()] == ["demo-1.1.0.cloacina"]
    assert (folder / "demo-1.1.0.cloacina").read_bytes() == second.read_bytes()
    said = cli("install", first, *words[:-1])  # and back
    assert "replaces 1.1.0; to go back, install that package again" in said.out
    assert "restart the daemon" in said.err
    assert [one.name for one in folder.iterdir()] == ["demo-1.0.0.cloacina"]


def test_a_daemon_swaps_versions_of_a_rust_package_by_itself(cli, folder, tmp_path):
    """It does not import Python twice, nor load other bytes of a version that it has."""
    words = ("--daemon", folder, *OLD, "--allow-unsigned", "--json", "--force")
    for version, code, replaced, restart in (
        ("1.0.0", b"", [], False),
        ("1.1.0", b"", ["1.0.0"], False),
        ("1.1.0", b"// other", [], True),
    ):
        said = cli("install", rust_source(tmp_path / "x", version, code), *words)
        judge(said.json)
        result = said.json["result"]
        assert (result["replaced"], result["restart"]) == (replaced, restart)


def test_what_lies_there_already_stays_and_the_others_of_its_name_go(cli, folder, tmp_path):
    path = source(tmp_path / "x")
    (folder / "mine.cloacina").write_bytes(path.read_bytes())
    source(folder / "old.cloacina", version="0.9.0")
    other = archives.PACKAGE_TOML.replace(b'name = "demo"', b'name = "other"', 1)
    files = {**archives.SOURCE, "package.toml": other}
    (folder / "other.cloacina").write_bytes(archives.bz2(archives.source_tar(files, "other-1.0.0")))
    said = cli("install", path, "--daemon", folder, *OLD, "--allow-unsigned", "--json")
    judge(said.json)
    assert (said.json["result"]["changed"], said.json["result"]["restart"]) == (True, True)
    assert sorted(one.name for one in folder.iterdir()) == ["mine.cloacina", "other.cloacina"]


def test_a_version_is_swapped_in_one_rename(folder, tmp_path, monkeypatch):
    """Whoever looks sees one version: a kill between the steps leaves no two, and not none."""
    old = source(folder / "demo-1.0.0.cloacina")
    new = source(tmp_path / "x", version="1.1.0").read_bytes()
    seen = []
    rename = os.rename
    monkeypatch.setattr(os, "rename", lambda *names, **at: (rename(*names, **at), seen.append(
        {one.name: one.read_bytes() == new for one in folder.glob("*.cloacina")}
    )))  # fmt: skip
    with StagedDelivery(str(folder)) as dropped:
        dropped.write(new)
        dropped.commit(str(folder / "demo-1.1.0.cloacina"), instead_of=str(old))
    assert seen == [{"demo-1.0.0.cloacina": True}, {"demo-1.1.0.cloacina": True}]


def test_what_is_no_package_is_said(cli, folder, tmp_path):
    (folder / ".broken.cloacina").write_text("half")
    path = source(tmp_path / "x.cloacina")
    said = cli("install", path, "--daemon", folder, *OLD, "--allow-unsigned")
    assert said.status == 0
    assert "the daemon complains of it twice a second" in said.err


@pytest.mark.parametrize(
    ("kind", "words"),
    [("folder", "complains of it twice a second: not a regular file but a folder"),
     ("FIFO", "it is a FIFO: a daemon that opens it waits there"),
     ("link", "complains of it twice a second: no such file")],
)  # fmt: skip
def test_so_is_what_is_no_file(cli, folder, tmp_path, kind, words):
    odd = folder / "odd.cloacina"
    {"folder": odd.mkdir, "FIFO": lambda: os.mkfifo(odd), "link": lambda: odd.symlink_to("gone")}[
        kind
    ]()
    path = source(tmp_path / "x.cloacina")
    said = cli("install", path, "--daemon", folder, *OLD, "--allow-unsigned", "--json")
    judge(said.json)
    assert said.status == 0
    (found,) = said.json["diagnostics"]
    assert (found["severity"], found["where"]) == ("warning", str(odd))
    assert words in found["message"]


# The folder


def test_the_folder_may_stand_before_the_package(cli, folder, tmp_path):
    path = source(tmp_path / "x.cloacina")
    assert cli("install", "--daemon", folder, path, *OLD, "--allow-unsigned").status == 0


def test_the_folder_is_by_default_in_the_home_of_the_user(cli, tmp_path):
    path = source(tmp_path / "x.cloacina")
    words = ("install", path, "--daemon", *OLD, "--allow-unsigned", "--json")
    said = cli(*words)
    assert (said.status, said.json["diagnostics"][0]["code"]) == (8, "I002")
    there = tmp_path / "home" / ".cloacina" / "packages"
    there.mkdir(parents=True)
    assert cli(*words).json["result"]["file"] == str(there / "demo-1.0.0.cloacina")


def test_a_file_in_the_place_of_the_folder_and_a_pipe_in_that_of_what_is_staged(
    cli, folder, tmp_path
):
    path = source(tmp_path / "x.cloacina")
    words = (*OLD, "--allow-unsigned", "--json")
    os.mkfifo(folder / STAGING)
    for where in (path, folder):
        said = cli("install", path, "--daemon", where, *words)
        judge(said.json)
        assert (said.status, said.json["diagnostics"][0]["code"]) == (8, "I005")


def test_a_folder_that_cannot_be_written_and_a_full_one(cli, folder, tmp_path):
    path = source(tmp_path / "x.cloacina", comment=os.urandom(50_000).hex().encode())
    words = (*OLD, "--allow-unsigned", "--json")
    with read_only(folder):
        said = cli("install", path, "--daemon", folder, *words)
        assert (said.status, said.json["diagnostics"][0]["code"]) == (8, "I003")
    with small_disk(tmp_path / "disk", "size=16k") as disk:
        said = cli("install", path, "--daemon", disk, *words)
        assert (said.status, said.json["diagnostics"][0]["code"]) == (8, "I004")
        assert list(disk.iterdir()) == []


def test_a_registry_is_another_place(cli, folder, tmp_path):
    path = source(tmp_path / "x.cloacina")
    assert cli("install", path, "--daemon", folder, "--registry", "there").status == 2


def test_the_folder_has_no_tenants(cli, folder, tmp_path):
    path = source(tmp_path / "x.cloacina")
    said = cli("install", path, "--daemon", folder, *OLD, "--allow-unsigned", "--tenant", "x")
    assert said.status == 2
    assert "--daemon and --tenant exclude each other" in said.err
    assert list(folder.iterdir()) == []
