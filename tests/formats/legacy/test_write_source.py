"""The bytes of a source package: one bzip2 stream of GNU tar, the same for the same files."""

from __future__ import annotations

import bz2
import hashlib
import io
import os
import random
import subprocess
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.formats.legacy.tar_writer import PIECE, Pipeline, feed_plan
from cloacina_ctl.formats.legacy.write_source import (
    PADDING_PATH,
    Destination,
    SizeRules,
    check_paths,
    source_order,
    write_source,
)
from cloacina_ctl.formats.plan import Plan, PlannedFile
from cloacina_ctl.operations.packaging.source import size_rules
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.releases.table import find_release
from tests.support.machine import need

ROOT = "demo-1.0"
SIX = find_release("0.6")
RATIO = size_rules(SIX, "source", ROOT)


def plan(files, executable=()):
    planned = [
        PlannedFile(MemberPath.parse(name), data, len(data), name in executable, "a test")
        for name, data in files.items()
    ]
    return Plan(ROOT, tuple(sorted(planned, key=lambda file: source_order(file.path))))


def write(path, files, rules=SizeRules(), **choices):
    executable = choices.pop("executable", ())
    output = Destination(str(path), choices.pop("replace", False))
    return write_source(output, ROOT, feed_plan(plan(files, executable)), rules, **choices)


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.cloacina"


FILES = {
    "package.toml": b"[package]\n",
    "workflow/demo/__init__.py": b"",
    "workflow/demo/tasks.py": b"import cloaca\n" * 9,
    "workflow/demo/" + "long" * 30 + "/données.bin": noise(3000),
    "workflow/run.sh": b"#!/bin/sh\n",
}


def test_the_stream_is_what_bzip2_makes_of_the_same_tar(path):
    write(path, {**FILES, "workflow/big.bin": noise(2_500_000)})
    data = path.read_bytes()
    assert bz2.compress(bz2.decompress(data), 9) == data


def test_it_is_one_stream_and_ends_with_it(path):
    write(path, FILES)
    decoder = bz2.BZ2Decompressor()
    decoder.decompress(path.read_bytes())
    assert decoder.eof
    assert decoder.unused_data == b""


def test_what_is_told_of_the_file_is_so(path):
    written = write(path, FILES)
    data = path.read_bytes()
    assert written.size == len(data)
    assert written.digest == hashlib.sha256(data).hexdigest()
    assert {str(file.path): file.sha256 for file in written.files} == {
        name: hashlib.sha256(body).hexdigest() for name, body in FILES.items()
    }
    assert written.padding == 0


def test_the_tar_holds_regular_files_alone_sorted_and_without_a_trace_of_the_machine(path):
    write(path, FILES, executable={"workflow/run.sh"})
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        assert [member.name.encode() for member in members] == sorted(
            f"{ROOT}/{name}".encode() for name in FILES
        )
        for member in members:
            assert member.isreg()
            assert (member.uid, member.gid, member.mtime) == (0, 0, 0)
            assert (member.uname, member.gname) == ("", "")
            assert member.mode == (0o755 if member.name.endswith(".sh") else 0o644)
            assert archive.extractfile(member).read() == FILES[member.name[len(ROOT) + 1 :]]
    assert bz2.decompress(path.read_bytes()).endswith(bytes(1024))


def test_the_headers_are_those_of_gnu_tar_with_a_long_name_before_a_long_name(path):
    write(path, FILES)
    stream = bz2.decompress(path.read_bytes())
    assert stream[257:265] == b"ustar  \0"
    assert stream[148:156].endswith(b"\0")
    assert stream.count(b"././@LongLink\0") == 1
    first = stream.index(b"././@LongLink")
    assert stream[first + 156 : first + 157] == b"L"


def test_the_tar_of_the_system_unpacks_it(path, tmp_path):
    write(path, FILES, executable={"workflow/run.sh"})
    there = tmp_path / "there"
    there.mkdir()
    subprocess.run([need("tar"), "-xjf", path, "-C", there], check=True)
    for name, data in FILES.items():
        assert (there / ROOT / name).read_bytes() == data
    assert os.access(there / ROOT / "workflow/run.sh", os.X_OK)


