"""Libraries that lie about themselves: a refusal each, in bounded time and memory."""

from __future__ import annotations

import struct
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.platforms import read_library
from tests.support import elf_builder as elf_bytes
from tests.support.elf_builder import AARCH64, DATA, PT_DYNAMIC, PT_LOAD, Elf, Pointer
from tests.support.workflow_libraries import (
    add_descriptor,
    add_entry,
    fidius_library,
    graph_json,
    raw_library,
)

if TYPE_CHECKING:
    from cloacina_ctl.platforms.library import Library

SECONDS = 2.0
MEMORY = 160 << 20


def refusal(data: bytes) -> tuple[Code, str]:
    """Return how ``data`` is refused, which takes little time and memory."""
    tracemalloc.start()
    begun = time.process_time()
    try:
        with pytest.raises(Refused) as caught:
            read_library(data)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
    assert time.process_time() - begun < 5 * SECONDS  # tracing slows what it watches
    (found,) = caught.value.diagnostics
    assert "\n" not in found.message
    assert len(found.message) < 300
    return found.code, found.message


def damaged(data: bytes) -> str:
    """Return why ``data`` is refused as damaged."""
    code, message = refusal(data)
    assert code is Code.DAMAGED_LIBRARY
    return message


def over_limit(data: bytes) -> str:
    """Return what ``data`` has too much of."""
    code, message = refusal(data)
    assert code is Code.LIMIT
    return message


def patched(data: bytes, offset: int, fmt: str, *values: int) -> bytes:
    out = bytearray(data)
    struct.pack_into("<" + fmt, out, offset, *values)
    return bytes(out)


def test_cut_anywhere_it_is_refused():
    data = fidius_library().build()
    # Every length around what stands in the file, some of the zeros between.
    borders = {i for i in range(1, len(data)) if data[i] or data[i - 1]}
    for length in sorted(borders | set(range(0, len(data), 97)) | {len(data) - 1}):
        with pytest.raises(Refused) as caught:
            read_library(data[:length])
        expected = Code.DAMAGED_LIBRARY if length >= 4 else Code.NOT_A_LIBRARY
        assert caught.value.diagnostics[0].code is expected


PHOFF, SHOFF, PHENTSIZE, PHNUM, SHENTSIZE, SHNUM = 32, 40, 54, 56, 58, 60
FIRST = 64  # the first program header; its fields: kind, flags, offset, address, -, size, memory


@pytest.mark.parametrize(
    ("offset", "fmt", "value"),
    [
        (PHOFF, "Q", 2**64 - 1),
        (PHOFF, "Q", 2**63),
        (PHENTSIZE, "H", 0),
        (PHENTSIZE, "H", 64),
        (PHNUM, "H", 0),
        (PHNUM, "H", 257),
        (PHNUM, "H", 0xFFFF),
        (SHOFF, "Q", 2**64 - 1),
        (SHENTSIZE, "H", 0),
        (SHNUM, "H", 0xFFFF),
        (FIRST + 8, "Q", 2**64 - 1),
        (FIRST + 16, "Q", 2**63 - 1),
        (FIRST + 32, "Q", 2**64 - 1),
        (FIRST + 32, "Q", 2**32),
        (FIRST + 40, "Q", 0),
        (FIRST + 40, "Q", 2**62 * 3),
        (FIRST + 40, "Q", 2**40),
        (FIRST + 56 + 16, "Q", 0x1000),
        (FIRST + 2 * 56, "I", 7),
        (FIRST + 3 * 56, "I", 7),
        (FIRST + 3 * 56 + 16, "Q", 0xDEAD0000),
        (FIRST + 3 * 56 + 32, "Q", 8),
        (FIRST + 3 * 56 + 32, "Q", 2**62),
    ],
)
def test_headers_that_cannot_be_are_refused(offset, fmt, value):
    assert refusal(patched(fidius_library().build(), offset, fmt, value))[0] in (
        Code.DAMAGED_LIBRARY,
        Code.LIMIT,
    )


def test_a_file_that_loads_nothing_is_refused():
    data = Elf().build()
    for index in range(3):
        data = patched(data, FIRST + 56 * index, "I", 7)
    assert "nothing of it would be loaded" in damaged(data)


def test_two_dynamic_sections_are_refused():
    elf = Elf(more_segments=[(PT_DYNAMIC, 6, 0x1000, 0x1000, 16, 16)])
    assert "it says 2" in damaged(elf.build())


def test_segments_out_of_order_are_refused():
    elf = Elf(more_segments=[(PT_LOAD, 4, 0, 0, 16, 16)])
    assert "overlaps" in damaged(elf.build())


def test_more_segments_in_a_row_are_fine():
    assert read_library(Elf(more_segments=[(PT_LOAD, 4, 0, 2**40, 16, 16)]).build()).tag


