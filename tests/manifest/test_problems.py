"""Everything that is wrong with a manifest is said at once, with its place."""

from __future__ import annotations

import gc
import time
from typing import Any

import pytest

from cloacina_ctl.errors import Code
from cloacina_ctl.manifest import ManifestError, canonical, parse
from tests.support.manifests import changed, document, places, problems, rust, task

TASKS = "/workflows/0/tasks"
ARTIFACT = "/artifacts/0"

WRONG: list[tuple[dict[str, Any], str, Any, Code, str]] = [
    (document(), "/package/name", ..., Code.FIELD_MISSING, "/package"),
    (document(), "/package", ..., Code.FIELD_MISSING, ""),
    (document(), "/package", [], Code.FIELD_TYPE, "/package"),
    (document(), "/package/name", 7, Code.FIELD_TYPE, "/package/name"),
    (document(), "/package/name", None, Code.FIELD_TYPE, "/package/name"),
    (document(), "/package/name", True, Code.FIELD_TYPE, "/package/name"),
    (document(), "/package/name", "a b", Code.FIELD_VALUE, "/package/name"),
    (document(), "/package/name", "a\n", Code.FIELD_VALUE, "/package/name"),
    (document(), "/package/name", "-a", Code.FIELD_VALUE, "/package/name"),
    (document(), "/package/name", "CON", Code.FIELD_VALUE, "/package/name"),
    (document(), "/package/name", "a" * 65, Code.FIELD_VALUE, "/package/name"),
    (document(), "/package/x", 1, Code.FIELD_UNKNOWN, "/package/x"),
    (document(), "/~", 1, Code.FIELD_UNKNOWN, "/~0"),
    (document(), "/package/version", "1.0-alpha", Code.FIELD_VALUE, "/package/version"),
    (document(), "/package/description", "", Code.FIELD_VALUE, "/package/description"),
    (document(), "/package/description", "x" * 4097, Code.FIELD_VALUE, "/package/description"),
    (document(), "/package/description", "a\x1b[2J", Code.FIELD_VALUE, "/package/description"),
    (document(), "/package/description", "a\u202e", Code.FIELD_VALUE, "/package/description"),
    (document(), "/package/description", "e\u0301", Code.FIELD_VALUE, "/package/description"),
    (document(), "/package/authors", [], Code.FIELD_VALUE, "/package/authors"),
    (document(), "/package/authors", ["a\nb"], Code.FIELD_VALUE, "/package/authors/0"),
    (document(), "/package/keywords", ["b", "a"], Code.NOT_SORTED, "/package/keywords/1"),
    (document(), "/package/keywords", ["a", "a"], Code.DUPLICATE_ENTRY, "/package/keywords/1"),
    (document(), "/package/keywords", ["a", 1], Code.FIELD_TYPE, "/package/keywords/1"),
    (document(), "/package/keywords", [" a"], Code.FIELD_VALUE, "/package/keywords/0"),
    (document(), "/package/license", "MIT OR", Code.FIELD_VALUE, "/package/license"),
    (document(), "/package/homepage", "ftp://x", Code.FIELD_VALUE, "/package/homepage"),
    (document(), "/package/homepage", "http://u:p@x", Code.FIELD_VALUE, "/package/homepage"),
    (document(), "/language", "Python", Code.FIELD_VALUE, "/language"),
    (document(), "/language", ["python"], Code.FIELD_TYPE, "/language"),
    (document(), "/requires", {}, Code.FIELD_VALUE, "/requires"),
    (document(), "/requires", {"python": "3.10"}, Code.FIELD_VALUE, "/requires/python"),
    (document(), "/requires", {"cloacina": "new"}, Code.FIELD_VALUE, "/requires/cloacina"),
    (document(), "/entry_module", ..., Code.FIELD_MISSING, ""),
    (document(), "/entry_module", "a/b", Code.FIELD_VALUE, "/entry_module"),
    (document(), "/entry_module", "demo.class", Code.FIELD_VALUE, "/entry_module"),
    (rust(), "/entry_module", "a", Code.LANGUAGE_MISMATCH, "/entry_module"),
    (rust(), "/package/version", "1.0", Code.FIELD_VALUE, "/package/version"),
    (document(), "/contents/files", 0, Code.FIELD_VALUE, "/contents/files"),
    (document(), "/contents/size", -1, Code.FIELD_VALUE, "/contents/size"),
    (document(), "/contents/size", True, Code.FIELD_TYPE, "/contents/size"),
    (document(), "/contents/sha256", "AB" * 32, Code.FIELD_VALUE, "/contents/sha256"),
    (document(), "/workflows", ..., Code.NO_WORKFLOW, ""),
    (document(), "/workflows", {}, Code.FIELD_TYPE, "/workflows"),
    (document(), TASKS, [], Code.NO_TASK, TASKS),
    (document(), TASKS, [task("b"), task("a")], Code.NOT_SORTED, f"{TASKS}/1"),
    (document(), TASKS, [task("a"), task("a")], Code.DUPLICATE_TASK, f"{TASKS}/1"),
    (document(), f"{TASKS}/0/x", 1, Code.FIELD_UNKNOWN, f"{TASKS}/0/x"),
    (document(), f"{TASKS}/0/dependencies", ..., Code.FIELD_MISSING, f"{TASKS}/0"),
    (document(), f"{TASKS}/0/dependencies", [1], Code.FIELD_TYPE, f"{TASKS}/0/dependencies/0"),
    (document(), "/workflows/0/params", [1], Code.FIELD_TYPE, "/workflows/0/params/0"),
    (document(), "/workflows/0/params", [{}], Code.FIELD_MISSING, "/workflows/0/params/0"),
    (document(), f"{TASKS}/0", "a", Code.FIELD_TYPE, f"{TASKS}/0"),
    (document(), f"{TASKS}/0/id", "", Code.FIELD_VALUE, f"{TASKS}/0/id"),
    (document(), f"{TASKS}/0/retry", {}, Code.FIELD_MISSING, f"{TASKS}/0/retry"),
    (document(), f"{TASKS}/0/timeout_seconds", 0, Code.FIELD_VALUE, f"{TASKS}/0/timeout_seconds"),
    (document(), f"{TASKS}/0/source", "/x.py:1", Code.FIELD_VALUE, f"{TASKS}/0/source"),
    (document(), f"{TASKS}/0/source", "x.py:0", Code.FIELD_VALUE, f"{TASKS}/0/source"),
    (
        document(),
        f"{TASKS}/1/dependencies",
        ["b"],
        Code.SELF_DEPENDENCY,
        f"{TASKS}/1/dependencies/0",
    ),
    (
        document(),
        f"{TASKS}/1/dependencies",
        ["a", "z"],
        Code.UNKNOWN_DEPENDENCY,
        f"{TASKS}/1/dependencies/1",
    ),
    (
        document(),
        f"{TASKS}/1/dependencies",
        ["a", "a"],
        Code.DUPLICATE_DEPENDENCY,
        f"{TASKS}/1/dependencies/1",
    ),
    (document(), f"{TASKS}/0/dependencies", ["b"], Code.CYCLE, TASKS),
    (rust(), f"{ARTIFACT}/path", "platform/x/lib.so", Code.FIELD_VALUE, f"{ARTIFACT}/path"),
    (rust(), f"{ARTIFACT}/path", "a/../b", Code.FIELD_VALUE, f"{ARTIFACT}/path"),
    (rust(), f"{ARTIFACT}/path", 1, Code.FIELD_TYPE, f"{ARTIFACT}/path"),
    (rust(), f"{ARTIFACT}/kind", "exe", Code.FIELD_VALUE, f"{ARTIFACT}/kind"),
    (rust(), f"{ARTIFACT}/interface/abi", ..., Code.FIELD_MISSING, f"{ARTIFACT}/interface"),
    (rust(), f"{ARTIFACT}/interface", {}, Code.FIELD_MISSING, f"{ARTIFACT}/interface"),
]