@given(
    st.dictionaries(
        st.from_regex(r"[a-zé]{1,40}(?:/[a-z]{1,60}){0,3}\.x", fullmatch=True),
        st.binary(max_size=2000),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=40, deadline=None)
def test_python_reads_back_what_was_written(tmp_path_factory, files):
    path = tmp_path_factory.mktemp("t") / "x.cloacina"
    write(path, files)
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as archive:
        found = {m.name[len(ROOT) + 1 :]: archive.extractfile(m).read() for m in archive}
    assert found == files


def test_the_same_files_give_the_same_bytes_from_disk_and_from_memory(path, tmp_path):
    write(path, FILES)
    planned = []
    for number, (name, data) in enumerate(FILES.items()):
        source = tmp_path / str(number)
        source.write_bytes(data)
        source.chmod(0o600)
        os.utime(source, (number, number))
        planned.append(PlannedFile(MemberPath(name), str(source), len(data), False, ""))
    planned.sort(key=lambda file: source_order(file.path))
    other = tmp_path / "other.cloacina"
    seen = []
    feed = feed_plan(Plan(ROOT, tuple(planned)), lambda done, total: seen.append((done, total)))
    write_source(Destination(str(other)), ROOT, feed, SizeRules())
    assert other.read_bytes() == path.read_bytes()
    assert seen[-1][0] == seen[-1][1] == sum(map(len, FILES.values()))


def refused(path, files, rules, **choices):
    with pytest.raises(Refused) as caught:
        write(path, files, rules, **choices)
    assert not path.exists()
    assert list(path.parent.iterdir()) == []
    (problem,) = caught.value.diagnostics
    return problem


def test_what_would_grow_more_than_ten_times_is_refused_with_the_cure(path):
    problem = refused(path, {"package.toml": bytes(2_000_000)}, RATIO)
    assert problem.code is Code.RELEASE_LIMIT
    assert "at most 10 times is accepted (Cloacina 0.6 and later)" in problem.message
    assert "--pad" in problem.hint


@pytest.mark.parametrize("size", [30_000, 2_000_000, 30_000_000])
def test_padding_brings_it_within_the_ratio_and_hardly_further(path, size):
    written = write(path, {"workflow/zeros.bin": bytes(size)}, RATIO, pad=True)
    total = sum(file.size for file in written.files)
    assert total <= 10 * path.stat().st_size
    assert total > 8 * path.stat().st_size
    assert written.padding == written.files[-1].size
    assert written.files[-1].path == PADDING_PATH


def test_padding_is_the_same_for_the_same_files_and_another_for_others(path, tmp_path):
    other, third = tmp_path / "other", tmp_path / "third"
    write(path, {"a.bin": bytes(100_000)}, RATIO, pad=True)
    write(other, {"a.bin": bytes(100_000)}, RATIO, pad=True)
    write(third, {"b.bin": bytes(100_000)}, RATIO, pad=True)
    assert path.read_bytes() == other.read_bytes()
    bodies = [bz2.decompress(one.read_bytes())[-4096:-2048] for one in (path, third)]
    assert bodies[0] != bodies[1]


def test_nothing_is_padded_that_needs_none(path, tmp_path):
    write(path, {"a.bin": noise(5000)}, RATIO, pad=True)
    write(tmp_path / "plain", {"a.bin": noise(5000)}, RATIO)
    assert path.read_bytes() == (tmp_path / "plain").read_bytes()


def test_a_file_that_changes_between_the_rounds_is_refused(path, tmp_path):
    changing = tmp_path / "folder" / "a"
    changing.parent.mkdir()
    changing.write_bytes(bytes(100_000))
    file = PlannedFile(MemberPath("a"), str(changing), 100_000, False, "")
    feed = feed_plan(Plan(ROOT, (file,)))

    def feed_and_change(stream):
        feed(stream)
        changing.write_bytes(b"1" * 100_000)

    with pytest.raises(FileProblem) as caught:
        write_source(Destination(str(path)), ROOT, feed_and_change, RATIO, pad=True)
    assert caught.value.diagnostics[0].code is Code.CHANGED
    assert not path.exists()


def test_more_than_a_server_takes_is_refused(path):
    problem = refused(
        path, {"a.bin": noise(3 << 20)}, size_rules(find_release("0.4"), "source", ROOT)
    )
    assert "bytes in the package, at most 2096128 are accepted (Cloacina 0.4)" in problem.message


def test_too_many_files_and_bytes_are_refused_before_a_byte_is_read():
    rules = size_rules(SIX._replace(entries=2, total=10), "source", ROOT)
    rules.check(2, 10, None)
    for entries, files in ((3, 3), (1, 11)):
        with pytest.raises(Refused) as caught:
            rules.check(entries, files, None)
        assert caught.value.diagnostics[0].code is Code.RELEASE_LIMIT


def test_padding_counts_as_a_file(path):
    rules = size_rules(SIX._replace(entries=1), "source", ROOT)
    assert "2 members" in refused(path, {"a.bin": bytes(100_000)}, rules, pad=True).message


@pytest.mark.parametrize(
    ("paths", "code"),
    [(["a/x", "A/x"], Code.MEMBER_COLLISION), ([PADDING_PATH], Code.RESERVED_NAME)],
)
def test_names_that_cannot_be_packed_are_refused(paths, code):
    check_paths(ROOT, ["a/x", "b/x"])
    with pytest.raises(Refused) as caught:
        check_paths(ROOT, paths)
    assert caught.value.diagnostics[0].code is code


def test_an_existing_file_is_replaced_only_when_that_is_said(path):
    path.write_bytes(b"mine")
    with pytest.raises(FileProblem):
        write(path, FILES)
    assert path.read_bytes() == b"mine"
    write(path, FILES, replace=True)
    assert path.read_bytes()[:3] == b"BZh"


def test_a_disk_that_fills_up_is_reported_and_leaves_nothing(path, monkeypatch):
    def full(fd, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cloacina_ctl.formats.legacy.tar_writer.write_all", full)
    with pytest.raises(FileProblem) as caught:
        write(path, {"a.bin": noise(20 * PIECE)})
    assert caught.value.diagnostics[0].code is Code.NO_SPACE
    assert list(path.parent.iterdir()) == []


def test_a_file_ends_only_where_one_began(path):
    with pytest.raises(TypeError):
        write_source(Destination(str(path)), ROOT, lambda stream: stream.end(), SizeRules())


@given(st.lists(st.integers(0, 3 * PIECE), max_size=5))
@settings(max_examples=15, deadline=None)
def test_a_pipeline_hands_over_every_byte_in_order(sizes):
    given_bytes = b"".join(bytes([number + 1]) * size for number, size in enumerate(sizes))
    found = []
    with Pipeline(lambda piece: found.append(bytes(piece))) as pipeline:
        for number, size in enumerate(sizes):
            pipeline.put(bytes([number + 1]) * size)
    assert b"".join(found) == given_bytes
    assert all(len(piece) == PIECE for piece in found[:-1])
