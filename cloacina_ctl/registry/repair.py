"""Whether a registry is whole, and what can be made whole again.

``check`` reads everything: the index, every stored byte, every record. ``repair`` finishes what
killed runs left, writes the records anew, and makes a damaged or lost index from them; the damaged
one stays beside it under another name. A package whose bytes are gone cannot be made again: install
it again, and its file is whole.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING

from cloacina_ctl.errors import CloacinaError, Code, Diagnostic, Severity
from cloacina_ctl.files.staging import reported
from cloacina_ctl.registry import queries, records
from cloacina_ctl.registry.files import (
    clear_incoming,
    digest_of,
    open_lock,
    remove_file,
    stored_files,
)
from cloacina_ctl.registry.index import BUSY_SECONDS, bring_in, connect, told, transaction
from cloacina_ctl.registry.layout import (
    INDEX,
    PACKAGES,
    RECORDS,
    SIDECARS,
    digest_in,
    record_digest,
    stored_path,
)
from cloacina_ctl.registry.places import make_layout, opened
from cloacina_ctl.registry.store import new_index, put_index, refuse_lost_index
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.files.locks import Waits
    from cloacina_ctl.progress import StageProgress
    from cloacina_ctl.registry.stored import History, Stored

_DAMAGE = (Code.REGISTRY_DAMAGED,)
_REPAIR = "`cloacina-ctl list --check --repair`"


class Checked(NamedTuple):
    """What a check found; ``packages`` and ``size`` in bytes are of what was read."""

    packages: int
    size: int
    findings: tuple[Diagnostic, ...]


def check(folder: str, progress: StageProgress | None = None) -> Checked:
    """Read all of the registry in ``folder`` and return what is wrong with it.

    Raises ``FileProblem`` where the system does not let us read it. A damaged index is a finding.
    """
    folder = os.path.abspath(folder)
    where = os.path.join(folder, INDEX)
    try:
        if not os.path.lexists(where):
            refuse_lost_index(folder)
            return Checked(packages=0, size=0, findings=())
        with contextlib.closing(connect(folder, writable=False)) as index, told(where):
            _check_index(index)
            return _check_all(folder, index, progress)
    except CloacinaError as error:
        if error.diagnostics[0].code in _DAMAGE:
            return Checked(packages=0, size=0, findings=error.diagnostics)
        raise


def repair(
    folder: str,
    *,
    busy_seconds: float = BUSY_SECONDS,
    waits: Waits = contextlib.nullcontext,
) -> tuple[str, ...]:
    """Make whole what can be, and return in words what was done.

    Nobody else changes anything meanwhile. Raises ``FileProblem`` where somebody holds the
    registry, or the system does not let us write.
    """
    folder = os.path.abspath(folder)
    if not os.path.isdir(folder):
        return ()
    make_layout(folder)
    lock = open_lock(folder, busy_seconds, waits)
    try:
        lock.hold_alone()
        done = []
        if left := clear_incoming(folder):
            done.append(f"removed what runs that ended early left: {left}")
        if not _is_usable(folder):
            done += _make_anew(folder)
        with contextlib.closing(connect(folder, writable=True)) as index:
            done += _bring_up(folder, index)
        return tuple(done)
    finally:
        lock.close()


def _check_index(index: sqlite3.Connection) -> None:
    """Raise what SQLite finds wrong with its own file, and with the turns."""
    said = [str(row[0]) for row in index.execute("PRAGMA integrity_check(1)")]
    if said != ["ok"]:
        raise sqlite3.DatabaseError(said[0].replace("\n", " "))
    if index.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise sqlite3.DatabaseError("a turn of a version that is not there")
    for tenant, name in queries.names(index):
        if not queries.history(index, tenant, name).turns:
            raise sqlite3.DatabaseError(f"no version of {name} is active")


def _check_all(folder: str, index: sqlite3.Connection, progress: StageProgress | None) -> Checked:
    shown = [one.stored for one in queries.listed(index, None, None)]
    wanted = _wanted(shown)
    findings = list(_check_folders(folder))
    total, done = sum(one.size for one in shown), 0
    for (kind, digest), owner in wanted.items():
        found, size = _check_file(folder, kind, digest, owner)
        findings += found
        done += size
        if progress:
            progress(done, max(total, done))
    findings += _stray(folder, set(wanted))
    if os.path.isdir(os.path.join(folder, RECORDS)):
        findings += _check_records(folder, index)
    packages = sum(kind == PACKAGES for kind, _ in wanted)
    return Checked(packages=packages, size=done, findings=tuple(findings))


def _check_folders(folder: str) -> Iterator[Diagnostic]:
    """Yield each folder of stored files that is not there."""
    for name in (PACKAGES, SIDECARS, RECORDS):
        path = os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):
            continue
        is_taken = os.path.lexists(path)
        yield Diagnostic(
            Code.REGISTRY_FOLDER,
            "it is not a folder, and the registry needs one there" if is_taken
            else "this folder of the registry is gone",
            path,
            ("move it away, then " if is_taken else "") + f"{_REPAIR} makes it anew",
        )  # fmt: skip


def _check_records(folder: str, index: sqlite3.Connection) -> Iterator[Diagnostic]:
    for tenant, name in queries.names(index):
        yield from _check_record(folder, queries.history(index, tenant, name))
    for digest in _records_of_nothing(folder, index):
        path = os.path.join(folder, stored_path(RECORDS, digest))
        yield _behind("the record of a name without versions", path)


def _wanted(stored: list[Stored]) -> dict[tuple[str, str], Stored]:
    """Return each file that is needed, with a version that needs it."""
    wanted: dict[tuple[str, str], Stored] = {}
    for one in stored:
        wanted.setdefault((PACKAGES, one.digest), one)
        if one.sidecar is not None:
            wanted.setdefault((SIDECARS, one.sidecar), one)
    return wanted


def _check_file(folder: str, kind: str, digest: str, owner: Stored) -> tuple[list[Diagnostic], int]:
    """Return what is wrong with a stored file, and how many bytes were read of it."""
    path = os.path.join(folder, stored_path(kind, digest))
    try:
        found, size = digest_of(path)
    except CloacinaError as error:
        first = error.diagnostics[0]
        return [_damaged(first.message, path, owner)], 0
    if found == digest:
        return [], size
    return [_damaged("its bytes are not those that were installed", path, owner)], size


def _damaged(what: str, path: str, owner: Stored) -> Diagnostic:
    named = f"{owner.name} {owner.version}"
    return Diagnostic(
        Code.STORED_DAMAGED,
        f"{named} for tenant {owner.tenant}: {what}",
        path,
        f"install {named} again from where it came, or uninstall it",
    )


def _stray(folder: str, wanted: set[tuple[str, str]]) -> Iterator[Diagnostic]:
    """Yield a note for each file that nothing in the index needs."""
    for kind in (PACKAGES, SIDECARS):
        for parent, name in stored_files(folder, kind):
            digest = digest_in(kind, parent, name)
            if digest is None or (kind, digest) not in wanted:
                yield Diagnostic(
                    Code.STRAY_STORED,
                    "no version in the registry has this file",
                    os.path.join(folder, kind, parent, name),
                    "`cloacina-ctl install` it to have it in, or remove it",
                    Severity.WARNING,
                )


def _check_record(folder: str, history: History) -> Iterator[Diagnostic]:
    digest = record_digest(history.tenant, history.name)
    path = os.path.join(folder, stored_path(RECORDS, digest))
    with contextlib.suppress(CloacinaError, ValueError):
        if records.read(path) == records.to_text(history):
            return
    what = f"the record of {history.name} for tenant {history.tenant} is not what the index says"
    yield _behind(what, path)


def _behind(what: str, path: str) -> Diagnostic:
    return Diagnostic(Code.RECORD_BEHIND, what, path, f"{_REPAIR} brings it up", Severity.WARNING)


def _is_usable(folder: str) -> bool:
    """Tell whether the index can go on; raises where the system does not let us look."""
    where = os.path.join(folder, INDEX)
    try:
        if not os.path.lexists(where):
            return False
        with contextlib.closing(connect(folder, writable=True)) as index, told(where):
            _check_index(index)
    except CloacinaError as error:
        if error.diagnostics[0].code in _DAMAGE:
            return False
        raise
    return True


def _make_anew(folder: str) -> list[str]:
    """Make the index from the records; what was there stays under another name."""
    with contextlib.ExitStack() as cleared:
        new = new_index(folder, cleared)
        count, unread = _fill(folder, new)
        kept = _put_aside(folder)
        put_index(folder, new)
    done = [f"made the index anew from the records: {count} versions"]
    done += [f"kept the damaged index as {kept}"] * bool(kept)
    return done + [f"left out a record that cannot be read: {path}" for path in unread]


def _fill(folder: str, new: str) -> tuple[int, list[str]]:
    """Write what the records say into the index at ``new``; return how many, and which not."""
    count, unread = 0, []
    with told(new), contextlib.closing(sqlite3.connect(new, isolation_level=None)) as index:
        index.execute("PRAGMA foreign_keys = ON")
        with transaction(index, new):
            for parent, name in stored_files(folder, RECORDS):
                path = os.path.join(folder, RECORDS, parent, name)
                try:
                    history = records.from_text(records.read(path))
                except (CloacinaError, ValueError, RecursionError):
                    unread.append(path)
                    continue
                if digest_in(RECORDS, parent, name) != record_digest(history.tenant, history.name):
                    unread.append(path)
                    continue
                for one in history.versions:
                    queries.put(index, one)
                queries.set_turns(index, history.tenant, history.name, history.turns)
                count += len(history.versions)
        bring_in(index)
    return count, unread


def _put_aside(folder: str) -> str | None:
    """Give the index that is there another name, and its WAL with it; return that name."""
    kept = f"{INDEX}.damaged-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.urandom(2).hex()}"
    with opened(folder) as root, reported(root.where(INDEX)):
        if root.look(INDEX) is None:
            return None
        root.rename(INDEX, kept)
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                root.rename(INDEX + suffix, kept + suffix)
        return root.where(kept)


def _bring_up(folder: str, index: sqlite3.Connection) -> list[str]:
    """Write the records that are behind, remove those of nothing, and settle what is not."""
    done = []
    with transaction(index, os.path.join(folder, INDEX)):
        for tenant, name in queries.names(index):
            history = queries.history(index, tenant, name)
            if next(_check_record(folder, history), None):
                records.write(folder, history)
                done.append(f"wrote the record of {name} for tenant {tenant}")
        needless = [(RECORDS, digest) for digest in _records_of_nothing(folder, index)]
        needless += [one for one in queries.unsettled(index) if not queries.is_needed(index, *one)]
        for kind, digest in needless:
            if remove_file(folder, kind, digest):
                done.append(f"removed what no version needs: {stored_path(kind, digest)}")
        queries.clear_unrecorded(index)
        queries.clear_unsettled(index)
    return done


def _records_of_nothing(folder: str, index: sqlite3.Connection) -> list[str]:
    """Return the digests of records of names that have no versions any more."""
    known = {record_digest(tenant, name) for tenant, name in queries.names(index)}
    found = (digest_in(RECORDS, *file) for file in stored_files(folder, RECORDS))
    return [digest for digest in found if digest is not None and digest not in known]
