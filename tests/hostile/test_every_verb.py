"""One hostile corpus through every command that opens a package, as a user calls it.

What `verify` refuses, no other command may take: it ends with the same status and the same code,
leaves every folder as it was, asks no server and runs nothing of the package. Where a command by
its design answers otherwise, `_is_allowed` says so, for all cases at once.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import threading
from typing import TYPE_CHECKING, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cloacina_ctl.cli import main
from tests.hostile.case import NOT_TRUSTED, REFUSED
from tests.hostile.catalogue import every_case
from tests.hostile.runner import MAX_LINE_BYTES, Sandbox
from tests.support.builder import RAN
from tests.support.envelopes import ALICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.case import Case

# Unsigned packages are allowed, so that the attack itself is reached.
VERIFY = "verify {package} --allow-unsigned"
VERBS = {
    "inspect": "inspect {package}",
    "validate": "validate {package}",
    "unpack": "unpack {package} -o {output} --allow-unsigned",
    "run": "run {package} --allow-unsigned",
    "run --plan": "run --plan {package} --allow-unsigned",
    "install": "install {package} --allow-unsigned",
    "install --daemon": "install --daemon {package} {watched} --daemon-version 0.5 --lossy "
    "--allow-unsigned",
    "convert": "convert {package} --format {other} -o {output} --lossy --allow-unsigned",
    "publish": "publish {package} --server {server} --convert --allow-unsigned",
    "sign": "sign {package} --key {private}",
}
READS_THE_HEAD = {"inspect", "run --plan"}
LEGACY = (b"BZh", b"\x1f\x8b")
GOOD = next(case for case in every_case() if case.id == "OK-unsigned")
# Large ones, and those of `unpack` alone or of what is no file, are left to `test_hostile`.
CASES = [
    case
    for case in every_case()
    if case.expected != "accept" and not (case.slow or case.heavy or case.prepare or case.place)
]


def _format(case: Case) -> str:
    """Return what a case attacks; gzip is of Cloacina 0.2 and 0.3, bzip2 of the later ones."""
    if case.recipe is not None:
        return "native"
    kinds = (kind for kind in ("gz-v1", "gz", "bz2") if f"-{kind}-" in f"{case.id}-")
    return next(kinds, "native")


FAMILIES: dict[str, list[Case]] = {}
for _case in CASES:
    FAMILIES.setdefault(f"{_case.row[0]}-{_format(_case)}", []).append(_case)


# Commands took these once: `run`, which reads the frames of what it loads alone, and `sign`, which
# did not see that its key's signature there fails.
TAKEN_ONCE = ("A3-zst-of-zst-end", "A15-size-1-tib-end", "N7-last-bit", "N3-payload-not-json")


class Ended(NamedTuple):
    """How a command ended: its status, its errors, what it printed, what it left or reached."""

    status: int
    codes: tuple[str, ...]
    printed: str
    left: tuple[str, ...]
    asked: int


class World:
    """A user who trusts a key, a registry, a daemon's folder and a server: all stay as they are."""

    def __init__(self, root: str) -> None:
        self._sandbox = Sandbox(root)
        names = ("config", "private", "registry", "watched")
        self._places = {name: os.path.join(root, name) for name in names}
        os.mkdir(self._places["watched"])
        key = Ed25519PrivateKey.from_private_bytes(ALICE)
        with open(self._places["private"], "xb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        os.chmod(self._places["private"], 0o600)
        self._seen: tuple[str, dict[str, str]] = ("", {})
        self._asked = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        for line in ("trust add {key} alice", VERBS["install"]):
            assert self.call(GOOD, line).status == 0

    def close(self) -> None:
        """End the server."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._asked += 1
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")

    def call(self, case: Case, line: str) -> Ended:
        """Call a command with the package of a case, and undo what it left."""
        path = self._sandbox.place(case)
        if self._seen[0] != case.id:
            self._seen = case.id, self._look(path)
        before, asked = self._seen[1], self._asked
        status, out, err = self._run([*self._words(path, line), "--json"])
        after = self._look(path)
        left = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        if left:
            self._sandbox.reset()
            self._seen = ("", {})
        found = [one for one in json.loads(out)["diagnostics"] if one["severity"] == "error"]
        codes = tuple(one["code"] for one in found)
        return Ended(status, codes, out + err, tuple(sorted(left)), self._asked - asked)

    def _words(self, path: str, line: str) -> list[str]:
        with open(path, "rb") as file:
            is_legacy = file.read(3).startswith(LEGACY)
        words = line.format(
            package=path, output=self._sandbox.destination, key=self._sandbox.key,
            server=f"http://127.0.0.1:{self._listening.getsockname()[1]}",
            other="native" if is_legacy else "source", **self._places,
        )  # fmt: skip
        return words.split()

    def _look(self, path: str) -> dict[str, str]:
        """Return all that a command could change, the bytes of the package among it."""
        with open(path, "rb") as file:
            start = file.read(1 << 20)
        return {**self._sandbox.tree(), "bytes of the package": str(hash(start))}

    def _run(self, words: list[str]) -> tuple[int, str, str]:
        saved, folder = dict(os.environ), os.getcwd()
        out, err = io.StringIO(), io.StringIO()
        os.environ.update(
            self._sandbox.environment(), CLOACINA_CTL_CONFIG_DIR=self._places["config"],
            CLOACINA_CTL_REGISTRY=self._places["registry"], CLOACINA_CTL_TOKEN="none",
        )  # fmt: skip
        os.chdir(os.path.join(self._sandbox.root, "cwd"))
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                status = main.run(words)
        finally:
            os.environ.clear()
            os.environ.update(saved)
            os.chdir(folder)
        return status, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(str(tmp_path_factory.mktemp("world")))
    yield made
    made.close()


def _is_allowed(case: Case, verb: str, verified: Ended, ended: Ended) -> bool:
    """Tell whether a command may answer like that where `verify` refuses."""
    untrusted = verified.status in NOT_TRUSTED
    if verb == "validate":  # it lists all that is wrong, and then the answer is no: 1
        return ended.status == 1 and verified.codes[0] in ended.codes
    if verb == "inspect" and untrusted:  # it shows signatures and decides nothing
        return ended.status == 0
    if verb == "sign" and untrusted:  # it looks at no signature but those of the keys that sign
        return (ended.status, ended.codes) == (2, ("S014",))
    if verb in READS_THE_HEAD and case.verdict("inspect") == "any" and ended.status == 0:
        return True  # what is wrong lies behind the head
    return (ended.status, ended.codes[:1]) == (verified.status, verified.codes[:1])


def _wrong(case: Case, verb: str, verified: Ended, ended: Ended) -> Iterator[str]:
    """Yield what a command did otherwise than it had to with a case that `verify` refused."""
    if not _is_allowed(case, verb, verified, ended):
        said = f"{verified.status} {verified.codes}"
        yield f"{ended.status} {ended.codes}, where `verify` says {said}"
    yield from (f"it changed: {name}" for name in ended.left)
    if ended.asked:
        yield "it asked the server"
    if RAN in ended.printed:
        yield "code of the package ran"
    for line in ended.printed.splitlines():
        if not line.isprintable() or "Traceback" in line:
            yield f"it printed {line[:100]!r}"
        if len(line) > MAX_LINE_BYTES and not line.startswith("{"):
            yield f"it printed a line of {len(line)} characters"


def _check(cases: list[Case], world: World, verbs: dict[str, str] = VERBS) -> list[str]:
    """Return one line for each thing that went wrong, of all cases and commands."""
    found = []
    for case in cases:
        verified = world.call(case, VERIFY)
        if verified.status not in REFUSED | NOT_TRUSTED:
            continue  # one whose effects alone are judged, in test_hostile
        for verb, line in verbs.items():
            ended = world.call(case, line)
            found += [f"{case.id} {verb}: {one}" for one in _wrong(case, verb, verified, ended)]
    return found


def _fail_for(found: list[str]) -> None:
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_verify_refuses_no_command_takes(family: str, world: World) -> None:
    cases = FAMILIES[family]
    third = len(cases) // 3
    sample = [*cases[:: max(third, 1)][:3], *(case for case in cases if case.id in TAKEN_ONCE)]
    _fail_for(_check(sample, world, VERBS))


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_what_verify_refuses_no_command_takes_whatever_the_case(family: str, world: World) -> None:
    _fail_for(_check(FAMILIES[family], world, VERBS))


def test_every_command_takes_the_package_that_nothing_is_wrong_with(world: World) -> None:
    """Else a command that refuses everything would pass all of the above."""
    for verb, line in {"verify": VERIFY, **VERBS}.items():
        ended = world.call(GOOD, line)
        if verb == "publish":
            assert ended.codes == ("N007",), ended  # the server knows no token
            assert ended.asked, ended
        else:
            assert ended.status == 0, ended
            assert not ended.asked, ended
        assert (RAN in ended.printed) is (verb == "run"), ended
