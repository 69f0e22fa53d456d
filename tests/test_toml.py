"""TOML: what is refused before the parser sees it, and where errors are said to be."""

import contextlib
import os
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl import toml
from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.suggestions import did_you_mean
from cloacina_ctl.toml import parse_toml, read_toml


def refusal(data: bytes):
    with pytest.raises(Refused) as caught:
        parse_toml(data, where="x.toml")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code is Code.BAD_TOML
    assert "\n" not in diagnostic.message
    return diagnostic


ORDINARY = rb"""
# a comment with [[[[ " and '
[package]
name = "demo"  # "
escaped = "a \" quote, a \\"
literal = 'C:\'
lines = '''it's "here" [
'''
quotes = '''''a'''''
basic = '''QQQ not a start'''
more = QQQ a ""\"W b \"W c ""\"QQQ
"quoted . key"."b" = 1.5
list = [[1, 2.5], [{a = 1, b = [true]}]]
when = 2026-01-02T03:04:05Z
[target.'cfg(unix)'.dependencies.foo]
x = { version = "1", features = ["a", "b"] }
[[bin]]
[[bin]]
""".replace(b"QQQ", b'"' * 3).replace(b"W", b'""')


def test_what_projects_really_hold_is_read():
    table = parse_toml(ORDINARY, where="x")
    assert table["package"]["escaped"] == 'a " quote, a \\'
    assert table["package"]["literal"] == "C:\\"
    assert table["package"]["quotes"] == "''a''"
    assert table["package"]["quoted . key"]["b"] == 1.5
    assert table["target"]["cfg(unix)"]["dependencies"]["foo"]["x"]["version"] == "1"
    assert parse_toml(ORDINARY.replace(b"\n", b"\r\n"), where="x")["package"]["name"] == "demo"
    assert parse_toml(b"", where="x") == {}


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"a = 1\nb = \n", "x.toml:2:5"),
        (b"a = 1\na = 2\n", "x.toml:2:6"),
        (b"[a]\n[a]\n", "x.toml:2:3"),
        (b"a.b = 1\na.b.c = 2\n", "x.toml:2:10"),
        (b"a = 1\r b = 2\n", "x.toml:1:6"),
        (b"a = 'x", "x.toml:1:7"),
        (b'a = """x\n\n', "x.toml:3:1"),
        (b"a = \x00\n", "x.toml:1:5"),
        (b'a = "\\q"\n', "x.toml:1:6"),
        (b"2026-01-02\n", "x.toml:1:11"),
        (b"ok = 1\n  \xff = 2\n", "x.toml:2:3"),
        (b"\xef\xbb\xbfa = 1\n", "x.toml:1:1"),
        (b"a = 2026-13-45\n", "x.toml:1:5"),
    ],
)
def test_an_error_names_line_and_column(data, place):
    found = refusal(data)
    assert found.where.rpartition(":")[0] == place.rpartition(":")[0]  # the column may differ
    assert found.message.startswith("not TOML: ")
    assert found.message[10].islower() or not found.message[10].isalpha() or "UTF" in found.message


