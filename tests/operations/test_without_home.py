"""What needs no home folder works without one: in containers, for services, as somebody else.

Run by the administrator, the program has a user id that the system does not list, as a container
gives it; run by anybody else, it has an empty HOME, which is the same to it, or a folder that is
closed to this user.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from cloacina_ctl.operations import keys
from cloacina_ctl.operations.keys import ExportRequest
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.packaging.target import choose_target
from tests.support.cli import Outcome
from tests.support.machine import need
from tests.support.projects import FIXTURES, ROOT

PACKAGES = [path for path in sys.path if path.endswith("site-packages")]
STRANGER = 1000660000
IS_ADMINISTRATOR = os.geteuid() == 0
NO_HOME = "no home"
CLOSED = "a home that is closed"
ABSENT = "a home that is not there"
TOP = "the top as home"
NO_FOLDER = "a file as home"


class Place(NamedTuple):
    """Packages, keys and a project that everybody can read, and a folder to work in."""

    folder: Path
    work: Path
    program: tuple[str, ...]

    def run(self, home: str, *words: str) -> Outcome:
        """Run the program as somebody whose home is of the kind ``home``."""
        env = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join([str(ROOT), *PACKAGES]),
        }
        if IS_ADMINISTRATOR:  # the library of an interpreter that lies where nobody may look
            env["LD_LIBRARY_PATH"] = str(self.folder / "python/lib")
        homes = {
            CLOSED: str(self.folder / "closed"), ABSENT: "/nonexistent", TOP: "/",
            NO_FOLDER: "/dev/null",
        }  # fmt: skip
        if home in homes:
            env["HOME"] = homes[home]
        elif not IS_ADMINISTRATOR:
            env["HOME"] = ""
        done = subprocess.run(
            [*self.program, "-m", "cloacina_ctl", *words],
            cwd=self.work, env=env, capture_output=True, check=False, timeout=120,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Outcome.of(done)


@pytest.fixture(scope="module")
def place():
    """Make the folder; not in pytest's own, which is closed to everybody else."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        folder.chmod(0o755)
        patch.setenv("CLOACINA_CTL_CONFIG_DIR", str(folder / "config"))
        keys.generate_key("ci")
        keys.export_key(ExportRequest("ci", str(folder / "ci.pub")))
        keys.export_key(ExportRequest("ci", str(folder / "ci.pem"), private=True))
        shutil.copytree(FIXTURES / "python_report", folder / "project")
        signers = keys.signing_keys(("ci",))
        package(PackageRequest(str(folder / "project"), str(folder / "x.cloacina"), keys=signers))
        package(
            PackageRequest(
                str(folder / "project"), str(folder / "s.cloacina"), keys=signers,
                target=choose_target("source", None, pad=False),
            )
        )  # fmt: skip
        for made in ("work", "closed/.config/cloacina-ctl/keys"):
            (folder / made).mkdir(parents=True)
        (folder / "closed").chmod(0 if not IS_ADMINISTRATOR else 0o700)
        if IS_ADMINISTRATOR:
            for path in (folder / "work", folder / "ci.pem"):
                os.chown(path, STRANGER, 0)
        yield Place(folder, folder / "work", program(folder))
        (folder / "closed").chmod(0o700)


def program(folder: Path) -> tuple[str, ...]:
    """Return how to start an interpreter that the stranger can use, wherever ours lies."""
    if not IS_ADMINISTRATOR:
        return (sys.executable, "-s")
    python = folder / "python"
    python.mkdir()
    mounted = f'mount --bind {sys.base_prefix} {python} && exec "$@"'
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return (
        need("unshare"), "--mount", "sh", "-c", mounted, "sh",
        need("setpriv"), f"--reuid={STRANGER}", "--regid=0", "--clear-groups",
        str(python / "bin" / version), "-s",
    )  # fmt: skip


CONTEXT = ("--context", '{"text": "17, AT, 1250"}')
# In this order, for some use what those before them made.
NEEDS_NO_HOME = (
    ("--version",),
    ("package", "--help"),
    ("schema",),
    ("inspect", "../x.cloacina"),
    ("inspect", "../s.cloacina"),
    ("validate", "../x.cloacina"),
    ("validate", "../s.cloacina"),
    ("validate", "../project"),
    ("verify", "../x.cloacina", "--key", "../ci.pub"),
    ("verify", "../s.cloacina", "--key", "../ci.pub"),
    ("verify", "../x.cloacina", "--allow-unsigned"),
    ("unpack", "../x.cloacina", "--key", "../ci.pub", "-o", "unpacked"),
    ("run", "../x.cloacina", "--key", "../ci.pub", *CONTEXT),
    ("run", "../x.cloacina", "--key", "../ci.pub", "--plan"),
    ("convert", "../x.cloacina", "--key", "../ci.pub", "--format", "source", "--lossy", "-o", "c"),
    ("package", "../project", "--sign", "../ci.pem", "-o", "signed"),
    ("package", "../project", "--no-sign", "-o", "unsigned"),
    ("package", "../project", "--no-sign", "--vendor", "--offline", "-o", "vendored"),
    ("package", "../project", "--list"),
    ("sign", "unsigned", "--key", "../ci.pem"),
    ("verify", "unsigned", "--key", "../ci.pub"),
    ("install", "../x.cloacina", "--key", "../ci.pub", "--registry", "registry"),
    ("list", "--registry", "registry"),
    ("run", "daily-report", "--registry", "registry", "--key", "../ci.pub", *CONTEXT),
    ("uninstall", "daily-report", "--registry", "registry"),
)
NEEDS_A_HOME = (
    ("verify", "../x.cloacina"),
    ("unpack", "../x.cloacina", "-o", "never"),
    ("run", "../x.cloacina"),
    ("verify", "../x.cloacina", "--key", "ci"),
    ("package", "../project", "-o", "never"),
    ("package", "../project", "--sign", "ci", "-o", "never"),
    ("sign", "../x.cloacina", "-o", "never"),
    ("install", "../x.cloacina", "--key", "../ci.pub"),
    ("list",),
    ("key", "list"),
    ("key", "generate"),
    ("trust", "list"),
    ("trust", "add", "../ci.pub", "ci"),
)


