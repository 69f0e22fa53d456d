"""What `--json` may print: the schemas of `docs/schemas/`."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from referencing import Registry, Resource

from tests.support.projects import DOCS

SCHEMAS = {path.stem: json.loads(path.read_text("utf-8")) for path in DOCS.glob("schemas/*.json")}
MANIFEST = Resource.from_contents(json.loads((DOCS / "manifest.schema.json").read_text("utf-8")))
REGISTRY = Registry().with_resources(
    [
        *((f"{name}.json", Resource.from_contents(schema)) for name, schema in SCHEMAS.items()),
        ("urn:cloacina:manifest:v3", MANIFEST),
    ]
)
VALIDATORS = {
    name: Draft202012Validator({"$ref": f"{name}.json"}, registry=REGISTRY) for name in SCHEMAS
}
EVENT = Draft202012Validator({"$ref": "run.json#/$defs/event"}, registry=REGISTRY)


def judge(answer: dict[str, Any]) -> None:
    """Refuse an answer that the schema with its name does not take."""
    name = answer["schema"].split("/")[1]
    VALIDATORS["usage" if name in ("key", "trust") else name].validate(answer)
