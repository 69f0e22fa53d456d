"""What the writer writes, the reader reads, and so do stock tools."""

import hashlib
import os
import shutil
import subprocess
import tarfile

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from cloacina_ctl.errors import Refused
from cloacina_ctl.formats.extraction import Extraction
from cloacina_ctl.formats.file_index import FRAME_SIZE
from cloacina_ctl.formats.native.writer import WriteOptions
from cloacina_ctl.formats.opening import open_any
from cloacina_ctl.formats.sinks import MemorySink, select
from tests.support.machine import need
from tests.support.packages import FILES, make, planned, write

NAMES = st.text(st.sampled_from("abcdé漢-_ 1"), min_size=1, max_size=20).filter(
    lambda name: name == name.strip(" ")
)
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: "workflow/demo/x/" + "/".join(parts)),
    st.binary(max_size=2000),
    max_size=12,
)


def read_all(path):
    sink = MemorySink()
    with open_any(str(path)) as package:
        poured = package.stream(sink, jobs=2)
        assert poured.complete
    return sink.files


def test_every_file_comes_back_as_it_was(tmp_path):
    assert read_all(make(tmp_path / "x.cloacina")) == FILES


@settings(max_examples=60, deadline=None)
@given(tree=TREES)
def test_any_tree_comes_back_as_it_was(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    try:
        plan = planned({**FILES, **tree})
    except Refused:
        return  # two names that some file system takes for one
    assert read_all(write(folder / "x.cloacina", plan)) == {**FILES, **tree}


@pytest.mark.parametrize(
    "size", [FRAME_SIZE - 1536, FRAME_SIZE - 512, FRAME_SIZE, 3 * FRAME_SIZE + 7]
)
def test_files_that_end_at_and_across_the_cuts_come_back(tmp_path, size):
    files = {**FILES, "workflow/demo/large.bin": os.urandom(size), "workflow/demo/z": b"last"}
    assert read_all(make(tmp_path / "x.cloacina", files)) == files


def test_the_bytes_do_not_depend_on_the_number_of_threads(tmp_path):
    files = {**FILES, "workflow/demo/large.bin": os.urandom(1 << 20) * 9}
    one = make(tmp_path / "one", files, options=WriteOptions(jobs=1)).read_bytes()
    four = make(tmp_path / "four", files, options=WriteOptions(jobs=4)).read_bytes()
    assert one == four


def test_the_executable_bit_is_kept(tmp_path):
    path = write(tmp_path / "x.cloacina", planned(FILES, executable=("workflow/demo/tasks.py",)))
    with open_any(str(path)) as package, Extraction(str(tmp_path / "out")) as extraction:
        package.stream(extraction)
        extraction.commit()
    modes = {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "out/workflow/demo").iterdir()}
    assert modes["tasks.py"] == 0o755 & ~_umask()
    assert modes["data.bin"] == 0o644 & ~_umask()


def test_one_member_is_read_from_the_frames_that_hold_it_alone(tmp_path, monkeypatch):
    files = {**FILES, **{f"workflow/demo/{n}.bin": os.urandom(FRAME_SIZE) for n in range(6)}}
    path = make(tmp_path / "x.cloacina", files)
    sink, read = MemorySink(), []
    with open_any(str(path)) as package:
        read_frame = package.read_frame
        monkeypatch.setattr(package, "read_frame", lambda *of: read.append(of) or read_frame(*of))
        chosen = select(package.head.files, ["workflow/demo/3.bin"])
        streamed = package.stream(sink, chosen)
    assert sink.files == {"workflow/demo/3.bin": files["workflow/demo/3.bin"]}
    assert len(read) == 3  # and the one that ends the archive
    assert not streamed.complete


def test_tar_reads_what_the_writer_writes(tmp_path):
    path = make(tmp_path / "x.cloacina")
    with path.open("rb") as file:
        stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
    (tmp_path / "x.tar").write_bytes(stream)
    with tarfile.open(tmp_path / "x.tar") as archive:
        found = {
            member.name.removeprefix("demo-1.0/"): archive.extractfile(member).read()
            for member in archive
        }
    assert {name: found[name] for name in FILES} == FILES
    assert list(found)[:3] == ["manifest.json", "files.json", "index.json"]


@pytest.mark.parametrize("command", [["tar", "--zstd", "-xf"], ["bsdtar", "-xf"]])
def test_stock_tools_extract_the_same_bytes(tmp_path, command):
    need(command[0])
    need("zstd")
    path = make(tmp_path / "x.cloacina")
    subprocess.run([*command, str(path), "-C", str(tmp_path)], check=True)
    for name, data in FILES.items():
        there = (tmp_path / "demo-1.0" / name).read_bytes()
        assert hashlib.sha256(there).digest() == hashlib.sha256(data).digest()


def test_zstd_finds_every_frame_whole(tmp_path):
    need("zstd")
    path = make(tmp_path / "x.cloacina")
    shutil.copy(path, tmp_path / "x.zst")
    subprocess.run(["zstd", "-t", "-q", str(tmp_path / "x.zst")], check=True)


def _umask():
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
