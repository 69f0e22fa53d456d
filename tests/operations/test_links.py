"""Links in the places of all that verbs make, use and remove; the table is in ``sweep``."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from cloacina_ctl.files import folders
from tests.operations.links import FAST, VERBS, World, sweep
from tests.support.canary import make_canary, seen
from tests.support.machine import NOBODY, folder_for_all, python_as_nobody
from tests.support.registries import SCRATCH


@pytest.fixture(scope="module")
def world():
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        made = World(Path(os.path.realpath(folder)))
        made.make()
        yield made


@pytest.mark.parametrize("verb", FAST)
def test_a_link_in_the_registry_or_at_the_output_leads_nowhere(world, verb):
    assert sweep(world, (verb,)) == []


@pytest.mark.slow
@pytest.mark.parametrize("verb", sorted(set(VERBS) - set(FAST)))
def test_a_link_in_any_place_of_a_verb_leads_nowhere(world, verb):
    assert sweep(world, (verb,)) == []


@pytest.mark.slow
def test_nor_for_somebody_who_is_not_root():
    with folder_for_all() as base:
        python = python_as_nobody(base / "python")
        theirs = base / "theirs"
        theirs.mkdir()
        os.chown(theirs, NOBODY, NOBODY)
        done = subprocess.run(
            [*python, "-m", "tests.operations.links", theirs],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("verb", ["run", "unpack", "install for a daemon"])
def test_a_link_that_takes_the_place_of_a_private_folder_at_once_leads_nowhere(
    world, verb, monkeypatch
):
    """Whoever else can rename in TMPDIR, or beside the destination, is as fast as can be."""
    canary = make_canary(world.base / f"canary-{verb.replace(' ', '-')}")
    taken = []

    def held(above, name):
        made = true_held(above, name)
        os.rename(made.path, f"{made.path}-away")
        os.symlink(canary, made.path)
        taken.append(made.path)
        return made

    true_held = folders._held
    monkeypatch.setattr(folders, "_held", held)
    before = seen(canary)
    _, said = world.run(verb, world.fresh("during"))
    assert taken
    assert "Traceback" not in said
    assert seen(canary) == before
    assert not any(map(os.path.lexists, taken))
