"""A kill at any moment leaves what was there or what was to be, and nothing else that stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cloacina_ctl.errors import CloacinaError, Code
from cloacina_ctl.files import leftovers, locks, staging
from cloacina_ctl.files.folders import PREFIX, hidden_name, make_private_folder, open_folder
from cloacina_ctl.files.leftovers import clear_dead, locked_private_folder
from cloacina_ctl.files.staging import StagedFile, unnamed_file, write_all, write_file
from tests.support.machine import run_program

SMALL = (
    "trust a key", "trust no longer", "make a key", "remove a key", "what a run is given",
    "what wheels are unpacked into",
)  # fmt: skip
LARGE = ("sign", "sign elsewhere", "make a sidecar", "package", "convert", "unpack")


def killing(*words: object) -> str:
    return run_program("tests.operations.killing", *words)


def test_a_kill_at_some_points_leaves_nothing():
    assert killing(151, 17, "make a key", "trust a key").endswith(" kills\n")


@pytest.mark.slow
def test_a_kill_at_many_points_of_a_small_change_leaves_nothing():
    assert killing(9, 4, *SMALL).endswith(" kills\n")


@pytest.mark.slow
def test_a_kill_at_many_points_of_a_large_change_leaves_nothing():
    assert killing(61, 5, *LARGE).endswith(" kills\n")


# What is cleared, and what is not


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder in which this process has not looked for what dead ones left."""
    monkeypatch.setattr(leftovers, "_cleared", set())
    return tmp_path


@pytest.fixture(params=["unnamed", "named"])
def system(request, monkeypatch):
    """A system with files without a name, and one without."""
    if request.param == "named":
        monkeypatch.setattr(staging, "new_unnamed", lambda *_: -1)
    return request.param


def cleared(folder: Path) -> list[str]:
    """Let a run look for what dead ones left, and return what is there then."""
    leftovers._cleared.clear()
    with open_folder(folder) as opened:
        clear_dead(opened.fd)
    return sorted(os.listdir(folder))


def test_a_file_and_a_folder_of_a_dead_process_are_cleared(folder):
    (folder / hidden_name()).write_bytes(b"half")
    made = make_private_folder(folder)
    Path(made.path, "deep").mkdir()
    Path(made.path, "deep", "file").write_bytes(b"half")
    made.close()
    write_file(folder / "x", b"whole")
    assert os.listdir(folder) == ["x"]


def test_what_a_process_still_writes_stays(folder, system):
    with StagedFile(folder / "x") as staged:
        staged.show_hidden()
        with locked_private_folder(str(folder)) as made:
            assert len(cleared(folder)) == 2
            assert os.path.isdir(made.path)
        staged.commit()
        assert cleared(folder)[-1] == "x"
    assert os.listdir(folder) == ["x"]


def test_names_that_are_not_exactly_ours_stay(folder):
    names = {
        PREFIX, PREFIX + "0" * 16, PREFIX + "0" * 25, PREFIX + "A" * 24, PREFIX + "g" * 24,
        "x" + PREFIX + "0" * 24, PREFIX + "0" * 24 + "-wal", PREFIX + "0" * 24 + "\n",
    }  # fmt: skip
    for name in names:
        (folder / name).write_bytes(b"x")
    assert set(cleared(folder)) == names


