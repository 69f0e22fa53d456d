"""The bounds of the graph's text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.platforms.graph_text import MOST_DEPTH, end_of_text, parse_list, parse_tasks
from tests.platforms.workflow_libraries import ETL_TASKS, graph_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


def depth_of(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(st.dictionaries(st.text(max_size=4), VALUES), st.binary(max_size=8))
def test_finds_the_end_of_any_text_whatever_follows(value, more):
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    expected = len(text) if depth_of(value) <= MOST_DEPTH else -1
    assert end_of_text(text + more) == expected


@given(st.binary(max_size=200))
def test_the_end_of_anything_is_within_it_or_unknown(window):
    assert -1 <= end_of_text(b'{"edges":[' + window) <= 10 + len(window)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (b'{"edges":[', 0),
        (b'{"edges":["abc', 0),
        (b'{"edges":["abc\0', -1),
        (b'{"edges":[\0', -1),
        (b'{"edges":[] ,', -1),
        (b"{" * (MOST_DEPTH + 1), -1),
        (b'{"a":"' + b"\\n" * 1024 + b'"}', 2056),
        (b'{"a":"' + b"\\n" * 1025 + b'"}', 0),
        (b'{"a":"}"}', 9),
    ],
)
def test_where_a_text_ends(text, end):
    assert end_of_text(text) == end


def test_reads_ids_and_dependencies_sorted():
    assert parse_tasks(graph_json().encode()) == ETL_TASKS


@pytest.mark.parametrize(
    "changed",
    [
        {"metadata": []},
        {"nodes": {}},
        {"nodes": []},
        {"nodes": ["extract"]},
        {"nodes": [{"id": 7}]},
        {"nodes": [{"id": "extract"}]},
        {"nodes": [{"id": "a"}, {"id": "a"}], "edges": []},
        {"edges": None},
        {"edges": [{"from": "extract"}]},
        {"nodes": [{"id": "\ud800"}], "edges": []},
    ],
)
def test_what_only_resembles_a_task_graph_is_none(changed):
    assert parse_tasks(graph_json(**changed).encode()) is None


@pytest.mark.parametrize("text", [b"[]", b"{", b"\xff", b'{"edges":[}]'])
def test_what_is_no_object_is_no_task_graph(text):
    assert parse_tasks(text) is None


@pytest.mark.parametrize(
    ("text", "items"),
    [
        (b'["b","a"]', ("b", "a")),
        (b"[]", ()),
        (b"", None),
        (b"[1]", None),
        (b'{"a":"b"}', None),
        (b'["a"]x', None),
        (b'["\\ud800"]', None),
        (b'["a",]', None),
        (b"[[[[[[[[[[]]]]]]]]]]", None),
    ],
)
def test_reads_a_list_of_texts_and_nothing_else(text, items):
    assert parse_list(text) == items
