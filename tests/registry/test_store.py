"""The registry's folder: what is stored, what is refused, who waits for whom."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloacina_ctl.errors import CloacinaError, Code, FileProblem, Refused, UsageError
from cloacina_ctl.operations.uninstall import uninstall
from cloacina_ctl.registry.files import hold_lock
from cloacina_ctl.registry.layout import check_name, check_tenant
from cloacina_ctl.registry.places import make_layout
from cloacina_ctl.registry.repair import check
from cloacina_ctl.registry.store import Registry
from tests.support.machine import as_user, folder_of, small_disk
from tests.support.projects import ROOT
from tests.support.registries import (
    check_invariants,
    check_tidy,
    files_in,
    make_newer,
    put,
    read_only,
    records_in,
)


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "registry"


def refused(act, code: Code, kind: type[CloacinaError] = CloacinaError) -> str:
    with pytest.raises(kind) as caught:
        act()
    first = caught.value.diagnostics[0]
    assert first.code is code
    return f"{first.where}: {first.message} — {first.hint}"


def roll_back(folder, name="a", to=None, **options):
    return Registry(str(folder), **options).roll_back("public", name, to)


def find(folder, *words):
    return Registry(str(folder)).find("public", *words)


def package_file(folder, name="a", version=None) -> Path:
    registry = Registry(str(folder))
    return Path(registry.package_path(registry.find("public", name, version)))


def record_file(folder) -> Path:
    """Return the one record in the registry."""
    (path,) = (folder / "packages").rglob("*.json")
    return path


@contextlib.contextmanager
def held(folder):
    """Hold the lock over changes, as another program does."""
    with hold_lock(str(folder), 0.0, contextlib.nullcontext):
        yield


# What is stored


def test_a_package_lies_there_by_its_digest_and_nobody_can_write_to_it(folder):
    put(folder, "a", "1")
    path = package_file(folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert path.stem == find(folder, "a").digest
    check_tidy(folder)


def test_nobody_else_can_write_to_the_folder_whatever_the_umask(folder):
    before = os.umask(0)
    try:
        put(folder, "a", "1")
    finally:
        os.umask(before)
    modes = [path.stat().st_mode for path in [folder, *folder.rglob("*")]]
    assert not any(mode & 0o022 for mode in modes)


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed")
@pytest.mark.parametrize("mask", [0o777, 0o277, 0o577])
def test_what_an_umask_takes_from_its_owner_is_not_missing_in_the_next_run(mask):
    with folder_of(12345) as home, as_user(12345):
        folder = home / "new" / "registry"
        before = os.umask(mask)
        try:
            put(folder, "a", "1")
        finally:
            os.umask(before)
        put(folder, "a", "2")
        roll_back(folder)
        check_tidy(folder)


def test_the_same_bytes_lie_there_once_and_stay_until_nobody_needs_them(folder):
    for tenant in ("public", "etl"):
        put(folder, "a", "1", tenant=tenant, sidecar=b"signed")
    assert len(files_in(folder)) == 4  # a package, a sidecar, two records
    registry = Registry(folder)
    registry.remove("public", "a")
    assert len(files_in(folder)) == 3
    assert registry.find("etl", "a").version == "1"
    registry.remove("etl", "a")
    assert files_in(folder) == set()


def test_another_sidecar_takes_the_place_of_the_one_before(folder):
    put(folder, "a", "1", sidecar=b"one")
    put(folder, "a", "1", sidecar=b"two")
    check_tidy(folder)
    registry = Registry(folder)
    stored = registry.find("public", "a", "1")
    assert Path(registry.sidecar_path(stored)).read_bytes() == b"two"


def test_other_bytes_of_the_same_content_take_the_place_of_those_before(folder):
    same = "sha256:" + "0" * 64
    put(folder, "a", "1", content=same)
    change = put(folder, "a", "1", salt="signed again", content=same)
    assert change.changed
    check_tidy(folder)


def test_other_content_under_the_same_version_is_refused_and_leaves_nothing(folder):
    put(folder, "a", "1")
    told = refused(lambda: put(folder, "a", "1", salt="other"), Code.OTHER_BYTES, FileProblem)
    assert "a 1 is installed with other content" in told
    check_tidy(folder)
    put(folder, "a", "1", salt="other", replace=True)
    check_tidy(folder)


def test_installing_again_makes_a_damaged_file_whole(folder):
    put(folder, "a", "1")
    path = package_file(folder)
    path.unlink()
    path.write_bytes(b"damaged")
    repaired = put(folder, "a", "1")
    assert (repaired.changed, repaired.repaired) == (True, True)
    check_invariants(folder)


def test_names_of_packages_are_no_names_of_files(folder):
    for name in (
        "../../x",
        "a/b",
        ".",
        "-rf",
        "x" * 255,
        "Ünïcode",
        "%00",
        "record.json",
    ):
        put(folder, name, "../1", tenant="etl")
    assert {path.name for path in folder.parent.iterdir()} == {"registry"}
    assert Registry(folder).find("etl", "../../x").version == "../1"
    check_tidy(folder)


@pytest.mark.parametrize("name", ["", "a b", "a@1", "a\n", "\x1b[2J", "\ud800", "x" * 256, "\xa0"])
def test_what_no_package_is_installed_under(name):
    refused(lambda: check_name(name, "x"), Code.FIELD_VALUE, Refused)


@pytest.mark.parametrize("tenant", ["", "a b", "../x", "a/b", "x" * 64, "a\n", "-a", "ü"])
def test_what_no_tenant_is_called(tenant):
    refused(lambda: check_tenant(tenant), Code.USAGE, UsageError)


# What is not there


def test_a_folder_that_is_not_there_is_a_registry_without_packages(folder):
    registry = Registry(folder)
    assert registry.records() == []
    refused(lambda: registry.find("public", "a"), Code.NOT_INSTALLED, FileProblem)
    refused(lambda: registry.roll_back("public", "a"), Code.NOT_INSTALLED)
    refused(lambda: registry.remove("public", "a"), Code.NOT_INSTALLED)
    assert not folder.exists()


def test_what_is_not_installed_is_told_with_what_is_near(folder):
    put(folder, "transform", "1")
    put(folder, "load", "1", tenant="etl")
    for name, version, hint in (
        ("transfrom", None, "did you mean transform?"),
        ("load", None, "it is for another tenant: --tenant etl"),
        ("transform", "2", "installed: 1"),
        ("zzz", None, "`cloacina-ctl list` shows all packages"),
        ("\ud800", None, "`cloacina-ctl list` shows all packages"),
    ):
        told = refused(lambda name=name, version=version: find(folder, name, version),
                       Code.NOT_INSTALLED)  # fmt: skip
        assert told.endswith(hint)
    assert Registry(folder).records(None, "\udcff") == []


def test_tenants_that_differ_in_large_letters_alone_have_records_of_their_own(folder):
    for tenant in ("etl", "ETL", "eTl"):
        put(folder, "a", "1", tenant=tenant)
    names = [path.name for path in (folder / "packages").rglob("*.json")]
    assert len({name.lower() for name in names}) == 3
    assert [one.tenant for one in Registry(folder).records(None, "a")] == ["ETL", "eTl", "etl"]


# The lock, and several at once


def test_several_processes_install_at_once_and_nothing_is_lost(folder):
    code = (
        "import sys; from tests.support.registries import put\n"
        "for version in range(8): put(sys.argv[1], sys.argv[2], str(version), busy_seconds=60)"
        "; put(sys.argv[1], 'both', sys.argv[2], busy_seconds=60)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(folder), name], cwd=ROOT)
        for name in ("a", "b", "c", "d")
    ]
    assert [one.wait(120) for one in running] == [0, 0, 0, 0]
    state = check_invariants(folder)
    for name in ("a", "b", "c", "d"):
        assert state["public", name] == (tuple(map(str, range(8))), "7")
    assert sorted(state["public", "both"][0]) == ["a", "b", "c", "d"]
    put(folder, "last", "1")
    check_tidy(folder)


def test_readers_never_wait_for_a_writer(folder):
    put(folder, "a", "1")
    with held(folder):
        assert find(folder, "a").version == "1"
        assert check(str(folder)).findings == ()


def test_who_does_not_let_go_is_waited_for_and_told_of(folder):
    put(folder, "a", "1")
    begun = threading.Event()

    @contextlib.contextmanager
    def waits():
        begun.set()
        yield

    with ThreadPoolExecutor() as pool:
        with held(folder):
            told = refused(lambda: put(folder, "a", "2", busy_seconds=0.1), Code.REGISTRY_BUSY)
            assert "one that is gone holds nothing" in told
            waiting = pool.submit(put, folder, "a", "2", waits=waits)
            assert begun.wait(10)
            assert not waiting.done()
        assert waiting.result(10).after == "2"


def test_that_somebody_is_waited_for_is_told_from_the_first_moment_to_the_last(folder):
    put(folder, "a", "1")
    put(folder, "a", "2")
    told, begun = [], threading.Event()

    @contextlib.contextmanager
    def waits():
        told.append("begins")
        begun.set()
        yield
        told.append("ends")

    with ThreadPoolExecutor() as pool:
        with held(folder):
            done = pool.submit(roll_back, folder, waits=waits)
            assert begun.wait(10)
            assert told == ["begins"]
        assert done.result(10).after == "1"
    assert told == ["begins", "ends"]
    told.clear()
    roll_back(folder, to="2", waits=waits)
    assert told == []


def test_a_process_that_was_killed_holds_nothing(folder):
    put(folder, "a", "1")
    code = (
        "import sys, time; from cloacina_ctl.registry.store import Registry\n"
        "registry = Registry(sys.argv[1])\n"
        "with registry.incoming() as i, registry.locked():\n"
        "    i.write(b'half'); print('held', flush=True); time.sleep(60)"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, stdout=subprocess.PIPE
    )
    with running:
        assert running.stdout.readline() == b"held\n"
        refused(lambda: put(folder, "a", "2", busy_seconds=0.1), Code.REGISTRY_BUSY)
        running.send_signal(signal.SIGKILL)
    put(folder, "a", "2", busy_seconds=0.1)
    check_tidy(folder)


def test_while_somebody_is_at_work_what_comes_in_is_left_alone(folder):
    busy = Registry(folder)
    busy.prepare()
    with busy.incoming() as package:
        package.write(b"half")
        put(folder, "a", "1")
        assert Path(package.path).exists()
    put(folder, "a", "2")
    check_tidy(folder)


# A system that refuses


def test_a_registry_that_cannot_be_written_can_be_read(folder):
    put(folder, "a", "1")
    with read_only(folder):
        assert find(folder, "a").version == "1"
        refused(lambda: put(folder, "a", "2"), Code.PERMISSION, FileProblem)
        refused(lambda: roll_back(folder), Code.PERMISSION, FileProblem)
    check_tidy(folder)


def test_a_disk_that_is_full_changes_nothing(tmp_path):
    with small_disk(tmp_path / "disk", "size=512k") as disk:
        folder = disk / "registry"
        put(folder, "a", "1")
        put(folder, "a", "2")
        fill(disk / "filler")
        before = Registry(folder).records()
        for act in (lambda: put(folder, "b", "1"), lambda: roll_back(folder)):
            refused(act, Code.NO_SPACE, FileProblem)
        assert Registry(folder).records() == before
        (disk / "filler").unlink()
        put(folder, "b", "1")
        check_tidy(folder)


def fill(path: Path) -> None:
    with contextlib.suppress(OSError), open(path, "ab", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)


def test_on_a_full_disk_a_removal_works_and_frees_what_it_removes(tmp_path):
    with small_disk(tmp_path / "disk", "size=2m") as disk:
        folder = disk / "registry"
        for version in range(20):
            put(folder, "a", str(version), salt=os.urandom(200).hex())
        for version in range(20):
            fill(disk / "filler")
            assert uninstall(f"a@{version}", registry=str(folder)).removed == (str(version),)
        (disk / "filler").unlink()
        assert records_in(folder) == []
        assert files_in(folder) == set()
        assert check(str(folder)).findings == ()


def test_without_the_room_that_is_kept_a_removal_says_what_it_needs(tmp_path):
    with small_disk(tmp_path / "disk", "size=1m") as disk:
        folder = disk / "registry"
        put(folder, "a", "1")
        put(folder, "a", "2")
        (folder / "reserve").unlink()
        fill(disk / "filler")
        said = refused(lambda: uninstall("a@1", registry=str(folder)), Code.NO_SPACE, FileProblem)
        assert "a removal needs a little room too: free 256 KiB" in said
        assert uninstall("a", registry=str(folder)).removed == ("1", "2")


def test_a_file_where_the_folder_should_be_is_refused(folder):
    folder.write_text("mine")
    refused(lambda: put(folder, "a", "1"), Code.NOT_REGULAR, FileProblem)
    for act in (Registry(folder).records, lambda: find(folder, "a"), lambda: check(str(folder))):
        refused(act, Code.NOT_FOUND, FileProblem)
    assert folder.read_text() == "mine"


def test_a_link_that_leads_nowhere_is_no_registry(folder, tmp_path):
    folder.symlink_to(tmp_path / "elsewhere")
    refused(lambda: put(folder, "a", "1"), Code.NOT_FOUND, FileProblem)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("elsewhere")])
def test_what_is_no_file_is_no_record_and_is_not_waited_for(folder, make):
    put(folder, "a", "1")
    path = record_file(folder)
    path.unlink()
    make(path)
    for act in (
        lambda: put(folder, "a", "1"), lambda: find(folder, "a"), Registry(folder).records,
        lambda: check(str(folder)),
    ):  # fmt: skip
        refused(act, Code.NOT_REGULAR, FileProblem)


def test_a_link_for_the_lock_is_not_followed(folder, tmp_path):
    put(folder, "a", "1")
    (folder / "lock").unlink()
    (folder / "lock").symlink_to(tmp_path / "elsewhere")
    refused(lambda: put(folder, "a", "2"), Code.NOT_REGULAR)
    assert not (tmp_path / "elsewhere").exists()


# A folder that is damaged


@pytest.mark.parametrize(
    "damage", [b"", b"{}", b"[1", b"\xff", b"[" * 100_000, b'{"schema": "x/1"}']
)
def test_a_damaged_record_is_refused_and_stands_in_nobody_elses_way(folder, damage):
    put(folder, "a", "1")
    path = record_file(folder)
    path.unlink()
    path.write_bytes(damage)
    put(folder, "b", "1")
    assert find(folder, "b").version == "1"
    for act in (
        lambda: find(folder, "a"), Registry(folder).records,
        lambda: put(folder, "a", "2"), lambda: roll_back(folder),
    ):  # fmt: skip
        assert "--check --repair" in refused(act, Code.REGISTRY_DAMAGED, Refused)
    assert path.read_bytes() == damage
    refused(lambda: find(folder, "zzz"), Code.NOT_INSTALLED)


def test_the_record_of_another_name_is_damage(folder):
    for name in ("a", "b"):
        put(folder, name, "1")
    one, other = (folder / "packages").rglob("*.json")
    other.unlink()
    one.rename(other)
    refused(Registry(folder).records, Code.REGISTRY_DAMAGED)


def test_a_registry_of_a_newer_version_is_refused(folder):
    put(folder, "a", "1")
    make_newer(record_file(folder))
    refused(lambda: put(folder, "a", "2"), Code.NEWER_REGISTRY, Refused)
    refused(lambda: find(folder, "a"), Code.NEWER_REGISTRY, Refused)


def test_a_folder_among_what_comes_in_stays_and_stops_nothing(folder):
    make_layout(str(folder))
    (folder / "incoming" / "mine").mkdir()
    put(folder, "a", "1")
    assert (folder / "incoming" / "mine").is_dir()


def test_what_lies_beside_the_packages_of_a_name_stays_and_stops_nothing(folder):
    """So does a package whose record somebody removed, until it is installed again."""
    put(folder, "a", "1")
    put(folder, "a", "2")
    kept = package_file(folder, "a", "1")
    record_file(folder).unlink()
    (kept.parent / "notes.txt").write_text("?")
    put(folder, "a", "2")
    Registry(folder).remove("public", "a")
    assert files_in(folder) == {str(path.relative_to(folder)) for path in kept.parent.iterdir()}
    assert {path.name for path in kept.parent.iterdir()} == {kept.name, "notes.txt"}
