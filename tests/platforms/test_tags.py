"""Platform tags, and what fits this host."""

from __future__ import annotations

import os
import sys

import pytest

from cloacina_ctl.manifest import Libc
from cloacina_ctl.platforms import Host, host_platform, platform_fits, read_library, tags
from tests.platforms.elf_builder import Elf

GLIBC_2_36 = Host("x86_64", "linux", Libc("glibc", "2.36"))
MUSL = Host("x86_64", "linux", Libc("musl", "1.2"))


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
        (("libc.so.6",), {"libc.so.6": [("GLIBC_99999999.1", 0)]}, ("glibc", "2.5"),
         "manylinux_2_5_x86_64"),
        (("libc.musl-x86_64.so.1",), {}, ("musl", "1.2"), "musllinux_1_2_x86_64"),
        (("libc.so", "libgcc_s.so.1"), {"libgcc_s.so.1": [("GCC_3.0", 0)]}, ("musl", "1.2"),
         "musllinux_1_2_x86_64"),
        (("libc.so",), {"libc.so": [("LIBC", 0)]}, None, "linux_x86_64"),
    ],
)  # fmt: skip
def test_the_tag_follows_from_what_is_needed(needed, versions, libc, tag):
    library = read_library(Elf(needed=needed, versions=versions).build())
    assert library.libc == (Libc(*libc) if libc else None)
    assert library.tag == tag


def test_machines_without_an_older_glibc_have_no_older_tag():
    elf = Elf(machine=243, versions={"libc.so.6": [("GLIBC_2.4", 0)]})
    assert read_library(elf.build()).tag == "manylinux_2_17_riscv64"


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
        ("manylinux_2_17_x86_64", Host("x86_64", "linux"), False),
        ("musllinux_1_2_x86_64", MUSL, True),
        ("musllinux_1_1_x86_64", MUSL, True),
        ("musllinux_1_3_x86_64", MUSL, False),
        ("musllinux_1_2_x86_64", GLIBC_2_36, False),
        ("linux_x86_64", GLIBC_2_36, True),
        ("linux_x86_64", Host("x86_64", "linux"), True),
        ("linux_x86_64", Host("x86_64", "macos"), False),
        ("macosx_11_0_arm64", Host("aarch64", "macos"), False),
        ("manylinux2014_x86_64", GLIBC_2_36, False),
        ("manylinux_2_17_x86_64\n", GLIBC_2_36, False),
    ],
)
def test_what_fits_a_host(tag, host, fits):
    assert platform_fits(tag, host) is fits


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
    assert tags.host_libc("x86_64", loader) == Libc("musl", "1.2")
