"""Docs/format.md, 4: members, sections, frames."""

from __future__ import annotations

import hashlib
import json

import pytest

from cloacina_ctl.formats.layout import is_tag, section_of
from cloacina_ctl.formats.native.writer import WriteOptions
from tests.formats.spec.verdicts import refusal
from tests.support import packages
from tests.support.builder import FILES, FRAME_SIZE, File, Recipe, build, make
from tests.support.builder import section_of as expected
from tests.support.full_manifest import FULL_FILES, LIBRARY, full_manifest
from tests.support.zstd_bytes import bound, frame, raw_frame

TAG = "linux_x86_64"
BIG = File(f"platform/{TAG}/big", bytes(range(251)) * 20_000)  # 5 020 000 bytes: three frames
SECTIONS = Recipe(files=(*FILES, BIG, File("source/Cargo.toml", b"[package]\n")))


@pytest.mark.parametrize("tag", ["a", "linux_x86_64", "macos_11.0_arm64", "9", "x" * 64])
def test_f23_a_tag_is_of_lower_case_letters_digits_underscores_and_dots(judge, tag):
    assert is_tag(tag)
    assert section_of(f"platform/{tag}/x") == tag
    assert judge.verify(build(files=(*FILES, File(f"platform/{tag}/x"))))


@pytest.mark.parametrize(
    "tag", ["any", "common", "source", "end", "head", "Linux", "a-b", "_a", ".a", "x" * 65, "é"]
)
def test_f23_no_other_tag_exists(judge, tag):
    assert not is_tag(tag)
    codes = judge.refuses(build(files=(*FILES, File(f"platform/{tag}/x"))))
    assert codes <= {"A015", "A009"}


@pytest.mark.parametrize("path", [
    "platform/x", "platform", "source", "manifest.json", "Source/x", "ſource/x", "ＳＯＵＲＣＥ/x",
    "Platform/any/x", "plａtform/x",
])  # fmt: skip
def test_f23_the_names_of_the_format_have_no_other_sense(judge, path):
    assert refusal(section_of, path) == {"A015"}
    assert judge.refuses(build(files=(*FILES, File(path, b"x")))) <= {"A015", "A016"}


@pytest.mark.parametrize(
    "path", ["package.toml", "workflow/a", "vendor/a", "platform/t/a", "source/a"]
)
def test_f23_a_section_follows_from_the_path(path):
    assert section_of(path) == expected(path)


def files_changed(change):
    return build(files_patch=change)


TABLES = {
    "executable is false": lambda t: t["files"][0].update(executable=False),
    "executable is 1": lambda t: t["files"][0].update(executable=1),
    "another key": lambda t: t["files"][0].update(mode=420),
    "no digest": lambda t: t["files"][0].pop("sha256") and None,
    "no size": lambda t: (t["files"][0].pop("size"), None)[1],
    "upper case digest": lambda t: t["files"][0].update(sha256="A" * 64),
    "size as text": lambda t: t["files"][0].update(size="1"),
    "a second list": lambda t: t.update(more=[]),
    "no file": lambda t: t["files"].clear(),
    "another order": lambda t: t["files"].reverse(),
    "a file twice": lambda t: t["files"].insert(0, t["files"][0]),
}


@pytest.mark.parametrize("name", TABLES)
def test_f24_files_json_has_one_spelling(judge, name):
    assert judge.refuses(files_changed(TABLES[name])) == {"A010"}


def test_f24_the_order_is_by_section_then_by_the_bytes_of_the_path(tmp_path, judge):
    files = dict.fromkeys(
        ["package.toml", "zz", "source/a", "source/Z", "platform/b/x", "platform/a.b/x",
         "workflow/demo/tasks.py", "workflow/demo/é", "workflow/demo/z", "Z", "a/b", "a-b", "a0"],
        b"x",
    )  # fmt: skip
    path = packages.make(tmp_path / "made.cloacina", files)
    found = [str(file.path) for file in judge.inspect(path.read_bytes()).files]
    assert found == [
        "Z", "a-b", "a/b", "a0", "package.toml", "workflow/demo/tasks.py", "workflow/demo/z",
        "workflow/demo/é", "zz", "source/Z", "source/a", "platform/a.b/x", "platform/b/x",
    ]  # fmt: skip


def test_f24_files_json_lists_each_file_but_the_three_of_the_head(tmp_path):
    made = make(Recipe())
    listed = [entry["path"] for entry in json.loads(made.files)["files"]]
    assert listed == [file.path for file in FILES]


def test_f24_a_library_has_no_executable_bit(judge):
    files = tuple(
        file._replace(executable=True) if file.path == LIBRARY else file for file in FULL_FILES
    )
    rust = Recipe(files=FULL_FILES, manifest=full_manifest())
    assert judge.verify(build(rust))
    assert judge.refuses(build(rust, files=files)) == {"A010"}


INDEXES = {
    "another frame size": lambda t: t.update(frame_size=1 << 20),
    "no tool": lambda t: t.pop("tool") and None,
    "no version of the tool": lambda t: t["tool"].pop("version") and None,
    "another key": lambda t: t.update(x=1),
    "another key of a frame": lambda t: t["frames"][0].update(offset=0),
    "no digest of a frame": lambda t: t["frames"][0].pop("sha256") and None,
}


