"""Docs/format.md, 8: what other software makes of a package, with the programs that are here."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
import zstandard

from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.signing.keys import PrivateKey
from tests.support.machine import need

PYPROJECT = '[project]\nname = "flow"\nversion = "1.0.0"\nrequires-python = ">=3.10"\n'
TASK = "import cloaca\n\n\n@cloaca.task(id='one')\ndef one(context):\n    return context\n"
HEAD = ("manifest.json", "files.json", "index.json")
# Rust's ways to read a stream of several frames, as a program that prints how much each gives.
PROBE = """
use std::io::Read;
use tokio::io::AsyncReadExt;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let path = std::env::args().nth(1).unwrap();
    let data = std::fs::read(path).unwrap();
    println!("zstd {}", zstd::decode_all(&data[..]).unwrap().len());
    let mut stream = zstd::Decoder::new(&data[..]).unwrap();
    let mut read = Vec::new();
    stream.read_to_end(&mut read).unwrap();
    println!("zstd-stream {}", read.len());
    for all in [false, true] {
        let mut decoder = async_compression::tokio::bufread::ZstdDecoder::new(&data[..]);
        decoder.multiple_members(all);
        let mut read = Vec::new();
        decoder.read_to_end(&mut read).await.unwrap();
        println!("async-compression-{all} {}", read.len());
    }
}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A signed package whose payload has several frames, one of them as large as they get."""
    folder = tmp_path_factory.mktemp("readers")
    source = folder / "flow" / "src" / "flow"
    source.mkdir(parents=True)
    (folder / "flow" / "pyproject.toml").write_text(PYPROJECT)
    (source / "__init__.py").write_text(TASK)
    block = b"".join(hashlib.sha256(b"%d" % at).digest() for at in range(100_000))
    (source / "table.bin").write_bytes(block)
    output = str(folder / "x.cloacina")
    package(PackageRequest(str(folder / "flow"), output, keys=(PrivateKey.generate(),)))
    return folder / "x.cloacina"


@pytest.fixture(scope="module")
def members(made) -> dict[str, int]:
    """Return what is in the package by what the package says: `files.json`, and the head."""
    with tarfile.open(fileobj=io.BytesIO(decoded(made))) as tar:
        root = tar.next().name.partition("/")[0]
        table = json.load(tar.extractfile(f"{root}/files.json"))["files"]
        sizes = {one.name: one.size for one in tar.getmembers() if Path(one.name).name in HEAD}
    return {**sizes, **{f"{root}/{one['path']}": one["size"] for one in table}}


def decoded(path: Path) -> bytes:
    return subprocess.run([need("zstd"), "-dcq", path], capture_output=True, check=True).stdout


def run(*words: object, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, **more
    )


def listed(done: subprocess.CompletedProcess[str]) -> set[str]:
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_f34_tar_and_bsdtar_list_all_members_and_zstd_finds_all_frames_whole(made, members):
    assert listed(run(need("tar"), "--zstd", "-tf", made)) == set(members)
    assert listed(run(need("bsdtar"), "-tf", made)) == set(members)
    assert run(need("zstd"), "-tq", made).returncode == 0


def test_f34_a_copy_that_is_named_tar_zst_needs_no_option(made, members, tmp_path):
    copy = tmp_path / "x.tar.zst"
    shutil.copy(made, copy)
    assert listed(run(need("tar"), "-tf", copy)) == set(members)


def test_f34_gnu_tar_without_the_option_does_not_know_it_for_zstd(made):
    assert "GNU tar" in run(need("tar"), "--version").stdout
    done = run("tar", "-tf", made, env={**os.environ, "LC_ALL": "C"})
    assert done.returncode == 2
    assert "This does not look like a tar archive" in done.stderr


def test_f34_two_mebibytes_of_window_are_enough_and_one_is_not(made):
    zstd = need("zstd")
    assert run(zstd, "-tq", "--memory=2MB", made).returncode == 0
    assert run(zstd, "-tq", "--memory=1MB", made).returncode != 0


def test_f34_the_calls_of_zstandard_that_the_page_promises(made, members):
    with (
        open(made, "rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file) as stream,
        tarfile.open(fileobj=stream, mode="r|") as tar,
    ):
        assert {one.name: one.size for one in tar} == members
    with zstandard.open(made) as stream:
        assert stream.read() == decoded(made)
    whole = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
    assert whole.decompress(made.read_bytes()) == decoded(made)


def test_f34_the_call_of_zstandard_that_yields_nothing_still_does(made):
    assert zstandard.ZstdDecompressor().decompressobj().decompress(made.read_bytes()) == b""


@pytest.mark.slow
def test_f34_crates_that_read_all_frames_and_the_one_that_does_not(made, tmp_path):
    cargo, target = need("cargo"), Path.home() / ".cache" / "cloacina-ctl-tests" / "readers"
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.rs").write_text(PROBE)
    (tmp_path / "Cargo.toml").write_text(
        '[package]\nname = "probe"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n'
        'zstd = "0.13"\ntokio = { version = "1", features = ["rt", "macros", "io-util"] }\n'
        'async-compression = { version = "0.4", features = ["tokio", "zstd"] }\n'
    )
    done = run(cargo, "run", "-q", "--target-dir", target, "--", made, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = dict(line.split() for line in done.stdout.splitlines())
    size = str(len(decoded(made)))
    assert found == {
        "zstd": size, "zstd-stream": size,
        "async-compression-false": "0", "async-compression-true": size,
    }  # fmt: skip
