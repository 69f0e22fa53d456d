"""What is asked of the index and told to it: every statement of SQL, nothing decided."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from cloacina_ctl.registry.layout import PACKAGES, SIDECARS
from cloacina_ctl.registry.stored import History, Shown, Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The columns of `installed` behind the first are the fields of `Stored`, in their order.
_ACTIVE = """
    SELECT i.* FROM turns t JOIN installed i
        ON i.tenant = t.tenant AND i.name = t.name AND i.version = t.version
    WHERE t.tenant = ? AND t.name = ? ORDER BY t.number DESC LIMIT 1
"""
_VERSION = "SELECT * FROM installed WHERE tenant = ? AND name = ? AND version = ?"
_VERSIONS = "SELECT * FROM installed WHERE tenant = ? AND name = ? ORDER BY id"
_TURNS = "SELECT version FROM turns WHERE tenant = ? AND name = ? ORDER BY number"
_LISTED = """
    SELECT i.version = (
        SELECT t.version FROM turns t WHERE t.tenant = i.tenant AND t.name = i.name
        ORDER BY t.number DESC LIMIT 1
    ), i.* FROM installed i
    WHERE (?1 IS NULL OR i.tenant = ?1) AND (?2 IS NULL OR i.name = ?2)
    ORDER BY i.tenant, i.name, i.id
"""
_PUT = """
    INSERT INTO installed (tenant, name, version, format, digest, size, content, sidecar,
                           installed_at, trust)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (tenant, name, version) DO UPDATE SET
        format = excluded.format, digest = excluded.digest, size = excluded.size,
        content = excluded.content, sidecar = excluded.sidecar, trust = excluded.trust
"""
_NEEDED = {
    PACKAGES: "SELECT 1 FROM installed WHERE digest = ? LIMIT 1",
    SIDECARS: "SELECT 1 FROM installed WHERE sidecar = ? LIMIT 1",
}


def find(index: sqlite3.Connection, tenant: str, name: str, version: str | None) -> Stored | None:
    """Return that version, or the active one for None; None where there is none."""
    if version is None:
        row = index.execute(_ACTIVE, (tenant, name)).fetchone()
    else:
        row = index.execute(_VERSION, (tenant, name, version)).fetchone()
    return _stored(row) if row else None


def history(index: sqlite3.Connection, tenant: str, name: str) -> History:
    """Return all versions of a name, as they came, and their turns."""
    versions = tuple(map(_stored, index.execute(_VERSIONS, (tenant, name))))
    turns = tuple(str(version) for (version,) in index.execute(_TURNS, (tenant, name)))
    return History(tenant=tenant, name=name, versions=versions, turns=turns)


def listed(index: sqlite3.Connection, tenant: str | None, name: str | None) -> Iterator[Shown]:
    """Yield what is installed, of one tenant or name or all, in the order of the names."""
    for active, *row in index.execute(_LISTED, (tenant, name)):
        yield Shown(_stored(row), active=bool(active))


def names(index: sqlite3.Connection, tenant: str | None = None) -> list[tuple[str, str]]:
    """Return every tenant with each of its names."""
    query = "SELECT DISTINCT tenant, name FROM installed WHERE ?1 IS NULL OR tenant = ?1"
    return [(str(owner), str(name)) for owner, name in index.execute(query, (tenant,))]


def put(index: sqlite3.Connection, one: Stored) -> None:
    """Write a version, in the place of what has its name and version."""
    index.execute(_PUT, [*one[:-1], one.trust.to_text()])


def delete(index: sqlite3.Connection, one: Stored) -> None:
    """Delete a version; its turn must be taken from it in the same step."""
    index.execute(
        "DELETE FROM installed WHERE tenant = ? AND name = ? AND version = ?",
        (one.tenant, one.name, one.version),
    )


def set_turns(index: sqlite3.Connection, tenant: str, name: str, turns: Iterable[str]) -> None:
    """Make ``history`` those of the name; what it has now differs from its record."""
    index.execute("DELETE FROM turns WHERE tenant = ? AND name = ?", (tenant, name))
    index.executemany(
        "INSERT INTO turns (tenant, name, number, version) VALUES (?, ?, ?, ?)",
        [(tenant, name, number, version) for number, version in enumerate(turns)],
    )
    index.execute("INSERT OR IGNORE INTO unrecorded VALUES (?, ?)", (tenant, name))


def is_needed(index: sqlite3.Connection, kind: str, digest: str) -> bool:
    """Tell whether a version has that file."""
    return index.execute(_NEEDED[kind], (digest,)).fetchone() is not None


def mark_unsettled(index: sqlite3.Connection, owner: str, files: Iterable[tuple[str, str]]) -> None:
    """Note files that may turn out to be nobody's: before they come, and when they may go."""
    index.executemany(
        "INSERT OR IGNORE INTO unsettled VALUES (?, ?, ?)",
        [(owner, kind, digest) for kind, digest in files],
    )


def unsettled(index: sqlite3.Connection, owner: str | None = None) -> list[tuple[str, str]]:
    """Return the files that ``owner``, or anybody, noted: kind and digest."""
    query = "SELECT DISTINCT kind, digest FROM unsettled WHERE ?1 IS NULL OR owner = ?1"
    return [(str(kind), str(digest)) for kind, digest in index.execute(query, (owner,))]


def clear_unsettled(index: sqlite3.Connection, owner: str | None = None) -> None:
    """Forget what was noted."""
    index.execute("DELETE FROM unsettled WHERE ?1 IS NULL OR owner = ?1", (owner,))


def unrecorded(index: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the names whose record is behind the index."""
    return [(str(t), str(n)) for t, n in index.execute("SELECT tenant, name FROM unrecorded")]


def clear_unrecorded(
    index: sqlite3.Connection, tenant: str | None = None, name: str | None = None
) -> None:
    """Forget that the record of a name was behind, or that any was."""
    query = "DELETE FROM unrecorded WHERE (?1 IS NULL OR tenant = ?1) AND (?2 IS NULL OR name = ?2)"
    index.execute(query, (tenant, name))


def _stored(row: Iterable[object]) -> Stored:
    _, *fields, trust = row
    try:
        value = dict(zip(Stored._fields, [*fields, json.loads(str(trust))], strict=True))
        return Stored.from_json(value)
    except (ValueError, RecursionError) as error:
        raise sqlite3.DatabaseError(str(error)) from error
