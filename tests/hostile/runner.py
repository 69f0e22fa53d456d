"""Runs a verb on a case in a sandbox and says what went otherwise than it had to.

A finding is one word and its story: ACCEPTED, REJECTED, TRACEBACK, EXITCODE, REASON (refused, but
for something else), OUTSIDE, LEFTOVER, RESULT, DESTINATION, CONTROL, NOISY, TIMEOUT, MEMORY.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.hostile import verbs
from tests.support.envelopes import ALICE, public_key
from tests.support.projects import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.case import Case

HARD_LIMIT_SECONDS = 20
MAX_RSS_KIB = 256 * 1024
MAX_LINE_BYTES = 4096
FOLDERS = ("cwd", "home", "in", "out", "tmp")
# Where the climbing names of the catalogue would end up.
CANARIES = ("/evil", "/tmp/evil", "/etc/x", "/canary", "/smuggled.py")


class Outcome(NamedTuple):
    """What a verb did: `exit` is 0, a status of the error's family, or None for a bare error."""

    exit: int | None
    codes: tuple[str, ...]
    text: str
    seconds: float
    rss_kib: int = 0
    shown: str = ""


class Sandbox:
    """Folders of its own for every place where something could be left behind."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.destination = os.path.join(root, "out", "a", "b", "dest")
        self.key = os.path.join(root, "alice.pub")
        self._placed = ("", "")
        self.reset()

    def reset(self) -> None:
        """Make everything as it has to be before a case."""
        self._placed = ("", "")
        for folder in FOLDERS:
            _remove(os.path.join(self.root, folder))
            os.mkdir(os.path.join(self.root, folder))
        os.makedirs(os.path.dirname(self.destination))
        raw = Ed25519PublicKey.from_public_bytes(public_key(ALICE))
        with open(self.key, "wb") as file:
            file.write(raw.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    def environment(self) -> dict[str, str]:
        """Return the variables that point into the sandbox."""
        home, tmp = os.path.join(self.root, "home"), os.path.join(self.root, "tmp")
        return {"HOME": home, "TMPDIR": tmp, "XDG_CONFIG_HOME": os.path.join(home, ".config")}

    def place(self, case: Case) -> str:
        """Put the case's file into the sandbox, unless it is there, and return its path."""
        if self._placed[0] == case.id:
            return self._placed[1]
        folder = os.path.join(self.root, "in")
        if case.place is not None:
            self.reset()
            path = case.place(folder)
        else:
            path = os.path.join(folder, "in.cloacina")
            with open(path, "wb") as file:
                file.write(case.build())
        self._placed = (case.id, path)
        return path

    def tree(self) -> dict[str, str]:
        """Return everything below the sandbox: path -> what it is."""
        found: dict[str, str] = {}
        waiting = [self.root]
        while waiting:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    found[os.path.relpath(entry.path, self.root)] = _look(entry.path, status)
                    if stat.S_ISDIR(status.st_mode):
                        waiting.append(entry.path)
        return found


