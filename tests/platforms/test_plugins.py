"""Plugins and graphs, read from libraries of every generation."""

from __future__ import annotations

import pytest

from cloacina_ctl.manifest import BuiltWith, Interface, Libc
from cloacina_ctl.platforms import artifact_of, read_library
from cloacina_ctl.platforms.library import METHODS, LibraryGraph, Plugin
from tests.support.elf_builder import AARCH64, RELATIVE, X86_64, Elf, Pointer
from tests.support.workflow_libraries import (
    ETL,
    ETL_TASKS,
    FINGERPRINT,
    add_descriptor,
    add_entry,
    fidius_library,
    graph_json,
    raw_library,
)

NAMED = LibraryGraph(
    ETL_TASKS, name="etl", description="Loads", author="A. Author", fingerprint=FINGERPRINT
)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("machine", sorted(RELATIVE))
@pytest.mark.parametrize(("abi", "size"), [(2, 80), (200, 104), (500, 120), (700, 128)])
def test_reads_the_descriptor_of_every_abi(abi, size, machine, packed):
    elf = Elf(machine=machine, packed=packed)
    if machine not in (X86_64, AARCH64):
        elf.code(b"\0" * 16)
        elf.code = lambda code=b"\0" * 4: Elf.code(elf, code)  # type: ignore[method-assign]
    library = read_library(fidius_library(abi, elf=elf).build())
    assert library.plugins == (
        Plugin(
            kind="fidius",
            abi=abi,
            descriptor_size=size,
            interface="CloacinaPlugin",
            hash="5294867f0800277b",
            version=2,
            capabilities=31,
            wire="bincode",
            name="CloacinaPackagePlugin",
            method_count=4,
            slots=(0, 1, 2, 3),
        ),
    )
    assert library.graphs == (NAMED,)
    assert library.exports == ("fidius_get_registry",)


def test_a_debug_build_of_release_0_4_speaks_json():
    elf = Elf()
    elf.exports["fidius_get_registry"] = elf.code()
    add_descriptor(elf, 2, wire=0, count=2, slots=(0, 1), name="_WorkflowPlugin")
    plugin = read_library(elf.build()).plugin
    assert plugin is not None
    assert (plugin.wire, plugin.name) == ("json", "_WorkflowPlugin")
    assert plugin.methods == ("get_task_metadata", "execute_task")


def test_only_slots_that_are_filled_are_methods_and_unknown_ones_get_a_number():
    elf = Elf()
    elf.exports["fidius_get_registry"] = elf.code()
    add_descriptor(elf, 500, count=13, slots=(0, 1, 10, 12))
    plugin = read_library(elf.build()).plugin
    assert plugin is not None
    assert plugin.slots == (0, 1, 10, 12)
    assert plugin.methods == (*METHODS[:2], "get_constructor_metadata", "method_12")


def test_a_graph_without_a_plugin_is_still_seen():
    elf = Elf()
    add_descriptor(elf)
    add_entry(elf, graph_json())
    library = read_library(elf.build())
    assert library.plugin is None
    assert library.exports == ()
    assert library.graphs == (NAMED,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 112},
        {"abi": 600, "size": 72},
        {"abi": 600, "size": 4096},
        {"abi": 600, "size": 129},
        {"abi": 0, "size": 104},
        {"count": 0},
        {"count": 65},
        {"abi": 2, "wire": 2},
        {"interface": "CloacinaPlugins"},
        {"name": b"\xff"},
        {"name": "n" * 300},
    ],
)
def test_what_is_not_a_descriptor_throughout_is_none(wrong):
    elf = Elf()
    elf.exports["fidius_get_registry"] = elf.code()
    add_descriptor(elf, **wrong)
    library = read_library(elf.build())
    assert library.plugins == ()
    assert library.exports == ("fidius_get_registry",)


def test_a_slot_that_is_not_code_makes_it_no_descriptor():
    elf = Elf()
    elf.exports["fidius_get_registry"] = elf.code()
    elf.code = lambda: Pointer(elf.text("data"))  # type: ignore[method-assign]
    add_descriptor(elf)
    assert read_library(elf.build()).plugins == ()


def test_a_number_where_a_pointer_belongs_makes_it_no_descriptor():
    elf = Elf()
    elf.exports["fidius_get_registry"] = elf.code()
    elf.data(200 << 32 | 104, elf.text("CloacinaPlugin"), 0, 2, 0, 1, 77, 78, 79, 4, 0, 0, 0)
    assert read_library(elf.build()).plugins == ()


def test_null_pointers_where_names_belong_make_it_no_descriptor():
    elf = Elf()
    elf.exports["fidius_get_registry"] = elf.code()
    elf.data(200 << 32 | 104, elf.text("CloacinaPlugin"), 0, 2, 0, 1, 0, 0, 0, 4, 0, 0, 0)
    assert read_library(elf.build()).plugins == ()


