"""The base system of a Linux platform: its libraries, and the versions of their symbols.

A manylinux tag promises that a library runs on every mainstream distribution with that release of
glibc or a later one (PEP 600). The distributions of a release of glibc come with a release of GCC,
so the tag also bounds what may be needed of libstdc++, libgcc_s and libatomic, and of libz.

Sources:

- `manylinux-policy.json` and `musllinux-policy.json` of auditwheel 6.8.2: which version of which
  library is on all distributions of a release of glibc, and which libraries those are. A marked
  test compares the tables with that file (tests/platforms/wheels).
- `libstdc++`, "ABI Policy and Guidelines", for the release of GCC that brought a version:
  GLIBCXX_3.4.19 and CXXABI_1.3.7 came with 4.8, 3.4.22 and 1.3.10 with 6.1, 3.4.24 and 1.3.11 with
  7.2, 3.4.28 with 9.3, 1.3.12 with 9.1, 3.4.29 and 1.3.13 with 11.1, 3.4.30 with 12.1, 3.4.31 and
  1.3.14 with 13.1, 3.4.33 and 1.3.15 with 14.1.
- `libgcc/libgcc-std.ver.in` of GCC: a version GCC_N came with release N.
- glibc, `elf/dl-version.c`: GLIBC_ABI_DT_RELR came with 2.36.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

GLIBC, MUSL = "glibc", "musl"

_GLIBC_FILES = frozenset(
    f"lib{name}"
    for name in (
        "anl.so.1", "BrokenLocale.so.1", "c.so.6", "dl.so.2", "m.so.6", "mvec.so.1", "nsl.so.1",
        "pthread.so.0", "resolv.so.2", "rt.so.1", "thread_db.so.1", "util.so.1",
    )
)  # fmt: skip
_GLIBC_LOADERS = ("ld-linux", "ld64.so.")
_MUSL_FILES = ("libc.musl-", "ld-musl-")
_MUSL_LIBRARY = "libc.so"
# Android's C library has one of musl's file names, and versions named LIBC.
_ANDROID_VERSION = "LIBC"

# The libraries beside glibc that distributions have (PEP 600, and the `lib_whitelist` of
# auditwheel's policies). musl's distributions have no library of GCC.
_GLIBC_BASE = frozenset(
    {
        "libatomic.so.1", "libexpat.so.1", "libgcc_s.so.1", "libGL.so.1", "libglib-2.0.so.0",
        "libgobject-2.0.so.0", "libgthread-2.0.so.0", "libICE.so.6", "libSM.so.6",
        "libstdc++.so.6", "libX11.so.6", "libXext.so.6", "libXrender.so.1", "libz.so.1",
    }
)  # fmt: skip
_MUSL_BASE = frozenset({"libz.so.1"})


class _Family(NamedTuple):
    """Versions of one name: the file that has them, and the newest one by release of glibc 2."""

    file: str
    steps: tuple[tuple[str, int], ...]


_FAMILIES = {
    "GLIBCXX": _Family(
        "libstdc++.so.6",
        (
            ("3.4.8", 5), ("3.4.13", 12), ("3.4.19", 17), ("3.4.22", 24), ("3.4.24", 26),
            ("3.4.28", 31), ("3.4.29", 34), ("3.4.30", 35), ("3.4.33", 39),
        ),
    ),
    "CXXABI": _Family(
        "libstdc++.so.6",
        (
            ("1.3.1", 5), ("1.3.3", 12), ("1.3.7", 17), ("1.3.10", 24), ("1.3.11", 26),
            ("1.3.12", 31), ("1.3.13", 34), ("1.3.15", 39),
        ),
    ),
    "GCC": _Family(
        "libgcc_s.so.1",
        (
            ("4.2.0", 5), ("4.5.0", 12), ("4.8.0", 17), ("7.0.0", 26), ("11.0", 34),
            ("12.0.0", 35), ("14.0.0", 39),
        ),
    ),
    "LIBATOMIC": _Family("libatomic.so.1", (("1.2", 24),)),
    "ZLIB": _Family(
        "libz.so.1", (("1.2.2.4", 12), ("1.2.5.2", 17), ("1.2.9", 27), ("1.2.12", 37))
    ),
}  # fmt: skip
# Other numberings. Versions of other floating-point types are numbered as the rest.
_NAMED = {"CXXABI_TM_1": 17, "CXXABI_FLOAT128": 24}
_QUALIFIERS = ("LDBL_", "IEEE128_", "ARM_")
# With glibc 2.26 all distributions for this machine have no more than what GCC 6 brought, and for
# the others what GCC 7 did.
_LATER = {("x86_64", 26): 27}
# Marks of the loader, not of a function.
_MARKS = {"GLIBC_ABI_DT_RELR": (2, 36)}
PACKED_MARK = "GLIBC_ABI_DT_RELR"

# The oldest tags that exist, and where glibc is younger than that, its first release for it.
_OLDEST = {"x86_64": (2, 5), "i686": (2, 5), "riscv64": (2, 27), "loongarch64": (2, 36)}
_OLDEST_ELSEWHERE = (2, 17)

Release = tuple[int, ...]


class Need(NamedTuple):
    """A needed version of symbols, and the file that has it, as ``libc.so.6``."""

    file: str
    version: str


class Demand(NamedTuple):
    """The needs of a library from the base system.

    ``libc`` is the name of the C library, None where it needs none that is known. ``floor`` is the
    first release of glibc whose distributions have all versions that are needed; None for another
    C library, and where one is needed that no table has, which ``unknown`` names.
    """

    libc: str | None
    floor: Release | None = None
    unknown: tuple[Need, ...] = ()


def demand_of(
    machine: str, needed: Collection[str], needs: Iterable[Need], *, packed: bool = False
) -> Demand:
    """Return the demand of a library that needs these files, and these versions of them.

    ``packed``: it has packed relocations, which an older glibc silently ignores.

    The names of the files show the C library. A version counts where it is needed from the file
    that has it in the base system: libgcc_s of aarch64 has a GLIBC_2.0 of its own, and a copy of
    libstdc++ beside the library has its own versions.
    """
    needs = tuple(needs)
    libc = _libc_of(needed, needs)
    if libc != GLIBC:
        return Demand(libc)
    floors = {need: _first_release(machine, need) for need in needs if _is_of_base(need)}
    if packed:
        floors[Need("libc.so.6", PACKED_MARK)] = _MARKS[PACKED_MARK]
    unknown = tuple(sorted(need for need, floor in floors.items() if floor is None))
    if unknown:
        return Demand(libc, unknown=unknown)
    return Demand(libc, max((one for one in floors.values() if one), default=oldest(machine)))


def refuses_packed(needed: Iterable[str], needs: tuple[Need, ...]) -> bool:
    """Return whether glibc refuses the packed relocations of a library with these needs.

    It does where the library needs ``libc.so.N``, versions at all, and not the mark for packed
    relocations (glibc, ``elf/dl-version.c``).
    """
    return (
        bool(needs)
        and any(name.startswith("libc.so.") for name in needed)
        and all(need.version != PACKED_MARK for need in needs)
    )


def outside_base(libc: str | None, needed: Iterable[str]) -> tuple[str, ...]:
    """Return the needed files that a base system does not have, sorted."""
    base = _MUSL_BASE if libc == MUSL else _GLIBC_BASE
    is_own = _is_musl if libc == MUSL else _is_glibc
    return tuple(sorted({name for name in needed if name not in base and not is_own(name)}))


def oldest(machine: str) -> Release:
    """Return the first release of glibc that a tag for the machine is named after."""
    return _OLDEST.get(machine, _OLDEST_ELSEWHERE)


def _libc_of(needed: Collection[str], needs: tuple[Need, ...]) -> str | None:
    is_android = any(need.version == _ANDROID_VERSION for need in needs)
    found = {GLIBC for name in needed if _is_glibc(name)}
    found |= {MUSL for name in needed if _is_musl(name) and not is_android}
    if not found:
        # A loader looks for the file of a version among all that are loaded, needed or not.
        found = {GLIBC for need in needs if _is_glibc(need.file)}
    return found.pop() if len(found) == 1 else None


def _is_of_base(need: Need) -> bool:
    family = _FAMILIES.get(need.version.partition("_")[0])
    return _is_glibc(need.file) or (family is not None and need.file == family.file)


def _first_release(machine: str, need: Need) -> Release | None:
    """Return the release of glibc whose distributions have a version first; None if unknown."""
    name, _, number = need.version.partition("_")
    if _is_glibc(need.file):
        return _MARKS.get(need.version) or (_numbers(number) or None if name == "GLIBC" else None)
    if need.version in _NAMED:
        return (2, _NAMED[need.version])
    for qualifier in _QUALIFIERS:
        number = number.removeprefix(qualifier)
    wanted = _numbers(number)
    for newest, minor in _FAMILIES[name].steps:
        if wanted and wanted <= _numbers(newest):
            return (2, _LATER.get((machine, minor), minor))
    return None


def _is_glibc(name: str) -> bool:
    return name in _GLIBC_FILES or name.startswith(_GLIBC_LOADERS)


def _is_musl(name: str) -> bool:
    return name == _MUSL_LIBRARY or name.startswith(_MUSL_FILES)


def _numbers(version: str) -> Release:
    """Return the numbers of a version; none where the text is no version."""
    parts = version.split(".")
    is_version = 1 < len(parts) < 5 and all(
        part.isascii() and part.isdigit() and len(part) < 5 for part in parts
    )
    return tuple(map(int, parts)) if is_version else ()
