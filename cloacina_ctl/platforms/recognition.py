"""Recognize a file by its first bytes, in words for people."""

from __future__ import annotations

import codecs
import struct

_ELF_KINDS = {
    1: "object file that was never linked",
    2: "executable",
    3: "shared library",
    4: "core dump",
}
_MACHINES = {
    2: "SPARC",
    3: "32-bit x86",
    8: "MIPS",
    20: "32-bit PowerPC",
    21: "PowerPC",
    22: "S/390",
    40: "32-bit Arm",
    43: "64-bit SPARC",
    62: "x86_64",
    183: "aarch64",
    243: "RISC-V",
    247: "BPF",
    258: "LoongArch",
}
SYSTEMS = {0: "linux", 3: "linux"}
_OTHER_SYSTEMS = {
    1: "HP-UX",
    2: "NetBSD",
    6: "Solaris",
    7: "AIX",
    8: "IRIX",
    9: "FreeBSD",
    12: "OpenBSD",
    64: "bare Arm",
    255: "no system",
}
_MAGICS = (
    (b"\xcf\xfa\xed\xfe", "a Mach-O file for macOS"),
    (b"\xce\xfa\xed\xfe", "a 32-bit Mach-O file for macOS"),
    (b"\xfe\xed\xfa\xcf", "a big-endian Mach-O file for macOS"),
    (b"\xfe\xed\xfa\xce", "a big-endian 32-bit Mach-O file for macOS"),
    (b"MZ", "a PE file for Windows"),
    (b"!<arch>\n", "a static library or an archive of object files"),
    (b"!<thin>\n", "a static library or an archive of object files"),
    (b"\0asm", "a WebAssembly module"),
    (b"BC\xc0\xde", "LLVM bitcode"),
    (b"#!", "a script"),
    (b"PK\x03\x04", "a zip file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
)
_FAT = (b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf")
# A universal Mach-O and a Java class begin alike; where the one has its number of machines, the
# other has a version, which was never below 45.
_MOST_FAT_MACHINES = 40
_MACH_O = tuple(magic for magic, words in _MAGICS if "Mach-O" in words)
_PE_POINTER = 0x3C

# The formats of compiled code, by what loads them.
ELF, MACH_O, PE = "ELF", "Mach-O", "PE"
HEAD_BYTES = 1024  # enough to recognize a PE file


def describe(head: bytes) -> str:
    """Return the kind of a file that begins with ``head`` and is no ELF file."""
    if not head:
        return "an empty file"
    if head.startswith(_FAT):
        return "a universal Mach-O file for macOS" if _is_fat(head) else "a Java class"
    for magic, words in _MAGICS:
        if head.startswith(magic):
            return words
    if not head.strip(b"\0"):
        return "zeros"
    return "text" if _is_text(head) else "bytes of no known kind"


def object_format(head: bytes) -> str | None:
    """Return the format of the compiled file that begins with ``head``, None for any other file.

    Text that happens to begin with `MZ` is none, nor is a Java class. ``head`` has `HEAD_BYTES`.
    """
    if head.startswith(b"\x7fELF"):
        return ELF
    if head.startswith(_MACH_O) or _is_fat(head):
        return MACH_O
    at = int.from_bytes(head[_PE_POINTER : _PE_POINTER + 4], "little")
    return PE if head.startswith(b"MZ") and head[at : at + 4] == b"PE\0\0" else None


def is_loaded(head: bytes) -> bool:
    """Return whether a loader loads the ELF file: object files and dumps are for other tools."""
    return _elf_number(head, 16) in (2, 3)


def elf_machine(head: bytes) -> int:
    """Return the number of the machine that the ELF file is for."""
    return _elf_number(head, 18)


def _elf_number(head: bytes, at: int) -> int:
    return int.from_bytes(head[at : at + 2], "big" if head[5:6] == b"\2" else "little")


def can_be_run(head: bytes) -> bool:
    """Return whether a system could run the file: a script with `#!`, or compiled code."""
    return head.startswith(b"#!") or object_format(head) is not None


def _is_fat(head: bytes) -> bool:
    return head.startswith(_FAT) and int.from_bytes(head[4:8], "big") <= _MOST_FAT_MACHINES


def describe_elf(head: bytes) -> str:
    """Return the header of an ELF file in words: width, byte order, kind, machine, system."""
    order = "big" if head[5] == 2 else "little"
    kind, machine = struct.unpack_from(">HH" if order == "big" else "<HH", head, 16)
    width = {1: "32-bit", 2: "64-bit"}.get(head[4], "malformed")
    words = f"{width} {order}-endian ELF {_ELF_KINDS.get(kind, f'file of kind {kind}')}"
    words += f" for {_MACHINES.get(machine, f'machine number {machine}')}"
    if head[7] not in SYSTEMS:
        words += f" and {_OTHER_SYSTEMS.get(head[7], f'system number {head[7]}')}"
    return f"a {words}"


def _is_text(head: bytes) -> bool:
    try:
        # The last character may be cut by the end of the window.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(char.isprintable() or char in "\t\r\n" for char in text)
