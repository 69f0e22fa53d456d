"""A C library that is new enough for the engines, where the host's is not.

The wheels want glibc 2.39. Only the C library of a newer suite is fetched, by this machine's own
apt and its own mirror, and unpacked beside the engines; a program is started through its
`ld-linux`. Nothing of the host is changed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.cache import locked
from tests.support.machine import need

NEEDED = (2, 39)
# The first suite of each distribution whose glibc is new enough.
_SUITES = {"debian": "trixie", "ubuntu": "noble"}
_LOADERS = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}


def host_glibc() -> tuple[int, int]:
    """Return the version of the host's glibc; (0, 0) for a system without one."""
    try:
        _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    except (ValueError, OSError):
        return (0, 0)
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def loader() -> tuple[str, ...]:
    """Return the words that start a program on a new enough libc: none where the host's will do."""
    if host_glibc() >= NEEDED:
        return ()
    for program in ("apt-get", "dpkg-deb"):
        need(program)
    with locked("libc") as cache:
        folder = cache / "libc"
        if not folder.is_dir():
            _fetch(cache, folder)
    machine = os.uname().machine
    (linker,) = folder.rglob(f"{machine}-linux-gnu/{_LOADERS[machine]}")
    return (str(linker), "--library-path", str(linker.resolve().parent))


def _fetch(cache: Path, folder: Path) -> None:
    work = cache / "libc.part"
    shutil.rmtree(work, ignore_errors=True)
    for name in ("lists/partial", "archives/partial", "unpacked"):
        (work / name).mkdir(parents=True)
    (work / "sources.list").write_text(_source_line())
    options = [
        f"Dir::Etc::sourcelist={work}/sources.list",
        "Dir::Etc::sourceparts=-",
        f"Dir::State::lists={work}/lists",
        f"Dir::Cache={work}",
        "Acquire::Languages=none",
    ]
    if os.geteuid() == 0:
        options.append("APT::Sandbox::User=root")  # apt's own user cannot write into our cache
    apt = ["apt-get", "-qq", *(word for option in options for word in ("-o", option))]
    _run([*apt, "update"], work)
    _run([*apt, "download", "libc6"], work)
    (package,) = work.glob("libc6_*.deb")
    _run(["dpkg-deb", "-x", str(package), str(work / "unpacked")], work)
    (work / "unpacked").rename(folder)
    shutil.rmtree(work)


def _run(command: list[str], work: Path) -> None:
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    words = f"cannot fetch a newer libc: {done.stderr.strip() or done.stdout.strip()}"
    if os.environ.get("CI"):
        pytest.fail(words)
    pytest.skip(words)


def _source_line() -> str:
    """Return one apt source: this machine's mirror and keyring, the newer suite."""
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    found = re.search(r"^ID=\"?(\w+)", release, re.MULTILINE)
    system = found[1] if found else "unknown"
    suite = _SUITES.get(system)
    mirror = _first(r"^(?:URIs:\s*|deb\s+(?:\[[^]]*\]\s+)?)(\S+)")
    if suite is None or mirror is None:
        words = f"no newer libc is known for this system: {system}"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    keyring = _first(r"(?:^Signed-By:\s*|signed-by=)([^\s\]]+)") or (
        f"/usr/share/keyrings/{system}-archive-keyring.gpg"
    )
    return f"deb [signed-by={keyring}] {mirror} {suite} main\n"


def _first(pattern: str) -> str | None:
    """Return what the first of apt's source files says, group 1 of ``pattern``."""
    places = Path("/etc/apt")
    files = [
        *sorted((places / "sources.list.d").glob("*.sources")),
        places / "sources.list",
    ]
    for file in files:
        if file.is_file():
            found = re.search(pattern, file.read_text(encoding="utf-8"), re.MULTILINE)
            if found:
                return found[1]
    return None
