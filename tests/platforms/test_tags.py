"""Platform tags, and what fits this host."""

from __future__ import annotations

import os
import sys

import pytest

from cloacina_ctl.manifest import Libc
from cloacina_ctl.platforms import HostPlatform, host_platform, platform_fits, read_library, tags
from tests.support.elf_builder import Elf

GLIBC_2_36 = HostPlatform("x86_64", "linux", Libc("glibc", "2.36"))
MUSL = HostPlatform("x86_64", "linux", Libc("musl", "1.2"))


@pytest.mark.parametrize(
    ("needed", "versions", "libc", "tag"),
    [
        ((), {}, None, "linux_x86_64"),
        (("libgcc_s.so.1",), {"libgcc_s.so.1": [("GCC_3.0", 0)]}, None, "linux_x86_64"),
        (("libc.so.6",), {}, ("glibc", "2.5"), "manylinux_2_5_x86_64"),
        (("libc.so.6",), {"libc.so.6": [("GLIBC_2.2.5", 0)]}, ("glibc", "2.2.5"),
         "manylinux_2_5_x86_64"),
        (("libc.so.6",), {"libc.so.6": [("GLIBC_2.34", 0), ("GLIBC_ABI_DT_RELR", 0)]},
         ("glibc", "2.36"), "manylinux_2_36_x86_64"),
        (("libc.so.6",), {"libc.so.6": [("GLIBC_3.0", 0), ("GLIBC_2.99", 0)]}, ("glibc", "3.0"),
         "manylinux_3_0_x86_64"),
        (("libc.so.6",), {"libc.so.6": [("GLIBC_99999999.1", 0)]}, ("glibc", None),
         "linux_x86_64"),
        (("libc.so.6",), {"libc.so.6": [("GLIBC_2.17", 0), ("GLIBC_PRIVATE", 0)]},
         ("glibc", None), "linux_x86_64"),
        # Which file has the version decides: these are none of glibc.
        (("libc.so.6",), {"libssl.so.3": [("GLIBC_2.99", 0)], "libx.so": [("GLIBCXX_9.9.9", 0)]},
         ("glibc", "2.5"), "manylinux_2_5_x86_64"),
        ((), {"ld-linux-x86-64.so.2": [("GLIBC_2.3", 0)]}, ("glibc", "2.3"),
         "manylinux_2_5_x86_64"),
        (("libm.so.6",), {}, ("glibc", "2.5"), "manylinux_2_5_x86_64"),
        # libstdc++, libgcc_s, libatomic and libz of the system; a copy beside it counts nothing.
        (("libc.so.6", "libstdc++.so.6"),
         {"libc.so.6": [("GLIBC_2.14", 0)], "libstdc++.so.6": [("GLIBCXX_3.4.26", 0)]},
         ("glibc", "2.31"), "manylinux_2_31_x86_64"),
        (("libc.so.6", "libstdc++-1f2e.so.6"),
         {"libc.so.6": [("GLIBC_2.14", 0)], "libstdc++-1f2e.so.6": [("GLIBCXX_3.4.26", 0)]},
         ("glibc", "2.14"), "manylinux_2_14_x86_64"),
        (("libc.so.6",), {"libstdc++.so.6": [("CXXABI_1.3.13", 0), ("CXXABI_TM_1", 0)]},
         ("glibc", "2.34"), "manylinux_2_34_x86_64"),
        (("libc.so.6",), {"libgcc_s.so.1": [("GCC_12.0.0", 0)], "libc.so.6": [("GLIBC_2.34", 0)]},
         ("glibc", "2.35"), "manylinux_2_35_x86_64"),
        (("libc.so.6",),
         {"libatomic.so.1": [("LIBATOMIC_1.2", 0)], "libz.so.1": [("ZLIB_1.2.9", 0)]},
         ("glibc", "2.27"), "manylinux_2_27_x86_64"),
        (("libc.so.6",), {"libstdc++.so.6": [("GLIBCXX_3.4.34", 0)]}, ("glibc", None),
         "linux_x86_64"),
        (("libc.so.6",), {"libstdc++.so.6": [("GLIBCXX_LDBL_3.4.21", 0), ("CXXABI_FLOAT128", 0)]},
         ("glibc", "2.24"), "manylinux_2_24_x86_64"),
        # musl: its symbols have no versions, and GCC's libraries there have GCC's own.
        (("libc.musl-x86_64.so.1",), {}, ("musl", None), "musllinux_x86_64"),
        (("libc.so", "libgcc_s.so.1"), {"libgcc_s.so.1": [("GCC_3.0", 0), ("GLIBC_2.0", 0)]},
         ("musl", None), "musllinux_x86_64"),
        (("libc.musl-x86_64.so.1",), {"libstdc++.so.6": [("GLIBCXX_3.4.99", 0)]},
         ("musl", None), "musllinux_x86_64"),
        (("libc.so",), {"libc.so": [("LIBC", 0)]}, None, "linux_x86_64"),
        (("libc.so", "libc.so.6"), {}, None, "linux_x86_64"),
        (("libssl.so.3",), {"libssl.so.3": [("OPENSSL_3.0.0", 0)]}, None, "linux_x86_64"),
    ],
)  # fmt: skip
def test_the_tag_follows_from_what_is_needed(needed, versions, libc, tag):
    library = read_library(Elf(needed=needed, versions=versions).build())
    assert library.libc == (Libc(*libc) if libc else None)
    assert library.tag == tag


