"""What takes the place of the folder that code was given harms nothing elsewhere.

The code itself can put nothing there, where it has a root of its own or Landlock's rules; another
program of the user can, and does so here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from textwrap import dedent

import pytest

from tests.runtime.python_sessions import NONE
from tests.support.canary import make_canary, seen
from tests.support.machine import folder_for_all, need, python_as_nobody
from tests.support.waiting import wait_until

PROGRAM = """
    import os, shutil, signal, sys
    from tests.support.sessions import noticed
    from tests.runtime.python_sessions import do, opened
    session = opened(stop_seconds=0.2)
    home = session._material.folder
    exec(sys.argv[2])
    print(do(session, sys.argv[3]).error, flush=True)
    if sys.argv[1] == "again":
        print(do(session, "pass").error)
    if sys.argv[1] == "killed":
        os.kill(os.getpid(), 9)
    session.close()
    print(*(one.message for one in noticed(session)))
"""
REPLACED = """
shutil.rmtree(home) if {gone} else os.rename(home, home + "-away")
os.symlink({target!r}, home)
"""
ENDS = {"returned": "pass", "died": "os._exit(3)", "killed": "pass", "again": "os._exit(3)"}
USERS = ("as we are", "as nobody")


@pytest.fixture
def tmp_path():
    with folder_for_all() as folder:
        yield folder


@pytest.fixture
def canary(tmp_path):
    return make_canary(tmp_path / "canary")


@pytest.fixture
def run(tmp_path, canary):
    """Return what runs a task and returns what was said; nothing may be left in its TMPDIR."""
    base = tmp_path / "tmp"
    base.mkdir()
    base.chmod(0o1777)

    def run_it(what, how="returned", around=(), user="as we are"):
        before = seen(canary)
        line = [*around, sys.executable]
        if user == "as nobody":
            *first, python = python_as_nobody(tmp_path / "python")
            line = [*first, *around, python]
        done = subprocess.run(
            [*line, "-c", dedent(PROGRAM), how, what, ENDS[how]],
            capture_output=True, text=True, check=False,
            env={**os.environ, "TMPDIR": str(base)}, timeout=60,
        )  # fmt: skip
        assert done.returncode == (-signal.SIGKILL if how == "killed" else 0), done.stderr
        assert wait_until(lambda: not os.listdir(base)), os.listdir(base)
        assert seen(canary) == before
        return done.stdout.splitlines()

    return run_it


def replaced(canary, target, *, gone):
    to = {"folder": canary, "file": canary / "letter.txt"}[target]
    return REPLACED.format(target=str(to), gone=gone)


@pytest.mark.parametrize(
    ("target", "how", "gone", "user"),
    [
        ("folder", "returned", False, "as we are"),
        ("file", "died", True, "as nobody"),
        ("folder", "killed", False, "as nobody"),
    ],
)
def test_a_link_in_the_place_of_the_folder_is_removed_alone(run, canary, target, how, gone, user):
    said = run(replaced(canary, target, gone=gone), how, user=user)
    died = "the process died: it ended with status 3"
    assert said[0] == (died if how == "died" else "None")
    assert said[1:] in ([], [""])


@pytest.mark.parametrize("namespaces", [True, False])
def test_the_code_puts_nothing_in_the_place_of_its_folder(tmp_path, canary, namespaces):
    around = [] if namespaces else [need("unshare"), *NONE[1:], "sh"]
    what = "home = os.environ['HOME']; os.chdir('/'); os.rename(home, home + '-away')"
    done = subprocess.run(
        [*around, sys.executable, "-c", dedent(PROGRAM), "returned", "", what],
        capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert "resource busy" in done.stdout or "Permission denied" in done.stdout, done.stderr
    assert sorted(os.listdir(tmp_path)) == ["canary"]


@pytest.mark.slow
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("target", ["folder", "file"])
@pytest.mark.parametrize("namespaces", [True, False])
def test_whatever_leads_to_the_end(run, canary, target, how, gone, user, namespaces):
    around = [] if namespaces else [need("unshare"), *NONE[1:], "sh"]
    run(replaced(canary, target, gone=gone), how, around, user)


def test_code_that_is_started_again_is_not_given_what_took_the_place_of_its_folder(run, canary):
    said = run(replaced(canary, "folder", gone=False), "again")
    assert "in the place" in said[1]


def test_what_the_code_moved_into_its_place_stays_there_and_is_told(tmp_path, canary):
    base = tmp_path / "tmp"
    base.mkdir()
    what = f"shutil.rmtree(home); os.rename({str(canary)!r}, home)"
    before = seen(canary)
    done = subprocess.run(
        [sys.executable, "-c", dedent(PROGRAM), "returned", what, "pass"],
        capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(base)},
    )  # fmt: skip
    (kept,) = base.iterdir()
    assert f"could not be removed: {kept}" in done.stdout, done.stderr
    assert [one[3:] for one in seen(kept).values()] == [one[3:] for one in before.values()]