@pytest.mark.parametrize("name", INDEXES)
def test_f25_index_json_has_one_spelling(judge, name):
    assert judge.refuses(build(index_patch=INDEXES[name])) == {"A009"}


def test_f25_size_and_digest_are_of_the_compressed_frame_and_each_follows_the_last():
    made = make(SECTIONS)
    at = len(made.signature_frame) + len(made.head)
    for entry in json.loads(made.index)["frames"]:
        stored = made.data[at : at + entry["size"]]
        assert hashlib.sha256(stored).hexdigest() == entry["sha256"]
        at += entry["size"]
    assert at == len(made.data)


def test_f26_this_program_cuts_as_another_does(tmp_path, judge):
    files = {file.path: file.data for file in SECTIONS.files}
    path = packages.make(tmp_path / "made.cloacina", files)
    other = make(SECTIONS.but(version="1.0"))
    assert path.read_bytes().endswith(b"".join(stored.frame for stored in other.frames))
    assert [(s.section, len(s.content)) for s in other.frames if s.section == TAG] == [
        (TAG, FRAME_SIZE), (TAG, FRAME_SIZE), (TAG, 512 + 5_020_160 - 2 * FRAME_SIZE),
    ]  # fmt: skip
    assert (other.frames[-1].section, other.frames[-1].content) == ("end", bytes(1024))


def test_f26_the_bytes_do_not_depend_on_the_number_of_threads(tmp_path):
    files = {file.path: file.data for file in SECTIONS.files}
    one, four = (
        packages.make(tmp_path / f"{jobs}.cloacina", files, options=WriteOptions(jobs=jobs))
        for jobs in (1, 4)
    )
    assert one.read_bytes() == four.read_bytes()


def test_f26_the_end_is_one_frame_of_two_zero_blocks(judge):
    for end in (bytes(512), bytes(1536), bytes(1023) + b"x", b""):
        assert judge.refuses(build(end=end)) <= {"A009", "A011"}


@pytest.mark.parametrize("size", [FRAME_SIZE // 2, FRAME_SIZE * 2])
def test_f26_sections_are_cut_nowhere_else(judge, size):
    def as_usual(index):
        index["frame_size"] = FRAME_SIZE

    assert judge.refuses(build(SECTIONS, frame_size=size, index_patch=as_usual)) == {"A009"}


def of_frames(change):
    return lambda table: change(table["frames"])


DIFFERENT = {
    "one frame more": of_frames(lambda f: f.append(f[-1])),
    "one frame less": of_frames(lambda f: f.pop() and None),
    "two sections change places": of_frames(lambda f: f.reverse()),
    "another section": of_frames(lambda f: f[0].update(section="source")),
    "another content size": of_frames(lambda f: f[0].update(content_size=512)),
    "no bytes": of_frames(lambda f: f[0].update(size=0)),
    "more than a frame can have": of_frames(
        lambda f: f[0].update(size=bound(f[0]["content_size"]) + 1)
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_f27_an_index_that_files_json_does_not_lead_to_is_refused(judge, name):
    assert judge.refuses(build(SECTIONS, index_patch=DIFFERENT[name])) == {"A009"}


ENTRIES = {
    "two frames": lambda c: frame(c[:512]) + frame(c[512:]),
    "an empty frame too": lambda c: frame(c) + frame(b""),
    "a byte too": lambda c: frame(c) + b"\0",
    "half a frame": lambda c: frame(c)[:-9],
    "nothing of the kind": lambda c: b"x" * 50,
}


@pytest.mark.parametrize("name", ENTRIES)
def test_f27_each_entry_is_exactly_one_frame(judge, name):
    spoil = ENTRIES[name]
    assert judge.refuses(build(frame_patch=lambda stored: spoil(stored.content))) == {"A007"}


def test_f27_a_frame_of_raw_blocks_is_within_the_bound(judge):
    assert judge.verify(build(frame_patch=lambda stored: raw_frame(stored.content)))


def test_f28_a_frames_bytes_are_compared_before_they_are_decompressed(judge):
    def garbage(stored):
        return [s._replace(frame=b"x" * len(s.frame)) for s in stored]

    assert judge.refuses(build(stored_patch=garbage)) == {"A012"}


def test_f28_another_frame_of_the_same_content_is_refused(judge):
    def packed_again(stored):
        first = stored[0]
        again = raw_frame(first.content)[: len(first.frame)].ljust(len(first.frame), b"\0")
        return [first._replace(frame=again), *stored[1:]]

    assert judge.refuses(build(stored_patch=packed_again)) == {"A012"}


def test_f28_each_file_is_compared_before_anybody_may_use_it(judge):
    def other(table):
        table["files"][-1]["sha256"] = "0" * 64

    assert judge.refuses(build(files_patch=other)) == {"A013"}
    assert judge.refuses_to_unpack(build(files_patch=other)) == {"A013"}


def test_f28_a_file_with_another_byte_is_refused(judge):
    def changed(file: File, made: bytes) -> bytes:
        return made.replace(b"extract", b"exTract") if file is FILES[2] else made

    assert judge.refuses_to_unpack(build(member_patch=changed)) == {"A013"}
