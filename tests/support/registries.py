"""A registry of small made-up packages, and what must hold of it at any moment."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.registry import records
from cloacina_ctl.registry.layout import INCOMING, LOCK, PACKAGES
from cloacina_ctl.registry.records import NameRecord, Stored, Trust
from cloacina_ctl.registry.store import Activation, Registry
from tests.support.legacy import version_of
from tests.support.projects import copied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

# In memory where that can be: these tests flush to the disk thousands of times.
SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
WHEN = "2026-11-20T08:00:00Z"


def body(name: str, version: str, salt: str = "") -> bytes:
    """Return what the file of a made-up package holds."""
    return f"{name} {version} {salt}".encode() * 50


def put(
    folder: Path | str,
    name: str,
    version: str,
    *,
    tenant: str = "public",
    salt: str = "",
    sidecar: bytes | None = None,
    content: str | None = None,
    replace: bool = False,
    busy_seconds: float = 10.0,
    waits: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
) -> Activation:
    """Put a made-up package into the registry, as `install` does when it is verified."""
    with contextlib.ExitStack() as stack:
        registry = Registry(str(folder), busy_seconds=busy_seconds, waits=waits)
        registry.prepare()
        package = stack.enter_context(registry.incoming())
        package.write(body(name, version, salt))
        beside = None
        if sidecar is not None:
            beside = stack.enter_context(registry.incoming())
            beside.write(sidecar)
        stored = Stored(
            tenant=tenant, name=name, version=version, format="native",
            digest=str(package.digest), size=package.size,
            content=content or f"sha256:{package.digest}",
            sidecar=str(beside.digest) if beside is not None else None,
            installed_at=WHEN, trust=Trust(verified_at=WHEN, trusted_signers=("ab" * 32,)),
        )  # fmt: skip
        return registry.add(stored, package, beside, replace=replace)


def files_in(folder: Path | str) -> set[str]:
    """Return the stored files, records and what is on its way in, from the folder on."""
    kinds = (PACKAGES, INCOMING)
    found = (path for kind in kinds for path in (Path(folder) / kind).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in found}


def make_newer(record: Path) -> None:
    """Make a record one that a newer cloacina-ctl may have written."""
    text = record.read_text()
    record.unlink()
    record.write_text(text.replace("registry-record/1", "registry-record/2"))


def records_in(folder: Path | str) -> list[NameRecord]:
    """Return what all records say."""
    read = (records.read(str(path)) for path in sorted((Path(folder) / PACKAGES).glob("*/*.json")))
    return [record for record in read if record is not None]


def check_invariants(folder: Path | str) -> dict[tuple[str, str], tuple[tuple[str, ...], str]]:
    """Prove what holds at any moment, and return versions and the active one of each name."""
    state = {}
    for record in records_in(folder):
        versions = tuple(record.installed)
        assert len(set(versions)) == len(versions) > 0
        assert record.activations
        assert set(record.activations) <= set(versions)
        assert len(set(record.activations)) == len(record.activations)
        for one in record.versions:
            for file in one.files:
                data = (Path(folder) / PACKAGES / record.folder / file).read_bytes()
                assert file.startswith(f"{hashlib.sha256(data).hexdigest()}.")
        state[record.tenant, record.name] = (versions, record.activations[-1])
    return state


def check_tidy(folder: Path | str) -> None:
    """Prove that nothing is there but what is needed, when nobody is at work."""
    found = records_in(folder)
    needed = {os.path.join(PACKAGES, record.folder, file)
              for record in found for file in (record.file, *record.files)}  # fmt: skip
    assert files_in(folder) == needed
    assert set(os.listdir(Path(folder) / PACKAGES)) == {record.folder for record in found}
    assert set((Path(folder) / LOCK).read_bytes()) <= set(b"-\n")


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make nothing under ``folder`` writable: by its mount for root, else by its mode."""
    if os.geteuid() != 0:
        modes = {path: path.stat().st_mode for path in [folder, *folder.rglob("*")]}
        for path, mode in modes.items():
            path.chmod(mode & ~0o222)
        try:
            yield
        finally:
            for path, mode in modes.items():
                path.chmod(mode)
        return
    mount = ["mount", "--bind", str(folder), str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        remount = ["mount", "-o", "remount,ro,bind", str(folder)]
        subprocess.run(remount, check=True)
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def make_project(folder: Path, version: str, text: str = "") -> str:
    copied("python_report", folder)
    settings = folder / "pyproject.toml"
    said = settings.read_text().replace('"1.4.0"', f'"{version}"').replace('">=0.6"', '">=0.4"')
    settings.write_text(said)
    (folder / "src" / "daily_report" / "extra.py").write_text(f"# {text}\n")
    return str(folder)


def source(path: Path, version: str = "1.0.0", comment: bytes = b"") -> Path:
    """Write a source package called `demo`."""
    path.write_bytes(version_of(version, **{"workflow/demo/more.py": b"# " + comment}))
    return path
