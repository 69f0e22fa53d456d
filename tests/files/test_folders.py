"""Folders held by descriptors: what happens in them, and that nothing happens anywhere else."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cloacina_ctl.files.folders import (
    PREFIX,
    hold_private_folder,
    make_private_folder,
    open_folder,
)
from tests.support.canary import make_canary, seen
from tests.support.machine import need, small_disk


@pytest.fixture
def base(tmp_path):
    """A folder that private ones are made in."""
    folder = tmp_path / "base"
    folder.mkdir()
    return folder


@pytest.fixture
def canary(tmp_path):
    return make_canary(tmp_path / "canary")


def test_a_private_folder_is_empty_hidden_and_nobody_elses(base):
    held = make_private_folder(base)
    assert held.path == str(base / held.name)
    assert held.name.startswith(PREFIX)
    assert os.stat(held.path).st_mode & 0o7777 == 0o700
    assert os.listdir(held.path) == []
    assert held.remove()
    assert os.listdir(base) == []
    held.close()


def test_a_folder_of_any_depth_is_removed(base):
    held = make_private_folder(base)
    Path(held.path, "link").symlink_to(base)
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(held.path)
        for _ in range(1200):
            os.mkdir("d" * 100)
            os.chdir("d" * 100)
            Path("file").touch(mode=0)
    finally:
        os.fchdir(before)
        os.close(before)
    assert held.remove()
    assert os.listdir(base) == []
    assert held.remove(), "it is gone already"


def replace(folder, how, canary):
    """Put something in the place of a private folder, as code in it can."""
    kept = folder + "-away"
    os.rename(folder, kept)
    Path(kept, "inside").mkdir()
    Path(kept, "inside", "file").touch()
    if how == "folder link":
        os.symlink(canary, folder)
    elif how == "file link":
        os.symlink(canary / "letter.txt", folder)
    elif how == "dangling link":
        os.symlink("nowhere", folder)
    elif how == "empty folder":
        os.mkdir(folder)


@pytest.mark.parametrize(
    "how", ["folder link", "file link", "dangling link", "empty folder", "nothing"]
)
def test_what_came_into_its_place_is_not_followed_and_it_is_found_elsewhere(base, canary, how):
    held = make_private_folder(base)
    before = seen(canary)
    replace(held.path, how, canary)
    assert held.remove()
    assert os.listdir(base) == []
    assert seen(canary) == before


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_somebody_moved_into_its_place_stays_and_is_told(base, canary, kind):
    held = make_private_folder(base)
    shutil.rmtree(held.path)
    moved = canary if kind == "folder" else canary / "letter.txt"
    os.rename(moved, held.path)
    before = seen(Path(held.path))
    assert not held.remove()
    assert held.found() == held.path
    assert seen(Path(held.path)) == before


def test_a_folder_that_was_moved_into_another_is_found_there(base, tmp_path):
    held = make_private_folder(base)
    Path(held.path, "file").touch()
    os.rename(held.path, tmp_path / "elsewhere")
    assert held.found() == str(tmp_path / "elsewhere")
    assert held.remove()
    assert sorted(os.listdir(tmp_path)) == ["base"]


def test_a_folder_that_cannot_be_removed_is_emptied_and_told_where_it_is(base, tmp_path):
    line = [] if os.getuid() else [need("unshare"), "--map-user=1000", "--map-group=1000"]
    program = (
        "import os, sys; from cloacina_ctl.files.folders import make_private_folder\n"
        "held = make_private_folder(sys.argv[1]); open(held.path + '/file', 'w').close()\n"
        "os.mkdir(sys.argv[2]); os.rename(held.path, sys.argv[2] + '/kept')\n"
        "os.chmod(sys.argv[2], 0o555); print(held.remove(), held.found())"
    )
    keeper = tmp_path / "keeper"
    done = subprocess.run(
        [*line, sys.executable, "-c", program, base, keeper],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    keeper.chmod(0o755)
    assert done.stdout.split() == ["False", str(keeper / "kept")], done.stderr
    assert os.listdir(keeper / "kept") == []


MODES = """
import os, sys
from cloacina_ctl.files.folders import make_private_folder
held = make_private_folder(sys.argv[1])
for mode in (0, 0o100, 0o200, 0o300, 0o400, 0o500):
    os.makedirs(f"{held.path}/a{mode}/b/c")
    open(f"{held.path}/a{mode}/b/file", "w").close()
    os.chmod(f"{held.path}/a{mode}/b", mode)
    os.chmod(f"{held.path}/a{mode}", mode)