@pytest.mark.parametrize(("machine", "tag"), [
    (243, "manylinux_2_27_riscv64"), (258, "manylinux_2_36_loongarch64"),
    (183, "manylinux_2_17_aarch64"),
])  # fmt: skip
def test_machines_without_an_older_glibc_have_no_older_tag(machine, tag):
    elf = Elf(machine=machine, versions={"libc.so.6": [("GLIBC_2.4", 0)]})
    assert read_library(elf.build()).tag == tag


@pytest.mark.parametrize(("machine", "tag"), [
    (62, "manylinux_2_27_x86_64"), (183, "manylinux_2_26_aarch64"),
])  # fmt: skip
def test_what_gcc_7_brought_is_later_where_glibc_2_26_came_without_it(machine, tag):
    elf = Elf(machine=machine, versions={"libstdc++.so.6": [("GLIBCXX_3.4.24", 0)]})
    assert read_library(elf.build()).tag == tag


def test_names_the_versions_that_no_release_is_known_to_have():
    versions = {"libc.so.6": [("GLIBC_PRIVATE", 0)], "libgcc_s.so.1": [("GCC_99.0", 0)]}
    library = read_library(Elf(versions=versions).build())
    assert library.unknown_versions == ("GLIBC_PRIVATE of libc.so.6", "GCC_99.0 of libgcc_s.so.1")


@pytest.mark.parametrize(
    ("needed", "versions", "unmarked", "tag"),
    [
        (("libc.so.6",), {"libc.so.6": [("GLIBC_2.34", 0)]}, True, "manylinux_2_36_x86_64"),
        (("libc.so.6",), {"libc.so.6": [("GLIBC_2.34", 0), ("GLIBC_ABI_DT_RELR", 0)]}, False,
         "manylinux_2_36_x86_64"),
        # glibc asks for the mark where the library needs versions at all.
        (("libc.so.6",), {}, False, "manylinux_2_36_x86_64"),
        (("libm.so.6",), {"libm.so.6": [("GLIBC_2.29", 0)]}, False, "manylinux_2_36_x86_64"),
        (("libc.so",), {"libgcc_s.so.1": [("GCC_3.0", 0)]}, False, "musllinux_x86_64"),
        ((), {}, False, "linux_x86_64"),
    ],
)  # fmt: skip
def test_packed_relocations_are_for_glibc_2_36_and_want_their_mark(needed, versions, unmarked, tag):
    elf = Elf(needed=needed, versions=versions, packed=True)
    elf.data(elf.text("x"))
    library = read_library(elf.build())
    assert library.unmarked_relocations is unmarked
    assert library.tag == tag
    assert not read_library(Elf(needed=needed, versions=versions).build()).unmarked_relocations


@pytest.mark.parametrize(
    ("needed", "beside", "outside"),
    [
        (("libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "libstdc++.so.6", "libgcc_s.so.1",
          "libz.so.1", "libpthread.so.0"), (), ()),
        (("libssl.so.3", "libpq.so.5", "libc.so.6", "libpython3.11.so.1.0"), ("libssl.so.3",),
         ("libpq.so.5", "libpython3.11.so.1.0")),
        (("libc.so.6", "/opt/libx.so"), (), ()),
        (("libc.musl-x86_64.so.1", "libgcc_s.so.1", "libz.so.1"), (), ("libgcc_s.so.1",)),
        (("libc.so", "liblog.so"), (), ("liblog.so",)),
        (("libgcc_s.so.1",), (), ()),
    ],
)  # fmt: skip
def test_what_the_base_system_does_not_have_is_told(needed, beside, outside):
    library = read_library(Elf(needed=needed, versions={}).build())
    assert library.needs_outside(beside) == outside


