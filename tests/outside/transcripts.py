"""Transcripts: commands with what they print, read from a file, run again, written back.

A transcript is its own script. A line starts with

    `$ `  a command: `cloacina-ctl` is called in this process, `export NAME=VALUE` sets a variable,
          the shell runs all else
    `| `  a line of standard output; the object of `--json` is indented
    `! `  a line of standard error
    `[`   the exit status, where it is not 0
    `#`   a comment

Each transcript starts in a folder with `fixtures/`, with `keys/`, which are the same each time:
`alice`, `bob` and `mallory`, private (`.pem`) and public (`.pub`), and with `legacy/`: packages of
Cloacina 0.2 and 0.3, a crate (`v1.cloacina`) and a Python project (`v2.cloacina`).
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from cloacina_ctl import __version__
from cloacina_ctl.cli import main
from tests.support.archives import gz, v2_tar
from tests.support.envelopes import ALICE, BOB, MALLORY, public_key
from tests.support.legacy import v1

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / "transcripts"
KEYS = {"alice": ALICE, "bob": BOB, "mallory": MALLORY}
# Compressed bytes depend on the release of zstd, and a package holds that of the program.
WRITTEN_WITH = ((1, 5, 7), "0.1.0")
HERE = (zstandard.ZSTD_VERSION, __version__)

# What differs from run to run: times, how long something took, with what aligns it.
_VARIABLE = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|\+00:00)"), "<time>"),
    (re.compile(rf"Python {sys.version_info[0]}\.{sys.version_info[1]}\b"), "Python <version>"),
    (re.compile(r" \(verified [^)]*\)"), ""),  # said where the machine is busy
    (re.compile(r" +[\d.]+ m?s\b"), " <duration>"),
    # Of its time: a signature is in it.
    (re.compile(r'("digest": "|/packages/[0-9a-f]{64}/)[0-9a-f]{64}'), r"\1<digest>"),
    (re.compile(r'("(?:seconds|at)": )[\d.e-]+'), r'\1"<duration>"'),
    (re.compile(r'(cloacina-ctl |(?:"name": "cloacina-ctl",|"result": {)\s+"version": ")'
                + re.escape(__version__)), r"\1<version>"),
)  # fmt: skip
# What differs with another release of zstd, too, or with another build of a crate.
_BUILT = (
    (re.compile(r"\b[\d.]+ (?:bytes|[KM]iB)"), "<size>"),
    (re.compile(r'("(?:size|bytes|compressed)": )\d+'), r'\1"<size>"'),
    (re.compile(r"(?<=at byte )\d+"), "<number>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<digest>"),
    (re.compile(r"\b(?:many|musl)linux_\d+_\d+_(?=x86_64)"), "<libc>_"),
    (re.compile(r'(glibc from |"floor": ")[\d.]+'), r"\1<libc>"),
    (re.compile(r'(rustc |"rustc": ")[\d.]+ \([^)]*\)'), r"\1<rustc>"),
)  # fmt: skip
_OUTPUT = ("|", "!", "[")
_NOT_FULLY_ISOLATED = "T015"
# What this kernel cannot isolate, and where this Python sees the error in a line of a traceback.
_OF_THIS_MACHINE = re.compile(rf"\[{_NOT_FULLY_ISOLATED}\]|^ *[~^]+$")


class Ended(NamedTuple):
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str


def blurred(text: str) -> str:
    """Return a transcript without what another release of zstd or another build changes."""
    return _replaced(text, _BUILT)


def _replaced(text: str, table: tuple[tuple[re.Pattern[str], str], ...]) -> str:
    for pattern, instead in table:
        text = pattern.sub(instead, text)
    return text


def is_slow(text: str) -> bool:
    """Tell whether a transcript is for CI alone: one that builds, or waits."""
    return text.startswith("# Slow: ")


def played(text: str) -> str:
    """Return the transcript as its commands write it here and now."""
    with tempfile.TemporaryDirectory() as root:
        stage = _Stage(Path(root).resolve(), builds=is_slow(text))
        made = "".join(f"{line}\n" for line in _play(text.splitlines(), stage))
    return blurred(made) if is_slow(text) else made


def _play(lines: list[str], stage: _Stage) -> Iterator[str]:
    for line in lines:
        if line[:1] not in _OUTPUT:
            yield line
        if line.startswith("$ "):
            yield from _shown(stage.run(line[2:]), stage)


def _shown(ended: Ended, stage: _Stage) -> Iterator[str]:
    for mark, text in (("|", ended.out), ("!", ended.err)):
        lines = "".join(map(_indented, text.splitlines(keepends=True)))
        for line in stage.normal(lines).splitlines():
            if not _OF_THIS_MACHINE.search(line):
                yield f"{mark} {line}" if line else mark
    if ended.status:
        yield f"[{ended.status}]"


def _indented(line: str) -> str:
    """Return the object of `--json` on many lines, and every other line as it is."""
    if not line.startswith('{"schema": '):
        return line
    answer = json.loads(line)
    assert line == json.dumps(answer) + "\n"  # nothing is lost but where lines break
    found = answer["diagnostics"]
    answer["diagnostics"] = [one for one in found if one["code"] != _NOT_FULLY_ISOLATED]
    return json.dumps(answer, ensure_ascii=False, indent=1) + "\n"


class _Stage:
    """A folder, a home and an environment of one transcript."""

    def __init__(self, root: Path, *, builds: bool) -> None:
        self._root, self._here = root, root / "here"
        self._made: dict[str, str] = {}
        for name in ("here/keys", "here/legacy", "home", "tmp"):
            (root / name).mkdir(parents=True)
        if builds:  # where they stand, so that their dependencies are compiled once
            (self._here / "fixtures").symlink_to(ROOT / "fixtures")
        else:
            without = shutil.ignore_patterns("target")
            shutil.copytree(ROOT / "fixtures", self._here / "fixtures", ignore=without)
        for name, seed in KEYS.items():
            _write_key(self._here / "keys" / name, Ed25519PrivateKey.from_private_bytes(seed))
        for name, made in (("v1", v1()), ("v2", gz(v2_tar()))):
            (self._here / "legacy" / f"{name}.cloacina").write_bytes(_stored(gzip.decompress(made)))
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(root / "home"),
            "TMPDIR": str(root / "tmp"),
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "100",
            "TERM": "dumb",
        }
        if builds:  # for another home cargo would build all again
            kept = ("CARGO_HOME", "RUSTUP_HOME")
            self._environment |= {name: os.environ[name] for name in kept if name in os.environ}
            self._environment |= {
                "HOME": str(Path.home()),
                "CLOACINA_CTL_CONFIG_DIR": str(root / "home/.config/cloacina-ctl"),
                "CLOACINA_CTL_REGISTRY": str(root / "home/.local/share/cloacina-ctl/registry"),
            }

    def run(self, command: str) -> Ended:
        """Run one command."""
        program, *words = shlex.split(command)
        if program == "cloacina-ctl" and words[-2:-1] == [">"]:
            ended = self._run_here(words[:-2])
            (self._here / words[-1]).write_text(ended.out, "utf-8")
            return ended._replace(out="")
        if program == "cloacina-ctl":
            return self._run_here(words)
        if program == "export":
            self._environment.update(word.split("=", 1) for word in words)
            return Ended(0, "", "")
        done = subprocess.run(
            ["sh", "-c", command], cwd=self._here, env=self._environment, check=False,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)

    def _run_here(self, words: list[str]) -> Ended:
        before, saved = os.getcwd(), dict(os.environ)
        out, err = io.StringIO(), io.StringIO()
        with (
            open(os.devnull, encoding="utf-8") as nothing,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            stdin, sys.stdin = sys.stdin, nothing
            os.chdir(self._here)
            os.environ.clear()
            os.environ.update(self._environment)
            try:
                status = main.run(words)
            finally:
                sys.stdin = stdin
                os.environ.clear()
                os.environ.update(saved)
                os.chdir(before)
        return Ended(status, out.getvalue(), err.getvalue())

    def normal(self, text: str) -> str:
        """Return ``text`` without what is another one in each run."""
        text = text.replace(str(self._here), "<here>").replace(str(self._root), "<root>")
        text = text.replace(str(ROOT), "<project>")
        for path in self._root.glob("home/.config/cloacina-ctl/keys/*.pub.pem"):
            self._made.update(_forms_of(path))
        for form, name in self._made.items():
            text = text.replace(form, name)
        return _replaced(text, _VARIABLE)


def _stored(data: bytes) -> bytes:
    """Return gzip that stores, the same bytes with every release of zlib and Python."""
    block = struct.pack("<BHH", 1, len(data), len(data) ^ 0xFFFF) + data
    start = struct.pack("<2sBBIBB", b"\x1f\x8b", 8, 0, 0, 0, 255)
    return start + block + struct.pack("<II", zlib.crc32(data), len(data))


def _write_key(path: Path, key: Ed25519PrivateKey) -> None:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.with_suffix(".pem").write_bytes(private)
    path.with_suffix(".pem").chmod(0o600)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.with_suffix(".pub").write_bytes(public)


def _forms_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each form of a key that a command made, from its whole to its beginning."""
    key = load_pem_public_key(path.read_bytes())
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    if raw in map(public_key, KEYS.values()):
        return
    name = path.name.removesuffix(".pub.pem")
    whole = hashlib.sha256(raw).hexdigest()
    ssh = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1]
    in_fours = re.sub(r"(.{4})(?=.)", r"\1 ", whole)
    yield whole, f"<fingerprint of {name}>"
    yield in_fours[:39], f"<fingerprint of {name}, first half>"
    yield in_fours[40:], f"<fingerprint of {name}, second half>"
    yield whole[:16], f"<fingerprint of {name}, its beginning>"
    digest = hashlib.sha256(base64.b64decode(ssh)).digest()
    yield base64.b64encode(digest).decode().rstrip("="), f"<SHA256 of {name}>"
    yield path.read_text("ascii").splitlines()[1], f"<public half of {name}>"