def times(text: str) -> bytes:
    return (text * (toml.MAX_BYTES // len(text))).encode()


@pytest.mark.parametrize(
    "data",
    [
        times("a.") + b"b = 1",
        times("a . "),
        times('"a".') + b"b = 1",
        b"a = " + times("["),
        b"a = " + b"[" * 65 + b"]" * 65,
        b"a = " + times("{a="),
        b"a = " + times("[]["),
        b"a = 1" + times("0"),
        b"a = 0x" + times("f"),
        b"a = 1" + times("_1"),
        times("k") + b" = 1",
        b"".join(b"[k%d.%s]\n" % (n, b".".join([b"a"] * 31)) for n in range(10_000)),
        b"".join(b"[k%d.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p]\n" % n for n in range(5_000)),
        times('\n\\"""'),
        b'"""' + times('\n\\"""'),
        b"'''" + times("\n''"),
        times('"'),
        times("'"),
        times('\\"'),
        b'a = "' + times("\\"),
    ],
)
def test_what_makes_the_parser_slow_is_refused_at_once(data):
    started = time.process_time()
    refusal(data)
    assert time.process_time() - started < 2.0  # alone it takes a quarter of a second


def test_the_bounds_are_the_stated_ones():
    deep = b"a = " + b"[" * toml.MAX_NESTING + b"]" * toml.MAX_NESTING
    assert parse_toml(deep, where="x")
    assert "nested" in refusal(b"a = [" + deep[4:] + b"]").message
    parts = b".".join([b"a"] * toml.MAX_KEY_PARTS)
    assert parse_toml(parts + b" = 1", where="x")
    assert "parts" in refusal(parts + b".b = 1").message
    assert parse_toml(b"a" * toml.MAX_WORD + b" = 1", where="x")
    assert "characters" in refusal(b"a" * (toml.MAX_WORD + 1) + b" = 1").message


def test_brackets_in_texts_and_comments_do_not_count():
    many = b"[" * 1000
    texts = (b'"%s"', b"'%s'", b'"""%s\n"""', b"'''%s\n'''", b"1 # %s", b'"\\"%s"', b'"\\\\" # %s')
    for text in texts:
        assert parse_toml(b"a = " + text % many + b"\n", where="x")


def test_nothing_hides_brackets_from_the_count():
    starts = (b'a = """\\""""\n', b"a = '\\'\n", b'a = "\\\\"\n', b"a = '''x'''''\n", b'# "\n')
    for start in starts:
        assert "nested" in refusal(start + b"b = " + b"[" * 100).message


def test_a_number_that_the_interpreter_refuses_is_refused_as_toml():
    number = b"a = " + b"9" * 1000
    assert parse_toml(number, where="x")["a"] == int("9" * 1000)
    if hasattr(sys, "set_int_max_str_digits"):  # an interpreter may be told to take fewer digits
        before = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(640)
        try:
            assert "640" in refusal(number).message
        finally:
            sys.set_int_max_str_digits(before)


@given(st.binary(max_size=300) | st.text("[]{}'\"\\.=,#\n ab1-", max_size=300).map(str.encode))
def test_no_bytes_raise_anything_else(data):
    with contextlib.suppress(Refused):
        assert isinstance(parse_toml(data, where="x"), dict)


def test_a_file_is_read_through_a_link(tmp_path):
    (tmp_path / "real.toml").write_bytes(b"a = 1\n")
    (tmp_path / "link.toml").symlink_to("real.toml")
    assert read_toml(tmp_path / "link.toml") == {"a": 1}


def test_messages_call_the_file_what_the_caller_calls_it(tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(b"a\n")
    for where, shown in ((None, str(path)), ("Cargo.toml", "Cargo.toml")):
        with pytest.raises(Refused) as caught:
            read_toml(str(path), where=where)
        assert caught.value.diagnostics[0].where.startswith(f"{shown}:1:")


def test_a_file_over_the_limit_is_refused(tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(b"#" * 101)
    assert read_toml(path, max_bytes=101) == {}
    with pytest.raises(Refused, match="more than 100 bytes"):
        read_toml(path, max_bytes=100)


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path, code in (
        (tmp_path / "fifo", Code.NOT_REGULAR),
        (tmp_path, Code.NOT_REGULAR),
        ("/dev/zero", Code.NOT_REGULAR),
        (tmp_path / "none", Code.NOT_FOUND),
    ):
        with pytest.raises(FileProblem) as caught:
            read_toml(path)
        assert caught.value.diagnostics[0].code is code


def test_no_descriptor_stays_open(tmp_path):
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    for _ in range(20):
        with pytest.raises(FileProblem):
            read_toml(tmp_path)
    after = set(os.listdir("/proc/self/fd")) if before else set()
    assert len(after) <= len(before)


def test_a_misspelt_key_is_recognised():
    assert did_you_mean("entry_modul", ("entry_module", "name")) == "did you mean `entry_module`?"
    assert did_you_mean("zzz", ("entry_module", "name")) is None
    assert did_you_mean("a" * 100_000, ("a" * 100_000,)) is None
