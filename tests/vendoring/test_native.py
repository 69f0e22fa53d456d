"""Which platform the compiled code of wheels is for, and what is said of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cloacina_ctl.errors import Code, Diagnostic, Severity, UsageError
from cloacina_ctl.manifest import Libc
from cloacina_ctl.vendoring.target import parse_asked, parse_target
from cloacina_ctl.vendoring.vendor import Vendored
from tests.support.elf_builder import AARCH64, X86_64, Elf
from tests.support.wheels import wheel
from tests.vendoring.projects import GLIBC, NATIVE, lock, project, refused, vendored

MUSL_AARCH64 = "musllinux_1_2_aarch64"


def musl(machine: int = X86_64) -> bytes:
    """Return what Alpine's compiler makes of code that unwinds: on aarch64 GCC has a GLIBC_2.0."""
    needed = ("libc.musl-x86_64.so.1" if machine == X86_64 else "libc.musl-aarch64.so.1",)
    versions = {"libgcc_s-39080030.so.1": [("GCC_3.0", 0), ("GLIBC_2.0", 0)]}
    return Elf(machine=machine, needed=needed, versions=versions).build()


def warnings(made: Vendored) -> list[Diagnostic]:
    """Return what is warned of, but for the narrowed range of Pythons, which all these have."""
    return [
        one for one in made.diagnostics
        if one.severity is Severity.WARNING and one.code is not Code.NARROWED_PYTHON
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("machine", "arch", "release", "platform"),
    [
        (X86_64, "x86_64", "1_1", "musllinux_1_1_x86_64"),
        (X86_64, "x86_64", "1_1", "musllinux_1_2_x86_64"),
        (X86_64, "x86_64", "1_2", "musllinux_1_2_x86_64"),
        (AARCH64, "aarch64", "1_2", MUSL_AARCH64),
    ],
)
def test_a_wheel_for_musl_is_for_the_release_that_its_name_says(
    machine, arch, release, platform, tmp_path, work, house, no_pip
):
    root = project(tmp_path, '["one"]')
    tag = f"cp311-cp311-musllinux_{release}_{arch}"
    lock(root, wheel(house, "one", {"one.so": musl(machine)}, tag=tag), platforms=(platform,))
    (artifact,) = vendored(root, work, house).artifacts
    assert artifact.platform == f"musllinux_{release}_{arch}"
    assert artifact.libc == Libc("musl")