NAMED = {"soname": "x", "runpath": "y"}


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (elf_bytes.STRTAB, 0),
        (elf_bytes.STRTAB, 2**64 - 1),
        (elf_bytes.STRTAB, None),
        (elf_bytes.STRSZ, 0),
        (elf_bytes.STRSZ, 2),
        (elf_bytes.STRSZ, None),
        (elf_bytes.NEEDED, 2**64 - 1),
        (elf_bytes.NEEDED, 2**20),
        (elf_bytes.SYMENT, 0),
        (elf_bytes.SYMENT, 16),
        (elf_bytes.SYMTAB, 2**64 - 8),
        (elf_bytes.GNU_HASH, 2**64 - 8),
        (elf_bytes.VERNEED, 8),
        (elf_bytes.VERNEED, 2**63),
        (elf_bytes.VERNEEDNUM, 3),
        (elf_bytes.VERNEEDNUM, 2**64 - 1),
        (elf_bytes.RELA, 2**64 - 24),
        (elf_bytes.RELASZ, 25),
        (elf_bytes.RELASZ, 24 << 19),
        (elf_bytes.RELAENT, 0),
        (elf_bytes.RELAENT, None),
    ],
)
def test_a_dynamic_section_that_points_astray_is_refused(tag, value):
    elf = fidius_library(elf=Elf(wrong={tag: value}, **NAMED))
    damaged(elf.build())


@pytest.mark.parametrize(
    ("tag", "value"), [(elf_bytes.RELR, 8), (elf_bytes.RELRSZ, 9), (elf_bytes.RELRENT, 0)]
)
def test_packed_relocations_that_point_astray_are_refused(tag, value):
    damaged(fidius_library(elf=Elf(packed=True, wrong={tag: value})).build())


def test_a_place_outside_the_image_is_refused():
    elf = fidius_library(elf=Elf(packed=True))
    table = struct.pack("<2Q", DATA, 2**64 - 1)
    elf.wrong = {elf_bytes.RELR: elf.ro(table, 8), elf_bytes.RELRSZ: 16}
    assert "run over their segment" in damaged(elf.build())


@pytest.mark.parametrize("tag", [elf_bytes.SONAME, elf_bytes.STRTAB, elf_bytes.GNU_HASH])
def test_an_entry_that_stands_twice_is_refused(tag):
    assert "twice" in damaged(Elf(soname="x", more_entries=[(tag, 1)]).build())


def test_a_dynamic_section_without_an_end_is_refused():
    data = Elf().build()
    size = struct.unpack_from("<Q", data, FIRST + 3 * 56 + 32)[0]
    assert "has no end" in damaged(patched(data, FIRST + 3 * 56 + 32, "Q", size - 16))


def test_a_string_without_an_end_is_refused():
    assert "has no end" in damaged(Elf(needed=("n" * 5000,)).build())
    elf = Elf(soname="cut here", versions={})
    elf.wrong[elf_bytes.STRSZ] = 1 + len("libc.so.6") + 1 + 3
    assert "has no end" in damaged(elf.build())


def test_a_name_of_a_megabyte_is_refused():
    damaged(Elf(soname="n" * (1 << 20)).build())


def test_a_hundred_thousand_symbols_cost_nothing():
    elf = fidius_library()
    elf.exports.update(
        {f"symbol_{i}\x1b[31m": elf.exports["fidius_get_registry"] for i in range(999)}
    )
    names = {b"\xff%d" % i: 0 for i in range(100_000)}
    elf.ro(b"\0".join(names))
    begun = time.process_time()
    assert read_library(elf.build()).plugin
    assert time.process_time() - begun < SECONDS


def gnu_table_of(bucket: int, chain: bytes, buckets: int = 1, first: int = 1) -> bytes:
    return struct.pack("<4IQI", buckets, first, 1, 0, 0, bucket) + chain


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (gnu_table_of(5, b"", first=6), "begins at 6"),
        (gnu_table_of(1, bytes(4 * 5000)), "in one chain"),
        (gnu_table_of(1, struct.pack("<I", elf_bytes.gnu_hash(b"get_task_metadata") | 1)), None),
        (gnu_table_of(2**32 - 1, b""), "holds nothing"),
        (struct.pack("<4I", 0, 1, 1, 0), None),
        (struct.pack("<4I", 2**32 - 1, 1, 2**32 - 1, 0), "holds nothing"),
    ],
)
def test_gnu_hash_tables_that_lead_astray(table, words):
    elf = Elf()
    elf.wrong[elf_bytes.GNU_HASH] = elf.ro(table, 8)
    elf.ro(bytes(8))
    if words is None:
        assert read_library(elf.build()).exports == ()
    else:
        assert words in refusal(elf.build())[1]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (struct.pack("<2I2I2I", 1, 2, 1, 0, 1, 0), "in one chain"),
        (struct.pack("<2II", 1, 2, 7), "the symbol 7 of 2"),
        (struct.pack("<2I", 0, 2), None),
    ],
)
def test_hash_tables_that_lead_astray(table, words):
    elf = Elf(hash_style="sysv")
    elf.wrong[elf_bytes.HASH] = elf.ro(table, 8)
    # The chain of the first symbol leads to itself.
    elf._ro[-len(table) :] = table[:12] + struct.pack("<2I", 0, 1) if len(table) == 24 else table
    if words is None:
        assert read_library(elf.build()).exports == ()
    else:
        assert words in refusal(elf.build())[1]


