"""The wheels and auditwheel, fetched once into the cache, outside of the tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from cloacina_ctl.vendoring.target import parse_target
from tests.platforms.wheels.pinned import AUDITWHEEL, PYTHON, VERSIONS
from tests.support.cache import locked

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCRIPT = Path(__file__).with_name("with_auditwheel.py")
_AT_ONCE = 4


def fetch(wheels: dict[str, str]) -> Path:
    """Return the folder with the wheels, each unpacked in a folder of its name.

    ``wheels`` has the names of distributions by platform. What is there is not fetched again.
    """
    with locked("wheels") as cache:
        folder = cache / "wheels" / PYTHON
        folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda one: _fetch_one(folder, *one), wheels.items()))
    return folder


def unpacked(folder: Path, platform: str, names: str) -> list[Path]:
    """Return the folders of the wheels for ``platform``."""
    listed = json.loads((folder / f"{platform}.json").read_text())
    return [folder / listed[name] for name in names.split()]


def _fetch_one(folder: Path, platform: str, names: str) -> None:
    index = folder / f"{platform}.json"
    listed = json.loads(index.read_text()) if index.exists() else {}
    missing = [name for name in names.split() if not _is_there(folder, name, listed)]
    if not missing:
        return
    scratch = folder / f".{platform}"
    shutil.rmtree(scratch, ignore_errors=True)
    wanted = [f"{name}=={VERSIONS[name]}" for name in missing]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir",
               "--disable-pip-version-check", "--only-binary=:all:", f"--dest={scratch}",
               *_options(platform), *wanted]  # fmt: skip
    subprocess.run(command, check=True, timeout=600)
    for wheel in scratch.iterdir():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / wheel.stem, list(_compiled(archive)))
        name, version = wheel.stem.split("-")[:2]
        listed[name.replace("_", "-").lower()] = wheel.stem
        assert version == VERSIONS[name.replace("_", "-").lower()]
    shutil.rmtree(scratch)
    index.write_text(json.dumps(listed, indent=1, sort_keys=True))


def _compiled(archive: zipfile.ZipFile) -> Iterator[str]:
    """Yield the members that are ELF, or are named as libraries of other systems."""
    for name in archive.namelist():
        with archive.open(name) as file:
            if file.read(4) == b"\x7fELF" or name.endswith((".so", ".pyd", ".dylib")):
                yield name


def _is_there(folder: Path, name: str, listed: dict[str, str]) -> bool:
    return (
        name in listed
        and f"-{VERSIONS[name]}-" in listed[name]
        and (folder / listed[name]).is_dir()
    )


def _options(platform: str) -> list[str]:
    if "linux" in platform:
        return list(parse_target(PYTHON, platform).pip_options())
    compact = PYTHON.replace(".", "")
    return [f"--platform={platform}", "--implementation=cp", f"--python-version={PYTHON}",
            f"--abi=cp{compact}", "--abi=abi3"]  # fmt: skip


def auditwheel_says(folders: list[Path]) -> list[dict]:
    """Return what auditwheel says: its tables, and then of each ELF file in the folders.

    It is asked once for the same wheels: several processes of one test run want the answer.
    """
    asked = "\n".join([AUDITWHEEL, _SCRIPT.read_text(), *map(str, folders)])
    with locked("auditwheel") as cache:
        answer = cache / "wheels" / f"said-{sha256(asked.encode()).hexdigest()[:16]}.jsonl"
        if not answer.exists():
            done = subprocess.run(
                [_auditwheel(cache), "-I", _SCRIPT, *folders], check=True, capture_output=True,
                text=True, timeout=600, env={"PATH": os.environ["PATH"]},
            )  # fmt: skip
            answer.parent.mkdir(parents=True, exist_ok=True)
            answer.write_text(done.stdout)
        return [json.loads(line) for line in answer.read_text().splitlines()]


def _auditwheel(cache: Path) -> Path:
    """Return the interpreter of an environment that has auditwheel."""
    environment = cache / f"auditwheel-{AUDITWHEEL}"
    python = environment / "bin" / "python"
    if not (environment / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*command, f"auditwheel=={AUDITWHEEL}"], check=True, timeout=600)
        (environment / "ready").touch()
    return python