def test_equal_descriptors_are_one_plugin_and_others_are_listed():
    elf = fidius_library()
    add_descriptor(elf)
    add_descriptor(elf, name="Another")
    library = read_library(elf.build())
    assert [plugin.name for plugin in library.plugins] == ["CloacinaPackagePlugin", "Another"]
    assert library.plugin == library.plugins[0]


def test_up_to_release_0_5_the_graph_has_no_words_around_it():
    assert read_library(fidius_library(2, with_entry=False).build()).graphs == (
        LibraryGraph(ETL_TASKS),
    )


def test_the_order_inside_the_text_does_not_matter():
    backwards = dict(reversed(list(ETL.items())))
    elf = Elf()
    add_entry(elf, graph_json(backwards))
    assert read_library(elf.build()).graphs == (NAMED,)


def test_an_empty_description_is_none():
    elf = Elf()
    add_entry(elf, graph_json(), description="", author="")
    assert read_library(elf.build()).graphs == (NAMED._replace(description=None, author=None),)


def test_two_workflows_in_one_library_are_both_listed():
    elf = fidius_library()
    add_entry(elf, graph_json({"other": ()}), name="another", fingerprint="f" * 16)
    graphs = read_library(elf.build()).graphs
    assert [(graph.name, graph.fingerprint) for graph in graphs] == [
        ("another", "f" * 16),
        ("etl", FINGERPRINT),
    ]


def test_a_second_copy_without_words_is_the_same_workflow():
    elf = fidius_library()
    elf.ro(graph_json().encode())
    assert read_library(elf.build()).graphs == (NAMED,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"fingerprint": "0123456789ABCDEF"},
        {"fingerprint": ""},
        {"name": ""},
        {"name": "x" * 5000},
    ],
)
def test_words_that_are_not_an_entry_are_not_taken_for_one(wrong):
    elf = Elf()
    add_entry(elf, graph_json(), **wrong)
    assert read_library(elf.build()).graphs == (LibraryGraph(ETL_TASKS),)


def test_other_pointers_to_the_graph_are_no_entries():
    elf = Elf()
    graph = Pointer(elf.ro(graph_json().encode()))
    size = len(graph_json())
    elf.data(graph, size)  # nothing before it
    elf.data(0, 0, 0, 0, 0, 0, 0, 0, graph, size - 1)  # another length
    elf.data(*(7, 3) * 4, graph, size)  # no pointers
    invalid = Pointer(elf.ro(b"\xff\xfe"))
    elf.data(*(invalid, 2) * 4, graph, size)  # no UTF-8
    assert read_library(elf.build()).graphs == (LibraryGraph(ETL_TASKS),)


def test_a_graph_with_its_nodes_first_is_read_too():
    graph = graph_json()
    edges, nodes = graph.index('"edges"'), graph.index(',"nodes"')
    turned = "{" + graph[nodes + 1 : -1] + "," + graph[edges:nodes] + "}"
    elf = Elf()
    elf.ro(turned.encode() + b"more")
    assert read_library(elf.build()).graphs == (LibraryGraph(ETL_TASKS),)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("machine", [X86_64, AARCH64])
def test_reads_the_structures_of_release_0_3(machine, packed):
    elf = Elf(machine=machine, packed=packed)
    library = read_library(raw_library("0.3", elf=elf).build())
    assert library.plugins == (Plugin("c-abi-0.3"),)
    assert library.graphs == (NAMED._replace(package="etl-package"),)
    assert library.exports == (
        "cloacina_execute_task",
        "cloacina_get_task_metadata",
        "get_task_metadata",
    )


@pytest.mark.parametrize("machine", [X86_64, AARCH64])
def test_reads_the_structures_of_release_0_2(machine):
    library = read_library(raw_library("0.2", elf=Elf(machine=machine)).build())
    assert library.plugins == (Plugin("c-abi-0.2"),)
    assert library.graphs == (LibraryGraph(ETL_TASKS, name="etl", package="etl-package"),)


def test_a_description_that_is_json_does_not_make_it_release_0_2():
    library = read_library(raw_library("0.3", description='{"edges":[]}').build())
    assert library.plugin == Plugin("c-abi-0.3")


@pytest.mark.parametrize(
    ("machine", "before"),
    [
        (X86_64, b"\xf3\x0f\x1e\xfa"),
        (X86_64, b"\xf3\x0f\x1e\xfa\x55\x48\x89\xe5"),
        (AARCH64, b"\x5f\x24\x03\xd5"),
        (AARCH64, b"\x3f\x23\x03\xd5\x1f\x20\x03\xd5"),
    ],
)
def test_follows_a_getter_behind_an_ordinary_prologue(machine, before):
    library = read_library(raw_library("0.3", elf=Elf(machine=machine), before=before).build())
    assert library.plugin == Plugin("c-abi-0.3")
    assert library.graphs[0].name == "etl"


