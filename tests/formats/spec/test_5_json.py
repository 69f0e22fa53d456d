"""Docs/format.md, 5 and 6: canonical JSON, the manifest, the identity of a package."""

from __future__ import annotations

import hashlib
import json

import pytest

from cloacina_ctl.manifest import canonical, dump, parse
from tests.formats.spec.verdicts import refusal
from tests.support import packages
from tests.support.builder import FILES, File, Recipe, build, make
from tests.support.full_manifest import FULL_FILES, LIBRARY, full_manifest
from tests.support.json_texts import DOCUMENTS, VALUES

RUST = Recipe(files=FULL_FILES, manifest=full_manifest())
SPELLINGS = {
    "mark first": b'\xef\xbb\xbf{"a":1}\n', "keys not sorted": b'{"b":1,"a":1}\n',
    "keys by UTF-16": '{"\U00010000":1,"\uffee":1}\n'.encode(), "space": b'{"a": 1}\n',
    "no newline": b'{"a":1}', "two newlines": b'{"a":1}\n\n', "CRLF": b'{"a":1}\r\n',
    "key twice": b'{"a":1,"a":1}\n', "escaped letter": b'["\\u0061"]\n', "slash": b'["\\/"]\n',
    "escaped non-ASCII": b'["\\u00e9"]\n', "upper case escape": b'["\\u001F"]\n',
    "long escape": b'["\\u000a"]\n', "raw control": b'["\x1f"]\n', "surrogate": b'["\\ud800"]\n',
    "pair": b'["\\ud83d\\ude00"]\n', "not UTF-8": b'["\xff"]\n', "float": b"[1.0]\n",
    "exponent": b"[1e2]\n", "minus zero": b"[-0]\n", "2**53": b"[9007199254740992]\n",
    "-2**53": b"[-9007199254740992]\n", "leading zero": b"[01]\n", "NaN": b"[NaN]\n",
    "comma": b"[1,]\n", "comment": b"[1]/**/\n", "after the end": b"[1]\n[2]\n",
}  # fmt: skip


@pytest.mark.parametrize("name", SPELLINGS)
def test_f29_one_value_has_one_spelling(name):
    assert refusal(canonical.decode, SPELLINGS[name], what="the text") == {"M001"}


def test_f29_what_is_no_json_is_refused():
    for name, text in DOCUMENTS.items():
        if name not in ("null", "true", "number", "string", "list", "object"):
            assert refusal(canonical.decode, text, what="the text") == {"M001"}, name


VALUE = {
    "texts": ['"', "\\", "\b\f\n\r\t", "\0\x1f\x7f", "é日\U0001f600", "\u2028", "/"],
    "numbers": [0, -1, 2**53 - 1, 1 - 2**53],
    "\uffee": {},
    "\U00010000": [True, False, None],
}


def test_f29_the_encoding_is_the_one_that_the_page_gives():
    expected = (
        json.dumps(
            VALUE, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        + "\n"
    ).encode()
    assert canonical.encode(VALUE) == expected
    assert canonical.decode(expected, what="the text") == VALUE
    for escape in (rb'"\""', rb'"\\"', rb'"\b\f\n\r\t"', b'"\\u0000\\u001f\x7f"'):
        assert escape in expected


@pytest.mark.parametrize("depth", [16, 17])
def test_f29_nesting_is_of_at_most_16(depth):
    text = b"[" * depth + b"]" * depth + b"\n"
    if depth == 16:
        assert canonical.encode(canonical.decode(text, what="the text")) == text
    else:
        assert refusal(canonical.decode, text, what="the text") == {"L001"}


def test_f29_a_lone_surrogate_or_nan_is_never_written():
    for value in ("\ud800", float("nan")):
        assert refusal(canonical.encode, [value]) == {"M001"}


ABSENT = {
    "null": lambda m: m["package"].update(description=None),
    "an empty text": lambda m: m["package"].update(description=""),
    "an empty list": lambda m: m.update(artifacts=[]),
    "an empty object": lambda m: m.update(requires={}),
    "false": lambda m: m["workflows"][0].update(
        triggers=[{"allow_concurrent": False, "cron": "@daily", "kind": "cron", "name": "t"}]
    ),
}


@pytest.mark.parametrize("name", ABSENT)
def test_f29_an_optional_member_is_absent_never_null_empty_or_false(judge, name):
    assert judge.refuses(build(manifest_patch=ABSENT[name])) <= {"M005", "M006"}


def test_f29_names_and_ids_that_are_not_nfc_are_refused_never_normalised(judge):
    def decomposed(manifest):
        manifest["workflows"][0]["name"] = "cafe\u0301"

    assert judge.refuses(build(manifest_patch=decomposed)) == {"M006"}

    def tasks(manifest):
        manifest["workflows"][0]["tasks"] = [{"dependencies": [], "id": "cafe\u0301"}]

    assert judge.refuses(build(manifest_patch=tasks)) == {"M006"}


CONTENTS = {
    "one file more": {"files": len(FILES) + 1},
    "one byte more": {"size": sum(len(file.data) for file in FILES) + 1},
    "another digest": {"sha256": "0" * 64},
}


@pytest.mark.parametrize("name", CONTENTS)
def test_f30_contents_stand_for_the_files_of_the_package(judge, name):
    data = build(manifest_patch=lambda m: m["contents"].update(CONTENTS[name]))
    assert judge.refuses(data) == {"A014"}


def test_f30_another_files_json_under_the_same_manifest_is_refused(judge):
    plain = make(Recipe())
    other = build(
        files=(*FILES[:2], FILES[2]._replace(data=b"import cloaca\n")),
        manifest_bytes=lambda _: plain.manifest,
    )
    assert judge.refuses(other) == {"A014"}


def test_f30_the_writer_fills_contents_in(tmp_path, judge):
    seen = judge.inspect(packages.make(tmp_path / "made.cloacina").read_bytes())
    assert seen.manifest.contents.files == len(packages.FILES)
    assert seen.manifest.contents.size == sum(map(len, packages.FILES.values()))


def test_f30_the_identity_is_the_digest_of_the_manifest_whatever_zstd_made_of_it(judge):
    one, other = make(Recipe(level=1)), make(Recipe(level=19))
    assert one.data != other.data
    content = "sha256:" + hashlib.sha256(one.manifest).hexdigest()
    assert judge.verify(one.data).content == judge.verify(other.data).content == content
    assert dump(parse(one.manifest)) == one.manifest


@pytest.mark.parametrize("module", ["demo.other", "tasks", "demo.tasks.extract"])
def test_f31_the_entry_module_must_be_a_file_of_the_package(judge, module):
    data = build(manifest_patch=lambda m: m.update(entry_module=module))
    assert judge.refuses(data) == {"M011"}


@pytest.mark.parametrize("module", ["demo", "demo.tasks"])
def test_f31_the_entry_module_is_a_module_or_a_package(judge, module):
    assert judge.verify(build(manifest_patch=lambda m: m.update(entry_module=module)))


def test_f31_an_artifacts_path_must_be_a_file_of_the_package(judge):
    assert judge.verify(build(RUST))
    without = tuple(file for file in FULL_FILES if file.path != LIBRARY)
    elsewhere = File(LIBRARY + ".2", b"x")
    assert judge.refuses(build(RUST, files=(*without, elsewhere))) == {"M011"}


def test_f29_values_that_are_no_json_are_refused_in_the_manifest(judge):
    for raw in VALUES.values():
        text = b'"language":' + raw
        data = build(manifest_bytes=lambda m, text=text: m.replace(b'"language":"python"', text))
        assert judge.refuses(data)