os.symlink(sys.argv[2], held.path + "/link")
os.chmod(held.path, 0)
print(held.remove())
"""


def test_whatever_the_modes_are_it_is_removed_and_no_other_mode_is_changed(base, canary):
    before = seen(canary)
    line = [] if os.getuid() else [need("unshare"), "--map-user=1000", "--map-group=1000"]
    done = subprocess.run(
        [*line, sys.executable, "-c", MODES, base, canary],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "True\n", done.stderr
    assert os.listdir(base) == []
    assert seen(canary) == before


def test_what_another_owner_has_in_it_stays(base):
    """Root's clean-up has rights that the code had not: what it moved here it could not remove."""
    if os.getuid():
        pytest.skip("only root can give a folder to somebody else")
    held = make_private_folder(base)
    theirs = Path(held.path, "moved", "theirs")
    theirs.mkdir(parents=True)
    (theirs / "file").write_text("kept")
    theirs.chmod(0)
    os.chown(theirs, 65533, 65533)
    assert not held.remove()
    (left,) = Path(held.path).rglob("file")
    assert left.read_text() == "kept"
    assert left.parent.stat().st_mode & 0o7777 == 0


def test_a_mount_point_in_it_is_left_alone(base, canary):
    if os.getuid():
        pytest.skip("only root mounts")
    held = make_private_folder(base)
    inside = Path(held.path, "inside")
    with small_disk(inside, "size=64k,mode=0500"):
        make_canary(inside / "canary")
        before = seen(inside)
        assert not held.remove()
        assert seen(inside) == before
    bound = Path(held.path, "bound")
    bound.mkdir()
    before = seen(canary)
    subprocess.run([need("mount"), "--bind", canary, bound], check=True)
    try:
        assert not held.remove()
        assert seen(canary) == before
    finally:
        subprocess.run(["umount", bound], check=True)
    assert held.remove()


def test_another_process_holds_it_by_its_identity_alone(base, canary):
    held = make_private_folder(base)
    other = hold_private_folder(held.path, held.identity)
    assert other.identity == held.identity
    other.close()
    replace(held.path, "empty folder", canary)
    with pytest.raises(OSError, match="something else is in the place") as caught:
        hold_private_folder(held.path, held.identity)
    assert caught.value.errno == errno.ESTALE
    os.rmdir(held.path)
    os.symlink(held.path + "-away", held.path)
    with pytest.raises(OSError, match="something else is in the place"):
        hold_private_folder(held.path, held.identity)


def test_it_becomes_another_name_only_while_it_has_its_own(base, canary):
    held = make_private_folder(base)
    held.become("shown")
    assert os.listdir(base) == ["shown"]
    replace(str(base / "shown"), "folder link", canary)
    with pytest.raises(OSError, match="something else is in the place"):
        held.become("other")


def test_names_in_a_folder_lead_nowhere_else(base, canary):
    before = seen(canary)
    (base / "to-folder").symlink_to(canary)
    (base / "to-file").symlink_to(canary / "letter.txt")
    os.mkfifo(base / "pipe")
    with open_folder(base) as folder:
        for name, number in (("to-folder", errno.ELOOP), ("pipe", errno.ENOTDIR)):
            with pytest.raises(OSError) as caught:  # noqa: PT011 - judged by its number
                folder.folder(name)
            assert caught.value.errno == number
        for flags in (os.O_RDONLY, os.O_RDWR | os.O_CREAT | os.O_TRUNC):
            with pytest.raises(OSError) as caught:  # noqa: PT011 - judged by its number
                folder.open_file("to-file", flags)
            assert caught.value.errno == errno.ELOOP
        assert not folder.make_folder("to-folder")
        for name in ("a/b", "..", "", "."):
            with pytest.raises(ValueError, match="not a single name"):
                folder.unlink(name)
        assert folder.unlink("to-folder")
        assert not folder.unlink("to-folder")
    assert seen(canary) == before


def test_a_folder_is_removed_unless_something_is_in_it(base):
    (base / "empty").mkdir()
    (base / "full" / "inner").mkdir(parents=True)
    (base / "link").symlink_to("empty")
    with open_folder(base) as folder:
        with pytest.raises(NotADirectoryError):
            folder.remove_folder("link")
        for name in ("empty", "empty", "full"):
            folder.remove_folder(name)
    assert sorted(os.listdir(base)) == ["full", "link"]


def test_descriptors_are_given_back(base):
    def count():
        return len(os.listdir("/proc/self/fd"))

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no system that tells its descriptors")
    before = count()
    held = make_private_folder(base)
    Path(held.path, "a", "b").mkdir(parents=True)
    with contextlib.suppress(OSError):
        hold_private_folder(held.path, (0, 0))
    held.remove()
    held.close()
    with contextlib.suppress(OSError):
        make_private_folder(base / "nowhere")
    assert count() == before
