"""Docs/format.md, 3, "Names"."""

from __future__ import annotations

import pytest

from cloacina_ctl.paths import MemberPath, check_path, collisions
from tests.format.verdicts import refusal
from tests.hostile.builder import FILES, File, build

DEEP = "/".join(["d"] * 32)
GOOD = [
    "a", ".hidden", "a b", "a-b_c+d=e@f~g", "été.py", "日本/語.txt", "a" * 255, "é" * 127, DEEP,
    "console", "com10", "aux-1", "x/nulls", "#x", "$(x)", "a..b", "{x}",
    "/".join(["p" * 127] * 8),
]  # fmt: skip
BAD = {
    "absolute": "/a", "empty": "", "empty part": "a//b", "empty end": "a/", "dot": "./a",
    "dot inside": "a/./b", "dot alone": ".", "parent": "../a", "parent inside": "a/../b",
    "parent end": "a/..", "backslash": "a\\b", "less": "a<b", "more": "a>b", "colon": "c:a",
    "quote": 'a"b', "bar": "a|b", "question": "a?b", "star": "a*b", "nul": "a\0b", "tab": "a\tb",
    "newline": "a\nb", "escape": "a\x1bb", "delete": "a\x7fb", "C1": "a\x85b",
    "soft hyphen": "a\u00adb", "zero width": "a\u200bb", "joiner": "a\u200db", "mark": "\ufeffa",
    "right to left": "a\u202eb", "isolate": "a\u2066b", "line": "a\u2028b", "paragraph": "a\u2029b",
    "private": "a\ue000b", "private plane": "a\U000f0000b", "unassigned": "a\u0378b",
    "of Unicode 14": "a\u061db", "of Unicode 15": "a\U0001e4d0b", "of Unicode 16": "a\U00010d40b",
    "not a character": "a\ufffeb", "tag": "a\U000e0041b", "space first": " a", "space last": "a ",
    "space in a part": "a/ b", "space ends a part": "a /b", "dot last": "a.", "dot ends": "a./b",
    "aux": "aux", "AUX": "AUX", "aux with suffix": "aux.py", "com1": "x/com1.txt", "lpt9": "LPT9",
    "com superscript": "com\u00b9", "conin": "CONIN$", "nul with spaces": "nul .txt",
    "256 bytes": "a" * 256, "256 bytes of two": "é" * 128, "33 parts": DEEP + "/d",
    "over 1024 bytes": "/".join(["p" * 127] * 8) + "qq", "not NFC": "e\u0301",
    "not NFC: singleton": "\u212b", "surrogate": "a\udc80b",
}  # fmt: skip


@pytest.mark.parametrize("path", GOOD)
def test_f21_a_name_that_every_system_takes_is_taken(judge, path):
    assert check_path(path) is None
    if len(path.encode()) < 1000 and path.count("/") < 31:
        assert judge.verify(build(files=(*FILES, File("vendor/" + path)))).complete


@pytest.mark.parametrize("name", BAD)
def test_f21_a_name_that_some_system_takes_otherwise_is_refused(judge, name):
    path = BAD[name]
    assert refusal(MemberPath.parse, path) == {"A015"}
    codes = judge.refuses(build(files=(*FILES, File(path, b"x"))))
    assert codes <= {"A015", "A010"}  # A010: a quote, a backslash or no name has no spelling there


def test_f21_the_rules_are_for_the_path_without_its_root(judge):
    longest = "/".join(["p" * 127] * 8)
    assert len(longest) == 1023
    assert judge.verify(build(files=(*FILES, File(longest))))


CLASHES = {
    "case": ("a", "A"),
    "case of a folder": ("a/x", "A/y"),
    "sharp s": ("straße", "strasse"),
    "Greek final sigma": ("σ", "ς"),
    "full width": ("a", "ａ"),
    "ligature": ("file", "ﬁle"),
    "superscript": ("x2", "x²"),
    "Kelvin, as a width": ("k1", "ｋ1"),
    "file and folder": ("a", "a/b"),
    "file and folder, in another case": ("a", "A/b"),
    "listed twice": ("a", "a"),
    "a slash that folds": ("a/b", "a／b"),
}


@pytest.mark.parametrize("name", CLASHES)
def test_f22_two_paths_that_some_system_takes_for_one_are_refused(judge, name):
    first, second = CLASHES[name]
    assert collisions((first, second))
    codes = judge.refuses(build(files=(*FILES, File("v/" + first), File("v/" + second))))
    assert codes <= {"A016", "A010"}  # A010: listed twice is out of order, too


def test_f22_the_names_of_the_head_clash_too(judge):
    for path in ("MANIFEST.json", "files.JSON", "index.json/x"):
        assert judge.refuses(build(files=(*FILES, File(path)))) == {"A016"}


def test_f22_what_no_system_takes_for_one_may_stand_side_by_side(judge):
    apart = ("a", "ab", "a b", "a-", "b/a", "b/ab")
    assert collisions(apart) == ()
    assert judge.verify(build(files=(*FILES, *(File("v/" + path) for path in apart))))