@pytest.mark.parametrize(("start", "pointer", "value", "code", "where"), WRONG)
def test_says_what_is_wrong_and_where(
    start: dict[str, Any], pointer: str, value: Any, code: Code, where: str
) -> None:
    assert (code, where) in places(changed(start, pointer, value))


@pytest.mark.parametrize("tag", ["any", "common", "source", "end", "head", "X", "a/b", "", "a\n"])
def test_refuses_what_is_no_platform(tag: str) -> None:
    assert (Code.FIELD_VALUE, f"{ARTIFACT}/platform") in places(
        changed(rust(), f"{ARTIFACT}/platform", tag)
    )


TRIGGERS: list[tuple[dict[str, Any], Code, str]] = [
    ({"kind": "poll"}, Code.FIELD_MISSING, ""),
    ({"kind": "cron"}, Code.FIELD_MISSING, ""),
    ({"kind": "cron", "cron": "@daily", "poll_interval_ms": 1}, Code.FIELD_VALUE, ""),
    ({"kind": "cron", "cron": "daily"}, Code.FIELD_VALUE, "/cron"),
    ({"kind": "cron", "cron": "@daily", "timezone": "../x"}, Code.FIELD_VALUE, "/timezone"),
    ({"kind": "poll", "poll_interval_ms": 0}, Code.FIELD_VALUE, "/poll_interval_ms"),
    (
        {"kind": "poll", "poll_interval_ms": 1, "allow_concurrent": False},
        Code.FIELD_VALUE,
        "/allow_concurrent",
    ),
    (
        {"kind": "poll", "poll_interval_ms": 1, "allow_concurrent": 1},
        Code.FIELD_TYPE,
        "/allow_concurrent",
    ),
]


