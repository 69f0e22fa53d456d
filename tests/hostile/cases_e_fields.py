"""Row E, E8 to E12: every field with every wrong type; names and versions."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from tests.hostile.case import Case, of, slug
from tests.support.builder import Json, Recipe
from tests.support.full_manifest import FULL_FILES, full_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
from tests.hostile.manifest_case import MANIFEST, of_manifest


def unknown() -> Iterator[Case]:
    """E8: fields that the format does not have."""
    keys = (
        "x",
        "unsafe",
        "signed",
        "trusted",
        "policy",
        "__proto__",
        "constructor",
        "__class__",
        "$ref",
        "Package",
        "format_version ",
        "signature",
        "built_at",
        "capabilities",
        "",
    )
    for key in keys:
        yield of_manifest(
            f"E8-{slug(key) if key else 'empty'}",
            "an unknown field",
            lambda m, k=key: m.update({k: "x"}),
        )
    places: dict[str, Callable[[Json], Json]] = {
        "package": lambda m: m["package"],
        "contents": lambda m: m["contents"],
        "workflow": lambda m: m["workflows"][0],
        "task": lambda m: m["workflows"][0]["tasks"][0],
    }
    for name, place in places.items():
        yield of_manifest(f"E8-in-{name}", "an unknown field", lambda m, p=place: p(m).update(x=1))


def walk(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every field of a document, those of one element of each list."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from walk(inner, (*path, key))
    elif isinstance(value, list) and value:
        yield (*path, 0)
        yield from walk(value[0], (*path, 0))


def put(document: Json, path: tuple[Any, ...], value: Any) -> Json:
    """Return the document with one field replaced, or left out for Ellipsis."""
    changed = copy.deepcopy(document)
    at: Any = changed
    for key in path[:-1]:
        at = at[key]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return changed


def look(document: Json, path: tuple[Any, ...]) -> Any:
    """Return one field."""
    at: Any = document
    for key in path:
        at = at[key]
    return at


# Lists that must be there and may be empty.
MAY_BE_EMPTY = {"dependencies", "needed", "tasks", "accumulators"}

REQUIRED = {
    "format_version",
    "package",
    "name",
    "version",
    "language",
    "contents",
    "files",
    "sha256",
    "size",
    "tasks",
    "id",
    "dependencies",
    "attempts",
    "backoff",
    "delay_ms",
    "max_delay_ms",
    "jitter",
    "condition",
    "kind",
    "reaction_mode",
    "input_strategy",
    "accumulators",
    "type",
    "from",
    "to",
    "platform",
    "path",
    "machine",
    "os",
    "rustc",
    "profile",
    "target",
}

# `version` and `abi` of an interface are optional, whatever other `version` there is.
OPTIONAL_PATHS = {("artifacts", 0, "interface", "version")}


def wrong_values(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return values of other types for a field, and bad ones of its own."""
    others: dict[str, Any] = {
        "null": None,
        "int": 7,
        "bool": True,
        "list": ["x"],
        "object": {"x": "y"},
        "string": "x",
        "float": 1.5,
        "empty-string": "",
        "empty-list": [],
        "empty-object": {},
        "minus-1": -1,
    }
    own = {
        bool: {"bool"},
        int: {"int"},
        str: {"string"},
        list: {"empty-list"} if path[-1] in MAY_BE_EMPTY else set(),
        dict: {"empty-object"} if path[-1] == "built_with" else set(),
    }[type(value)]
    if isinstance(value, list) and value and isinstance(value[0], str):
        own = own | {"list"}
    if path[-1] == "config":
        own = own | {"object"}
    if path[-1] == "default":
        own = own | {"empty-string"}
    if path[-2:-1] == ("interface",):
        own = own | {"int", "string"}
    made = {name: wrong for name, wrong in others.items() if name not in own}
    required = path[-1] in REQUIRED and path not in OPTIONAL_PATHS
    if required and not isinstance(path[-1], int):
        made["missing"] = ...
    return made


def each_field() -> Iterator[Case]:
    """E9: every field of a full manifest, with every wrong type."""
    document = build_full()
    recipe = Recipe(files=FULL_FILES, manifest=full_manifest())
    for path in walk(document):
        for name, wrong in wrong_values(path, look(document, path)).items():
            if path[:2] == ("contents",) and name == "int":
                continue
            where = slug("-".join(str(part) for part in path))
            yield of_manifest(
                f"E9-{where}.{name}",
                f"{'/'.join(str(part) for part in path)} is {name}",
                lambda m, p=path, w=wrong: put(m, p, w),
                recipe=recipe,
            )