def test_a_symbol_whose_name_lies_outside_is_refused():
    elf = Elf()
    elf.exports["fidius_get_registry"] = elf.code()
    symbols = bytes(24) + struct.pack("<IBBHQQ", 2**31, 0x12, 0, 1, int(elf.code()), 8)
    elf.wrong[elf_bytes.SYMTAB] = elf.ro(symbols, 8)
    assert "bytes of names" in damaged(elf.build())


@pytest.mark.parametrize(("info", "section"), [(0x11, 1), (0x02, 1), (0x12, 0), (0x16, 1)])
def test_what_is_no_exported_function_is_not_exported(info, section):
    elf = Elf()
    elf.exports["fidius_get_registry"] = elf.code()
    symbols = bytes(24) + struct.pack("<IBBHQQ", 1, info, 0, section, int(elf.code()), 8)
    elf.wrong[elf_bytes.SYMTAB] = elf.ro(symbols, 8)
    assert read_library(elf.build()).exports == ()


@pytest.mark.parametrize("list_of", ["libraries", "versions"])
def test_a_list_of_versions_that_ends_early_is_refused(list_of):
    elf = Elf(versions={})
    name = elf.string("libc.so.6")
    count, of = (2, 1) if list_of == "libraries" else (1, 2)
    table = struct.pack("<HHIII", 1, of, name, 16, 0) + struct.pack("<IHHII", 0, 0, 2, name, 0)
    elf.more_entries = [(elf_bytes.VERNEED, elf.ro(table, 8)), (elf_bytes.VERNEEDNUM, count)]
    assert "ends before its count" in damaged(elf.build())


def test_lists_of_versions_that_share_their_entries_are_refused():
    elf = Elf(versions={})
    name = elf.string("libc.so.6")
    rows = 200
    table = b"".join(
        struct.pack("<HHIII", 1, rows, name, 16 * (rows - i), 16) for i in range(rows)
    ) + b"".join(struct.pack("<IHHII", 0, 0, 2, name, 16) for i in range(rows))
    elf.more_entries = [(elf_bytes.VERNEED, elf.ro(table, 8)), (elf_bytes.VERNEEDNUM, rows)]
    assert "4096 symbol versions" in over_limit(elf.build())


def test_too_many_needed_libraries_are_refused():
    assert "1025 needed libraries" in over_limit(Elf(needed=("libc.so.6",) * 1025).build())


def test_a_dynamic_section_of_megabytes_is_refused():
    entries = [(elf_bytes.NEEDED, 1)] * 70_000
    assert "a dynamic section of" in over_limit(Elf(more_entries=entries).build())


def test_too_many_relocations_are_refused():
    elf = fidius_library()
    count = (1 << 20) + 1
    elf.wrong = {elf_bytes.RELA: elf.ro(bytes(24 * count), 8), elf_bytes.RELASZ: 24 * count}
    assert "1048577 relocations" in over_limit(elf.build())


@pytest.mark.slow
def test_too_many_packed_relocations_are_refused():
    elf = fidius_library(elf=Elf(packed=True))
    table = struct.pack("<Q", DATA) + b"\xff" * 8 * 20_000
    elf.data(bytes(8 * 63 * 20_000))
    elf.wrong = {elf_bytes.RELR: elf.ro(table, 8), elf_bytes.RELRSZ: len(table)}
    assert "more than 1048576 packed" in over_limit(elf.build())
    table = bytes(8 * ((1 << 20) + 1))
    elf.wrong = {elf_bytes.RELR: elf.ro(table, 8), elf_bytes.RELRSZ: len(table)}
    assert "1048577 packed" in over_limit(elf.build())


def test_a_thousand_beginnings_of_graphs_are_refused():
    elf = Elf()
    elf.ro(b'{"edges":[' * 2000)
    assert "beginnings" in over_limit(elf.build())


def test_long_beginnings_of_graphs_are_refused():
    elf = Elf()
    for _ in range(12):
        elf.ro(b'{"edges":["' + b"a" * (15 << 17) + b"\0")
    assert "beginnings" in over_limit(elf.build())