@pytest.mark.parametrize(("trigger", "code", "where"), TRIGGERS)
def test_a_trigger_has_what_its_kind_needs(trigger: Any, code: Code, where: str) -> None:
    value = changed(document(), "/workflows/0/triggers", [{"name": "t", **trigger}])
    assert places(value) == [(code, "/workflows/0/triggers/0" + where)]


def test_names_of_parameters_are_unique() -> None:
    params = [{"name": name, "type": "str"} for name in ("b", "a", "b")]
    value = changed(document(), "/workflows/0/params", params)
    assert places(value) == [(Code.DUPLICATE_ENTRY, "/workflows/0/params/2/name")]


GRAPH: dict[str, Any] = {
    "name": "g",
    "reaction_mode": "when_any",
    "input_strategy": "latest",
    "accumulators": [],
    "nodes": ["a", "b"],
}


@pytest.mark.parametrize(
    ("key", "value", "code", "where"),
    [
        ("edges", [{"from": "a", "to": "z"}], Code.UNKNOWN_DEPENDENCY, "/edges/0/to"),
        ("edges", [{"from": "a"}], Code.FIELD_MISSING, "/edges/0"),
        ("edges", [7], Code.FIELD_TYPE, "/edges/0"),
        ("edges", [{"from": "a", "to": "b"}] * 2, Code.DUPLICATE_ENTRY, "/edges/1"),
        (
            "edges",
            [{"from": "b", "to": "a"}, {"from": "a", "to": "b"}],
            Code.NOT_SORTED,
            "/edges/1",
        ),
        ("nodes", [1], Code.FIELD_TYPE, "/nodes/0"),
        (
            "accumulators",
            [{"name": "a", "type": "t", "config": {}}],
            Code.FIELD_VALUE,
            "/accumulators/0/config",
        ),
        (
            "accumulators",
            [{"name": "a", "type": "t", "config": {"k": 1}}],
            Code.FIELD_TYPE,
            "/accumulators/0/config/k",
        ),
        (
            "accumulators",
            [{"name": "a", "type": "t", "config": []}],
            Code.FIELD_TYPE,
            "/accumulators/0/config",
        ),
    ],
)
def test_a_computation_graph_is_whole(key: str, value: Any, code: Code, where: str) -> None:
    made = {**document(), "graphs": [{**GRAPH, key: value}]}
    assert (code, "/graphs/0" + where) in places(made)


def test_all_problems_are_told_at_once_also_what_fields_mean_together() -> None:
    value = changed(document(), "/package/name", "-")
    value = changed(value, "/contents/size", "x")
    value = changed(
        value, TASKS, [task("a", "b"), task("b", "a", "zz"), {"id": 7}, None, task("a")]
    )
    assert places(value) == [
        (Code.FIELD_VALUE, "/package/name"),
        (Code.FIELD_TYPE, "/contents/size"),
        (Code.FIELD_TYPE, f"{TASKS}/2/id"),
        (Code.FIELD_MISSING, f"{TASKS}/2"),
        (Code.FIELD_TYPE, f"{TASKS}/3"),
        (Code.DUPLICATE_TASK, f"{TASKS}/4"),
        (Code.UNKNOWN_DEPENDENCY, f"{TASKS}/1/dependencies/1"),
    ]


