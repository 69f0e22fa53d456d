"""Records: beside the index, one file for each name with all that the index says of it.

The index is what counts. Where it is lost, the records are what it is made anew from, so they are
written after every change, one step behind at most; which are behind is in the index itself.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from cloacina_ctl.files.staging import reported
from cloacina_ctl.registry.files import Incoming, remove_file
from cloacina_ctl.registry.layout import RECORDS, record_digest
from cloacina_ctl.registry.stored import History, Stored

if TYPE_CHECKING:
    from cloacina_ctl.manifest.canonical import JsonObject

SCHEMA = "cloacina-ctl/registry-record/1"
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MAX_BYTES = 256 << 20  # a version takes about a kilobyte


def to_text(history: History) -> str:
    """Return the record of a name."""
    value: JsonObject = {
        "schema": SCHEMA,
        "tenant": history.tenant,
        "name": history.name,
        "versions": [one.to_json() for one in history.versions],
        "turns": list(history.turns),
    }
    return json.dumps(value, indent=1) + "\n"


def from_text(text: str) -> History:
    """Return what ``to_text`` wrote; raises ``ValueError`` for anything else."""
    value = json.loads(text)
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise ValueError("not a record of a registry")
    try:
        versions = tuple(map(Stored.from_json, value["versions"]))
        history = History(
            tenant=value["tenant"],
            name=value["name"],
            versions=versions,
            turns=tuple(map(str, value["turns"])),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a record of a registry: {error}") from error
    _check(history)
    json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair cannot be in an index
    return history


def write(folder: str, history: History) -> None:
    """Make the record of a name say ``history``; of a name without versions there is none."""
    digest = record_digest(history.tenant, history.name)
    if not history.versions:
        remove_file(folder, RECORDS, digest)
        return
    with Incoming(folder) as incoming:
        incoming.write(to_text(history).encode("ascii"))
        incoming.flush()
        incoming.place(RECORDS, digest)


def read(path: str) -> str:
    """Return the text of a record; raises ``ValueError`` for what cannot be one."""
    with reported(path), open(os.open(path, _FLAGS), "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes")
    return data.decode("ascii")


def _check(history: History) -> None:
    """Refuse a record that contradicts itself: the index would then say what nobody did."""
    installed = [one.version for one in history.versions]
    if any((one.tenant, one.name) != (history.tenant, history.name) for one in history.versions):
        raise ValueError("a version of another name")
    if len(set(installed)) != len(installed) or len(set(history.turns)) != len(history.turns):
        raise ValueError("a version that is there twice")
    if not set(history.turns) <= set(installed) or bool(history.turns) != bool(installed):
        raise ValueError("turns of versions that are not there")
