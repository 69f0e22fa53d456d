"""The JSON Schema says what the parser does, as far as a schema can."""

from __future__ import annotations

import copy
import json
import os
from typing import Any

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloacina_ctl.errors import Code
from cloacina_ctl.manifest import ManifestError, canonical, json_schema, parse
from cloacina_ctl.manifest.fields import MANIFEST
from tests.manifest.strategies import manifests

COMMITTED = os.path.join(
    os.path.dirname(__file__), os.pardir, os.pardir, "docs", "manifest.schema.json"
)
VALIDATOR = jsonschema.Draft202012Validator(json_schema())

# What a schema cannot say: order, references, cycles, characters, normal forms, rules of paths.
BEYOND = {
    Code.NOT_SORTED,
    Code.DUPLICATE_ENTRY,
    Code.DUPLICATE_TASK,
    Code.DUPLICATE_DEPENDENCY,
    Code.UNKNOWN_DEPENDENCY,
    Code.SELF_DEPENDENCY,
    Code.CYCLE,
}


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_the_committed_schema_is_current() -> None:
    with open(COMMITTED, encoding="utf-8") as file:
        assert file.read() == json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"


def test_every_field_of_the_model_is_in_the_table_and_described() -> None:
    properties: Any = json_schema()["properties"]
    assert set(properties) == {field.key for field in MANIFEST.fields}


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=25)
@given(manifests())
def test_the_schema_takes_every_manifest(manifest: Any) -> None:
    VALIDATOR.validate(MANIFEST.write(manifest))


VALUES = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        -1,
        3,
        4,
        "",
        "x",
        " x",
        "x\n",
        "a\x00",
        "/",
        "1.0",
        "1.0.0",
        [],
        {},
        ["x"],
        [1],
        {"x": "y"},
        {"name": "x"},
        "rust",
        "python",
        "cron",
        "poll",
        "fidius",
        "any",
        "x" * 300,
        "x" * 5000,
        "é",
        "http://x",
        "@daily",
        "0" * 64,
        [[]],
        [{}],
    ]
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    steps = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for step, inner in steps:
        found += _places(inner, (*path, step))
    return found


@st.composite
def _mutants(draw: st.DrawFn) -> Any:
    """Return the document of a valid manifest with one to three things changed."""
    value: Any = copy.deepcopy(MANIFEST.write(draw(manifests())))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(_places(value)[1:] or [()]))
        if not path:
            break
        at = value
        for step in path[:-1]:
            at = at[step]
        match draw(st.sampled_from(["replace", "remove", "add", "double"])):
            case "remove":
                del at[path[-1]]
            case "add" if isinstance(at[path[-1]], dict):
                at[path[-1]][draw(st.sampled_from(["x", "name", "kind", "cron", "abi"]))] = draw(
                    VALUES
                )
            case "double" if isinstance(at, list):
                at.append(copy.deepcopy(at[path[-1]]))
            case _:
                at[path[-1]] = draw(VALUES)
    return value


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=100)
@given(_mutants())
def test_schema_and_parser_take_the_same_documents(value: Any) -> None:
    says = VALIDATOR.is_valid(value)
    try:
        parse(canonical.encode(value))
    except ManifestError as error:
        rest = [
            one
            for one in error.diagnostics
            if one.code not in BEYOND and "expected a path under" not in one.message
        ]
        newer = [one for one in rest if one.code is Code.NEWER_MANIFEST]
        beyond = [one for one in rest if _is_beyond(one.message)]
        assert not says or len(rest) == len(beyond), (rest, newer)
    else:
        assert says, list(VALIDATOR.iter_errors(value))[:2]


def _is_beyond(message: str) -> bool:
    """Return whether a rule of texts was broken that a pattern does not say."""
    return message.startswith(
        (
            "an absolute path",
            "an empty, ",
            "not a version range",
            "not a version specifier",
            "not an SPDX expression",
            "a part ",
            "a name that Windows",
            "a character that not every system",
            "a backslash in a name",
            "more than ",
        )
    )
