"""What a file is instead of a library, in words."""

from __future__ import annotations

import struct

import pytest

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.platforms import read_library
from tests.support.elf_builder import Elf


def elf_head(klass: int, order: int, kind: int, machine: int, system: int = 0) -> bytes:
    mark = ">" if order == 2 else "<"
    ident = b"\x7fELF" + bytes([klass, order, 1, system]) + bytes(8)
    return ident + struct.pack(mark + "HHI", kind, machine, 1) + bytes(40)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "an empty file"),
        (bytes(600), "zeros"),
        (b"hello, w\xc3\xb6rld\n" * 100, "text"),
        (("ä" * 300).encode(), "text"),
        (("xä" + "ä" * 300).encode(), "text"),
        (b"caf\xe9 au lait, a long line", "bytes of no known kind"),
        (b"abc\x01\x02", "bytes of no known kind"),
        (b"abc\xe2\x82", "text"),
        (b"abc\xff", "bytes of no known kind"),
        (b"#!/bin/sh\n", "a script"),
        (b"!<arch>\n", "a static library or an archive of object files"),
        (b"MZ\x90\0", "a PE file for Windows"),
        (b"\xcf\xfa\xed\xfe\x0c\0\0\x01", "a Mach-O file for macOS"),
        (b"\xca\xfe\xba\xbe\0\0\0\x02", "a universal Mach-O file for macOS"),
        (b"\xca\xfe\xba\xbe\0\0\0\x34", "a Java class"),
        (b"\0asm\x01\0\0\0", "a WebAssembly module"),
        (b"\x1f\x8b\x08", "a gzip file"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + bytes(48), ("a 64-bit little-endian ELF file of kind 0"
         " for machine number 0")),
        (elf_head(1, 1, 2, 3), "a 32-bit little-endian ELF executable for 32-bit x86"),
        (elf_head(1, 1, 3, 62), "a 32-bit little-endian ELF shared library for x86_64"),
        (elf_head(2, 2, 2, 22), "a 64-bit big-endian ELF executable for S/390"),
        (elf_head(2, 1, 1, 62), ("a 64-bit little-endian ELF object file that was never linked for"
         " x86_64")),
        (elf_head(2, 1, 2, 183), "a 64-bit little-endian ELF executable for aarch64"),
        (elf_head(2, 1, 4, 62), "a 64-bit little-endian ELF core dump for x86_64"),
        (elf_head(2, 1, 3, 62, 9), ("a 64-bit little-endian ELF shared library for x86_64 and"
         " FreeBSD")),
        (elf_head(2, 1, 3, 62, 99), ("a 64-bit little-endian ELF shared library for x86_64 and"
         " system number 99")),
        (elf_head(2, 1, 3, 8), "a 64-bit little-endian ELF shared library for MIPS"),
        (elf_head(7, 1, 3, 62), "a malformed little-endian ELF shared library for x86_64"),
    ],
)  # fmt: skip
def test_says_what_a_file_is_instead(data, words):
    with pytest.raises(Refused) as caught:
        read_library(data, where="lib/x.so")
    (found,) = caught.value.diagnostics
    assert found.code is Code.NOT_A_LIBRARY
    assert found.message == (f"expected an ELF shared library for Linux, found: {words}")
    assert found.where == "lib/x.so"
    assert "read: aarch64, armv7l, i686, loongarch64, " in str(found.hint)


def test_a_library_for_gnu_by_name_is_read():
    data = bytearray(Elf().build())
    data[7] = 3
    assert read_library(data).os == "linux"
