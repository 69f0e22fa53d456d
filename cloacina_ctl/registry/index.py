"""The index's file: the only door to SQLite. Opened, made, and what it says in our words.

WAL: readers never wait, writers take turns, and what was committed outlives a kill and a power cut
(``synchronous=FULL``). It is made under another name and appears whole, so an empty or foreign file
of its name is damage and never a beginning.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from typing import TYPE_CHECKING

from cloacina_ctl.errors import CloacinaError, Code, FileProblem, Refused
from cloacina_ctl.files.staging import reported
from cloacina_ctl.registry.layout import INDEX
from cloacina_ctl.registry.places import refuse_link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloacina_ctl.files.locks import Waits

SCHEMA = 1
APPLICATION = 0x636C6361  # "clca": what `file` shows, and what tells ours from others
BUSY_SECONDS = 10.0
_PATIENCE_SECONDS = 0.2  # of SQLite, which takes no signal meanwhile
_WAL_BYTES = 128 << 10  # what a WAL and its index take at first
REPAIR = "`cloacina-ctl list --check --repair` makes it anew from the records beside it"

_TABLES = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {SCHEMA};
CREATE TABLE installed (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, format TEXT NOT NULL,
    digest TEXT NOT NULL, size INTEGER NOT NULL, content TEXT NOT NULL, sidecar TEXT,
    installed_at TEXT NOT NULL, trust TEXT NOT NULL,
    UNIQUE (tenant, name, version)
);
CREATE INDEX installed_digest ON installed (digest);
CREATE INDEX installed_sidecar ON installed (sidecar) WHERE sidecar IS NOT NULL;
CREATE TABLE turns (
    tenant TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, version TEXT NOT NULL,
    PRIMARY KEY (tenant, name, number),
    UNIQUE (tenant, name, version),
    FOREIGN KEY (tenant, name, version) REFERENCES installed (tenant, name, version)
        DEFERRABLE INITIALLY DEFERRED
) WITHOUT ROWID;
CREATE TABLE unsettled (
    owner TEXT NOT NULL, kind TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (owner, kind, digest)
) WITHOUT ROWID;
CREATE TABLE unrecorded (tenant TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (tenant, name))
    WITHOUT ROWID;
"""

# What SQLite says begins so; its numbers are in the exceptions of Python 3.11 and later only.
_READ_ONLY = ("attempt to write a readonly database", "unable to open database file")
_FULL = "database or disk is full"
_BROKEN = "disk I/O error"  # also where the files of a WAL do not fit on the disk any more
_BUSY = ("database is locked", "database table is locked")


def connect(
    folder: str,
    *,
    writable: bool,
    busy_seconds: float = BUSY_SECONDS,
    waits: Waits = contextlib.nullcontext,
) -> sqlite3.Connection:
    """Open the index in ``folder``, which must be there.

    Raises ``Refused`` for one that is damaged or of a newer version, ``FileProblem`` for one that
    the system does not let us open.
    """
    path = os.path.join(folder, INDEX)
    _refuse_others(path)
    if writable:
        return _connect(path, "mode=rw", busy_seconds, waits)
    try:
        return _connect(path, "mode=ro", busy_seconds, waits)
    except FileProblem as error:
        # Even to read a WAL needs files beside the index: where these cannot be made, and none is
        # there, nobody writes.
        if error.diagnostics[0].code is Code.REGISTRY_BUSY or _has_wal(path):
            raise
        return _connect(path, "immutable=1", busy_seconds, waits)