def build_full() -> Json:
    """Return the full manifest with what the recipe adds."""
    from tests.support.builder import files_json, manifest_json

    recipe = Recipe(files=FULL_FILES, manifest=full_manifest())
    made: Json = json.loads(manifest_json(recipe, files_json(recipe)))
    return made


NAMES = {
    "empty": "",
    "dots": "..",
    "dot": ".",
    "slash": "a/b",
    "traversal": "../../evil",
    "absolute": "/etc/x",
    "backslash": "a\\b",
    "nul": "a\0b",
    "newline": "demo\n",
    "space": "a b",
    "ansi": "\x1b[2J",
    "bidi": "a\u202eb",
    "zero-width": "a\u200bb",
    "homoglyph": "d\u0435mo",
    "con": "CON",
    "nul-device": "nul",
    "com1": "com1",
    "lpt9": "LPT9",
    "long": "a" * 65,
    "5000": "a" * 5000,
    "markup": "[red]x",
    "html": "<b>",
    "dash-first": "-demo",
    "dash-last": "demo-",
    "underscore-first": "_demo",
    "dot-inside": "de.mo",
    "tilde": "~demo",
    "percent": "%2e",
    "full-width": "\uff44emo",
    "accent": "d\xe9mo",
    "redos": "a" + "-" * 50_000,
    "plus": "a+b",
    "shell": "$(reboot)",
    "option": "--help",
    "arabic-digit": "a\u0663",
}

VERSIONS = {
    "empty": "",
    "words": "latest",
    "traversal": "1.0.0/../../evil",
    "slash": "1/0",
    "newline": "1.0.0\n",
    "space": "1.0.0 ",
    "ansi": "1.0.0\x1b[2J",
    "v": "v1.0.0",
    "arabic-digits": "1.0.\u0663",
    "100000-digits": "1" * 100_000,
    "65-characters": "1." + "0" * 63,
    "leading-zero": "01.0.0",
    "star": "1.*",
    "nul": "1.0\0",
    "dots": "..",
    "redos": "1." * 25_000 + "x",
    "epoch-bang": "!1.0",
    "not-normal": "1.0.0-alpha1",
    "not-normal-upper": "1.0RC1",
    "local-underscore": "1.0+a_b",
    "trailing-dot": "1.0.",
    "minus": "-1.0.0",
    "comma": "1,0",
    "bidi": "1.0\u202e",
}

SEMVER = {
    "two-numbers": "1.0",
    "four-numbers": "1.0.0.0",
    "leading-zero": "1.02.3",
    "pre-zero": "1.0.0-01",
    "empty-pre": "1.0.0-",
    "empty-build": "1.0.0+",
    "two-plus": "1.0.0+a+b",
    "pep-440": "1.0.0rc1",
    "epoch": "1!1.0.0",
    "empty-part": "1.0.0-a..b",
}


def names() -> Iterator[Case]:
    """E10 to E12: name and version, with the root folder that follows from them."""
    for name, value in NAMES.items():
        row = "E11" if name == "redos" else "E10"
        yield of(f"{row}-name-{name}", "a bad name", name=value, reach="head", codes=MANIFEST)
        yield of_manifest(
            f"{row}-name-alone-{name}",
            "a bad name that the folder does not have",
            lambda m, v=value: m["package"].update(name=v),
        )
    for name, value in VERSIONS.items():
        row = "E11" if name == "redos" else "E12"
        yield of(
            f"{row}-version-{name}", "a bad version", version=value, reach="head", codes=MANIFEST
        )
    rust = Recipe(files=FULL_FILES, manifest=full_manifest())
    for name, value in SEMVER.items():
        options: Any = {"recipe": rust, "reach": "head", "codes": MANIFEST}
        yield of(f"E12-semver-{name}", "no version of a crate", version=value, **options)
    for name, value in {"redos": "a" * 50_000, "redos-dots": "a." * 25_000 + "!"}.items():
        yield of_manifest(
            f"E11-{name}-entry-module", "a long module", lambda m, v=value: m.update(entry_module=v)
        )


def cases() -> Iterator[Case]:
    """Every case of a field."""
    for part in (
        unknown,
        each_field,
        names,
    ):
        yield from part()
