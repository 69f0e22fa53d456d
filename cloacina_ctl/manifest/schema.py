"""The JSON Schema of a manifest (2020-12), from the same table as the decoder.

Only ``parse`` checks what a schema cannot express: order, references, cycles, normal forms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.manifest.fields import MANIFEST

if TYPE_CHECKING:
    from cloacina_ctl.manifest.canonical import JsonObject

IDENTIFIER = "urn:cloacina:manifest:v3"


def json_schema() -> JsonObject:
    """Return the schema; every manifest that ``parse`` accepts is valid under it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": IDENTIFIER,
        "title": "Manifest of a Cloacina package, format version 3",
        **MANIFEST.schema(),
    }
