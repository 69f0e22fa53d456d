"""What killed runs left in a folder, and what only looks like it."""

from __future__ import annotations

import os

import pytest

from cloacina_ctl.files import leftovers
from cloacina_ctl.files.folders import hidden_name, open_folder


@pytest.fixture
def left(tmp_path):
    """A folder with a file in it, under a name that runs give to what they have under way."""
    shared = tmp_path / "shared"
    folder = shared / hidden_name()
    folder.mkdir(parents=True)
    (folder / "file").write_text("mine")
    return folder


def clear(folder):
    leftovers._cleared.clear()
    with open_folder(folder) as opened:
        leftovers.clear_dead(opened.fd)


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o1777])
def test_a_folder_that_a_dead_run_left_is_removed(left, mode):
    left.parent.chmod(mode)
    clear(left.parent)
    assert not left.exists()


@pytest.mark.parametrize("mode", [0o777, 0o733])
def test_a_folder_that_somebody_else_can_have_renamed_is_no_leftover(left, mode):
    """Whoever may rename a folder may not empty it, and must not have it emptied by us."""
    left.parent.chmod(mode)
    clear(left.parent)
    assert (left / "file").read_text() == "mine"


def test_a_folder_that_its_group_can_have_renamed_is_no_leftover(left):
    os.chown(left.parent, -1, 12345) if os.geteuid() == 0 else pytest.skip("for root alone")
    left.parent.chmod(0o775)
    clear(left.parent)
    assert (left / "file").read_text() == "mine"


def test_a_folder_that_is_taken_for_dead_before_it_is_held_is_made_again(tmp_path, monkeypatch):
    """Between its making and its lock another run may clear it away."""
    make, gone = os.mkdir, []

    def made_and_cleared(name, mode, *, dir_fd):
        make(name, mode, dir_fd=dir_fd)
        if not gone:
            gone.append(name)
            clear(tmp_path)

    monkeypatch.setattr(os, "mkdir", made_and_cleared)
    with leftovers.locked_private_folder(str(tmp_path)) as folder:
        assert os.path.isdir(folder.path)
    assert len(gone) == 1
    monkeypatch.setattr(os, "mkdir", lambda *_, **__: None)
    with pytest.raises(OSError, match="something else is in the place"):
        leftovers.locked_private_folder(str(tmp_path))
