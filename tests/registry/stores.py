"""A registry of small made-up packages, and what must hold of it at any moment."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from cloacina_ctl.registry import records
from cloacina_ctl.registry.index import connect
from cloacina_ctl.registry.layout import (
    INCOMING,
    INDEX,
    PACKAGES,
    RECORDS,
    SIDECARS,
    record_digest,
    stored_path,
)
from cloacina_ctl.registry.store import Change, Registry
from cloacina_ctl.registry.stored import History, Stored, Trust

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
) -> Change:
    """Put a made-up package into the registry, as `install` does when it is verified."""
    with contextlib.ExitStack() as stack:
        registry = stack.enter_context(Registry(str(folder), make=True, busy_seconds=busy_seconds))
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
            installed_at=WHEN, trust=Trust(verified_at=WHEN, vouched_by=("ab" * 32,)),
        )  # fmt: skip
        return registry.add(stored, package, beside, replace=replace)


def files_in(folder: Path | str) -> set[str]:
    """Return the stored files and what is on its way in, from the folder on."""
    kinds = (PACKAGES, SIDECARS, RECORDS, INCOMING)
    found = (path for kind in kinds for path in (Path(folder) / kind).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in found}


def histories(folder: Path | str) -> list[History]:
    """Return what the index says, read by statements of this test."""
    with contextlib.closing(sqlite3.connect(Path(folder) / INDEX)) as index:
        assert index.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert index.execute("PRAGMA foreign_key_check").fetchall() == []
    from cloacina_ctl.registry import queries

    with contextlib.closing(connect(str(folder), writable=True)) as index:
        return [queries.history(index, *names) for names in queries.names(index)]


def check_invariants(folder: Path | str) -> dict[tuple[str, str], tuple[tuple[str, ...], str]]:
    """Prove what holds at any moment, and return versions and the active one of each name."""
    state = {}
    for history in histories(folder):
        versions = tuple(one.version for one in history.versions)
        assert len(set(versions)) == len(versions) > 0
        assert history.turns
        assert set(history.turns) <= set(versions)
        assert len(set(history.turns)) == len(history.turns)
        for one in history.versions:
            data = (Path(folder) / stored_path(PACKAGES, one.digest)).read_bytes()
            assert hashlib.sha256(data).hexdigest() == one.digest
        state[history.tenant, history.name] = (versions, history.turns[-1])
    return state


def check_tidy(folder: Path | str) -> None:
    """Prove that nothing is there but what is needed, when nobody is at work."""
    needed = set()
    for history in histories(folder):
        for one in history.versions:
            needed.add(stored_path(PACKAGES, one.digest))
            if one.sidecar is not None:
                needed.add(stored_path(SIDECARS, one.sidecar))
        path = stored_path(RECORDS, record_digest(history.tenant, history.name))
        needed.add(path)
        assert records.read(str(Path(folder) / path)) == records.to_text(history)
    assert files_in(folder) == needed
    with contextlib.closing(sqlite3.connect(Path(folder) / INDEX)) as index:
        assert index.execute("SELECT * FROM unsettled").fetchall() == []
        assert index.execute("SELECT * FROM unrecorded").fetchall() == []


@contextlib.contextmanager
def read_only(folder: Path):
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
