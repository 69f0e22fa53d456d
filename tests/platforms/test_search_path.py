"""Folders of the builder's machine, taken out of the path that a library searches for others."""

from __future__ import annotations

import ctypes
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.files.overlay import Patch, laid_over
from cloacina_ctl.formats.legacy.tar_writer import feed_plan
from cloacina_ctl.formats.legacy.write_source import Destination
from cloacina_ctl.formats.legacy.write_v1 import write_v1
from cloacina_ctl.formats.native.writer import PackageWriter
from cloacina_ctl.formats.plan import PlannedFile, make_plan
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.platforms import read_library
from cloacina_ctl.platforms.folders import SearchPath, is_beside
from cloacina_ctl.platforms.search_path import cut_search_path
from tests.support.elf_builder import Elf
from tests.support.machine import need

linux = pytest.mark.skipif(sys.platform != "linux", reason="compilers here make no ELF")
OTHER_LINKERS = ("gold", "lld", "mold")  # those that are there
SOURCE = "int frob(int x) { return x + 1; } int other(int x) { return frob(x) + 1; }"


def linked(folder: Path, *flags: str) -> Path:
    """Return a library linked with ``flags``, with the functions ``frob`` and ``other``."""
    source, library = folder / "x.c", folder / "libx.so"
    source.write_text(SOURCE)
    command = [need("cc"), "-shared", "-fPIC", "-o", str(library), str(source), *flags]
    subprocess.run(command, check=True, timeout=60)
    return library


def patched(library: Path, found: SearchPath) -> Path:
    """Write the library as it is packed beside it, and return where."""
    made = library.with_name(f"{library.name}.packed")
    made.write_bytes(laid_over(library.read_bytes(), 0, found.patches))
    return made


