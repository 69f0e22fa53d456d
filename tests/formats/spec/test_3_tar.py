"""Docs/format.md, 3: the tar profile."""

from __future__ import annotations

import pytest

from cloacina_ctl.formats.limits import GIB
from cloacina_ctl.formats.native import tar
from cloacina_ctl.formats.plan import PlannedFile, make_plan
from cloacina_ctl.paths import MemberPath
from tests.formats.spec.verdicts import refusal
from tests.support import tar_bytes
from tests.support.builder import FILES, File, build
from tests.support.tar_bytes import FIELDS, member, patched, pax_member, pax_record

ROOT = "demo-1.0.0"
OTHER = {
    "name": b"demo-1.0.0/other",
    "mode": b"0000600\0",
    "uid": b"0001750\0",
    "gid": b"0000000 ",
    "size": b"00000000001\0",
    "mtime": b"00000000000\0",
    "chksum": b"000000\0 ",
    "typeflag": b"5",
    "linkname": b"x",
    "magic": b"ustar ",
    "version": b" \0",
    "uname": b"root",
    "gname": b"root",
    "devmajor": b"0000000\0",
    "devminor": b"0000000\0",
    "prefix": b"x",
    "rest": b"x",
}


def test_f18_every_field_of_a_header_is_in_the_table():
    assert OTHER.keys() == FIELDS.keys()


@pytest.mark.parametrize("field", OTHER)
def test_f18_a_payload_header_is_exactly_the_one_that_follows(judge, field):
    def change(file: File, header: bytes) -> bytes:
        return patched(header, **{field: OTHER[field]}) if file is FILES[1] else header

    assert judge.refuses(build(header_patch=change)) == {"A011"}


@pytest.mark.parametrize("field", OTHER)
def test_f18_a_head_header_is_exactly_the_one_that_follows(judge, field):
    def change(file: File, header: bytes) -> bytes:
        first = file.path == "manifest.json"
        return patched(header, **{field: OTHER[field]}) if first else header

    assert judge.refuses(build(head_header_patch=change)) <= {"A011", "M001", "L001", "A008"}


@pytest.mark.parametrize("size", [b"         123", b"00000000010 ", b"\x80" + bytes(10) + b"\x7b"])
def test_f18_a_size_is_11_octal_digits_and_nul(judge, size):
    data = build(head_header_patch=lambda file, header: patched(header, size=size))
    assert judge.refuses(data) == {"A011"}


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"5", b"6", b"7", b"L", b"\0", b"g", b"S"])
def test_f18_there_are_no_folders_links_or_special_files(judge, kind):
    data = build(header_patch=lambda file, header: patched(header, typeflag=kind))
    assert judge.refuses(data) == {"A011"}


def test_f18_the_executable_bit_is_the_one_of_files_json(judge):
    files = (*FILES, File("workflow/run.sh", b"#!/bin/sh\n", executable=True))
    assert judge.verify(build(files=files))
    wrong = build(files=files, header_patch=lambda f, h: patched(h, mode=b"0000644\0"))
    assert judge.refuses(wrong) == {"A011"}


def test_f18_bodies_are_padded_with_zeros(judge):
    assert judge.refuses(build(member_patch=lambda file, made: made[:-1] + b"x")) == {"A011"}
    assert judge.refuses(build(head_patch=lambda made: made[:-1] + b"x")) == {"A011"}


@pytest.mark.parametrize("executable", [True, False])
@pytest.mark.parametrize("size", [0, 1, 511, 512, 8 * GIB - 1])
def test_f18_a_header_is_the_one_that_the_table_gives(size, executable):
    mode = 0o755 if executable else 0o644
    expected = tar_bytes.header(b"demo-1.0.0/a/b", size, mode=mode)
    assert tar.member_header(ROOT, "a/b", size, executable=executable) == expected


