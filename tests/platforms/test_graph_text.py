"""The bounds of the graph's text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.platforms.plugins.graph_text import Extent, extent_of, parse_list, parse_tasks
from tests.support.workflow_libraries import ETL_TASKS, graph_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=4), VALUES), st.binary(max_size=8))
def test_finds_the_end_of_any_text_whatever_follows(value, more):
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    assert extent_of(text + more) == Extent(len(text), len(text))


@given(st.binary(max_size=200))
def test_the_end_of_anything_is_within_it_or_unknown(window):
    extent = extent_of(b'{"edges":[' + window)
    assert 0 <= extent.end <= extent.seen <= 10 + len(window)


LONG = b'{"edges":[' + b'{"from":"a","to":"b"},' * 9


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (LONG, True),
        (LONG + b'"' + b"a" * 99, True),
        (LONG + b"12", True),
        (LONG + b"tru", True),
        (LONG + b'"a\\u00', True),
        (LONG + b'"\0' + b"a" * 99, False),
        (LONG + b"\0" + b"a" * 99, False),
        (LONG + b"]];" + b"a" * 99, False),
        (b"[" * 200_000, False),
    ],
)
def test_a_text_without_an_end_may_be_cut(text, cut):
    extent = extent_of(text)
    assert extent.end == 0
    assert extent.cut is cut


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
        (b"[[]]", None),
        (b"[" * 60_000, None),
    ],
)
def test_reads_a_list_of_texts_and_nothing_else(text, items):
    assert parse_list(text) == items
