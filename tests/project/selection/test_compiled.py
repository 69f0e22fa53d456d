"""Compiled code among a Python project's own files: what it makes the package for, or why not."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.errors import Code, Incompatible, Refused
from cloacina_ctl.operations.convert import ConvertRequest, convert
from cloacina_ctl.operations.inspect import inspect
from cloacina_ctl.operations.package import PackageRequest, package, prepare
from cloacina_ctl.operations.packaging.own_platform import Placed, place_own_code
from cloacina_ctl.operations.packaging.target import SOURCE, FormatTarget
from cloacina_ctl.operations.packaging.vendoring import VendorRequest
from cloacina_ctl.operations.validate import validate
from cloacina_ctl.runtime import open_package
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support.elf_builder import AARCH64, X86_64, Elf
from tests.support.machine import need
from tests.support.trees import TASK, plant

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cloacina_ctl.formats.plan import PlannedFile

MUSL = {"needed": ("libc.musl-x86_64.so.1",), "versions": {}}
OLD = {"versions": {"libc.so.6": [("GLIBC_2.2.5", 0)]}}
PROJECT = '[project]\nname = "demo"\nversion = "1.0"\nrequires-python = "{}"\n'
EXE = b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0"
MAC = b"\xcf\xfa\xed\xfe" + bytes(28)
UNSIGNED = VerificationPolicy(allow_unsigned=True)
EXTENSION = "src/demo/_ext.cpython-311-x86_64-linux-gnu.so"


def elf(machine: int = X86_64, kind: int = 3, **facts: object) -> bytes:
    data = bytearray(Elf(machine=machine, **facts).build())
    data[16] = kind
    return bytes(data)


def planted(root: Path, files: dict[str, str | bytes], python: str = ">=3.10", more: str = ""):
    base = {"src/demo/__init__.py": "", "src/demo/tasks.py": TASK}
    return plant(root, {"pyproject.toml": PROJECT.format(python) + more, **base, **files})


def findings(root: Path, *codes: str) -> list[tuple[str, str | None, str]]:
    found = validate(os.path.relpath(root)).report.findings  # places are as seen from there
    return [(str(one.code), one.where, one.message) for one in found if str(one.code) in codes]


def packed(root: Path, name: str = "x.cloacina", **request: object):
    made = package(PackageRequest(project=str(root), output=str(root.parent / name), **request))
    return inspect(made.path)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_an_extension_module_makes_a_package_of_its_platform_and_python(root):
    planted(root, {EXTENSION: elf(), "src/demo/data.bin": b"\0\1"})
    (found,) = findings(root, "Y032", "Y033", "Y034")
    assert found[:2] == ("Y034", EXTENSION)
    assert found[2].endswith("only on manylinux_2_34_x86_64 and Python 3.11")
    shown = packed(root)
    (artifact,) = shown.manifest.artifacts
    assert (artifact.platform, artifact.kind) == ("manylinux_2_34_x86_64", "wheel-tree")
    assert artifact.path == f"platform/{artifact.platform}/workflow/{EXTENSION[4:]}"
    assert shown.manifest.requires.python == "==3.11.*"
    assert "workflow/demo/data.bin" in {file.path for file in shown.files}
    assert {str(one.code) for one in validate(shown.path).report.findings} == {"S001"}


def test_what_a_library_would_be_told_in_the_package_is_told_of_the_project(root):
    meant = '[tool.cloacina]\ninclude = ["native/*"]\n'
    files = {
        "native/a.so": elf(needed=("libc.so.6", "libssl.so.3", "libb.so")),
        "native/libb.so": elf(),
    }
    planted(root, files, more=meant)
    (found,) = findings(root, "B013", "B014", "B015")
    assert found[:2] == ("B014", "native/a.so")
    assert "libssl.so.3" in found[2]
    again = [str(one.code) for one in validate(packed(root).path).report.findings]
    assert again.count("B014") == 1


def test_a_library_that_no_system_loads_is_not_packed(root):
    library = Elf(packed=True)
    library.data(library.text("a place to relocate"))
    planted(root, {"src/demo/liba.so": library.build()})
    assert [code for code, *_ in findings(root, "B013")] == ["B013"]
    with pytest.raises(Refused, match="no release of glibc loads it"):
        packed(root)


def test_a_file_that_the_configuration_names_is_meant(root):
    planted(root, {EXTENSION: elf()}, more=f'[tool.cloacina]\ninclude = ["{EXTENSION}"]\n')
    assert findings(root, "Y032", "Y033", "Y034") == []


def test_each_kind_of_library_counts_wherever_it_gets_packed(root):
    config = '[tool.cloacina]\ninclude = ["native/*"]\n'
    files = {
        "src/demo/libx.so.1.2": elf(),
        "native/engine": elf(**OLD),
        "vendor/lib/__init__.py": "",
        "vendor/lib/_c.abi3.so": elf(**OLD),
        "vendor/pure/__init__.py": "",
    }
    planted(root, files, more=config)
    shown = packed(root)
    folder = "platform/manylinux_2_34_x86_64"
    assert {str(file.path) for file in shown.files if file.path.startswith("platform/")} == {
        f"{folder}/native/engine",
        f"{folder}/vendor/lib/__init__.py",
        f"{folder}/vendor/lib/_c.abi3.so",
        f"{folder}/workflow/demo/libx.so.1.2",
    }
    assert "vendor/pure/__init__.py" in {str(file.path) for file in shown.files}
    assert shown.manifest.requires.python == ">=3.10"


@pytest.mark.parametrize(
    ("files", "place", "words"),
    [
        ({"a.so": elf(), "b.so": elf(AARCH64)}, "b.so", "it is for aarch64, and src/demo/a.so"),
        ({"a.so": elf(), "b.so": elf(**MUSL)}, "b.so", "it is for musl, and src/demo/a.so"),
        ({"a.cpython-311-aarch64-linux-gnu.so": elf()}, None, "it is named for aarch64-linux-gnu"),
        ({"a.cpython-311-x86_64-linux-musl.so": elf()}, None, "it is named for x86_64-linux-musl"),
        ({"a.cpython-311-darwin.so": elf()}, None, "it is named for darwin"),
        ({"a.cpython-311-darwin.so": MAC}, None, "it is a Mach-O file for macOS, and packages run"),
        ({"a.cp311-win_amd64.pyd": EXE}, None, "it is a PE file for Windows, and packages run"),
        ({"liba.dylib": MAC}, None, "it is a Mach-O file"),
        ({"a.pypy310-pp73-x86_64-linux-gnu.so": elf()}, None, "a Python that no engine runs on"),
        ({"a.cpython-313t-x86_64-linux-gnu.so": elf()}, None, "a Python that no engine runs on"),
        ({"a.abi3.so": "text"}, None, "it is named as an extension module, and is text"),
        ({"a.so": "version https://git-lfs.github.com/spec/v1\n"}, None, "Git LFS keeps"),
        ({"a.so": elf()[:200]}, None, "the library is damaged"),
        ({"a.so": elf(999)[:64]}, None, "found: a 64-bit little-endian ELF shared library for"),
        (
            {f"{n}.cpython-3{n}-x86_64-linux-gnu.so": elf() for n in (11, 12)},
            "", "no version of Python has all of its modules",
        ),
    ],
)  # fmt: skip
def test_what_no_package_can_be_made_of_is_refused_by_its_name(root, files, place, words):
    planted(root, {f"src/demo/{name}": content for name, content in files.items()})
    place = f"src/demo/{place or next(iter(files))}" if place != "" else None
    found = findings(root, "Y032")
    assert [one[:2] for one in found] == [("Y032", place)]
    assert words in found[0][2]
    with pytest.raises(Refused) as error:
        packed(root)
    assert Code.OWN_CODE in [one.code for one in error.value.diagnostics]
    for target in (FormatTarget(), FormatTarget(SOURCE)):
        with pytest.raises(Refused):
            prepare(PackageRequest(project=str(root), target=target, pad=True))


def test_what_no_loader_takes_decides_nothing(root):
    files = {"a.o": elf(kind=1), "core": elf(kind=4), "so.csv": "1", "a.so.py": "", "b.so": "text"}
    planted(root, {f"src/demo/{name}": content for name, content in files.items()})
    assert findings(root, "Y032", "Y033", "Y034") == []
    assert packed(root).manifest.artifacts == ()


def test_a_program_makes_a_package_of_its_machine(root):
    planted(root, {"src/demo/tool": elf(AARCH64, kind=2)})
    (artifact,) = packed(root).manifest.artifacts
    assert (artifact.platform, artifact.path) == (
        "linux_aarch64", "platform/linux_aarch64/workflow/demo/tool",
    )  # fmt: skip
    assert {str(one.code) for one in validate(str(root.parent / "x.cloacina")).report.findings} == {
        "S001"
    }


@pytest.mark.parametrize(
    "files",
    [
        {"tool": elf(kind=2), "tool.exe": EXE},
        {"tool-x86": elf(kind=2), "tool-arm": elf(AARCH64, kind=2)},
    ],
)
def test_programs_for_several_systems_decide_nothing_and_are_named(root, files):
    planted(root, {f"src/demo/{name}": content for name, content in files.items()})
    ((code, _, message),) = findings(root, "Y032", "Y033", "Y034")
    assert code == "Y033"
    assert all(name in message for name in files)
    assert packed(root).manifest.artifacts == ()


def test_libraries_for_other_systems_beside_one_for_linux_are_named(root):
    planted(root, {"src/demo/a.so": elf(), "src/demo/a.dylib": MAC, "src/demo/a.dll": EXE})
    assert [one[0] for one in findings(root, "Y032", "Y033", "Y034")] == ["Y033", "Y034"]
    assert packed(root).manifest.artifacts[0].platform == "manylinux_2_34_x86_64"


def test_modules_for_several_pythons_are_for_what_all_of_them_have(root):
    name = "src/demo/{}.cpython-3{}-x86_64-linux-gnu.so"
    modules = [("a", 10), ("a", 11), ("a", 12), ("b", 11), ("b", 12), ("b", 13), ("c", 12)]
    planted(root, {name.format(*one): elf() for one in modules[:-1]})
    assert packed(root).manifest.requires.python == "<3.13,>=3.11"
    planted(root, {name.format(*modules[-1]): elf(), "src/demo/c.abi3.so": elf()}, ">=3.11,<3.12")
    assert packed(root, "y").manifest.requires.python == "==3.11.*"


def test_a_python_that_the_project_is_not_for_is_refused(root):
    planted(root, {EXTENSION: elf()}, ">=3.12")
    with pytest.raises(Refused, match=r"named for Python 3.11, and the project is for >=3.12"):
        packed(root)


@pytest.mark.parametrize("form", [None, SOURCE])
@pytest.mark.parametrize(
    ("python", "platform", "words"),
    [
        ("3.11", "manylinux_2_34_x86_64", None),
        (None, "manylinux_2_40_x86_64", None),
        ("3.11", "manylinux_2_28_x86_64", "manylinux_2_34_x86_64, which is not on"),
        (None, "manylinux_2_34_aarch64", "which is not on manylinux_2_34_aarch64"),
        ("3.12", "manylinux_2_34_x86_64", "named for Python 3.11, not for 3.12"),
    ],
)
def test_the_runtime_that_is_named_judges_the_projects_own_code(
    root, form, python, platform, words
):
    vendor = VendorRequest(wanted=True, python=python, platforms=(platform,))
    planted(root, {EXTENSION: elf()}, more="dependencies = []\n")
    request = PackageRequest(
        project=str(root), vendor=vendor, target=FormatTarget(form) if form else FormatTarget()
    )
    if words is None:
        prepare(request)
        return
    with pytest.raises(Refused, match=words) as error:
        prepare(request)
    assert error.value.diagnostics[0].code is Code.OWN_CODE


def test_a_format_without_platforms_says_that_it_cannot_state_one(root):
    planted(root, {EXTENSION: elf()})
    made = packed_source(root)
    (warning,) = [one for one in made.diagnostics if one.code is Code.UNSTATED_PLATFORM]
    assert "manylinux_2_34_x86_64 and Python 3.11" in warning.message


def packed_source(root: Path):
    target = FormatTarget(SOURCE)
    return package(
        PackageRequest(project=str(root), output=str(root.parent / "s"), target=target, pad=True)
    )


def test_a_conversion_keeps_the_projects_own_code_and_says_what_it_cannot(root):
    planted(root, {EXTENSION: elf(), "vendor/lib/_c.abi3.so": elf()})
    native = packed(root).path
    asked = ConvertRequest(native, native + ".s", FormatTarget(SOURCE), rule=UNSIGNED, pad=True)
    with pytest.raises(Refused, match="would be lost"):
        convert(asked)
    made = convert(asked._replace(lossy=True))
    assert [words.partition(":")[0] for words in made.losses] == [
        "vendored code for manylinux_2_34_x86_64",
        "that compiled code of the project is for manylinux_2_34_x86_64",
    ]
    paths = {str(file.path) for file in inspect(made.path).files}
    assert f"workflow/{EXTENSION[4:]}" in paths
    assert not any(path.startswith(("platform/", "vendor/")) for path in paths)


def test_a_package_for_another_machine_is_refused_before_anything_is_imported(root):
    planted(root, {EXTENSION.replace("x86_64", "aarch64"): elf(AARCH64)})
    path = packed(root).path
    with pytest.raises(Incompatible, match="not for this machine") as error:
        run(path)
    assert error.value.diagnostics[0].code is Code.NOT_FOR_RUNTIME
    assert "manylinux_2_34_aarch64" in error.value.diagnostics[0].message


def test_two_files_for_one_place_are_refused_where_they_would_meet(root, monkeypatch):
    planted(root, {"src/demo/tool": elf(machine_here(), kind=2)})

    def placed(files: Iterable[PlannedFile], *others: object) -> Placed:
        found = list(files)
        twice = [one for one in found if one.path.endswith("/tool")]
        made = place_own_code(found, *others)
        return made._replace(files=(*made.files, *twice))

    monkeypatch.setattr("cloacina_ctl.operations.package.place_own_code", placed)
    path = packed(root).path
    with pytest.raises(Refused, match="workflow/demo/tool") as error:
        run(path)
    assert error.value.diagnostics[0].code is Code.MEMBER_COLLISION


MODULE = """
#include <Python.h>
static PyObject *twice(PyObject *self, PyObject *x) {
    return PyLong_FromLong(2 * PyLong_AsLong(x)); }
