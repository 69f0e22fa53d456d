"""Kills whoever changes a registry, and proves that it is whole. A program of its own: it forks.

``python -m tests.registry.killing points STEP OFFSET`` kills at each STEPth call into the system
of each kind of change; ``… times COUNT SEED`` kills COUNT changes at random times.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable

from cloacina_ctl.registry.store import Registry
from tests.support.registries import SCRATCH, check_invariants, check_tidy, put

State = dict[tuple[str, str], tuple[tuple[str, ...], str]]
Act = Callable[[str], object]

KEY = ("public", "a")


def prepare(folder: str) -> None:
    put(folder, "a", "1", sidecar=b"s1")
    put(folder, "a", "2", sidecar=b"s2")
    put(folder, "a", "2", tenant="etl", sidecar=b"s2")
    put(folder, "b", "1")


def remove(folder: str, version: str | None) -> None:
    Registry(folder).remove(*KEY, version)


def roll_back(folder: str, to: str | None = None) -> None:
    Registry(folder).roll_back(*KEY, to)


CHANGES: dict[str, Act] = {
    "install another version": lambda folder: put(folder, "a", "3", sidecar=b"s3"),
    "install in another's place": lambda folder: put(folder, "a", "1", salt="x", replace=True),
    "install the same again": lambda folder: put(folder, "a", "1", sidecar=b"s1"),
    "roll back": roll_back,
    "remove the active version": lambda folder: remove(folder, "2"),
    "remove all": lambda folder: remove(folder, None),
}
FIRST: dict[str, Act] = {"install the very first": lambda folder: put(folder, "a", "1")}


def state_of(folder: str) -> State:
    return check_invariants(folder)


def in_child(act: Act, folder: str, before: Callable[[], None]) -> int:
    """Fork a child that does it, and return its process id."""
    child = os.fork()
    if child == 0:
        try:
            before()
            act(folder)
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 - told to the parent as a status
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
    return child


def kill_at_call(number: int) -> None:
    """Kill this process at its call of that number into C: the system, a hash."""
    left = number

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal left
        if event == "c_call":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


def check_after(folder: str, allowed: list[State], what: str) -> None:
    """Prove that it is as before or as after, and tidy when the next one has been there."""
    found = state_of(folder)
    assert found in allowed, (what, found, allowed)
    Registry(folder).prepare()
    assert state_of(folder) == found, what
    check_tidy(folder)


def sweep(name: str, act: Act, step: int, offset: int) -> int:
    """Kill one kind of change at each point, and return how many kills that were."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as above:
        ready, done = os.path.join(above, "ready"), os.path.join(above, "done")
        os.mkdir(ready)
        if name not in FIRST:
            prepare(ready)
        shutil.copytree(ready, done)
        act(done)
        allowed = [state_of(ready), state_of(done)]
        for number in range(offset, 1 << 20, step):
            folder = os.path.join(above, "killed")
            shutil.copytree(ready, folder)
            child = in_child(act, folder, lambda number=number: kill_at_call(number))
            _, status = os.waitpid(child, 0)
            check_after(folder, allowed, f"{name}, killed at call {number}")
            shutil.rmtree(folder)
            if not os.WIFSIGNALED(status):
                assert os.waitstatus_to_exitcode(status) == 0
                return (number - offset) // step
    raise AssertionError(f"{name} has no end")


def points(step: int, offset: int) -> None:
    total = 0
    for name, act in {**CHANGES, **FIRST}.items():
        kills = sweep(name, act, step, offset)
        sys.stdout.write(f"{name}: killed at {kills} points\n")
        total += kills
    sys.stdout.write(f"{total} kills\n")


def times(count: int, seed: int) -> None:
    """Kill changes at random times, one after the other in one registry."""
    chance = random.Random(seed)
    kills = 0
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        prepare(folder)
        expected = state_of(folder)
        while kills < count:
            act = draw(chance, expected)
            with tempfile.TemporaryDirectory(dir=SCRATCH) as above:
                copy = os.path.join(above, "copy")
                shutil.copytree(folder, copy)
                act(copy)
                allowed = [expected, state_of(copy)]
            child = in_child(act, folder, lambda: None)
            time.sleep(chance.random() * 0.025)
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            kills += os.WIFSIGNALED(status)
            check_after(folder, allowed, f"kill {kills}")
            expected = state_of(folder)
    sys.stdout.write(f"{kills} kills\n")


def draw(chance: random.Random, state: State) -> Act:
    """Choose a change that is possible now."""
    versions, active = state.get(KEY, ((), ""))
    others = [one for one in versions if one != active]
    kinds = ["put", "put", *["back", "remove"] * bool(others), *["all"] * (len(versions) > 3)]
    kind = chance.choice(kinds)
    if kind == "back":
        to = chance.choice(others)
        return lambda folder: roll_back(folder, to)
    if kind == "remove":
        gone = chance.choice(versions)
        return lambda folder: remove(folder, gone)
    if kind == "all":
        return lambda folder: remove(folder, None)
    version, salt = chance.choice("12345"), chance.choice("xyz")
    beside = salt.encode() if salt != "z" else None
    return lambda folder: put(folder, "a", version, salt=salt, sidecar=beside, replace=True)


if __name__ == "__main__":
    {"points": points, "times": times}[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]))
