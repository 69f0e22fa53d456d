"""Hands one package to one engine and reads what became of it."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from tests.engines.installed import installed

if TYPE_CHECKING:
    from collections.abc import Mapping

DRIVER = Path(__file__).with_name("driver.py")
# Engines dead-lock at their start now and then, mostly up to 0.5, and get into each other's way in
# their database. Neither says anything of a package.
TRIES = 4
_BUSY = "database is locked"
SECONDS = 30.0
# Parts of an engine's words that are different each time.
_PLACE = re.compile(
    r"(?<=[ :])/\S*?(?=/[^/\s]*(?:[:\s]|$))|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)


class Verdict(NamedTuple):
    """What the engine did: ``words`` are its own, where it did not do what was asked.

    ``replayed``: the wheel took the package, and the import was done as the server does it.
    """

    loaded: bool
    ran: bool
    context: Mapping[str, Any] | None
    words: str | None
    replayed: bool = False
    log: str = ""

    @property
    def outcome(self) -> str:
        """One word: ``runs``, ``loads`` or ``refused``."""
        return "runs" if self.ran else "loads" if self.loaded else "refused"


def run(
    release: str,
    package: Path,
    work: Path,
    *,
    context: Mapping[str, Any] | None = None,
    library: Path | None = None,
    workflow: str | None = None,
    building: float = 0.0,
) -> Verdict:
    """Load ``package`` into the engine and run its workflow.

    ``library`` is what a crate built; ``building`` are the seconds for an engine that builds it.
    """
    manifest = _manifest(package.read_bytes())
    engine = installed(release)
    about = manifest.get("package", {})
    metadata = manifest.get("metadata", {})
    name = str(about.get("name", "unnamed"))
    job = {
        "site": str(engine.folder),
        "module": engine.module,
        "package": str(package),
        "library": str(library) if library else None,
        "manifest": manifest,
        "name": name,
        "version": str(about.get("version", "0.0.0")),
        "workflow": workflow or metadata.get("workflow_name") or name,
        "graph": metadata.get("graph_name"),
        "context": dict(context or {}),
        "wait": SECONDS * 0.8 + building,
    }
    verdict = Verdict(False, False, None, f"no answer in {TRIES} tries")
    for attempt in range(TRIES):
        folder = work / f"{release}-{attempt}"
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        ended = _start((*engine.python, "-I", "-S", str(DRIVER)), folder, building)
        if ended is not None:
            verdict = _verdict(folder, ended)
            if verdict.ran or _BUSY not in verdict.log:
                break
    return verdict


def _start(command: tuple[str, ...], folder: Path, seconds: float) -> int | None:
    """Return how the driver ended, None where it had to be stopped."""
    process = subprocess.Popen(
        (*command, str(folder / "job.json")),
        # 0.4 and 0.5 start cargo themselves and look for the library in the package's own folder.
        env={name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        pass
    end = time.monotonic() + (seconds if _is_loading(_log(folder)) else 0.1)
    while time.monotonic() < end and not _stands_still(folder):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(min(1.0, max(0.1, end - time.monotonic())))
    os.killpg(process.pid, signal.SIGKILL)  # with the cargo that it started
    process.wait()
    return None


def _stands_still(folder: Path) -> bool:
    """Tell whether the engine found its database locked and has said nothing more since.

    Some releases wait for ever then for a task that they never started.
    """
    log = folder / "engine.log"
    quiet = log.is_file() and time.time() - log.stat().st_mtime > SECONDS
    return quiet and _BUSY in _log(folder)


def _is_loading(log: str) -> bool:
    """Tell whether the engine, started for the second time, has come to the package."""
    _, *starts = log.split("Starting registry reconciler")
    return len(starts) > 1 and "Performing startup reconciliation" in starts[-1]


def _log(folder: Path) -> str:
    path = folder / "engine.log"
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _verdict(folder: Path, ended: int) -> Verdict:
    log = _log(folder)
    said = folder / "verdict.json"
    if not said.is_file():
        how = signal.Signals(-ended).name if ended < 0 else f"status {ended}"
        return Verdict(False, False, None, f"the engine's process died: {how}", log=log)
    told = json.loads(said.read_text(encoding="utf-8"))
    words = told["words"] and _PLACE.sub("…", told["words"])
    return Verdict(told["loaded"], told["ran"], told["context"], words, told["replayed"], log)


def _manifest(data: bytes) -> dict[str, Any]:
    """Return the package's manifest, read as leniently as can be: an engine judges it, not we."""
    opener = bz2 if data.startswith(b"BZh") else gzip if data.startswith(b"\x1f\x8b") else None
    try:
        raw = data if opener is None else opener.decompress(data)
        with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
            for member in archive:
                if member.name.count("/") == 1 and member.name.endswith("/package.toml"):
                    return tomllib.loads(archive.extractfile(member).read().decode())
                if member.name == "manifest.json":
                    return json.loads(archive.extractfile(member).read())
    except (OSError, EOFError, tarfile.TarError, ValueError):
        pass
    return {}