def test_a_graph_of_many_megabytes_is_refused():
    elf = Elf()
    elf.ro(b'{"edges":[' + b"{}," * (1 << 20))
    assert "a task graph of more than" in over_limit(elf.build())


def test_a_large_text_of_empty_objects_is_no_graph_and_costs_little():
    elf = Elf()
    text = b'{"edges":[' + b",".join([b"{}"] * 650_000) + b'],"metadata":{},"nodes":[{"id":"a"}]}'
    elf.ro(text)
    begun = time.process_time()
    assert read_library(elf.build()).graphs == ()
    assert time.process_time() - begun < SECONDS


def test_a_beginning_at_the_very_end_is_no_graph():
    elf = Elf()
    elf.code(b'{"edges":["a')
    assert read_library(elf.build()).graphs == ()


def test_many_pointers_to_one_graph_are_refused():
    elf = Elf()
    graph = Pointer(elf.ro(graph_json().encode()))
    elf.data(*[graph] * 5000)
    assert "5000 pointers" in over_limit(elf.build())


def test_the_name_of_the_interface_a_thousand_times_is_refused():
    elf = Elf()
    elf.exports["fidius_get_registry"] = elf.code()
    elf.ro(b"CloacinaPlugin\0" * 1025)
    assert "more than 1024 times" in over_limit(elf.build())


def test_too_many_tasks_are_refused():
    assert "100001 tasks" in over_limit(raw_library("0.3", count=100_001).build())


def test_more_tasks_than_there_are_is_refused():
    damaged(raw_library("0.3", count=50_000).build())


@pytest.mark.parametrize("broken", ["id", "needs", "utf8", "table"])
def test_a_task_without_id_or_dependencies_is_refused(broken):
    elf = Elf()
    id_ = 0 if broken == "id" else elf.text(b"\xff" if broken == "utf8" else "a")
    needs = elf.text("{}" if broken == "needs" else "[]")
    table = elf.data(0, id_, 0, needs, 0, 0)
    head = elf.data(
        1, 0 if broken == "table" else table, elf.text("p"), elf.text(graph_json({"a": ()}))
    )
    elf.exports = {
        "cloacina_get_task_metadata": elf.returning(head),
        "cloacina_execute_task": elf.code(),
    }
    damaged(elf.build())


def test_tasks_that_share_one_long_text_are_refused():
    elf = Elf()
    long, none = elf.text("a" * 60_000), elf.text("[]")
    table = elf.data(*(0, long, 0, none, 0, 0) * 1000)
    head = elf.data(1000, table, elf.text("p"), elf.text(graph_json({"a": ()})))
    elf.exports = {
        "cloacina_get_task_metadata": elf.returning(head),
        "cloacina_execute_task": elf.code(),
    }
    assert "texts of more than" in over_limit(elf.build())


def judged(data: bytes) -> Library | Refused:
    """Return the library or the refusal: nothing else may come of any bytes."""
    try:
        return read_library(data)
    except Refused as refused:
        return refused


@given(st.binary(max_size=400))
def test_any_bytes_are_a_library_or_refused(data):
    assert judged(data)
    assert judged(b"\x7fELF\x02\x01\x01" + data)


SAMPLES = [
    library.build()
    for library in (
        fidius_library(500, elf=Elf(soname="libx.so", runpath="/r", hash_style="sysv")),
        fidius_library(2, elf=Elf(packed=True, machine=AARCH64)),
        raw_library("0.3"),
        raw_library("0.2", elf=Elf(machine=AARCH64)),
    )
]
# Where something stands: most of a small library is alignment.
PLACES = [[i for i, byte in enumerate(sample) if byte] for sample in SAMPLES]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_library_is_a_library_or_refused(data):
    which = data.draw(st.integers(0, len(SAMPLES) - 1))
    changed = bytearray(SAMPLES[which])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.sampled_from(PLACES[which]))
        value = data.draw(
            st.sampled_from([b"\xff" * 8, bytes(8), b"\x7f", b"\x80", b"\x01"])
            | st.binary(min_size=1, max_size=8)
        )
        changed[place : place + len(value)] = value[: len(changed) - place]
    assert judged(bytes(changed))


@pytest.mark.slow
@pytest.mark.parametrize("which", range(len(SAMPLES)))
def test_every_byte_changed_is_a_library_or_refused(which):
    for place in PLACES[which]:
        for value in (0, 1, 0x7F, 0x80, 0xFF):
            changed = bytearray(SAMPLES[which])
            changed[place] = value
            assert judged(bytes(changed))


def test_a_descriptor_does_not_outweigh_the_rest():
    elf = fidius_library()
    add_descriptor(elf, 500, name="Second")
    add_entry(elf, graph_json({"a": ()}), name="second")
    library = read_library(elf.build())
    assert (len(library.plugins), len(library.graphs)) == (2, 2)
