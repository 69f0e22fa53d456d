"""A link in the place of everything that a verb makes, uses or removes: what is behind it stays.

The table names verbs; the places are found by looking at what is there before and after a verb
was run. For each of them the verb is run again with a link there.
``python -m tests.operations.links FOLDER`` does it all, as its user, and prints what went wrong.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from cloacina_ctl.cli import main
from cloacina_ctl.files.folders import PREFIX, hidden_name
from tests.support.canary import make_canary, seen
from tests.support.projects import FIXTURES

# What the user names, or may have put elsewhere: a link there is the user's, and is followed.
ROOTS = ("config", "config/keys", "registry", "daemon", "tmp", "out", "home")
VERBS = {
    "package": "package {project} -o made.cloacina --force",
    "package source": "package {project} --format source -o made.cloacina --force",
    "sign": "sign {first} --key spare -o signed.cloacina",
    "unpack": "unpack {first} -o unpacked",
    "convert": "convert {first} --format source --lossy -o converted.cloacina",
    "run": "run {first}",
    "run installed": "run daily-report",
    "install": "install {second}",
    "install again": "install {first}",
    "install for a daemon": "install {second} --daemon {daemon} --daemon-version 0.5 --lossy",
    "list": "list",
    "check": "list --check",
    "repair": "list --check --repair",
    "rollback": "rollback daily-report --to 1.0.0",
    "uninstall": "uninstall daily-report",
    "key generate": "key generate another",
    "key remove": "key remove spare --yes",
    "trust add": "trust add {key} somebody",
    "trust remove": "trust remove friend",
    "validate": "validate {first} --load --allow-unsigned",
}
FAST = ("install", "uninstall", "repair", "unpack")


class Fault(NamedTuple):
    """A verb, the place of the link, and what happened."""

    verb: str
    place: str
    how: str
    what: str


class World:
    """A user with keys, a registry, a daemon's folder, and packages to work with."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.given = base / "given"
        self.template = base / "template"

    def make(self) -> None:
        """Make what every case begins with."""
        for name in (
            self.given,
            *(self.template / root for root in ROOTS if root != "config/keys"),
        ):
            name.mkdir(parents=True, mode=0o700)
        for version in ("1.0.0", "1.1.0"):
            project = self.given / f"project-{version}"
            shutil.copytree(FIXTURES / "python_report", project)
            settings = project / "pyproject.toml"
            said = settings.read_text().replace('"1.4.0"', f'"{version}"')
            settings.write_text(said.replace('">=0.6"', '">=0.4"'))
        for line in (
            "key generate default", "key generate spare", "key generate friend",
            "package {project} -o {first}", "package {project2} -o {second}", "install {first}",
            "install {first} --daemon {daemon} --daemon-version 0.5 --lossy",
        ):  # fmt: skip
            self._do(line)
        kept = self.template / "config" / "keys" / "friend.pub.pem"
        shutil.copy(kept, self.given)
        for line in ("key remove friend --yes --forget", "trust add {key} friend"):
            self._do(line)
        os.remove(self.given / "friend.pub.pem")
        self._do("key generate other")
        shutil.copy(kept.with_name("other.pub.pem"), self.given / "friend.pub.pem")
        self._do("key remove other --yes --forget")

    def _do(self, line: str) -> None:
        status, said = self._run(line, self.template, self._words(self.template))
        assert status == 0, (line, said)

    def _words(self, world: Path) -> dict[str, str]:
        return {
            "project": str(self.given / "project-1.0.0"),
            "project2": str(self.given / "project-1.1.0"),
            "first": str(self.given / "first.cloacina"),
            "second": str(self.given / "second.cloacina"),
            "key": str(self.given / "friend.pub.pem"),
            "daemon": str(world / "daemon"),
        }

    def _run(self, line: str, world: Path, words: dict[str, str]) -> tuple[int, str]:
        given = {
            "HOME": world / "home", "CLOACINA_CTL_CONFIG_DIR": world / "config",
            "CLOACINA_CTL_REGISTRY": world / "registry", "TMPDIR": world / "tmp",
        }  # fmt: skip
        before, place = dict(os.environ), os.open(".", os.O_RDONLY)
        said = io.StringIO()
        os.environ.update({name: str(path) for name, path in given.items()})
        os.chdir(world / "out")
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                status = main.run([word.format(**words) for word in line.split()])
        finally:
            os.fchdir(place)
            os.close(place)
            os.environ.clear()
            os.environ.update(before)
        return status, said.getvalue()

    def run(self, verb: str, world: Path) -> tuple[int, str]:
        """Run a verb in a world; return how it ended and what it said."""
        return self._run(VERBS[verb], world, self._words(world))

    def fresh(self, name: str) -> Path:
        """Return a new copy of the template."""
        world = self.base / name
        shutil.rmtree(world, ignore_errors=True)
        shutil.copytree(self.template, world, symlinks=True)
        return world

    def places(self, verb: str) -> dict[str, bool | None]:
        """Return each place of the verb: whether it is a folder, None where it was there before."""
        world = self.fresh("plain")
        before = _below(world)
        status, said = self.run(verb, world)
        assert status == 0, (verb, said)
        after = {place: (world / place).is_dir() for place in _below(world) - before}
        return {**dict.fromkeys(before), **after}

    def try_link(self, verb: str, place: str, kind: bool | None) -> list[Fault]:
        """Run the verb with links in a place, one after the other; return what went wrong."""
        if kind is None:
            ways = ["moved"]
        else:
            ways = ["folder", "dangling"] if kind else ["file", "dangling", "folder"]
        return [fault for how in ways for fault in self._try(verb, place, how)]

    def _try(self, verb: str, place: str, how: str) -> list[Fault]:
        world = self.fresh("linked")
        behind = self.base / "behind"
        shutil.rmtree(behind, ignore_errors=True)
        behind.mkdir()
        canary = make_canary(behind / "canary")
        path = world / place
        if how == "moved":
            target = behind / "moved"
            shutil.move(path, target)
            if target.is_dir():
                make_canary(target / "canary")
                for name in (f"{PREFIX}0123456789abcdef", "letter.txt"):
                    (target / name).write_text("a user's")
        else:
            target = canary / {"folder": "", "file": "letter.txt", "dangling": "new"}[how]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
        for folder in (*ROOTS, "registry/incoming"):  # named as what a killed run leaves
            (world / folder / hidden_name()).symlink_to(canary)
        before = seen(behind)
        status, said = self.run(verb, world)
        after = seen(behind)
        if place in ROOTS:
            mine = [one for one in before if "canary" in one or one.endswith("letter.txt")]
            before, after = ({one: some.get(one) for one in mine} for some in (before, after))
        names = {one for one in {*before, *after} if before.get(one) != after.get(one)}
        found = [Fault(verb, place, how, f"changed: {', '.join(sorted(names))}")] if names else []
        if place in ROOTS and how == "moved" and status != 0:
            found.append(Fault(verb, place, how, f"a link of the user's was refused: {said}"))
        if "Traceback" in said:
            found.append(Fault(verb, place, how, said))
        return found


def _below(world: Path) -> set[str]:
    """Return the paths in a world; hidden names are never the same twice."""
    found = (str(path.relative_to(world)) for path in world.rglob("*"))
    return {one for one in found if PREFIX not in one or "daemon" in one}


def sweep(world: World, verbs: tuple[str, ...]) -> list[Fault]:
    """Return all that went wrong."""
    return [
        fault
        for verb in verbs
        for place, kind in sorted(world.places(verb).items())
        for fault in world.try_link(verb, place, kind)
    ]


if __name__ == "__main__":
    the_world = World(Path(sys.argv[1]))
    the_world.make()
    faults = sweep(the_world, tuple(sys.argv[2:]) or tuple(VERBS))
    sys.stdout.writelines("\t".join(fault) + "\n" for fault in faults)
