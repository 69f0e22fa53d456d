"""The codecs of the plugin interfaces."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.runtime.host import messages as types
from cloacina_ctl.runtime.host.bincode import (
    FLAG,
    MAX_U32,
    NUMBER,
    TEXT,
    BadWire,
    Many,
    OptionType,
    Pair,
    RecordType,
    Table,
    decode,
)
from cloacina_ctl.runtime.process import framing

SHAPE = RecordType(
    name=TEXT, number=NUMBER, flag=FLAG, maybe=OptionType(TEXT), many=Many(NUMBER),
    pairs=Many(Pair(TEXT, FLAG)), table=Table(Many(TEXT)),
)  # fmt: skip
TEXTS = st.text(max_size=20)
VALUES = st.fixed_dictionaries(
    {
        "name": TEXTS,
        "number": st.integers(0, MAX_U32),
        "flag": st.booleans(),
        "maybe": st.none() | TEXTS,
        "many": st.lists(st.integers(0, MAX_U32), max_size=5),
        "pairs": st.lists(st.tuples(TEXTS, st.booleans()), max_size=4),
        "table": st.dictionaries(TEXTS, st.lists(TEXTS, max_size=3), max_size=4),
    }
)
TASKS = st.lists(
    st.fixed_dictionaries(
        {
            "index": st.integers(0, 9),
            "id": st.text(min_size=1, max_size=9),
            "namespaced_id_template": TEXTS,
            "dependencies": st.lists(TEXTS, max_size=3),
            "description": TEXTS,
            "source_location": TEXTS,
            "trigger_rules": st.sampled_from(['{"type":"Always"}', '{"type":"All"}']),
            "requires_handle": st.booleans(),
        }
    ),
    min_size=1,
    max_size=4,
)


@given(VALUES)
def test_what_is_written_is_read_back(value):
    assert decode(SHAPE, SHAPE.write(value)) == value


@given(VALUES)
def test_json_is_taken_as_what_it_says(value):
    assert SHAPE.of_json(json.loads(json.dumps(value))) == value


@given(VALUES, st.data())
def test_every_cut_is_refused(value, data):
    whole = SHAPE.write(value)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(BadWire):
        decode(SHAPE, whole[:cut])
    with pytest.raises(BadWire):
        decode(SHAPE, whole + b"\0")


@given(st.binary(max_size=200))
def test_wild_bytes_are_refused_or_read_and_never_crash(data):
    for forms in (types.TASKS_METADATA, types.GRAPH_METADATA, types.TRIGGERS, (SHAPE,)):
        with contextlib.suppress(BadWire):
            types.decode_any(forms, data, None)


@given(TASKS, st.integers(0, 3), st.lists(TEXTS, max_size=2))
def test_metadata_is_read_in_the_form_that_it_was_written_in(tasks, form, triggers):
    """A form that is one field longer or shorter never uses up the same bytes."""
    value = {
        "workflow_name": "flow", "package_name": "pack", "package_description": None,
        "package_author": "Ada", "workflow_fingerprint": None, "graph_data_json": "{}",
        "tasks": tasks, "triggers": triggers,
    }  # fmt: skip
    data = types.TASKS_METADATA[form].write(value)
    read = types.decode_any(types.TASKS_METADATA, data, types.is_sane_metadata)
    assert [task["id"] for task in read["tasks"]] == [task["id"] for task in tasks]
    assert read.get("triggers", triggers) == triggers
    assert ("requires_handle" in read["tasks"][0]) == (form == 0)
    assert ("trigger_rules" in read["tasks"][0]) == (form <= 1)


def test_the_worked_bytes_of_a_request():
    request = {
        "task_name": "hello", "context_json": '{"k":1}', "resolved_secrets": {"db": {"pw": "x"}},
        "task_execution_id": "u1",
    }  # fmt: skip
    assert types.TASK_REQUEST.write(request).hex() == (
        "0500000000000000" + b"hello".hex() + "0700000000000000" + b'{"k":1}'.hex()
        + "0100000000000000" + "0200000000000000" + b"db".hex() + "0100000000000000"
        + "0200000000000000" + b"pw".hex() + "0100000000000000" + b"x".hex()
        + "0200000000000000" + b"u1".hex()
    )  # fmt: skip


def test_the_worked_bytes_of_results():
    done = bytes.fromhex("01 01 0700000000000000 7b226b223a327d 00")
    assert decode(types.TASK_RESULT, done) == {
        "success": True, "context_json": '{"k":2}', "error": None,
    }  # fmt: skip
    failed = bytes.fromhex("00 00 01 0300000000000000 626164")
    assert decode(types.TASK_RESULT, failed)["error"] == "bad"
    error = bytes.fromhex("0d00000000000000") + b"CONTEXT_ERROR" + b"\1" + b"\0" * 7 + b"x\0"
    assert decode(types.PLUGIN_ERROR, error) == {
        "code": "CONTEXT_ERROR", "message": "x", "details": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (TEXT, 1), (NUMBER, True), (NUMBER, -1), (NUMBER, 1 << 32), (NUMBER, "1"), (FLAG, 1),
        (Many(TEXT), {}), (Pair(TEXT, TEXT), ["a"]), (Pair(TEXT, TEXT), "ab"), (Table(TEXT), []),
        (RecordType(a=TEXT), []), (RecordType(a=TEXT), {}), (OptionType(TEXT), 1),
    ],
)  # fmt: skip
def test_json_of_another_shape_is_refused(shape, value):
    with pytest.raises(BadWire):
        shape.of_json(value)


def test_an_option_that_is_not_there_is_none():
    assert RecordType(a=OptionType(TEXT)).of_json({}) == {"a": None}


def test_json_of_no_form_is_refused():
    with pytest.raises(BadWire):
        types.json_of_any(types.TRIGGERS, {})


def test_metadata_that_makes_no_sense_is_refused():
    value = {
        "workflow_name": "", "package_name": "", "package_description": None,
        "package_author": None, "workflow_fingerprint": None, "graph_data_json": None,
        "tasks": [{"index": 0, "id": "", "namespaced_id_template": "", "dependencies": [],
                   "description": "", "source_location": "", "trigger_rules": "no JSON"}],
    }  # fmt: skip
    data = types.TASKS_METADATA[3].write(value)
    with pytest.raises(BadWire):
        types.decode_any(types.TASKS_METADATA, data, types.is_sane_metadata)
    assert not types.is_sane_metadata(value)
    value["tasks"][0]["id"] = "x"
    assert not types.is_sane_metadata(value)


@pytest.mark.parametrize("data", [b"[1]", b"{", b"\xff", b"[" * 100_000])
def test_a_message_that_is_no_object_is_refused(data):
    with pytest.raises(ValueError, match=r"."):
        framing.unpack(data)


def test_a_message_is_packed_behind_its_length():
    assert framing.pack({"a": 1}) == b'\x08\0\0\0{"a": 1}'
