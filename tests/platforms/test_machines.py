"""Libraries for every machine that is read: of 32 and 64 bits, of either byte order."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.errors import Code, Refused, UsageError
from cloacina_ctl.manifest import Libc
from cloacina_ctl.platforms import read_library
from cloacina_ctl.platforms.elf.dynamic import ENTRY_POINTS
from cloacina_ctl.platforms.elf.header import MACHINES, reads_plugins
from cloacina_ctl.platforms.triples import refuse_unread
from tests.support.elf_builder import Elf

HARD_FLOAT, SOFT_FLOAT, NO_MARK = 0x05000400, 0x05000200, 0x05000000
ARM = 40
NAMES = st.text(
    st.characters(codec="ascii", categories=("L", "N"), include_characters="._-"),
    min_size=1, max_size=20,
)  # fmt: skip


def elf_for(key: tuple[int, int, int], **more: object) -> Elf:
    number, width, order = key
    flags = HARD_FLOAT if number == ARM else 0
    return Elf(
        machine=number, bits=32 * width, order="<>"[order - 1], flags=flags, **more
    )  # fmt: skip


@given(
    key=st.sampled_from(sorted(MACHINES)),
    needed=st.lists(NAMES, max_size=4),
    minor=st.integers(36, 99),
    exports=st.sets(st.sampled_from(ENTRY_POINTS)),
    hash_style=st.sampled_from(["gnu", "sysv"]),
    soname=NAMES,
)
def test_reads_the_same_of_every_machine(key, needed, minor, exports, hash_style, soname):
    elf = elf_for(
        key, needed=("libc.so.6", *needed), soname=soname, hash_style=hash_style,
        versions={"libc.so.6": [("GLIBC_2.2.5", 0), (f"GLIBC_2.{minor}", 0)], "x": [("X_1", 0)]},
    )  # fmt: skip
    machine = MACHINES[key]
    for name in sorted(exports):
        code = elf.code()
        # On machines with descriptors a function's symbol is one, and not its code.
        elf.exports[name] = elf.data(code.real) if machine.descriptors else code
    library = read_library(elf.build())
    assert library.machine == machine.name
    assert library.needed == ("libc.so.6", *needed)
    assert library.libc == Libc("glibc", f"2.{minor}")
    assert library.tag == f"manylinux_2_{minor}_{machine.name}"
    assert set(library.exports) == exports
    assert library.soname == soname


@pytest.mark.parametrize("key", sorted(key for key in MACHINES if not MACHINES[key].has_plugins))
def test_a_plugin_is_not_looked_for_where_its_layout_is_not_known(key):
    elf = elf_for(key)
    elf.text("CloacinaPlugin")
    library = read_library(elf.build())
    assert library.plugins == library.graphs == ()
    assert not reads_plugins(library.machine)


@pytest.mark.parametrize("flags", [HARD_FLOAT, NO_MARK])
def test_an_arm_library_is_for_armv7l_where_it_may_have_its_abi(flags):
    elf = Elf(machine=ARM, bits=32, flags=flags)
    assert read_library(elf.build()).machine == "armv7l"


@pytest.mark.parametrize("flags", [SOFT_FLOAT, 0, 0x04000000])
def test_an_arm_library_of_another_abi_is_refused(flags):
    with pytest.raises(Refused) as caught:
        read_library(Elf(machine=ARM, bits=32, flags=flags).build())
    (found,) = caught.value.diagnostics
    assert found.code is Code.NOT_A_LIBRARY
    assert "with another ABI than that of armv7l" in found.message


@pytest.mark.parametrize(
    ("number", "bits", "order"),
    [(62, 32, "<"), (183, 32, "<"), (183, 64, ">"), (243, 32, "<"), (22, 32, ">"), (20, 32, ">"),
     (8, 64, ">"), (3, 64, "<"), (40, 32, ">")],
)  # fmt: skip
def test_a_machine_in_a_form_that_no_platform_has_is_refused(number, bits, order):
    with pytest.raises(Refused) as caught:
        read_library(Elf(machine=number, bits=bits, order=order, flags=HARD_FLOAT).build())
    (found,) = caught.value.diagnostics
    assert found.code is Code.NOT_A_LIBRARY
    assert "armv7l, i686, loongarch64, ppc64, ppc64le, riscv64, s390x, x86_64" in str(found.hint)


@pytest.mark.parametrize("key", sorted(MACHINES))
def test_a_file_that_is_cut_anywhere_is_refused_whatever_its_machine(key):
    data = elf_for(key).build()
    for size in range(4, 200, 3):
        with pytest.raises(Refused) as caught:
            read_library(data[:size])
        assert caught.value.diagnostics[0].code in (Code.DAMAGED_LIBRARY, Code.NOT_A_LIBRARY)


@pytest.mark.parametrize("key", [(3, 1, 1), (21, 2, 2), (22, 2, 2), (40, 1, 1)])
@pytest.mark.parametrize("value", [0, 1, 0x7F, 0xFF])
def test_a_changed_byte_gives_a_library_or_a_refusal_whatever_the_machine(key, value):
    elf = elf_for(key, hash_style="sysv" if value & 1 else "gnu")
    elf.exports["cloacina_execute_task"] = elf.code()
    data = elf.build()
    for place in (place for place, byte in enumerate(data) if byte):
        changed = bytearray(data)
        changed[place] ^= value or data[place]
        with contextlib.suppress(Refused):
            read_library(changed)


@pytest.mark.parametrize(
    ("triple", "says"),
    [
        ("x86_64-unknown-linux-gnu", None),
        ("aarch64-unknown-linux-musl", None),
        ("powerpc64le-unknown-linux-gnu", None),
        ("riscv64gc-unknown-linux-gnu", None),
        ("loongarch64-unknown-linux-gnu", None),
        ("machines/mine.json", None),
        (None, None),
        ("armv7-unknown-linux-gnueabihf", "plugins for armv7-unknown-linux-gnueabihf"),
        ("i686-unknown-linux-gnu", "plugins for i686"),
        ("s390x-unknown-linux-gnu", "plugins for s390x"),
        ("powerpc64-unknown-linux-gnu", "plugins for powerpc64"),
        ("aarch64_be-unknown-linux-gnu", "plugins for aarch64_be"),
        ("x86_64-unknown-linux-gnux32", "plugins for x86_64-unknown-linux-gnux32"),
        ("aarch64-unknown-linux-gnu_ilp32", "plugins for aarch64-unknown-linux-gnu_ilp32"),
        ("x86_64-pc-windows-msvc", "libraries for Linux alone"),
        ("aarch64-apple-darwin", "libraries for Linux alone"),
        ("wasm32-wasip2", "libraries for Linux alone"),
    ],
)
def test_a_target_whose_library_would_be_refused_is_refused_before_it_is_built(triple, says):
    if says is None:
        refuse_unread(triple)
        return
    with pytest.raises(UsageError, match=says) as caught:
        refuse_unread(triple)
    assert caught.value.diagnostics[0].code is Code.UNREAD_MACHINE