def _refuse_others(path: str) -> None:
    """Refuse what is no file of its own: at a pipe SQLite would wait, through a link it writes."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        with reported(path + suffix):
            try:
                found = os.lstat(path + suffix)
            except FileNotFoundError:
                if not suffix:
                    raise
                continue
        refuse_link(found, path + suffix)
        if not stat.S_ISREG(found.st_mode):
            raise FileProblem.of(Code.NOT_REGULAR, "it is not a regular file", where=path + suffix)


def create(path: str) -> None:
    """Make a new index of the empty file at ``path``, a name that nobody else knows yet."""
    with told(path), contextlib.closing(sqlite3.connect(path, isolation_level=None)) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("PRAGMA synchronous = FULL")
        made.executescript(f"BEGIN; {_TABLES} COMMIT;")
        bring_in(made)


def bring_in(made: sqlite3.Connection) -> None:
    """Have all of a new index in its one file: closing alone tells nobody when it is not."""
    (is_busy, *_) = made.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        raise sqlite3.OperationalError(_BUSY[0])


@contextlib.contextmanager
def transaction(
    connection: sqlite3.Connection, where: str, waits: Waits = contextlib.nullcontext
) -> Iterator[sqlite3.Connection]:
    """Do the body as one step: all of it is in the index afterwards, or nothing.

    Nobody else changes anything meanwhile.
    """
    with told(where):
        seconds = connection.execute("PRAGMA busy_timeout").fetchone()[0] / 1000
        _patiently(connection, lambda: connection.execute("BEGIN IMMEDIATE"), seconds, waits)
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            raise


@contextlib.contextmanager
def told(where: str) -> Iterator[None]:
    """Turn what SQLite says into the error for it."""
    try:
        yield
    except sqlite3.Error as error:
        raise _error(str(error), where) from error


def damaged(what: str, where: str) -> Refused:
    """Return the error for an index that cannot be used."""
    return Refused.of(Code.REGISTRY_DAMAGED, what, where=where, hint=REPAIR)


def _connect(path: str, mode: str, busy_seconds: float, waits: Waits) -> sqlite3.Connection:
    from urllib.parse import quote

    # Its bytes: a path need not be text, and the locale may not have its letters.
    address = f"file:{quote(os.fsencode(os.path.abspath(path)))}?{mode}"
    with told(path), contextlib.ExitStack() as opened:
        connection = sqlite3.connect(address, uri=True, isolation_level=None)
        opened.callback(connection.close)
        _patiently(connection, lambda: _prepare(connection, path), busy_seconds, waits)
        opened.pop_all()
        return connection


def _patiently(
    connection: sqlite3.Connection, ask: Callable[[], object], seconds: float, waits: Waits
) -> None:
    """Do ``ask`` as soon as nobody holds the index any more; what SQLite says after ``seconds``."""
    until, patience = time.monotonic() + seconds, 0.0
    with contextlib.ExitStack() as waiting:
        while True:
            connection.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")
            try:
                ask()
                break
            except sqlite3.OperationalError as error:
                if not str(error).startswith(_BUSY) or time.monotonic() >= until:
                    raise
            if not patience:
                waiting.enter_context(waits())
            patience = min(_PATIENCE_SECONDS, max(until - time.monotonic(), 0.001))
    connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")


def _has_wal(path: str) -> bool:
    try:
        return os.stat(path + "-wal").st_size > 0
    except FileNotFoundError:
        return False


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    found = [
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    ]
    if found[0] != APPLICATION or found[1] < 1:
        raise damaged("the index is damaged: it is not one of a registry", path)
    if found[1] > SCHEMA:
        raise Refused.of(
            Code.NEWER_REGISTRY,
            f"the registry is of version {found[1]}, and {SCHEMA} is the newest that is known here",
            where=path,
            hint="update cloacina-ctl",
        )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")


def _error(said: str, where: str) -> CloacinaError:
    if said in _READ_ONLY:
        return FileProblem.of(
            Code.PERMISSION,
            "the registry cannot be written",
            where=where,
            hint="choose another with --registry, or ask who owns it",
        )
    if said == _FULL or (said == _BROKEN and _is_full(where)):
        return FileProblem.of(
            Code.NO_SPACE, "no space left on the device", where=where, hint="free some space"
        )
    if said.startswith(_BUSY):
        return busy(where)
    if said == _BROKEN:
        return FileProblem.of(Code.IO, "the system cannot read or write the index", where=where)
    return damaged(f"the index is damaged: {said}", where)


def _is_full(where: str) -> bool:
    with reported(where):
        found = os.statvfs(os.path.dirname(where))
    return found.f_bavail * found.f_frsize < _WAL_BYTES


def busy(where: str) -> FileProblem:
    """Return the error for a registry that somebody else does not let go."""
    return FileProblem.of(
        Code.REGISTRY_BUSY,
        "another program holds the registry and does not let go",
        where=where,
        hint="wait for it, or end it; one that is gone holds nothing",
    )