NAME_FIELD = 100 - len(ROOT) - 1
PATHS = {
    "100 bytes": "a" * NAME_FIELD,
    "101 bytes, cut after the root": "a" * (NAME_FIELD + 1),
    "no place: a part of 101 bytes": "b" * 101,
    "no place: a part of 255 bytes": "b" * 255,
    "a prefix of 155 bytes": "p" * (155 - len(ROOT) - 1) + "/" + "n" * 100,
    "a prefix of 156 bytes": "p" * (156 - len(ROOT) - 1) + "/" + "n" * 100,
    "the last slash that fits": "/".join(["part" * 5] * 10),
    "a long part behind a short one": "a/" + "b" * 120,
    "deep and long": "/".join(["d" * 40] * 20),
    "cut inside a character of two bytes": "x" * (NAME_FIELD - 1) + "é" * 60,
    "cut inside a character of three bytes": "x" * (NAME_FIELD - 2) + "日" * 50,
    "cut inside a character of four bytes": "x" * (NAME_FIELD - 3) + "\U00020000" * 40,
}


@pytest.mark.parametrize("name", PATHS)
def test_f19_long_paths_stand_in_prefix_and_name_or_in_a_pax_header(judge, name):
    path = PATHS[name]
    extension, header, _ = member(ROOT.encode(), path.encode(), b"data")
    assert tar.member_header(ROOT, path, 4) == extension + header
    assert tar.header_size(len(ROOT) + 1, path) == len(extension + header)
    needs_pax = ("no place", "a prefix of 156", "deep", "cut inside", "a long")
    assert bool(extension) == name.startswith(needs_pax)
    assert judge.verify(build(files=(*FILES, File("vendor/" + path, b"data")))).complete


LONG = "vendor/" + "b" * 120
FULL = f"{ROOT}/{LONG}".encode()


def instead_of_pax(made: bytes):
    """Return a package with other bytes in the place of the pax header of its one long path."""

    def change(file: File, whole: bytes) -> bytes:
        if file.path != LONG:
            return whole
        own = len(member(ROOT.encode(), LONG.encode(), b"")[0])
        return made + whole[own:]

    return build(files=(*FILES, File(LONG, b"data")), member_patch=change)


def test_f20_the_pax_header_of_the_format_is_read(judge):
    assert judge.verify(instead_of_pax(pax_member(ROOT.encode(), pax_record(b"path", FULL))))


PATH_RECORD = pax_record(b"path", FULL)
PAX = {
    "mtime too": PATH_RECORD + pax_record(b"mtime", b"1"),
    "size too": PATH_RECORD + pax_record(b"size", b"4"),
    "path twice": PATH_RECORD * 2,
    "comment before": pax_record(b"comment", b"x") + PATH_RECORD,
    "another path": pax_record(b"path", FULL[:-1] + b"c"),
    "linkpath": pax_record(b"linkpath", FULL),
    "empty": b"",
}


@pytest.mark.parametrize("name", PAX)
def test_f20_no_other_pax_record_exists(judge, name):
    assert judge.refuses(instead_of_pax(pax_member(ROOT.encode(), PAX[name]))) <= {"A009", "A011"}


def test_f20_no_global_pax_header_exists(judge):
    made = pax_member(ROOT.encode(), PATH_RECORD, typeflag=b"g")
    assert judge.refuses(instead_of_pax(made)) == {"A011"}


def test_f20_a_short_path_has_no_pax_header(judge):
    def extended(file: File, whole: bytes) -> bytes:
        record = pax_record(b"path", f"{ROOT}/{file.path}".encode())
        return pax_member(ROOT.encode(), record) + whole if file is FILES[0] else whole

    assert judge.refuses(build(member_patch=extended)) <= {"A009", "A011"}


def test_f20_a_file_is_smaller_than_8_gib(judge):
    def huge(table):
        table["files"][0]["size"] = 8 * GIB

    assert judge.refuses(build(files_patch=huge)) == {"L001"}
    source = PlannedFile(MemberPath.parse("a"), "/dev/null", 8 * GIB, False, "a test")
    assert refusal(make_plan, ROOT, [source]) == {"L001"}
