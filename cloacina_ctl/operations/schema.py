"""``schema``: the JSON Schema of the manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl import manifest

if TYPE_CHECKING:
    from cloacina_ctl.manifest.canonical import JsonObject


def schema() -> JsonObject:
    """Return the JSON Schema (2020-12) of a manifest of the version that this program writes."""
    return manifest.json_schema()
