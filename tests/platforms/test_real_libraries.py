"""Libraries that a real compiler and linker made, against what readelf says of them."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from cloacina_ctl.errors import Refused
from cloacina_ctl.platforms import host_platform, platform_fits, read_library
from cloacina_ctl.platforms.library import LibraryGraph, Plugin
from tests.support.machine import need
from tests.support.workflow_libraries import FINGERPRINT, graph_json

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="compilers here make no ELF")

TASKS = {"extract": (), "transform": ("extract",)}
SOURCE = """
#include <math.h>
#include <stdint.h>
#include <stdio.h>
typedef struct { uint32_t index; const char *id, *full, *needs, *text, *place; } Task;
typedef struct {
    uint32_t count; const Task *tasks; const char *package, *text, *author, *print, *graph;
} Tasks;
typedef struct { uint32_t count; const void *tasks; const char *workflow, *package; } Collection;
static const Task tasks[] = {
    {0, "extract", "t::p::w::extract", "[]", "", "src/lib.rs"},
    {1, "transform", "t::p::w::transform", "[\\"extract\\"]", "", "src/lib.rs"},
};
static const Tasks all = {2, tasks, "etl-package", "Loads", "A. Author", PRINT, GRAPH};
static const Collection collection = {2, 0, "etl", "etl-package"};
const Tasks *cloacina_get_task_metadata(void) { return &all; }
const Collection *get_task_metadata(void) { return &collection; }
int32_t cloacina_execute_task(double x) { return printf("%f", pow(x, x)); }
__attribute__((constructor)) static void begin(void) { fputs("loaded", stderr); }
"""


def compiled(folder: Path, *flags: str) -> Path:
    """Return a shared library made of SOURCE with ``flags``."""
    source = folder / "x.c"
    graph = graph_json(TASKS).replace("\\", "\\\\").replace('"', '\\"')
    source.write_text(f'#define GRAPH "{graph}"\n#define PRINT "{FINGERPRINT}"\n{SOURCE}')
    library = folder / "libx.so"
    command = [need("cc"), "-shared", "-fPIC", "-o", str(library), str(source), *flags, "-lm"]
    subprocess.run(command, check=True, timeout=60)
    return library


@pytest.mark.parametrize(
    "flags",
    [
        ("-O2",),
        ("-O0",),
        ("-O2", "-s"),
        ("-O2", "-Wl,--hash-style=sysv"),
        ("-O2", "-Wl,--hash-style=gnu"),
        ("-O2", "-Wl,-z,nocombreloc"),
    ],
)
def test_reads_what_a_compiler_made(tmp_path, flags):
    library = read_library(compiled(tmp_path, *flags))
    assert library.plugins == (Plugin("c-abi-0.3"),)
    assert library.graphs == (
        LibraryGraph(
            (("extract", ()), ("transform", ("extract",))),
            name="etl",
            description="Loads",
            author="A. Author",
            fingerprint=FINGERPRINT,
            package="etl-package",
        ),
    )
    assert library.constructors >= 1
    assert not library.executable_stack
    assert platform_fits(library.tag, host_platform())


def test_reads_what_a_linker_was_asked_for(tmp_path):
    flags = ("-Wl,-soname,libx.so.1", "-Wl,--enable-new-dtags,-rpath,/home/builder/lib")
    library = read_library(compiled(tmp_path, *flags, "-Wl,-z,execstack"))
    assert library.soname == "libx.so.1"
    assert library.runpath == "/home/builder/lib"
    assert library.rpath is None
    assert library.executable_stack


def test_an_executable_and_an_object_file_are_named(tmp_path):
    source = tmp_path / "main.c"
    source.write_text("int main(void) { return 0; }")
    for flags, words in (("-pie", "loaded anywhere"), ("-no-pie", "executable for"),
                         ("-c", "never linked")):  # fmt: skip
        out = tmp_path / "out"
        command = [need("cc"), "-fPIC", flags, "-o", str(out), str(source)]
        subprocess.run(command, check=True, timeout=60)
        with pytest.raises(Refused, match=words):
            read_library(out)


def system_libraries() -> list[Path]:
    """Return libraries of this interpreter and its system, a few dozen."""
    folders = [sysconfig.get_config_var("DESTSHARED"), "/usr/lib/x86_64-linux-gnu", "/lib64"]
    found = [p for folder in folders if folder for p in sorted(Path(folder).glob("*.so*"))]
    return sorted({path.resolve() for path in found if path.is_file()})[:60]


def test_agrees_with_readelf_on_the_libraries_of_this_system():
    readelf = need("readelf")
    for path in system_libraries():
        try:
            library = read_library(path)
        except Refused:  # linker scripts, libraries of other machines
            continue
        said = subprocess.run(
            [readelf, "-dVW", str(path)], capture_output=True, text=True, check=True, timeout=60
        ).stdout
        assert library.needed == tuple(re.findall(r"\(NEEDED\).*\[(.*)\]", said)), path
        for tag, text in (("SONAME", library.soname), ("RUNPATH", library.runpath)):
            assert re.findall(rf"\({tag}\).*\[(.*)\]", said) == ([] if text is None else [text])
        needs = said.partition("Version needs section")[2]
        floors = [
            tuple(map(int, floor.split(".")))
            for floor, flags in re.findall(r"Name: GLIBC_([0-9.]+) +Flags: (.*?) +Version", needs)
            if "WEAK" not in flags
        ]
        if floors and "GLIBC_ABI" not in needs:
            assert library.libc is not None
            assert tuple(map(int, library.libc.floor.split("."))) == max(floors), path