def test_links_pipes_and_what_they_lead_to_stay(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "mine").write_bytes(b"mine")
    names = sorted(hidden_name() for _ in range(3))
    (folder / names[0]).symlink_to(elsewhere)
    (folder / names[1]).symlink_to(elsewhere / "mine")
    os.mkfifo(folder / names[2])
    assert cleared(folder) == names
    assert os.listdir(elsewhere) == ["mine"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only the administrator gives files away")
def test_what_belongs_to_another_user_stays(folder):
    file, made = folder / hidden_name(), folder / hidden_name()
    file.write_bytes(b"x")
    made.mkdir()
    for path in (file, made):
        os.chown(path, 12345, 12345)
    assert cleared(folder) == sorted([file.name, made.name])


def test_where_there_are_no_locks_nothing_is_cleared_and_all_is_written(
    folder, system, monkeypatch
):
    def no_locks(*_):
        raise OSError(95, "not supported")

    monkeypatch.setattr(locks.fcntl, "flock", no_locks)
    left = hidden_name()
    (folder / left).write_bytes(b"who knows")
    (folder / "x").write_bytes(b"old")
    write_file(folder / "x", b"new", replace=True)
    with locked_private_folder(str(folder)):
        pass
    assert sorted(os.listdir(folder)) == sorted([left, "x"])
    assert (folder / "x").read_bytes() == b"new"


def test_who_clears_in_the_moment_before_the_lock_takes_nothing_that_is_used(folder, monkeypatch):
    """Between the making and the lock what is new looks dead: then another one is made."""
    names = [hidden_name() for _ in range(4)]
    monkeypatch.setattr(leftovers, "hidden_name", iter(names).__next__)
    lock = leftovers.try_lock
    stolen = []

    def steal_first(fd, **how):
        if not stolen:
            stolen.append(names[0])
            os.unlink(folder / names[0])
        return lock(fd, **how)

    monkeypatch.setattr(leftovers, "try_lock", steal_first)
    with open_folder(folder) as opened:
        fd, name = leftovers.new_hidden(opened.fd, 0o600)
    os.close(fd)
    assert (stolen, name, os.listdir(folder)) == ([names[0]], names[1], [names[1]])


def test_a_folder_is_listed_once_by_a_process(folder, monkeypatch):
    listed = []
    listdir = os.listdir
    monkeypatch.setattr(leftovers.os, "listdir", lambda at: listed.append(at) or listdir(at))
    for number in range(20):
        write_file(folder / str(number), b"x")
    assert len(listed) == 1


# Systems that cannot do all of it


def test_a_file_gets_its_name_where_links_to_unnamed_files_are_forbidden(folder, monkeypatch):
    link = os.link

    def forbid(source, *rest, **how):
        if str(source).startswith("/proc/"):
            raise PermissionError(13, "no")
        link(source, *rest, **how)

    monkeypatch.setattr(os, "link", forbid)
    for data in (b"first", b"second" * 1000):
        write_file(folder / "x", data, replace=True, mode=0o600)
        assert (folder / "x").read_bytes() == data
    assert os.listdir(folder) == ["x"]
    assert (folder / "x").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("replace", [False, True])
def test_a_file_gets_its_name_where_there_are_no_hard_links(folder, system, monkeypatch, replace):
    def none(*_, **__):
        raise PermissionError(1, "no hard links")

    monkeypatch.setattr(os, "link", none)
    if replace:
        (folder / "x").write_bytes(b"old")
    write_file(folder / "x", b"new", replace=replace)
    assert (folder / "x").read_bytes() == b"new"
    assert os.listdir(folder) == ["x"]


def test_a_file_for_scratch_has_no_name_on_any_system(folder, system):
    fd = unnamed_file(str(folder))
    try:
        write_all(fd, b"x")
        assert os.listdir(folder) == []
    finally:
        os.close(fd)


@pytest.mark.parametrize("call", ["fsync", "close"])
@pytest.mark.parametrize("number", [5, 28, 122])
@pytest.mark.parametrize("replace", [False, True])
def test_what_the_system_says_at_the_end_only_is_said_and_leaves_nothing(
    folder, system, monkeypatch, call, number, replace
):
    """Full disks and lost servers are told at the flush or at the close on some file systems."""
    if replace:
        (folder / "x").write_bytes(b"old")
    with StagedFile(folder / "x", replace=replace) as staged:
        write_all(staged.fd, b"new")
        real = getattr(os, call)

        def fail(fd):
            if os.path.samestat(os.fstat(fd), os.fstat(staged.fd)):
                if call == "close":
                    real(fd)
                raise OSError(number, os.strerror(number))
            return real(fd)

        with monkeypatch.context() as failing:
            failing.setattr(os, call, fail)
            with pytest.raises(CloacinaError) as caught:
                staged.commit()
    code = Code.IO if number == 5 else Code.NO_SPACE
    assert caught.value.diagnostics[0].code is code
    assert os.listdir(folder) == (["x"] if replace else [])
    assert not replace or (folder / "x").read_bytes() == b"old"
