"""The tar profile: headers that stock readers understand and that have one spelling each."""

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.formats.native import tar

PARTS = st.text(
    st.characters(codec="utf-8", categories=("Ll", "Lu", "Nd"), include_characters="-_é漢"),
    min_size=1,
    max_size=60,
)
PATHS = (
    st.lists(PARTS, min_size=1, max_size=30).map("/".join).filter(lambda p: len(p.encode()) <= 1024)
)


@given(PATHS, st.integers(0, 3000), st.booleans())
def test_a_stock_reader_finds_the_same_name_size_and_mode(path, size, executable):
    header = tar.member_header("demo-1.0", path, size, executable=executable)
    stream = header + bytes(size) + tar.padding(size) + tar.END_OF_ARCHIVE
    with tarfile.open(fileobj=io.BytesIO(stream)) as archive:
        member = archive.next()
    assert member is not None
    assert (member.name, member.size) == (f"demo-1.0/{path}", size)
    assert member.mode == (0o755 if executable else 0o644)
    assert (member.uid, member.mtime) == (0, 315_532_800)


@given(PATHS)
def test_the_size_of_a_header_is_known_without_making_it(path):
    made = tar.member_header("demo-1.0", path, 1)
    assert tar.header_size(len("demo-1.0/"), path) == len(made)


def test_the_longest_name_that_fits_needs_no_prefix():
    header = tar.member_header("r", "n" * 98, 0)
    assert len(header) == 512
    assert header[345:500] == bytes(155)


def test_a_longer_name_is_cut_at_the_last_slash_that_fits():
    header = tar.member_header("r", "a/" * 40 + "n" * 60, 0)
    assert header[:60] == b"n" * 60
    assert header[345:].rstrip(b"\0") == b"r/" + b"a/" * 39 + b"a"


def test_a_name_that_ustar_cannot_hold_gets_one_pax_record():
    header = tar.member_header("r", "n" * 200, 5)
    record = b"208 path=r/" + b"n" * 200 + b"\n"
    record = b"%d" % (len(record)) + record[3:]
    assert header[156:157] == b"x"
    assert header[:5] == b"r/pax"
    assert header[512 : 512 + len(record)] == record
    assert header[1024:1124] == (b"r/" + b"n" * 98)
    assert header[1024 + 124 : 1024 + 135] == b"00000000005"


def test_the_header_of_a_long_name_is_cut_at_a_whole_character():
    header = tar.member_header("r", "é" * 200, 0)
    own = header[-512:][:100]
    assert own.rstrip(b"\0").decode() == "r/" + "é" * 49
