"""What the dynamic section and the program headers say of a library."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cloacina_ctl import platforms
from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.manifest import Libc
from cloacina_ctl.platforms import library_file as read
from cloacina_ctl.platforms import read_library
from cloacina_ctl.platforms.elf.reader import WHOLE, BadLibrary, ElfSource, FileSource, open_source
from tests.support.elf_builder import AARCH64, PT_INTERP, Elf
from tests.support.workflow_libraries import ETL_TASKS, fidius_library


def test_reads_names_in_the_order_of_the_file():
    elf = Elf(
        needed=("libz.so.1", "libc.so.6", "/opt/liba.so"),
        soname="libx.so.2",
        runpath="$ORIGIN/../lib:/home/builder",
        rpath="/old",
    )
    library = read_library(elf.build())
    assert library.needed == ("libz.so.1", "libc.so.6", "/opt/liba.so")
    assert library.soname == "libx.so.2"
    assert library.runpath == "$ORIGIN/../lib:/home/builder"
    assert library.rpath == "/old"
    assert library.object_format == "elf"
    assert (library.machine, library.os) == ("x86_64", "linux")


def test_a_plain_library_has_no_plugin_and_no_graph():
    library = read_library(Elf().build())
    assert library.plugin is None
    assert library.plugins == library.graphs == library.exports == ()
    assert library.soname is library.runpath is library.rpath is None


def test_the_floor_is_the_highest_version_that_is_needed_and_not_only_weakly():
    versions = {
        "libm.so.6": [("GLIBC_2.29", 0)],
        "libgcc_s.so.1": [("GCC_4.2.0", 0)],
        "libc.so.6": [
            ("GLIBC_2.2.5", 0),
            ("GLIBC_2.9", 0),
            ("GLIBC_2.38", 2),
        ],
    }
    library = read_library(Elf(versions=versions).build())
    assert library.libc == Libc("glibc", "2.29")
    assert library.tag == "manylinux_2_29_x86_64"


def test_other_machines_have_their_own_tag():
    library = read_library(Elf(machine=AARCH64).build())
    assert library.machine == "aarch64"
    assert library.tag == "manylinux_2_34_aarch64"


@pytest.mark.parametrize(
    ("machine", "stack", "executable"),
    [(62, 6, False), (62, 7, True), (62, None, True), (AARCH64, None, False), (AARCH64, 7, True)],
)
def test_sees_a_stack_that_can_be_executed(machine, stack, executable):
    assert read_library(Elf(machine=machine, stack=stack).build()).executable_stack is executable


@pytest.mark.parametrize("entry", [(22, 0), (30, 4)])
def test_sees_text_relocations(entry):
    assert read_library(Elf(more_entries=[entry]).build()).text_relocations
    assert not read_library(Elf(more_entries=[(30, 8)]).build()).text_relocations


def test_counts_what_runs_when_the_library_is_loaded():
    assert read_library(Elf().build()).constructors == 0
    assert read_library(Elf(more_entries=[(12, 1), (27, 48), (33, 8)]).build()).constructors == 8


@pytest.mark.parametrize("hash_style", ["gnu", "sysv"])
def test_finds_entry_points_through_either_hash_table(hash_style):
    elf = Elf(hash_style=hash_style)
    names = ("cloacina_execute_task", "fidius_get_host_imports", "fidius_get_registry")
    elf.exports = {name: elf.code() for name in (*names, "other", "main", "a", "b", "c")}
    assert read_library(elf.build()).exports == names


def test_what_no_loader_would_find_is_not_exported():
    elf = fidius_library(elf=Elf(hash_style="none"))
    assert read_library(elf.build()).exports == ()


def test_an_entry_point_that_is_not_code_is_not_exported():
    elf = Elf()
    elf.exports = {"fidius_get_registry": elf.text("data"), "get_task_metadata": 0xDEAD_0000_0000}
    assert read_library(elf.build()).exports == ()


def test_a_name_that_is_not_utf8_is_kept_as_escapes():
    library = read_library(Elf(needed=(b"lib\xff\x1b[31m.so",)).build())
    assert library.needed == ("lib\\xff\x1b[31m.so",)


@pytest.mark.parametrize("kind", ["path", "descriptor", "bytearray", "memoryview"])
def test_reads_a_path_a_descriptor_or_bytes_alike(kind, tmp_path):
    data = fidius_library().build()
    file = tmp_path / "libx.so"
    file.write_bytes(data)
    fd = os.open(file, os.O_RDONLY)
    source = {"path": file, "descriptor": fd}.get(kind)
    if source is None:
        source = bytearray(data) if kind == "bytearray" else memoryview(data)
    try:
        assert read_library(source) == read_library(data)
    finally:
        os.close(fd)


def test_a_large_file_is_read_in_pieces_and_says_the_same(tmp_path):
    elf = Elf()
    elf.ro(b"x" * ((1 << 20) - 0x1000 + 4))
    fidius_library(elf=elf)
    data = elf.build()
    file = tmp_path / "libx.so"
    with file.open("wb") as out:
        out.write(data)
        out.truncate(WHOLE + len(data))
    library = read_library(file)
    assert library == read_library(data)
    assert library.graphs[0].tasks == ETL_TASKS


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: None, Code.NOT_FOUND),
        (Path.mkdir, Code.NOT_REGULAR),
        (os.mkfifo, Code.NOT_REGULAR),
    ],
)
def test_what_is_no_file_is_a_file_problem(make, code, tmp_path):
    make(tmp_path / "x")
    with pytest.raises(FileProblem) as caught:
        read_library(tmp_path / "x")
    assert caught.value.diagnostics[0].code is code
    assert caught.value.diagnostics[0].where == str(tmp_path / "x")


def test_a_library_without_section_headers_is_read():
    assert read_library(fidius_library(elf=Elf(sections=0)).build()).plugin


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "libx.so"
    file.write_bytes(Elf().build())

    def touched(fd: int, *more: object) -> ElfSource:
        os.utime(fd, (1, 1))
        return open_source(fd)

    monkeypatch.setattr(read, "open_source", touched)
    with pytest.raises(Refused, match="changed while it was read") as caught:
        read_library(file)
    assert caught.value.diagnostics[0].code is Code.CHANGED


def test_a_file_that_gets_shorter_is_never_read_past_its_end(tmp_path):
    file = tmp_path / "libx.so"
    file.write_bytes(b"abcdef")
    with file.open("rb") as opened:
        source = FileSource(opened.fileno(), 6)
        assert source.read(2, 4) == b"cdef"
        os.truncate(file, 3)
        with pytest.raises(BadLibrary, match="shorter while it was read"):
            source.read(2, 4)


def test_a_name_that_is_not_public_is_an_error_of_the_caller():
    with pytest.raises(AttributeError, match="no attribute 'Elf'"):
        platforms.Elf  # noqa: B018 - the access is the test


def test_a_closed_descriptor_is_a_file_problem(tmp_path):
    fd = os.open(tmp_path, os.O_RDONLY)
    os.close(fd)
    with pytest.raises(FileProblem) as caught:
        read_library(fd, where="libx.so")
    assert caught.value.diagnostics[0].where == "libx.so"


@pytest.mark.parametrize("more", [{"more_entries": [(0x6FFFFFFB, 0x08000000)]},
                                  {"more_entries": [(21, 0)],
                                   "more_segments": [(PT_INTERP, 4, 0, 0, 0, 0)]}])  # fmt: skip
def test_a_position_independent_executable_is_no_library(more):
    with pytest.raises(Refused, match="an ELF executable that can be loaded anywhere") as caught:
        read_library(Elf(**more).build())
    assert caught.value.diagnostics[0].code is Code.NOT_A_LIBRARY


def test_a_library_that_can_also_be_run_is_one():
    assert read_library(Elf(more_segments=[(PT_INTERP, 4, 0, 0, 0, 0)]).build()).tag