def _look(path: str, status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return f"link {os.readlink(path)}"
    size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    return f"{status.st_mode:o} {size}"


def _remove(path: str) -> None:
    if os.path.islink(path) or not os.path.isdir(path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    else:
        shutil.rmtree(path)


@contextlib.contextmanager
def _inside(sandbox: Sandbox) -> Iterator[None]:
    """Run the body with folder and environment of the sandbox, and a hard limit of time."""

    def late(*_: object) -> None:
        raise TimeoutError("the hard limit of time")

    before, saved = os.getcwd(), dict(os.environ)
    handler = signal.signal(signal.SIGALRM, late)
    os.chdir(os.path.join(sandbox.root, "cwd"))
    os.environ.update(sandbox.environment())
    default, tempfile.tempdir = tempfile.tempdir, None
    signal.alarm(HARD_LIMIT_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
        tempfile.tempdir = default
        os.environ.clear()
        os.environ.update(saved)
        os.chdir(before)


def call(verb: verbs.Verb, path: str, destination: str, key: str) -> Outcome:
    """Call a verb and return what it did."""
    shown = io.StringIO()
    start = time.process_time()
    error: BaseException | None = None
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        try:
            verb(path, destination, key)
        except BaseException as raised:
            if isinstance(raised, KeyboardInterrupt):
                raise
            error = raised
    seconds = time.process_time() - start
    if error is None:
        return Outcome(0, (), "", seconds, shown=shown.getvalue())
    codes = tuple(str(found.code) for found in getattr(error, "diagnostics", ()))
    text = verbs.render(error) if verbs.render else f"{type(error).__name__}: {error}"
    return Outcome(verbs.exit_of(error), codes, text, seconds, shown=shown.getvalue())


def call_apart(name: str, path: str, sandbox: Sandbox) -> Outcome:
    """Call a verb in a process of its own and measure its memory."""
    root = str(ROOT)
    environment = {**os.environ, **sandbox.environment(), "PYTHONPATH": root}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-m", "tests.hostile.runner", name, path]
    done = subprocess.run(
        [*command, sandbox.destination, sandbox.key],
        cwd=os.path.join(sandbox.root, "cwd"),
        env=environment,
        capture_output=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        return Outcome(None, (), f"status {done.returncode}: {done.stderr[-400:]!r}", 0.0)
    answer = json.loads(done.stdout)
    return Outcome(**{**answer, "codes": tuple(answer["codes"])})


def expected_tree(case: Case) -> dict[str, bytes]:
    """Return the files that `unpack` must give for an accepted case."""
    assert case.recipe is not None
    return {file.path: file.data for file in case.recipe.files}


def _unpacked(folder: str) -> tuple[dict[str, bytes], set[str]]:
    files: dict[str, bytes] = {}
    modes: set[str] = set()
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            modes.add(f"{os.lstat(path).st_mode:o}")
            with open(path, "rb") as file:
                files[os.path.relpath(path, folder)] = file.read()
    return files, modes


def _check_result(case: Case, sandbox: Sandbox) -> Iterator[str]:
    found, modes = _unpacked(sandbox.destination)
    expected = case.tree if case.recipe is None else expected_tree(case)
    if expected is not None and found != expected:
        yield f"RESULT other files: {sorted(set(found) ^ set(expected))[:3]}"
    if modes - {"100644", "100755"}:
        yield f"RESULT modes {sorted(modes)}"


def _check_verdict(case: Case, verb: str, outcome: Outcome) -> Iterator[str]:
    want = case.verdict(verb)
    refused = outcome.exit != 0
    if outcome.exit is None:
        yield f"TRACEBACK {outcome.text[:300]!r}"
    elif want == "refuse" and not refused:
        yield "ACCEPTED"
    elif want == "accept" and refused:
        yield f"REJECTED {outcome.codes} {outcome.text[:200]!r}"
    elif want == "refuse" and verb != "validate" and outcome.exit not in case.exit:
        wanted = sorted(case.exit)
        yield f"EXITCODE {outcome.exit}, not {wanted}: {outcome.codes} {outcome.text[:200]!r}"
    elif want == "refuse" and case.codes and not _reason(case, outcome):
        yield f"REASON {outcome.codes}, not {case.codes}: {outcome.text[:200]!r}"


def _reason(case: Case, outcome: Outcome) -> bool:
    return any(code.startswith(case.codes) for code in outcome.codes)


def _check_words(outcome: Outcome) -> Iterator[str]:
    if outcome.shown:
        yield f"NOISY {outcome.shown[:100]!r}"
    if verbs.render is None or not outcome.text:
        return
    line = outcome.text.removesuffix("\n")
    if any(not character.isprintable() for character in line):
        yield f"CONTROL {line[:200]!r}"
    if len(line.encode("utf-8", "surrogatepass")) > MAX_LINE_BYTES:
        yield f"NOISY a line of {len(line)} characters"


def _check_effects(
    case: Case, verb: str, outcome: Outcome, before: dict[str, str], sandbox: Sandbox
) -> Iterator[str]:
    after = sandbox.tree()
    below = os.path.relpath(sandbox.destination, sandbox.root)
    unpacked = verb == "unpack" and outcome.exit == 0
    for path in sorted(set(after) | set(before)):
        inside = path == below or path.startswith(below + os.sep)
        if after.get(path) == before.get(path) or (inside and unpacked):
            continue
        word = "DESTINATION" if inside else "OUTSIDE" if path.startswith("out") else "LEFTOVER"
        yield f"{word} {path}: {before.get(path)} became {after.get(path)}"
    yield from (f"OUTSIDE {path}" for path in CANARIES if os.path.lexists(path))


def run(case: Case, verb: str, sandbox: Sandbox, *, apart: bool = False) -> list[str]:
    """Run one verb on one case and return what went otherwise than it had to."""
    path = sandbox.place(case)
    if case.prepare is not None:
        case.prepare(sandbox.destination)
    before = sandbox.tree()
    if apart:
        outcome = call_apart(verb, path, sandbox)
    else:
        with _inside(sandbox):
            outcome = call(verbs.VERBS[verb], path, sandbox.destination, sandbox.key)
    findings = list(_check_verdict(case, verb, outcome))
    findings += _check_words(outcome)
    findings += _check_effects(case, verb, outcome, before, sandbox)
    if verb == "unpack" and outcome.exit == 0 and case.verdict(verb) != "refuse":
        findings += _check_result(case, sandbox)
    if outcome.seconds > case.seconds:
        findings.append(f"TIMEOUT {outcome.seconds:.1f} s, not {case.seconds} s")
    if outcome.rss_kib > MAX_RSS_KIB:
        findings.append(f"MEMORY {outcome.rss_kib // 1024} MiB")
    if findings or case.place or case.prepare or (verb == "unpack" and outcome.exit == 0):
        sandbox.reset()
    return [f"{case.id} {verb}: {finding}" for finding in findings]


def main(arguments: list[str]) -> None:
    """Call one verb and print its outcome: the other half of `call_apart`."""
    name, path, destination, key = arguments
    outcome = call(verbs.VERBS[name], path, destination, key)
    sys.stdout.write(json.dumps({**outcome._asdict(), "rss_kib": _peak_kib()}))


def _peak_kib() -> int:
    """Return the most memory that this program used.

    Linux carries `ru_maxrss` of the process that forked over an exec; `VmHWM` starts anew.
    """
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main(sys.argv[1:])
