"""Bytes to a manifest and back: everything that is wrong at once, each with its place."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from cloacina_ctl.digest import CONTENT_PREFIX, Digest
from cloacina_ctl.errors import Code, Diagnostic, Refused
from cloacina_ctl.manifest import canonical, rules
from cloacina_ctl.manifest.fields import MANIFEST
from cloacina_ctl.manifest.forms import Problem, Problems
from cloacina_ctl.manifest.model import FORMAT_VERSION, Manifest

if TYPE_CHECKING:
    from cloacina_ctl.manifest.canonical import JsonValue

MAX_PROBLEMS = 100


class ManifestError(Refused):
    """A manifest that no package may have; ``diagnostics`` hold all that is wrong with it."""


def parse(data: bytes, *, max_bytes: int = canonical.MAX_BYTES) -> Manifest:
    """Return the manifest that ``data`` spells.

    Raises ``ManifestError`` with every problem (the first hundred), each with its place as a JSON
    pointer. Of a manifest of a newer format nothing is judged but that.
    """
    try:
        value = canonical.decode(data, what="the manifest", max_bytes=max_bytes)
    except Refused as error:
        raise ManifestError(*error.diagnostics) from error
    _refuse_newer(value)
    collecting = gc.isenabled()
    gc.disable()  # values without cycles; the collector would take half of the time
    try:
        bad: Problems = []
        manifest = MANIFEST.read(value, bad)
        if not bad:
            bad.extend(rules.judge(manifest))
    finally:
        if collecting:
            gc.enable()
    if bad:
        raise ManifestError(*_diagnostics(bad))
    read: Manifest = manifest
    return read


def dump(manifest: Manifest) -> bytes:
    """Return the canonical bytes of ``manifest``: what ``parse`` takes and gives it back from.

    Raises ``ManifestError`` for a manifest that ``parse`` would refuse, so none is ever written.
    """
    value = MANIFEST.write(manifest)
    bad: Problems = []
    if MANIFEST.read(value, bad) is not None:
        bad.extend(rules.judge(manifest))
    if bad:
        raise ManifestError(*_diagnostics(bad))
    return canonical.encode(value)


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


def _diagnostics(bad: list[Problem]) -> list[Diagnostic]:
    shown = [Diagnostic(one.code, one.message, one.pointer) for one in bad[:MAX_PROBLEMS]]
    if len(bad) > MAX_PROBLEMS:
        more = f"and {len(bad) - MAX_PROBLEMS} more problems"
        shown.append(Diagnostic(bad[MAX_PROBLEMS].code, more))
    return shown