def test_of_wheels_for_two_releases_of_musl_the_newer_counts(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one", "two"]')
    platform = "musllinux_1_2_x86_64"
    names = ("cp311-cp311-musllinux_1_1_x86_64", f"cp311-cp311-{platform}")
    wheels = [
        wheel(house, name, {f"{name}.so": musl()}, tag=tag)
        for name, tag in zip(("one", "two"), names, strict=True)
    ]
    lock(root, *wheels, platforms=(platform,))
    assert [one.platform for one in vendored(root, work, house).artifacts] == [platform]


def test_the_library_that_names_the_c_library_stands_for_all(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    files = {"one.so": musl(), "two.so": Elf(needed=(), versions={}).build()}
    platform = "musllinux_1_2_x86_64"
    lock(root, wheel(house, "one", files, tag=f"cp311-cp311-{platform}"), platforms=(platform,))
    (artifact,) = vendored(root, work, house).artifacts
    assert (artifact.libc, artifact.path.rpartition("/")[2]) == (Libc("musl"), "one.so")


def test_a_wheel_for_any_linux_says_no_release_of_musl(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    one = wheel(house, "one", {"one.so": musl()}, tag="cp311-cp311-linux_x86_64")
    lock(root, one, platforms=("musllinux_1_2_x86_64",))
    assert [a.platform for a in vendored(root, work, house).artifacts] == ["musllinux_x86_64"]


def test_the_newest_version_of_any_library_of_gcc_counts(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    versions = {"libc.so.6": [("GLIBC_2.14", 0)], "libstdc++.so.6": [("GLIBCXX_3.4.22", 0)]}
    files = {"one.so": Elf(versions=versions).build()}
    lock(root, wheel(house, "one", files, tag="cp311-cp311-manylinux_2_24_x86_64"))
    (artifact,) = vendored(root, work, house).artifacts
    assert artifact.platform == "manylinux_2_24_x86_64"
    lock(root, wheel(house, "one", files, tag=NATIVE), platforms=("manylinux_2_17_x86_64",))
    ((code, message),) = refused(root, work, house)
    assert code is Code.NATIVE_VENDORED
    assert "it is for manylinux_2_24_x86_64, which is not on manylinux_2_17_x86_64" in message


def test_code_for_32_bit_and_big_endian_machines_is_vendored(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    i686 = wheel(
        house, "one", {"one.so": Elf(machine=3, bits=32).build()},
        tag="cp311-cp311-manylinux_2_34_i686",
    )  # fmt: skip
    s390x = wheel(
        house, "one", {"one.so": Elf(machine=22, order=">").build()},
        tag="cp311-cp311-manylinux_2_34_s390x",
    )  # fmt: skip
    platforms = ("manylinux_2_34_i686", "manylinux_2_34_s390x")
    only = {i686.name: platforms[:1], s390x.name: platforms[1:]}
    lock(root, i686, s390x, platforms=platforms, only=only)
    found = vendored(root, work, house).artifacts
    assert [(one.platform, one.machine) for one in found] == [
        (platforms[0], "i686"), (platforms[1], "s390x")
    ]  # fmt: skip


@pytest.mark.parametrize("machine", ["mips64", "armv6l", "sparc64", "ppc"])
def test_a_platform_of_a_machine_that_is_not_read_is_refused_when_it_is_named(machine):
    with pytest.raises(UsageError, match=f"libraries for {machine} cannot be read") as caught:
        parse_asked("3.11", f"manylinux_2_17_{machine}")
    assert caught.value.diagnostics[0].code is Code.UNREAD_MACHINE
    assert "armv7l, i686" in str(caught.value.diagnostics[0].hint)


PROGRAM = bytearray(Elf().build())
PROGRAM[16] = 2  # ET_EXEC


FOREIGN = Elf(machine=8, order=">").build()


@pytest.mark.parametrize(
    ("place", "data", "words"),
    [
        ("one-1.0.data/scripts/one", bytes(PROGRAM), "a script: nothing installs it"),
        ("one/bin/tool", bytes(PROGRAM), "found: a 64-bit little-endian ELF executable"),
        ("one/x.so", FOREIGN, "found: a 64-bit big-endian ELF shared library for MIPS"),
    ],
)
def test_a_wheel_that_holds_no_library_that_is_read_is_refused_with_what_it_holds(
    place, data, words, tmp_path, work, house, no_pip
):
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one", {place: data, "one/__init__.py": ""}, tag=NATIVE))
    ((code, message),) = refused(root, work, house)
    assert code is Code.NATIVE_VENDORED
    assert f"one 1.0 has no library that shows its platform: {place}: " in message
    assert words in message


def test_a_program_beside_libraries_of_others_is_left_out_with_a_warning(
    tmp_path, work, house, no_pip
):
    root = project(tmp_path, '["one", "two"]')
    files = {"one-1.0.data/scripts/one": bytes(PROGRAM), "one/__init__.py": ""}
    lock(
        root, wheel(house, "one", files, tag=NATIVE),
        wheel(house, "two", {"two.so": Elf().build()}, tag="cp311-cp311-manylinux_2_34_x86_64"),
    )  # fmt: skip
    (found,) = warnings(vendored(root, work, house))
    assert found.code is Code.NATIVE_VENDORED
    assert "its other code is not used: one-1.0.data/scripts/one: a script" in found.message
    assert "install one where the package runs" in str(found.hint)


def test_a_wheel_for_one_platform_without_compiled_code_is_refused(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one", {"one.py": ""}, tag=NATIVE))
    ((code, message),) = refused(root, work, house)
    assert code is Code.NATIVE_VENDORED
    assert message == "one 1.0 is named for one platform and has no compiled code"


def test_what_no_system_is_known_to_have_is_a_warning(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    unknown = {"libc.so.6": [("GLIBC_2.17", 0), ("GLIBC_PRIVATE", 0)]}
    files = {
        "one/a.so": Elf(needed=("libc.so.6", "libssl.so.3", "libx-1f.so.2")).build(),
        "one/b.so": Elf(needed=("libc.so.6", "libssl.so.3"), versions=unknown).build(),
        "one.libs/libx-1f.so.2": Elf().build(),
    }
    lock(root, wheel(house, "one", files, tag="cp311-cp311-manylinux_2_34_x86_64"))
    made = vendored(root, work, house)
    found = [(one.code, one.where) for one in warnings(made)]
    assert found == [(Code.NEEDED_OUTSIDE, "one/a.so"), (Code.NO_PROMISE, "one/b.so")]
    (artifact,) = made.artifacts
    assert (artifact.platform, artifact.libc) == ("linux_x86_64", Libc("glibc"))


def test_packed_relocations_without_their_mark_are_refused(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    elf = Elf(packed=True)
    elf.data(elf.text("x"))
    lock(root, wheel(house, "one", {"one.so": elf.build()}, tag=NATIVE))
    ((code, message),) = refused(root, work, house)
    assert code is Code.UNMARKED_RELOCATIONS
    assert "GLIBC_ABI_DT_RELR" in message


def test_a_platform_that_promises_something_is_chosen_before_one_that_does_not():
    """Pip ranks `linux_ARCH` first: it chooses for the machine that it runs on."""
    tags = parse_target("3.11", GLIBC).platforms()
    assert tags[0] == GLIBC
    assert tags[-1] == "linux_x86_64"


@pytest.mark.slow
def test_pip_takes_the_wheel_that_promises_something_where_it_is_given_our_order(tmp_path, house):
    for platform in ("linux_x86_64", "manylinux_2_28_x86_64"):
        wheel(house, "one", {"one.so": Elf().build()}, tag=f"cp311-cp311-{platform}")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-index",
        f"--find-links={house}",
        "--only-binary=:all:",
        f"--dest={tmp_path / 'got'}",
        "one",
    ]
    command += parse_target("3.11", GLIBC).pip_options()
    subprocess.run(command, check=True, timeout=120)
    assert os.listdir(tmp_path / "got") == ["one-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"]