def failed(place: Place, home: str, verbs: tuple[tuple[str, ...], ...]) -> list[str]:
    """Run all of them; return what those said that did not succeed."""
    ends = [(words, place.run(home, *words)) for words in verbs]
    return [f"{words}: {end.status} {end.err}" for words, end in ends if end.status]


@pytest.mark.slow
@pytest.mark.parametrize("home", [NO_HOME, CLOSED, ABSENT, TOP, NO_FOLDER])
def test_what_names_its_keys_by_files_needs_no_home(place, home):
    for made in place.work.iterdir():
        shutil.rmtree(made) if made.is_dir() else made.unlink()
    assert failed(place, home, NEEDS_NO_HOME) == []
    assert not [made.name for made in place.work.iterdir() if made.name.startswith(("~", "."))]


@pytest.mark.parametrize("home", [NO_HOME, CLOSED])
def test_a_package_is_verified_by_a_key_file_and_made_without_a_home(place, home):
    verbs = (
        ("verify", "../x.cloacina", "--key", "../ci.pub"),
        ("package", "../project", "--sign", "../ci.pem", "-o", "quick", "--force"),
    )
    assert failed(place, home, verbs) == []


@pytest.mark.slow
@pytest.mark.parametrize(("home", "code"), [(NO_HOME, "I014"), (CLOSED, "I003")])
@pytest.mark.parametrize("words", NEEDS_A_HOME, ids=" ".join)
def test_what_needs_a_home_says_so_and_is_no_mistake_of_the_command_line(place, home, code, words):
    end = place.run(home, *words)
    assert end.status == 8, end
    assert f"error[{code}]" in end.err
    assert "Traceback" not in end.err
    assert not (place.work / "never").exists()


@pytest.mark.parametrize(("home", "code"), [(NO_HOME, "I014"), (CLOSED, "I003")])
def test_a_verification_by_the_trusted_keys_says_that_they_cannot_be_read(place, home, code):
    end = place.run(home, "verify", "../x.cloacina")
    assert end.status == 8
    assert f"error[{code}]" in end.err
    assert "the keys that you trust cannot be read" in end.err
    assert "--key" in end.err


@pytest.mark.parametrize(("home", "code"), [(NO_HOME, "I014"), (CLOSED, "I003")])
def test_inspect_shows_all_signatures_as_of_unknown_keys_and_warns(place, home, code):
    end = place.run(home, "inspect", "../x.cloacina", "--json")
    assert end.status == 0
    assert [one["status"] for one in end.json["result"]["signatures"]] == ["unknown-key"]
    (warning,) = end.json["diagnostics"]
    assert (warning["code"], warning["severity"]) == (code, "warning")
    assert f"warning[{code}]" in end.err
    assert "the keys that you trust cannot be read" in end.err


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["verify", "unpack", "run", "convert", "install"])
def test_an_unsigned_package_is_taken_with_a_warning_that_keys_could_not_be_read(place, verb):
    more = {
        "unpack": ("-o", "taken"), "run": CONTEXT, "install": ("--registry", "registry"),
        "convert": ("--format", "source", "--lossy", "-o", "taken.cloacina"),
    }  # fmt: skip
    words = (verb, "../x.cloacina", "--allow-unsigned", "--json", *more.get(verb, ()))
    end = place.run(NO_HOME, *words)
    assert end.status == 0, end
    answer = json.loads(end.out.splitlines()[-1])  # before it `run` prints its events
    codes = [(one["code"], one["severity"]) for one in answer["diagnostics"]]
    assert ("I014", "warning") in codes


@pytest.mark.slow
def test_a_folder_that_is_called_tilde_is_never_taken_for_the_home(place):
    """Neither for settings nor for the wheels that were fetched before."""
    for made in ("~/.config/cloacina-ctl", "~/.cache", "~/.cloacina"):
        (place.work / made).mkdir(parents=True, exist_ok=True)
    (place.work / "~/.cloacina/config.toml").write_text('default_profile = "x"\n')
    (place.work / "~/.config/cloacina-ctl/config.toml").write_text("= broken\n")
    try:
        end = place.run(NO_HOME, "publish", "../s.cloacina", "--key", "../ci.pub")
        assert (end.status, "no server is named" in end.err) == (2, True), end
        assert place.run(NO_HOME, "list").status == 8
    finally:
        shutil.rmtree(place.work / "~")
