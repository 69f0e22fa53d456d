"""The registry's folder: what is stored, what is refused, who waits for whom."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloacina_ctl.errors import CloacinaError, Code, FileProblem, Refused, UsageError
from cloacina_ctl.operations.uninstall import uninstall
from cloacina_ctl.registry import files
from cloacina_ctl.registry.files import Incoming, open_lock
from cloacina_ctl.registry.index import told
from cloacina_ctl.registry.layout import PACKAGES, check_name, check_tenant, stored_path
from cloacina_ctl.registry.places import make_layout
from cloacina_ctl.registry.repair import check
from cloacina_ctl.registry.store import Reading, Registry
from tests.registry.stores import (
    check_invariants,
    check_tidy,
    files_in,
    histories,
    put,
    read_only,
)
from tests.tools import as_user, folder_of, small_disk

ROOT = Path(__file__).parents[2]


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
    with Registry(str(folder), **options) as registry:
        return registry.roll_back("public", name, to)


# What is stored


def test_a_package_lies_there_by_its_digest_and_nobody_can_write_to_it(folder):
    put(folder, "a", "1")
    with Reading(folder) as registry:
        path = Path(registry.package_path(registry.find("public", "a")))
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert path.parent.name == path.name[:2]
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
    with Registry(folder) as registry:
        registry.remove("public", "a")
    assert len(files_in(folder)) == 3
    with Registry(folder) as registry:
        assert registry.find("etl", "a").version == "1"
        registry.remove("etl", "a")
    assert files_in(folder) == set()


def test_another_sidecar_takes_the_place_of_the_one_before(folder):
    put(folder, "a", "1", sidecar=b"one")
    put(folder, "a", "1", sidecar=b"two")
    check_tidy(folder)
    with Reading(folder) as registry:
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
    with Reading(folder) as registry:
        path = Path(registry.package_path(registry.find("public", "a")))
    path.unlink()
    path.write_bytes(b"damaged")
    mended = put(folder, "a", "1")
    assert (mended.changed, mended.mended) == (True, True)
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
        "';DROP TABLE turns;--",
    ):
        put(folder, name, "../1", tenant="etl")
    assert {path.name for path in folder.parent.iterdir()} == {"registry"}
    with Reading(folder) as registry:
        assert registry.find("etl", "../../x").version == "../1"
    check_tidy(folder)


@pytest.mark.parametrize("name", ["", "a b", "a@1", "a\n", "\x1b[2J", "\ud800", "x" * 256, "\xa0"])
def test_what_no_package_is_installed_under(name):
    refused(lambda: check_name(name, "x"), Code.FIELD_VALUE, Refused)


@pytest.mark.parametrize("tenant", ["", "a b", "../x", "a/b", "x" * 64, "a\n", "-a", "ü"])
def test_what_no_tenant_is_called(tenant):
    refused(lambda: check_tenant(tenant), Code.USAGE, UsageError)


# What is not there


def test_a_folder_that_is_not_there_is_a_registry_without_packages(folder):
    with Reading(folder) as registry:
        assert registry.listed() == ()
        refused(lambda: registry.find("public", "a"), Code.NOT_INSTALLED, FileProblem)
    with Registry(folder) as registry:
        refused(lambda: registry.roll_back("public", "a"), Code.NOT_INSTALLED)
        refused(lambda: registry.remove("public", "a"), Code.NOT_INSTALLED)
    assert not folder.exists()


def test_what_is_not_installed_is_told_with_what_is_near(folder):
    put(folder, "transform", "1")
    put(folder, "load", "1", tenant="etl")
    with Reading(folder) as registry:
        for name, version, hint in (
            ("transfrom", None, "did you mean transform?"),
            ("load", None, "it is for another tenant: --tenant etl"),
            ("transform", "2", "installed: 1"),
            ("zzz", None, "`cloacina-ctl list` shows what is"),
            ("\ud800", None, "`cloacina-ctl list` shows what is"),
        ):

            def ask(name=name, version=version):
                return registry.find("public", name, version)

            assert refused(ask, Code.NOT_INSTALLED).endswith(hint)
        assert registry.listed(None, "\udcff") == ()


# The lock, and several at once


def test_several_processes_install_at_once_and_nothing_is_lost(folder):
    code = (
        "import sys; from tests.registry.stores import put\n"
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
    with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        with Reading(folder, busy_seconds=0.0) as registry:
            assert registry.find("public", "a").version == "1"


def test_who_does_not_let_go_of_the_index_is_told_of(folder):
    put(folder, "a", "1")
    put(folder, "a", "2")
    with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        told = refused(lambda: roll_back(folder, busy_seconds=0.1), Code.REGISTRY_BUSY, FileProblem)
        assert "one that is gone holds nothing" in told
    assert roll_back(folder).after == "1"


def test_who_clears_up_and_does_not_let_go_is_waited_for_and_told_of(folder):
    put(folder, "a", "1")
    lock = open_lock(str(folder), 0.0)
    lock.hold_alone()
    refused(lambda: put(folder, "a", "2", busy_seconds=0.1), Code.REGISTRY_BUSY)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(put, folder, "a", "2")
        time.sleep(0.05)
        assert not waiting.done()
        lock.close()
        assert waiting.result(10).after == "2"


@pytest.mark.parametrize("by", ["index", "lock"])
def test_that_somebody_is_waited_for_is_told_from_the_first_moment_to_the_last(folder, by):
    put(folder, "a", "1")
    put(folder, "a", "2")
    told, begun = [], threading.Event()

    @contextlib.contextmanager
    def waits():
        told.append("begins")
        begun.set()
        yield
        told.append("ends")

    def step_back():
        with Registry(folder, waits=waits) as registry:
            return registry.roll_back("public", "a")

    with contextlib.ExitStack() as held, ThreadPoolExecutor() as pool:
        if by == "index":
            other = sqlite3.connect(
                folder / "index.sqlite", check_same_thread=False, isolation_level=None
            )
            held.callback(other.close)
            other.execute("BEGIN IMMEDIATE")
            let_go = other.rollback
        else:
            lock = open_lock(str(folder), 0.0)
            lock.hold_alone()
            let_go = lock.close
        done = pool.submit(step_back)
        assert begun.wait(10)
        assert told == ["begins"]
        let_go()
        assert done.result(10).after == "1"
    assert told == ["begins", "ends"]
    told.clear()
    with Registry(folder, waits=waits) as registry:
        registry.roll_back("public", "a", "2")
    assert told == []


def test_a_process_that_was_killed_holds_nothing(folder):
    put(folder, "a", "1")
    code = (
        "import sys, time; from cloacina_ctl.registry.store import Registry\n"
        "with Registry(sys.argv[1]) as r, r.incoming() as i:\n"
        "    i.write(b'half'); r._index.execute('BEGIN IMMEDIATE')\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    held = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, stdout=subprocess.PIPE
    )
    with held:
        assert held.stdout.readline() == b"held\n"
        refused(lambda: put(folder, "a", "2", busy_seconds=0.1), Code.REGISTRY_BUSY)
        held.send_signal(signal.SIGKILL)
    put(folder, "a", "2", busy_seconds=0.1)
    check_tidy(folder)


def test_while_somebody_is_at_work_what_comes_in_is_left_alone(folder):
    with Registry(folder, make=True) as busy, busy.incoming() as package:
        package.write(b"half")
        put(folder, "a", "1")
        assert Path(package.path).exists()
    put(folder, "a", "2")
    check_tidy(folder)


# A system that refuses


def test_a_registry_that_cannot_be_written_can_be_read(folder):
    put(folder, "a", "1")
    with read_only(folder):
        with Reading(folder) as registry:
            assert registry.find("public", "a").version == "1"
        refused(lambda: put(folder, "a", "2"), Code.PERMISSION, FileProblem)
        refused(lambda: roll_back(folder), Code.PERMISSION, FileProblem)
    check_tidy(folder)


def test_a_disk_that_is_full_changes_nothing(tmp_path):
    with small_disk(tmp_path / "disk", "size=512k") as disk:
        folder = disk / "registry"
        put(folder, "a", "1")
        put(folder, "a", "2")
        with contextlib.suppress(OSError), open(disk / "filler", "wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)
        with Reading(folder) as registry:
            before = registry.listed()
        for act in (lambda: put(folder, "b", "1"), lambda: roll_back(folder)):
            refused(act, Code.NO_SPACE, FileProblem)
        with Reading(folder) as registry:
            assert registry.listed() == before
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
        assert histories(folder) == []
        assert not any(path.startswith("packages") for path in files_in(folder))
        assert check(str(folder)).findings == ()


def test_without_the_room_that_is_kept_a_removal_says_what_it_needs(tmp_path):
    with small_disk(tmp_path / "disk", "size=1m") as disk:
        folder = disk / "registry"
        put(folder, "a", "1")
        (folder / "reserve").unlink()
        fill(disk / "filler")
        said = refused(lambda: uninstall("a", registry=str(folder)), Code.NO_SPACE, FileProblem)
        assert "a removal needs a little room too: free 256 KiB" in said
        (disk / "filler").unlink()
        assert uninstall("a", registry=str(folder)).removed == ("1",)


def test_a_record_that_cannot_be_written_follows_with_the_next_change(folder, monkeypatch):
    def full(*_: object) -> None:
        raise FileProblem.of(Code.NO_SPACE, "no space left on the device")

    monkeypatch.setattr(Incoming, "place", _place_but_no_record(full))
    put(folder, "a", "1")
    assert not any(path.startswith("records") for path in files_in(folder))
    monkeypatch.undo()
    put(folder, "b", "1")
    check_tidy(folder)


def _place_but_no_record(full):
    place = Incoming.place

    def placed(self, kind, digest=None):
        return full() if kind == "records" else place(self, kind, digest)

    return placed


def test_a_file_where_the_folder_should_be_is_refused(folder):
    folder.write_text("mine")
    refused(lambda: put(folder, "a", "1"), Code.NOT_REGULAR, FileProblem)
    refused(lambda: Reading(folder).__enter__(), Code.NOT_FOUND, FileProblem)
    assert folder.read_text() == "mine"


def test_a_link_that_leads_nowhere_is_no_registry(folder, tmp_path):
    folder.symlink_to(tmp_path / "elsewhere")
    refused(lambda: put(folder, "a", "1"), Code.NOT_FOUND, FileProblem)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_no_index_and_is_not_waited_for(folder, make):
    make_layout(str(folder))
    make(folder / "index.sqlite")
    refused(lambda: put(folder, "a", "1"), Code.NOT_REGULAR, FileProblem)
    refused(lambda: Reading(folder).__enter__(), Code.NOT_REGULAR, FileProblem)


def test_a_link_for_the_lock_is_not_followed(folder, tmp_path):
    put(folder, "a", "1")
    (folder / "lock").unlink()
    (folder / "lock").symlink_to(tmp_path / "elsewhere")
    refused(lambda: put(folder, "a", "2"), Code.NOT_REGULAR)
    assert not (tmp_path / "elsewhere").exists()


# A folder that is damaged


def test_a_lost_index_is_not_an_empty_registry(folder):
    put(folder, "a", "1")
    (folder / "index.sqlite").unlink()
    for act in (
        lambda: Reading(folder).__enter__(),
        lambda: put(folder, "a", "2"),
        lambda: roll_back(folder),
    ):
        assert "--check --repair" in refused(act, Code.REGISTRY_DAMAGED, Refused)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"no database at all, but long enough for a header " * 99,
        b"SQLite format 3\0" + b"\xff" * 999,
    ],
    ids=["empty", "text", "header"],
)
def test_a_damaged_index_is_refused(folder, damage):
    put(folder, "a", "1")
    (folder / "index.sqlite").write_bytes(damage)
    for act in (lambda: Reading(folder).__enter__(), lambda: put(folder, "a", "2")):
        refused(act, Code.REGISTRY_DAMAGED, Refused)
    assert (folder / "index.sqlite").read_bytes() == damage


def test_an_index_with_a_row_that_is_none_is_damaged(folder):
    put(folder, "a", "1")
    with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as index:
        index.execute("UPDATE installed SET trust = '[]'")
        index.commit()
    with Reading(folder) as registry:
        refused(registry.listed, Code.REGISTRY_DAMAGED)
        refused(lambda: registry.find("public", "a"), Code.REGISTRY_DAMAGED)


def test_the_index_of_another_program_is_refused_and_left_alone(folder):
    make_layout(str(folder))
    with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as index:
        index.execute("CREATE TABLE mine (x)")
        index.commit()
    refused(lambda: put(folder, "a", "1"), Code.REGISTRY_DAMAGED)


def test_a_registry_of_a_newer_version_is_refused(folder):
    put(folder, "a", "1")
    with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as index:
        index.execute("PRAGMA user_version = 2")
    refused(lambda: put(folder, "a", "2"), Code.NEWER_REGISTRY, Refused)
    refused(lambda: Reading(folder).__enter__(), Code.NEWER_REGISTRY, Refused)


def test_what_is_left_of_an_older_index_is_not_read_into_a_new_one(folder):
    make_layout(str(folder))
    (folder / "index.sqlite-wal").write_bytes(b"old")
    put(folder, "a", "1")
    check_tidy(folder)


def test_a_folder_among_what_comes_in_stays_and_stops_nothing(folder):
    make_layout(str(folder))
    (folder / "incoming" / "mine").mkdir()
    put(folder, "a", "1")
    assert (folder / "incoming" / "mine").is_dir()


def test_a_stored_file_is_removed_once(folder):
    put(folder, "a", "1")
    digest = next(path for path in files_in(folder) if path.startswith(PACKAGES))[-73:-9]
    assert (folder / stored_path(PACKAGES, digest)).exists()
    assert files.remove_file(str(folder), PACKAGES, digest)
    assert not files.remove_file(str(folder), PACKAGES, digest)
    assert os.path.isdir(folder)


def test_a_read_only_registry_with_changes_that_nobody_finished_is_not_guessed_at(folder):
    """Without the WAL, which cannot be read here, the index would say what was so before it."""
    put(folder, "a", "1")
    code = (
        "import os, sys; from tests.registry.stores import put\n"
        "import cloacina_ctl.registry.store as store\n"
        "store.Registry._follow = lambda *_: os._exit(0)\n"
        "put(sys.argv[1], 'a', '2')"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=ROOT, check=True)
    assert (folder / "index.sqlite-wal").stat().st_size > 0
    (folder / "index.sqlite-shm").unlink()
    with read_only(folder):
        refused(lambda: Reading(folder).__enter__(), Code.PERMISSION, FileProblem)
    with Reading(folder) as registry:
        assert registry.find("public", "a").version == "2"


def test_the_first_one_to_come_is_waited_for_by_the_second(folder):
    make_layout(str(folder))
    lock = open_lock(str(folder), 0.0)
    lock.hold_shared()
    refused(lambda: put(folder, "a", "1", busy_seconds=0.05), Code.REGISTRY_BUSY)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(put, folder, "a", "1")
        time.sleep(0.05)
        lock.close()
        assert waiting.result(10).after == "1"


def test_an_index_that_the_system_cannot_read_is_told_as_that(tmp_path):
    with pytest.raises(FileProblem) as caught, told(str(tmp_path / "index.sqlite")):
        raise sqlite3.OperationalError("disk I/O error")
    assert caught.value.diagnostics[0].code is Code.IO
