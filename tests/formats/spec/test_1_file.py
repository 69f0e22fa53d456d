"""Docs/format.md, 1: what a file is made of."""

from __future__ import annotations

import io
import tarfile

import pytest
import zstandard

from cloacina_ctl.formats.native import frames
from cloacina_ctl.formats.native.writer import WriteOptions
from tests.hostile.cases_a_container import hostile_frames
from tests.support import packages
from tests.support.builder import Recipe, build, make
from tests.support.zstd_bytes import frame, skippable

FORBIDDEN_BY_F3 = sorted(
    name for name in hostile_frames() if name.startswith(("A14-", "A15-", "A16-", "A17-", "A18-"))
)


@pytest.mark.parametrize("extra", [b"\0", b"text", frame(b""), skippable(b"")])
@pytest.mark.parametrize("place", range(4))
def test_f1_nothing_stands_before_between_or_after_the_parts(judge, extra, place):
    def insert(parts: list[bytes]) -> list[bytes]:
        at = min(place, len(parts)) if place < 3 else len(parts)
        return [*parts[:at], extra, *parts[at:]]

    assert judge.refuses(build(parts_patch=insert))


def test_f1_a_file_longer_than_its_index_says_is_refused(judge):
    assert judge.refuses(build() + b"\0") == {"A005"}


@pytest.mark.parametrize("less", [1, 20, 100])
def test_f1_a_file_shorter_than_its_index_says_is_refused(judge, less):
    assert judge.refuses(build()[:-less]) == {"A004"}


def test_f1_the_parts_alone_are_a_package(judge):
    assert judge.verify(build()).complete


@pytest.mark.parametrize("level", [1, 3, 19])
@pytest.mark.parametrize("size", [0, 1, 255, 256, 70_000])
def test_f2_a_frame_is_what_one_call_over_the_whole_input_gives(level, size):
    content = (b"workflow %d " % size * 6000)[:size]
    assert frames.compress(content, level) == frame(content, level)


def test_f2_the_writer_makes_the_frames_that_another_program_makes(tmp_path):
    made = packages.make(tmp_path / "made.cloacina", options=WriteOptions(level=7)).read_bytes()
    block = 8 + int.from_bytes(made[4:8], "little")
    rest = made[block:]
    while rest:
        content = zstandard.ZstdDecompressor().decompress(rest, allow_extra_data=True)
        expected = frame(content, 7)
        assert rest.startswith(expected)
        rest = rest[len(expected) :]


def test_f2_levels_are_1_to_19_and_3_unless_asked_otherwise():
    assert list(frames.LEVELS) == list(range(1, 20))
    assert frames.compress(b"a" * 999) == frame(b"a" * 999, 3)


@pytest.mark.parametrize("name", FORBIDDEN_BY_F3)
def test_f3_a_head_frame_that_no_writer_makes_is_refused(judge, name):
    codes = judge.refuses(build(head_frame=hostile_frames()[name][1]))
    assert codes <= {"A007", "A011", "L001"}


@pytest.mark.parametrize("name", FORBIDDEN_BY_F3)
def test_f3_a_payload_frame_that_no_writer_makes_is_refused(judge, name):
    spoil = hostile_frames()[name][1]
    codes = judge.refuses(build(frame_patch=lambda stored: spoil(stored.content)))
    assert codes == {"A007"}


def test_f3_one_bad_frame_is_enough(judge):
    def last(stored):
        end = stored.section == "end"
        return stored.frame[:-1] + b"x" if end else stored.frame

    assert judge.refuses(build(frame_patch=last)) == {"A007"}


def test_f4_head_and_payload_joined_are_one_tar_file():
    made = make(Recipe())
    stream = b"".join(
        zstandard.ZstdDecompressor().decompress(part)
        for part in (made.head, *(stored.frame for stored in made.frames))
    )
    with tarfile.open(fileobj=io.BytesIO(stream), mode="r:", errorlevel=2) as tar:
        names = tar.getnames()
    assert names[:3] == [f"demo-1.0.0/{name}.json" for name in ("manifest", "files", "index")]
    assert names[3:] == [f"demo-1.0.0/{file.path}" for file in Recipe().files]


def test_f4_what_this_program_writes_is_one_tar_file(tmp_path):
    path = packages.make(tmp_path / "made.cloacina")
    with open(path, "rb") as file:
        decompressor = zstandard.ZstdDecompressor()
        stream = decompressor.stream_reader(file, read_across_frames=True).read()
    with tarfile.open(fileobj=io.BytesIO(stream), mode="r:", errorlevel=2) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}
    for name, data in packages.FILES.items():
        assert members[f"demo-1.0/{name}"] == data
