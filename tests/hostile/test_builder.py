"""The builder's good packages as stock tools see them: two other readings of the same bytes."""

from __future__ import annotations

import hashlib
import shutil
import struct
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest
import zstandard

from tests.hostile import cases_ok
from tests.support import tar_bytes, zstd_bytes
from tests.support.builder import FRAME_SIZE, Recipe, build, make
from tests.support.envelopes import ALICE, canonical

if TYPE_CHECKING:
    from pathlib import Path

    from tests.hostile.case import Case

CASES = [case for case in cases_ok.cases() if case.recipe]
WHOLE = [case for case in CASES if not case.recipe.withheld]
SAMPLE = [case for case in WHOLE if not case.id.startswith("OK-level")]


def _needs(tool: str) -> str:
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"{tool} is not installed")
    return found


def _wanted(case: Case) -> dict[str, str]:
    assert case.recipe is not None
    package = make(case.recipe)
    members = {file.path: file.data for file in case.recipe.files}
    members |= {"manifest.json": package.manifest, "files.json": package.files}
    members["index.json"] = package.index
    root = case.recipe.stem
    return {f"{root}/{path}": hashlib.sha256(data).hexdigest() for path, data in members.items()}


def _tar_of(data: bytes) -> bytes:
    reader = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True)
    return reader.read()


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.id)
def test_tarfile_lists_the_same_names_and_digests(case: Case, tmp_path: Path) -> None:
    plain = tmp_path / "x.tar"
    plain.write_bytes(_tar_of(case.build()))
    found = {}
    with tarfile.open(plain) as archive:
        for member in archive:
            body = archive.extractfile(member)
            assert member.isreg()
            assert body is not None
            assert (member.uid, member.gid, member.mtime) == (0, 0, tar_bytes.EPOCH)
            found[member.name] = hashlib.sha256(body.read()).hexdigest()
    assert found == _wanted(case)


@pytest.mark.parametrize("tool", ["tar", "bsdtar"])
def test_a_stock_tar_unpacks_the_same_files(tool: str, tmp_path: Path) -> None:
    program = _needs(tool)
    for number, case in enumerate(SAMPLE):
        folder = tmp_path / str(number)
        folder.mkdir()
        package = folder / "x.tar.zst"
        package.write_bytes(case.build())
        options = ["--zstd"] if tool == "tar" else []
        subprocess.run([program, *options, "-xf", package, "-C", folder], check=True)
        package.unlink()
        files = [path for path in folder.rglob("*") if path.is_file()]
        found = {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
        }
        assert found == _wanted(case), case.id
        shutil.rmtree(folder)


def test_zstd_tests_every_package(tmp_path: Path) -> None:
    program = _needs("zstd")
    paths = []
    for case in WHOLE:
        paths.append(tmp_path / f"{case.id}.zst")
        paths[-1].write_bytes(case.build())
    subprocess.run([program, "-q", "-t", *paths], check=True)


@pytest.mark.parametrize("case", [c for c in CASES if c.recipe.withheld], ids=lambda case: case.id)
def test_a_slimmed_package_is_still_a_tar(case: Case, tmp_path: Path) -> None:
    plain = tmp_path / "x.tar"
    plain.write_bytes(_tar_of(case.build()))
    with tarfile.open(plain) as archive:
        names = archive.getnames()
    gone = case.recipe.withheld
    assert names
    assert not [name for name in names if any(f"platform/{tag}/" in name for tag in gone)]


def test_the_signature_frame_is_as_the_format_says() -> None:
    package = make(Recipe(signers=(ALICE,)))
    assert package.data[:4] == b"\x5c\x2a\x4d\x18"
    (length,) = struct.unpack("<I", package.data[4:8])
    block = package.data[8 : 8 + length]
    assert block[:8] == b"cloacina"
    assert struct.unpack("<HHI", block[8:16]) == (3, 0, len(package.head))
    assert package.data[8 + length :].startswith(package.head)


def test_sections_are_cut_every_frame_size_bytes() -> None:
    by_name = {case.id: case for case in CASES}
    one = make(by_name["OK-section-of-one-whole-frame"].recipe)
    assert [len(frame.content) for frame in one.frames] == [FRAME_SIZE, 1024]
    two = make(by_name["OK-section-of-a-frame-and-a-block"].recipe)
    assert [len(frame.content) for frame in two.frames] == [FRAME_SIZE, 512, 1024]


def test_frames_by_hand_are_frames() -> None:
    for content in (b"", b"x", bytes(300_000), bytes(range(256)) * 2000):
        frame = zstd_bytes.raw_frame(content)
        assert zstandard.ZstdDecompressor().decompress(frame) == content
    rle = zstd_bytes.header(300_000) + zstd_bytes.rle_blocks(300_000)
    rle += zstd_bytes.checksum(bytes(300_000))
    assert zstandard.ZstdDecompressor().decompress(rle) == bytes(300_000)
    assert zstandard.ZstdDecompressor().decompress(zstd_bytes.zeros_frame(3 << 20)) == bytes(
        3 << 20
    )


def test_a_pax_record_counts_itself() -> None:
    for length in (0, 1, 85, 86, 87, 88, 89, 980, 990, 991, 992, 993):
        record = tar_bytes.pax_record(b"path", b"x" * length)
        assert int(record.split(b" ", 1)[0]) == len(record)


def test_canonical_json_is_what_the_format_says() -> None:
    assert (
        canonical({"b": "\x1b\u00e9", "a": [1, True]}) == b'{"a":[1,true],"b":"\\u001b\xc3\xa9"}\n'
    )


def test_the_plain_package_is_small() -> None:
    assert len(build()) < 1500