static PyMethodDef methods[] = {{"twice", twice, METH_O, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_ext", 0, -1, methods};
PyMODINIT_FUNC PyInit__ext(void) { return PyModule_Create(&module); }
"""
TASKS = """
import ctypes, os, subprocess
import cloaca
from demo import _ext
HERE = os.path.dirname(__file__)

@cloaca.task(id="one")
def one(context):
    context.set("x", _ext.twice(21))
    context.set("beside", sorted(os.listdir(HERE)))
    return context
"""


@pytest.mark.slow
def test_an_extension_module_runs_where_it_is_for(root):
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    planted(root, {"src/demo/tasks.py": TASKS, "x.c": MODULE}, ">=3.9")
    include = f"-I{sysconfig.get_path('include')}"
    command = [need("cc"), "-shared", "-fPIC", include, "-o", f"src/demo/_ext{suffix}", "x.c"]
    subprocess.run(command, cwd=root, check=True, timeout=60)
    shown = packed(root)
    assert shown.manifest.requires.python == f"==3.{sys.version_info[1]}.*"
    context = run(shown.path)
    assert context["x"] == 42
    assert context["beside"] == ["__init__.py", f"_ext{suffix}", "tasks.py"]


def machine_here() -> int:
    return {"x86_64": X86_64, "aarch64": AARCH64}[os.uname().machine]


def run(path: str):
    with open_package(path, UNSIGNED) as loaded:
        return loaded.session.run_task("one", {}, timeout=20).context