def test_follows_adr_too():
    elf = raw_library("0.3", elf=Elf(machine=AARCH64))
    # adr x0 reaches 1 MiB: a table in the code's own neighbourhood, forwards and back.
    from cloacina_ctl.platforms.elf.header import open_image
    from cloacina_ctl.platforms.elf.reader import BytesSource
    from cloacina_ctl.platforms.plugins.raw_abi import returned_address

    forwards = elf.code((0x10000000 | 2 << 5).to_bytes(4, "little") + b"\xc0\x03\x5f\xd6")
    back = elf.code((0x10000000 | (-4 & 0x7FFFF) << 5).to_bytes(4, "little"))
    image = open_image(BytesSource(elf.build()))
    assert returned_address(image, forwards) == forwards + 8
    assert returned_address(image, back) == back - 16


@pytest.mark.parametrize(
    ("machine", "code"),
    [
        (X86_64, b"\x48\x8b\x05\x00\x00\x00\x00\xc3"),
        (X86_64, b"\xc3"),
        (AARCH64, b"\x00\x00\x80\xd2\xc0\x03\x5f\xd6"),
        (AARCH64, b"\x1f\x20\x03\xd5" * 9),
        (AARCH64, b"\x00\x00\x00\x90\x00\x00\x00\x00"),
    ],
)
def test_a_getter_that_does_more_is_not_guessed_at(machine, code):
    elf = raw_library("0.3", elf=Elf(machine=machine))
    elf.exports["cloacina_get_task_metadata"] = elf.code(code)
    library = read_library(elf.build())
    assert library.plugin is None
    assert library.graphs == (LibraryGraph(ETL_TASKS),)


def test_getters_of_other_machines_are_not_guessed_at():
    elf = Elf(machine=243)
    elf.exports = dict.fromkeys(
        ("cloacina_get_task_metadata", "cloacina_execute_task"), elf.code(b"\x82\x80\0\0")
    )
    assert read_library(elf.build()).plugin is None


def test_a_structure_without_a_graph_is_none():
    assert read_library(raw_library("0.3", graph="{}").build()).plugin is None


def test_half_of_the_c_interface_is_none():
    elf = raw_library("0.3")
    del elf.exports["cloacina_execute_task"]
    assert read_library(elf.build()).plugin is None


@pytest.mark.parametrize("broken", ["missing", "no getter", "no name"])
def test_the_workflow_has_no_name_where_the_second_getter_does_not_say_it(broken):
    elf = raw_library("0.3")
    if broken == "missing":
        del elf.exports["get_task_metadata"]
    else:
        nowhere = elf.data(0, 0, 5, 0)
        code = elf.returning(nowhere) if broken == "no name" else elf.code()
        elf.exports["get_task_metadata"] = code
    library = read_library(elf.build())
    assert library.plugin == Plugin("c-abi-0.3")
    assert library.graphs[0].name is None


def test_the_structures_and_another_graph_are_two_workflows():
    elf = raw_library("0.3")
    elf.ro(graph_json({"other": ()}).encode())
    assert len(read_library(elf.build()).graphs) == 2


def test_a_manifest_says_what_the_library_says():
    elf = fidius_library(elf=Elf(needed=("libm.so.6", "libc.so.6", "libm.so.6")))
    built_with = BuiltWith(rustc="1.95.0", profile="release", target="x86_64-unknown-linux-gnu")
    path = "platform/manylinux_2_34_x86_64/libx.so"
    artifact = artifact_of(read_library(elf.build()), path=path, built_with=built_with)
    assert artifact.platform == "manylinux_2_34_x86_64"
    assert artifact.path == path
    assert artifact.kind == "cdylib"
    assert (artifact.machine, artifact.os) == ("x86_64", "linux")
    assert artifact.libc == Libc("glibc", "2.34")
    assert artifact.needed == ("libc.so.6", "libm.so.6")
    assert artifact.built_with == built_with
    assert artifact.interface == Interface(
        kind="fidius",
        abi=200,
        version=2,
        hash="5294867f0800277b",
        wire="bincode",
        plugin="CloacinaPackagePlugin",
        methods=METHODS[:4],
    )


def test_a_manifest_of_a_library_without_a_plugin_has_no_interface():
    assert artifact_of(read_library(Elf().build()), path="p").interface is None


def test_a_manifest_of_the_c_abi_names_its_kind_alone():
    artifact = artifact_of(read_library(raw_library("0.2").build()), path="p")
    assert artifact.interface == Interface(kind="c-abi-0.2")
