"""The tar profile of other generations: what packers write, and nothing that two readers read
differently."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.formats.legacy.bounds import Bounds
from cloacina_ctl.formats.legacy.tar_members import RECORD, Members
from cloacina_ctl.formats.limits import DEFAULT_LIMITS
from tests.support import tar_bytes
from tests.support.archives import END, entry, folder, long_name, pax, record
from tests.support.legacy_cases import HEADERS, RECORDS

A = entry("a", b"1")
LONG = b"n" * 60 + b"/" + b"m" * 120


def read(stream: bytes, chunk: int = 700, **limits: int) -> dict[str, bytes | None]:
    pieces = [stream[at : at + chunk] for at in range(0, len(stream), chunk)]
    bounds = Bounds(max(1, len(stream)), DEFAULT_LIMITS._replace(**limits), "x")
    members = Members(pieces, bounds, "x")
    return {
        member.name: None if member.is_folder else b"".join(members.body()) for member in members
    }


def refusal(stream: bytes, **limits: int) -> tuple[Code, str]:
    with pytest.raises(Refused) as caught:
        read(stream, **limits)
    (found,) = caught.value.diagnostics
    return found.code, found.message


@pytest.mark.parametrize("gnu", [True, False])
def test_reads_files_and_folders_of_both_dialects(gnu):
    stream = folder("d", gnu=gnu) + entry("d/a", b"x" * 1000, gnu=gnu) + entry("b", gnu=gnu) + END
    assert read(stream) == {"d": None, "d/a": b"x" * 1000, "b": b""}


def test_reads_old_headers_and_those_of_release_0_2():
    blank = {"typeflag": b"\0", "mode": b"", "uid": b"", "gid": b"", "mtime": b"00000000000"}
    old = {"magic": b"", "version": b""}
    assert read(entry("a", b"1", **blank) + entry("b", b"2", **old) + END) == {"a": b"1", "b": b"2"}


def test_a_body_that_nobody_takes_is_passed():
    bounds = Bounds(4096, DEFAULT_LIMITS, "x")
    names = [member.name for member in Members([A + entry("b", b"2") + END], bounds, "x")]
    assert names == ["a", "b"]


def test_reads_long_names_of_both_dialects():
    ustar = entry(LONG[61:161], b"1", gnu=False, prefix=LONG[:60])
    assert read(ustar + END) == {LONG[:161].decode(): b"1"}
    given_long = long_name(LONG) + entry(LONG[:100], b"1")
    assert read(given_long + END) == {LONG.decode(): b"1"}
    extended = pax(record("path", LONG) + record("size", "1")) + entry(b"x", b"1", gnu=False)
    assert read(extended + END) == {LONG.decode(): b"1"}


def test_ignores_what_is_never_applied():
    facts = {"mtime": "1e400", "uid": "-1", "uname": "\x1b[2J", "SCHILY.xattr.user.x": "y"}
    lead = pax(b"".join(record(key, value) for key, value in facts.items()))
    odd = entry("a", b"1", gnu=False, uid=b"\xff" * 8, mtime=b"\x80" * 12, uname=b"\x1b[2J")
    assert read(lead + odd + END) == {"a": b"1"}


def test_takes_zeros_up_to_a_whole_record():
    stream = A + END
    assert read(stream + bytes(-len(stream) % RECORD)) == {"a": b"1"}


BAD_TAR = {
    "nothing": b"",
    "no end": A,
    "one zero block": A + END[:512],
    "half a header": A + END + A[:100],
    "half a body": entry("a", b"x" * 600)[:1000],
    "a member behind the end": A + END + A,
    "text behind the end": A + END + b"x",
    "zeros that fill no record": A + END + bytes(512),
    "zeros without end": A + END + bytes(2 * RECORD),
    "one zero block and a member": A + END[:512] + A + END,
    "padding": A[:-1] + b"x" + END,
    "a folder with a body": entry("d/", b"x", typeflag=b"5") + END,
    "a file with a slash": entry("d/", typeflag=b"\0") + END,
    "a name with text behind it": entry(b"a\0b") + END,
    "a long name alone": long_name(LONG) + END,
    "a long name twice": long_name(LONG) + long_name(LONG) + A + END,
    "a long name of another dialect": long_name(LONG) + entry("a", gnu=False) + END,
    "a long name with text": long_name(LONG + b"\0x") + A + END,
    "a long name that is empty": entry(b"x", b"\0", typeflag=b"L") + A + END,
    "a long name without body": entry(b"x", b"", typeflag=b"L") + A + END,
    "a huge long name": long_name(b"n" * 9000) + A + END,
    "a posix long name": long_name(LONG, magic=b"ustar\0", version=b"00") + A + END,
    "padding of a long name": long_name(LONG)[:-1] + b"x" + A + END,
    "a pax header alone": pax(record("path", "b")) + END,
    "two pax headers": pax(record("path", "b")) * 2 + entry("a", gnu=False) + END,
    "a pax header and a long name": pax(record("path", "b")) + long_name(LONG) + A + END,
    "a GNU pax header": pax(record("path", "b"), magic=b"ustar ", version=b" \0") + A + END,
    "a pax header before GNU": pax(record("path", "b")) + A + END,
    "another size": pax(record("size", "2")) + entry("a", b"1", gnu=False) + END,
    "a huge pax header": pax(record("comment", "x" * 70_000)) + entry("a", gnu=False) + END,
}


@pytest.mark.parametrize("name", BAD_TAR)
def test_refuses_tar_that_no_packer_writes(name):
    assert refusal(BAD_TAR[name])[0] is Code.BAD_TAR


@pytest.mark.parametrize("name", HEADERS)
def test_refuses_headers_that_no_packer_writes(name):
    assert refusal(entry("a", b"x", **HEADERS[name]) + END)[0] is Code.BAD_TAR


@pytest.mark.parametrize("name", RECORDS)
def test_refuses_malformed_pax_records(name):
    found = refusal(pax(RECORDS[name]) + entry("a", b"x", gnu=False) + END)[0]
    assert found in {Code.BAD_TAR, Code.MEMBER_NAME}


@pytest.mark.parametrize("flag", sorted(set(range(1, 128)) - set(b"05Lx")))
def test_refuses_every_other_kind_of_member(flag):
    code, message = refusal(entry("a", typeflag=bytes([flag])) + END)
    assert code is Code.MEMBER_TYPE
    assert message.isprintable()


NAMES = {
    "/a": "absolute", "C:/a": "drive", "a/d:b": "drive",
    "../a": "`..`", "a/../b": "`..`", "./a": "`.`", "a//b": "empty",
    "a\\b": "backslash", "a\nb": "control", "a\u202eb": "does not show", "e\u0301": "NFC",
    "a ": "space", "a.": "dot", "d" * 256: "255", "x/" * 33 + "y": "deep",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_refuses_names_that_no_member_may_have(name):
    raw = name.encode()
    lead = long_name(raw) if len(raw) > 100 else b""
    code, message = refusal(lead + entry(raw[:100]) + END)
    assert code is Code.MEMBER_NAME
    assert NAMES[name] in message


def test_refuses_a_name_that_is_not_utf_8():
    assert "not UTF-8" in refusal(entry(b"a\xff") + END)[1]


@pytest.mark.parametrize("name", ["aux.txt", "ab:c", 'say "x"?', "nul/x", "<a>|*"])
def test_takes_names_that_only_windows_forbids(name):
    assert name in read(entry(name) + END)


CLASHES = {
    "twice": ("a", "a"), "by case": ("d/a", "D/b"), "file and folder": ("a", "a/b"),
    "folder and file": ("a/b", "a"), "by width": ("a", "\uff41"),
    "a wide slash": ("a/b", "a\uff0fb"),
    "sharp s": ("ß", "SS"),
}  # fmt: skip


@pytest.mark.parametrize("name", CLASHES)
def test_refuses_names_that_clash(name):
    stream = b"".join(entry(one) for one in CLASHES[name]) + END
    assert refusal(stream)[0] is Code.MEMBER_COLLISION


def test_a_folder_may_be_listed_once_wherever_it_stands():
    assert set(read(entry("d/a") + folder("d") + END)) == {"d/a", "d"}
    assert refusal(folder("d") * 2 + END)[0] is Code.MEMBER_COLLISION
    assert refusal(folder("d") + entry("d") + END)[0] is Code.MEMBER_COLLISION


def test_refuses_on_the_claim_what_is_over_a_limit():
    huge = tar_bytes.header(b"a", 8**11 - 1)
    assert refusal(huge)[0] is Code.LIMIT
    assert "members so far is 3" in refusal(A + folder("d") + entry("b") + END, legacy_entries=2)[1]
    assert "all members is 3" in refusal(entry("a", b"123") + END, legacy_total=2)[1]
    low = {"legacy_ratio": 2, "legacy_ratio_from": 1000}
    assert "ratio" in refusal(tar_bytes.header(b"a", 5000), **low)[1]


def test_refuses_on_the_bytes_what_grows_out_of_proportion():
    limits = DEFAULT_LIMITS._replace(legacy_ratio_from=100, legacy_ratio=3)
    assert list(Bounds(10, limits, "x").of_stream([b"x" * 30])) == [b"x" * 30]
    for size, low in ((10, limits), (1 << 30, limits._replace(legacy_total=0, legacy_entries=0))):
        with pytest.raises(Refused) as caught:
            list(Bounds(size, low, "x").of_stream([bytes(1000)] * 3))
        assert caught.value.diagnostics[0].code is Code.LIMIT


PARTS = st.text(
    st.characters(codec="utf-8", categories=("Lu", "Ll", "Nd")), min_size=1, max_size=40
)
TREES = st.dictionaries(
    st.lists(PARTS, min_size=1, max_size=5).map("/".join), st.binary(max_size=2000), max_size=6
)


@given(files=TREES, form=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
def test_reads_what_stock_tarfile_writes(files, form):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    try:
        found = read(stream.getvalue())
    except Refused as error:  # two names that clash, or one that is in no normal form
        found = error.diagnostics[0].code
        clash = found in (Code.MEMBER_COLLISION, Code.MEMBER_NAME)
    else:
        clash = False
    assert clash or found == files
