"""Bytes to a manifest and back: everything that is wrong at once, each with its place."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from cloacina_ctl.digest import CONTENT_PREFIX, Digest
from cloacina_ctl.errors import Code, Diagnostic, Refused
from cloacina_ctl.manifest import canonical
from cloacina_ctl.manifest.fields import MANIFEST
from cloacina_ctl.manifest.model import FORMAT_VERSION, Manifest
from cloacina_ctl.manifest.problems import MAX_PROBLEMS, Problems

if TYPE_CHECKING:
    from cloacina_ctl.manifest.canonical import JsonValue

MAX_TASKS = 100_000


class ManifestError(Refused):
    """An invalid manifest; ``diagnostics`` hold everything that is wrong with it."""


def parse(
    data: bytes, *, max_bytes: int = canonical.MAX_BYTES, max_tasks: int = MAX_TASKS
) -> Manifest:
    """Return the manifest that ``data`` spells.

    Raises ``ManifestError`` with everything that is wrong (the first hundred problems), each with
    its place as a JSON pointer. A manifest of a newer format is refused without further checks.
    """
    try:
        value = canonical.decode(data, what="the manifest", max_bytes=max_bytes)
    except Refused as error:
        raise ManifestError(*error.diagnostics) from error
    _refuse_newer(value)
    return _read(value, max_tasks)


def dump(
    manifest: Manifest, *, max_bytes: int = canonical.MAX_BYTES, max_tasks: int = MAX_TASKS
) -> bytes:
    """Return the canonical bytes of ``manifest``, from which ``parse`` gives it back.

    Raises ``ManifestError`` for a manifest that ``parse`` would refuse, so none is ever written.
    """
    value = MANIFEST.write(manifest)
    _read(value, max_tasks)
    data = canonical.encode(value)
    try:
        canonical.check_bounds(data, what="the manifest", max_bytes=max_bytes)
    except Refused as error:
        raise ManifestError(*error.diagnostics) from error
    return data


def content_id(data: bytes) -> str:
    """Return the identity of the package whose manifest is ``data``: ``sha256:`` and hex."""
    return CONTENT_PREFIX + Digest.of(data)


def _refuse_newer(value: JsonValue) -> None:
    version = value.get("format_version") if isinstance(value, dict) else None
    if type(version) is int and version > FORMAT_VERSION:
        raise ManifestError(
            Diagnostic(
                Code.NEWER_MANIFEST,
                f"made by a newer version: its manifest is of format {version}, and this version "
                f"reads {FORMAT_VERSION}",
                "/format_version",
                "update cloacina-ctl",
            )
        )


def _read(value: JsonValue, max_tasks: int) -> Manifest:
    tasks = _count_tasks(value)
    if tasks > max_tasks:
        message = f"{tasks} tasks, and at most {max_tasks} are allowed"
        raise ManifestError(Diagnostic(Code.LIMIT, message, "/workflows"))
    collecting = gc.isenabled()
    gc.disable()  # values without cycles; the collector would take half of the time
    try:
        bad: Problems = []
        manifest: Manifest = MANIFEST.read(value, bad)
    finally:
        if collecting:
            gc.enable()
    if bad:
        raise ManifestError(*_diagnostics(bad))
    return manifest


def _count_tasks(value: JsonValue) -> int:
    workflows = value.get("workflows") if isinstance(value, dict) else None
    if not isinstance(workflows, list):
        return 0
    lists = [flow.get("tasks") for flow in workflows if isinstance(flow, dict)]
    return sum(len(tasks) for tasks in lists if isinstance(tasks, list))


def _diagnostics(bad: Problems) -> list[Diagnostic]:
    listed = [Diagnostic(one.code, one.message, one.pointer) for one in bad[:MAX_PROBLEMS]]
    if len(bad) > MAX_PROBLEMS:
        more = f"and more: only the first {MAX_PROBLEMS} problems are listed"
        listed.append(Diagnostic(bad[MAX_PROBLEMS].code, more))
    return listed
