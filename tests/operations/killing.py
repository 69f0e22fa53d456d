"""Kills whoever writes a file or folder, and looks at what stays. A program of its own: it forks.

``python -m tests.operations.killing STEP OFFSET`` kills at each STEPth call into C of each kind of
change, with and without files that have no name.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from cloacina_ctl.files import leftovers, staging
from cloacina_ctl.files.folders import PREFIX
from cloacina_ctl.operations import keys
from cloacina_ctl.operations.convert import ConvertRequest, convert
from cloacina_ctl.operations.keys import signing_keys
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.packaging.target import choose_target
from cloacina_ctl.operations.packaging.vendoring import WorkFolder
from cloacina_ctl.operations.sign import SignRequest, sign
from cloacina_ctl.operations.unpack import unpack
from cloacina_ctl.runtime.process.bundle import Material
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.registry.killing import in_child, kill_at_call
from tests.support.legacy import source
from tests.support.projects import FIXTURES
from tests.support.registries import SCRATCH

FIXTURE = FIXTURES / "python_report"
WHEN = "2026-01-02T03:04:05Z"
Act = Callable[[Path], object]
State = dict[str, bytes | None]


def prepare(folder: Path) -> None:
    """Make a user's folder, a package of each kind and a project."""
    enter(folder)
    for name in ("default", "other"):
        keys.generate_key(name)
    keys.trust_offered(keys.offer_key("other", "alice"))
    shutil.copytree(FIXTURE, folder / "project")
    package(PackageRequest(str(folder / "project"), str(folder / "x"), signed_at=WHEN))
    (folder / "y").write_bytes(source())


def enter(folder: Path) -> None:
    """Let the user's folder and the folder for scratch be in ``folder``."""
    os.environ["CLOACINA_CTL_CONFIG_DIR"] = str(folder / "user")
    os.environ["TMPDIR"] = str(folder / "scratch")
    (folder / "scratch").mkdir(exist_ok=True)


def signed(path: Path, name: str = "default", **options: object) -> object:
    request = SignRequest(str(path), signing_keys((name,)), signed_at=WHEN, **options)
    return sign(request)


def packed(folder: Path) -> object:
    to = str(folder / "x")
    source = str(folder / "project")
    return package(PackageRequest(source, to, level=1, overwrite=True, signed_at=WHEN))


def converted(folder: Path) -> object:
    return convert(
        ConvertRequest(
            str(folder / "x"), str(folder / "converted"), choose_target("source", None),
            VerificationPolicy(allow_unsigned=True), lossy=True,
        )
    )  # fmt: skip


def unpacked(folder: Path) -> object:
    return unpack(str(folder / "x"), str(folder / "there"), VerificationPolicy(allow_unsigned=True))


def material(folder: Path) -> None:
    del folder
    with Material(None) as held:
        Path(held.folder, "deep").mkdir()
        Path(held.folder, "deep", "file").write_bytes(b"x")


def work_folder(folder: Path) -> None:
    del folder
    with WorkFolder() as work:
        Path(work.path, "file").write_bytes(b"x")


CHANGES: dict[str, Act] = {
    "sign": lambda folder: signed(folder / "x"),
    "sign elsewhere": lambda folder: signed(folder / "x", output=str(folder / "signed")),
    "make a sidecar": lambda folder: signed(folder / "y"),
    "trust a key": lambda _: keys.trust_offered(keys.offer_key("default", "me")),
    "trust no longer": lambda _: keys.distrust_key("alice"),
    "make a key": lambda _: keys.generate_key("new"),
    "remove a key": lambda _: keys.remove_key("other"),
    "package": packed,
    "convert": converted,
    "unpack": unpacked,
    "what a run is given": material,
    "what wheels are unpacked into": work_folder,
}


def state_of(folder: Path) -> State:
    """Return each path below it, with its bytes where they do not differ from run to run."""
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        random = path.suffix == ".pem" or path.is_dir() or path.name == "converted"
        found[name] = None if random else path.read_bytes()
    return found


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(PREFIX + "*"))


def next_run(folder: Path) -> None:
    """Do something in each folder that things are staged in, and change nothing."""
    leftovers._cleared.clear()  # a process of its own has looked nowhere yet
    for above in (folder, folder / "scratch"):
        with leftovers.locked_private_folder(str(above)) as made:
            assert made.name
    keys.generate_key("next")
    keys.trust_offered(keys.offer_key("next", "next"))
    keys.distrust_key("next")
    keys.remove_key("next", forget=True)


def alone(act: Act, folder: Path, before: Callable[[], None] = lambda: None) -> int:
    """Do it in a process of its own, and return how that ended."""

    def start() -> None:
        enter(folder)
        before()

    return os.waitpid(in_child(lambda path: act(Path(path)), str(folder), start), 0)[1]


def sweep(name: str, step: int, offset: int) -> int:
    """Kill one kind of change at each point, and return how many kills that were."""
    act = CHANGES[name]
    with tempfile.TemporaryDirectory(dir=SCRATCH) as above:
        ready, done, killed = (Path(above, name) for name in ("ready", "done", "killed"))
        ready.mkdir()
        prepare(ready)
        shutil.copytree(ready, done)
        assert alone(act, done) == 0
        assert alone(next_run, done) == 0
        allowed = [state_of(ready), state_of(done)]
        for number in range(offset, 1 << 20, step):
            shutil.copytree(ready, killed)
            status = alone(act, killed, lambda number=number: kill_at_call(number))
            what = f"{name}, killed at call {number}: {left(killed)}"
            assert alone(next_run, killed) == 0, what
            found = state_of(killed)
            assert found in allowed, (what, [differing(found, one) for one in allowed])
            shutil.rmtree(killed)
            if not os.WIFSIGNALED(status):
                assert os.waitstatus_to_exitcode(status) == 0
                return (number - offset) // step
    raise AssertionError(f"{name} has no end")


def differing(one: State, other: State) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def main(step: int, offset: int, *names: str) -> None:
    total = 0
    for unnamed in (True, False):
        if not unnamed:
            staging.new_unnamed = lambda *_: -1  # as where there are no files without a name
        for name in names or CHANGES:
            kills = sweep(name, step, offset)
            sys.stdout.write(f"{name}: killed at {kills} points\n")
            total += kills
    sys.stdout.write(f"{total} kills\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