def says(library: Path) -> dict[str, list[str]]:
    """Return what readelf says of the dynamic section and the symbols."""
    shown = subprocess.run(
        [need("readelf"), "-W", "-d", "--dyn-syms", "-V", str(library)],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert "corrupt" not in shown.lower()
    return {
        "path": re.findall(r"\((R(?:UN)?PATH)\).*\[(.*)\]", shown),
        "needed": re.findall(r"\(NEEDED\).*\[(.*)\]", shown),
        "symbols": re.findall(r"^ +\d+: (.*)$", shown, re.MULTILINE),
        "entries": sorted(
            line.strip() for line in re.findall(r"^ 0x.*$", shown, re.MULTILINE)
            if "PATH" not in line and "(NULL)" not in line
        ),
    }  # fmt: skip


@linux
@pytest.mark.parametrize(
    "linker", ["bfd", *(pytest.param(one, marks=pytest.mark.slow) for one in OTHER_LINKERS)]
)
@pytest.mark.parametrize(
    "tag", ["--enable-new-dtags", pytest.param("--disable-new-dtags", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/opt/vendor/lib", None),
        ("/opt/vendor/lib/frob", None),
        ("/opt/a:$ORIGIN/b:/opt/c", "$ORIGIN/b"),
        ("$ORIGIN:${ORIGIN}/../lib:lib", "$ORIGIN:${ORIGIN}/../lib"),
        ("/a:$ORIGIN/other", "$ORIGIN/other"),
        ("/a::.", None),
    ],
)
def test_takes_the_folders_of_this_machine_out_and_nothing_else(
    tmp_path: Path, linker: str, tag: str, path: str, kept: str | None
) -> None:
    if linker != "bfd" and shutil.which(f"ld.{linker}") is None:
        pytest.skip(f"{linker} is not installed")
    library = linked(tmp_path, f"-fuse-ld={linker}", f"-Wl,{tag},-rpath,{path}")
    before, found = says(library), cut_search_path(str(library))
    assert before["path"][0][1] == path
    assert found.removed == tuple(dict.fromkeys(e for e in path.split(":") if not is_beside(e)))
    assert found.left == ()
    after = says(patched(library, found))
    assert [text for _, text in after["path"]] == ([kept] if kept else [])
    assert {**after, "path": 0} == {**before, "path": 0}
    loaded = ctypes.CDLL(str(tmp_path / "libx.so.packed"))
    assert (loaded.frob(1), loaded.other(1)) == (2, 3)
    assert cut_search_path(str(tmp_path / "libx.so.packed")) == SearchPath()


@linux
@pytest.mark.parametrize("flags", [("-Wl,-rpath,$ORIGIN/lib:${ORIGIN}",), ()])
def test_changes_no_byte_of_a_library_that_searches_beside_itself(
    tmp_path: Path, flags: tuple[str, ...]
) -> None:
    assert cut_search_path(str(linked(tmp_path, *flags))) == SearchPath()


@linux
def test_a_stripped_library_without_sections_is_patched_as_well(tmp_path: Path) -> None:
    library = linked(tmp_path, "-s", "-Wl,-rpath,/opt/vendor/lib/frob")
    data = bytearray(library.read_bytes())
    data[40:48], data[60:64] = bytes(8), bytes(4)  # no table of sections
    library.write_bytes(data)
    found = cut_search_path(str(library))
    assert found.removed == ("/opt/vendor/lib/frob",)
    made = patched(library, found)
    assert b"/opt/vendor" not in made.read_bytes()
    assert ctypes.CDLL(str(made)).frob(1) == 2


@linux
def test_a_string_that_something_unknown_may_use_keeps_its_bytes(tmp_path: Path) -> None:
    library = linked(tmp_path, "-Wl,-rpath,/opt/vendor/lib", "-Wl,--hash-style=gnu")
    data = bytearray(library.read_bytes())
    start = int.from_bytes(data[40:48], "little")
    for at in range(start, len(data) - 63, 64):
        if int.from_bytes(data[at + 4 : at + 8], "little") == 11:  # of symbols
            data[at + 4 : at + 8] = (0x60001234).to_bytes(4, "little")
    library.write_bytes(data)
    found = cut_search_path(str(library))
    assert found.removed == ("/opt/vendor/lib",)
    made = patched(library, found)
    assert read_library(made).runpath is None
    assert made.read_bytes().count(b"/opt/vendor/lib\0") == 1


def test_what_is_no_library_is_left_to_its_reader(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\x7fELF not really")
    assert cut_search_path(str(tmp_path / "x")) == SearchPath()


@dataclass
class Merging(Elf):
    """A library whose linker stores no string that stands in another's end already."""

    def string(self, text: str | bytes) -> int:
        """Return where the name stands, perhaps as the end of another."""
        wanted = (text.encode() if isinstance(text, str) else text) + b"\0"
        found = self._strings.find(wanted)
        return found if found >= 0 else super().string(text)


entries = st.sampled_from(["/a", "/b/frob", "$ORIGIN", "$ORIGIN/x", "${ORIGIN}", "", "lib", "/é"])
paths = st.none() | st.lists(entries, min_size=1, max_size=4).map(":".join)
names = st.lists(
    st.sampled_from(["/a", "/b/frob", "frob", "ob", "$ORIGIN", "x/a", "z:$ORIGIN", "lib", "b"]),
    unique=True, max_size=4,
)  # fmt: skip


@given(paths, paths, names, names, st.sampled_from(["gnu", "sysv"]), st.randoms())
def test_no_string_that_anything_else_needs_is_damaged(
    tmp_path_factory, runpath, rpath, needed, symbols, style, random
) -> None:
    elf = Merging(needed=tuple(needed), runpath=runpath, rpath=rpath, hash_style=style)
    if random.random() < 0.5:
        elf.versions = {}
    elf.exports = {name: elf.code() for name in ("fidius_get_registry", *symbols)}
    elf.soname = random.choice([None, "/b/frob", "ORIGIN"])
    path = tmp_path_factory.getbasetemp() / "hypothesis.so"
    data = elf.build()
    path.write_bytes(data)
    found = cut_search_path(str(path))
    after = laid_over(data, 0, found.patches)
    assert len(after) == len(data)
    before, made = read_library(data), read_library(after)
    assert made._replace(runpath=None, rpath=None) == before._replace(runpath=None, rpath=None)
    for old, new in ((runpath, made.runpath), (rpath, made.rpath)):
        kept = [entry for entry in (old or "").split(":") if is_beside(entry)]
        assert (new or "").split(":") == (kept or [""]) or (new == old and found.left)
    strings = elf._strings
    start = data.index(bytes(strings))
    for name in {*needed, *symbols, elf.soname or "", "fidius_get_registry"}:
        at = start + strings.index(name.encode() + b"\0")
        assert after[at : at + len(name.encode()) + 1] == name.encode() + b"\0"
    changed = [at for at in range(len(data)) if data[at] != after[at]]
    dynamic = data.index(bytes(elf._data)) if elf._data else 0
    assert all(start <= at < start + len(strings) or at >= dynamic for at in changed)


@given(st.binary(max_size=40), st.integers(0, 50), st.integers(1, 9), st.binary(max_size=12))
def test_a_patch_is_the_same_however_the_file_is_cut(data, offset, size, patch) -> None:
    whole = laid_over(data, 0, (Patch(offset, patch),))
    expected = bytearray(data)
    for number, byte in enumerate(patch):
        if offset + number < len(data):
            expected[offset + number] = byte
    pieces = [
        laid_over(data[at : at + size], at, (Patch(offset, patch),))
        for at in range(0, len(data), size)
    ]
    assert whole == bytes(expected) == b"".join(pieces)


def test_what_is_packed_and_hashed_is_the_file_with_its_patches(tmp_path: Path) -> None:
    source = tmp_path / "liba.so"
    source.write_bytes(bytes(range(256)) * 20_000)  # more than one frame
    patches = (Patch(0, b"first"), Patch((2 << 20) - 2, b"over"), Patch(5_119_998, b"zz"))
    expected = laid_over(source.read_bytes(), 0, patches)
    size = len(expected)
    file = PlannedFile(MemberPath("liba.so"), str(source), size, False, "", patches)
    plan = make_plan("x-1", [file])
    with PackageWriter(str(tmp_path / "native")) as writer:
        (entry,) = writer.write_payload(plan).files
    assert entry.sha256 == hashlib.sha256(expected).hexdigest()
    (entry,) = write_v1(Destination(str(tmp_path / "v1"), replace=False), feed_plan(plan)).files
    assert entry.sha256 == hashlib.sha256(expected).hexdigest()
    with tarfile.open(tmp_path / "v1") as archive:
        packed = archive.extractfile("liba.so")
        assert packed is not None
        assert packed.read() == expected
    assert source.read_bytes() == bytes(range(256)) * 20_000