@pytest.mark.parametrize(
    ("tag", "host", "fits"),
    [
        ("any", MUSL, True),
        ("manylinux_2_36_x86_64", GLIBC_2_36, True),
        ("manylinux_2_4_x86_64", GLIBC_2_36, True),
        ("manylinux_2_37_x86_64", GLIBC_2_36, False),
        ("manylinux_3_0_x86_64", GLIBC_2_36, False),
        ("manylinux_2_17_aarch64", GLIBC_2_36, False),
        ("manylinux_2_17_x86_64", MUSL, False),
        ("manylinux_2_17_x86_64", HostPlatform("x86_64", "linux"), False),
        ("musllinux_1_2_x86_64", MUSL, True),
        ("musllinux_1_1_x86_64", MUSL, True),
        ("musllinux_1_3_x86_64", MUSL, False),
        ("musllinux_x86_64", MUSL, True),
        ("musllinux_x86_64", GLIBC_2_36, False),
        ("musllinux_1_9_x86_64", HostPlatform("x86_64", "linux", Libc("musl")), True),
        ("manylinux_x86_64", GLIBC_2_36, False),
        ("musllinux_1_2_x86_64", GLIBC_2_36, False),
        ("linux_x86_64", GLIBC_2_36, True),
        ("linux_x86_64", HostPlatform("x86_64", "linux"), True),
        ("linux_x86_64", HostPlatform("x86_64", "macos"), False),
        ("macosx_11_0_arm64", HostPlatform("aarch64", "macos"), False),
        ("manylinux2014_x86_64", GLIBC_2_36, False),
        ("manylinux_2_17_x86_64\n", GLIBC_2_36, False),
    ],
)
def test_what_fits_a_host(tag, host, fits):
    assert platform_fits(tag, host) is fits


@pytest.mark.parametrize(
    ("libc", "host", "fits"),
    [
        (Libc("glibc"), GLIBC_2_36, True),
        (Libc("glibc"), MUSL, False),
        (None, MUSL, True),
        (Libc("glibc"), HostPlatform("x86_64", "linux"), True),
    ],
)
def test_a_platform_that_promises_nothing_still_has_a_c_library(libc, host, fits):
    assert platform_fits("linux_x86_64", host, libc) is fits


@pytest.mark.parametrize(
    ("claimed", "own", "libc", "right"),
    [
        ("musllinux_1_1_x86_64", "musllinux_x86_64", Libc("musl"), True),
        ("musllinux_x86_64", "musllinux_x86_64", Libc("musl"), True),
        ("musllinux_1_1_aarch64", "musllinux_x86_64", Libc("musl"), False),
        ("manylinux_2_17_x86_64", "musllinux_x86_64", Libc("musl"), False),
        ("manylinux_2_17_x86_64", "manylinux_2_18_x86_64", Libc("glibc", "2.18"), False),
        ("linux_x86_64", "musllinux_x86_64", Libc("musl"), False),
        ("x", "musllinux_x86_64", Libc("musl"), False),
    ],
)
def test_somebody_else_may_say_the_release_of_musl_and_nothing_more(claimed, own, libc, right):
    assert tags.states(claimed, own, libc) is right


def test_this_host_fits_itself():
    host = host_platform()
    assert host.machine == host.machine.lower()
    if sys.platform == "linux":
        assert host.os == "linux"
        assert platform_fits(f"linux_{host.machine}", host)
        assert platform_fits(tags.tag_of(host.machine, host.libc), host)


@pytest.mark.parametrize(("system", "named"), [("darwin", "macos"), ("sunos5", "sunos5")])
def test_other_systems_have_their_usual_names(monkeypatch, system, named):
    monkeypatch.setattr(sys, "platform", system)
    assert host_platform().os == named
    assert host_platform().libc is None


@pytest.mark.parametrize("answer", [None, "", "glibc next", ValueError, OSError])
def test_a_host_without_glibc_is_known_by_its_loader(monkeypatch, tmp_path, answer):
    def confstr(name: str) -> str | None:
        assert name == "CS_GNU_LIBC_VERSION"
        if isinstance(answer, type):
            raise answer
        return answer

    monkeypatch.setattr(os, "confstr", confstr)
    loader = str(tmp_path / "ld-musl-{machine}.so.1")
    assert tags.host_libc("x86_64", loader) is None
    (tmp_path / "ld-musl-x86_64.so.1").touch()
    assert tags.host_libc("x86_64", loader) == Libc("musl")
    (tmp_path / "ld-musl-x86_64.so.1").write_bytes(b"x\0Version %s\0%s: 1.2\0001.2.3\0y")
    assert tags.host_libc("x86_64", loader) == Libc("musl", "1.2.3")
    (tmp_path / "ld-musl-armhf.so.1").write_bytes(b"\x001.1.24-git-7-gab12\0")
    assert tags.host_libc("armv7l", loader) == Libc("musl", "1.1.24")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such processes")
@pytest.mark.parametrize(
    ("kernel", "word", "machine"),
    [("x86_64", 1 << 62, "x86_64"), ("x86_64", 1 << 31, "i686"), ("aarch64", 1 << 31, "armv7l"),
     ("armv8l", 1 << 31, "armv7l"), ("i586", 1 << 31, "i686"), ("s390x", 1 << 62, "s390x")],
)  # fmt: skip
def test_a_narrow_process_loads_libraries_of_the_narrow_machine(monkeypatch, kernel, word, machine):
    named = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((*named[:4], kernel)))
    monkeypatch.setattr(sys, "maxsize", word)
    assert host_platform().machine == machine