def test_a_cycle_is_printed() -> None:
    ring = [task("a", "c"), task("b", "a"), task("c", "b"), task("d", "c")]
    assert problems(changed(document(), TASKS, ring))[0].message == (
        "tasks that wait for each other: a → c → b → a"
    )
    long = [task(f"{n:02}", f"{(n + 1) % 20:02}") for n in range(20)]
    assert problems(changed(document(), TASKS, long))[0].message.endswith("06 → 07 → …")


@pytest.mark.parametrize("version", [4, 5, 2**53 - 1])
def test_of_a_newer_manifest_nothing_else_is_judged(version: int) -> None:
    for value in ({"format_version": version, "what": [{"nobody": "knows"}]},):
        (problem,) = problems(value)
        assert problem.code is Code.NEWER_MANIFEST
        assert "made by a newer version" in problem.message
        assert problem.where == "/format_version"


@pytest.mark.parametrize("version", [2, 0, -1, "3", True, None])
def test_another_version_is_a_wrong_field(version: Any) -> None:
    found = places(changed(document(), "/format_version", version))
    assert [where for _, where in found] == ["/format_version"]


@pytest.mark.parametrize("value", [[], "x", 7, None, True])
def test_a_manifest_is_an_object(value: Any) -> None:
    assert places(value) == [(Code.FIELD_TYPE, "")]


def test_bytes_that_are_no_manifest_are_refused_as_one() -> None:
    with pytest.raises(ManifestError) as caught:
        parse(b"{")
    assert caught.value.diagnostics[0].code is Code.NOT_CANONICAL
    with pytest.raises(ManifestError) as caught:
        parse(canonical.encode(document()), max_bytes=10)
    assert caught.value.diagnostics[0].code is Code.LIMIT


def test_the_collector_is_left_as_it_was() -> None:
    data = canonical.encode(document())
    gc.disable()
    try:
        parse(data)
        assert not gc.isenabled()
    finally:
        gc.enable()
    parse(data)
    assert gc.isenabled()


def test_tasks_are_counted_over_all_workflows() -> None:
    data = canonical.encode(document())
    assert parse(data, max_tasks=2)
    with pytest.raises(ManifestError) as caught:
        parse(data, max_tasks=1)
    assert caught.value.diagnostics[0].code is Code.LIMIT


CROWDS: dict[str, Any] = {
    "unknown fields": {f"k{n:07}": 1 for n in range(300_000)},
    "wrong items": {**document(), "package": {"authors": [1] * 500_000}},
    "wrong tasks": {**document(), "workflows": [{"name": "w", "tasks": [[]] * 90_000}]},
    "unknown dependencies": changed(
        document(), f"{TASKS}/1/dependencies", [f"z{n:06}" for n in range(100_000)]
    ),
    "unknown dependencies of many": changed(
        document(), TASKS, [task(f"{n:05}", "z") for n in range(50_000)]
    ),
    "unsorted": changed(
        document(), "/package/keywords", [f"{-n % 300_000:07}" for n in range(300_000)]
    ),
    "edges to nowhere": {
        **document(),
        "graphs": [{**GRAPH, "edges": [{"from": "x", "to": f"{n:06}"} for n in range(100_000)]}],
    },
    "maps": {
        **document(),
        "graphs": [
            {
                **GRAPH,
                "accumulators": [
                    {"name": "a", "type": "t", "config": {f"{n:06}": 1 for n in range(200_000)}}
                ],
            }
        ],
    },
}


@pytest.mark.parametrize("name", CROWDS)
def test_of_very_many_problems_a_hundred_are_told(name: str) -> None:
    data = canonical.encode(CROWDS[name])
    started = time.process_time()
    with pytest.raises(ManifestError) as caught:
        parse(data)
    assert time.process_time() - started < 3
    assert len(caught.value.diagnostics) == 101
    assert caught.value.diagnostics[-1].message.startswith("and more")
