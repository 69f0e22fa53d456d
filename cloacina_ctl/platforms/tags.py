"""Platform tags: from the symbols that a library needs, and which of them this host can load.

``manylinux_X_Y_ARCH`` and ``musllinux_X_Y_ARCH`` mean what PEP 600 and PEP 656 say, and
``linux_ARCH`` a library that needs no C library.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from cloacina_ctl.manifest.model import Libc
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


GLIBC, MUSL = "glibc", "musl"
ANY = "any"

_GLIBC_VERSION = re.compile(r"GLIBC_([0-9]{1,4})\.([0-9]{1,4})(?:\.[0-9]{1,4})?")
# Marks of the loader, not of a function, and the release that brought them.
_GLIBC_MARKS = {"GLIBC_ABI_DT_RELR": "2.36"}
_GLIBC_NAMES = ("libc.so.6",)
# Symbols of musl carry no version. 1.2 is the line that is maintained (since 2020), that PEP 656
# tools build on and that Rust ships; 1.1 cannot be told from it.
_MUSL_FLOOR = "1.2"
# The oldest tags that exist; glibc on other machines is not older than that.
_OLDEST_MANYLINUX = {"x86_64": (2, 5)}
_OLDEST_MANYLINUX_ELSEWHERE = (2, 17)

_TAG = re.compile(r"(?:(manylinux|musllinux)_([0-9]{1,4})_([0-9]{1,4})|linux)_([a-z0-9_]+)")
_FAMILIES = {"manylinux": GLIBC, "musllinux": MUSL}
_MACHINE_NAMES = {"amd64": "x86_64", "arm64": "aarch64"}
_MUSL_LOADER = "/lib/ld-musl-{machine}.so.1"


class Host(NamedTuple):
    """A machine that could load a library."""

    machine: str
    os: str
    libc: Libc | None = None


def libc_of(machine: str, needed: Iterable[str], versions: Iterable[str]) -> Libc | None:
    """Return the C library that a library needs and the lowest version that has its symbols.

    None where it needs none that is known.
    """
    needed = tuple(needed)
    names = set(versions)
    floors = [
        _GLIBC_MARKS.get(name, name.removeprefix("GLIBC_"))
        for name in names
        if name in _GLIBC_MARKS or _GLIBC_VERSION.fullmatch(name)
    ]
    if floors:
        return Libc(GLIBC, max(floors, key=_numbers))
    if any(name in _GLIBC_NAMES for name in needed):
        return Libc(GLIBC, _text(_oldest(machine)))
    # Android's C library has musl's file name, and versions named LIBC.
    if "LIBC" not in names and any(_is_musl(name) for name in needed):
        return Libc(MUSL, _MUSL_FLOOR)
    return None


def tag_of(machine: str, libc: Libc | None) -> str:
    """Return the platform tag of a Linux library."""
    if libc is None:
        return f"linux_{machine}"
    major, minor, *_ = _numbers(libc.floor)
    if libc.name == MUSL:
        return f"musllinux_{major}_{minor}_{machine}"
    major, minor = max((major, minor), _oldest(machine))
    return f"manylinux_{major}_{minor}_{machine}"


def platform_fits(tag: str, host: Host) -> bool:
    """Tell whether ``host`` can load what is tagged ``tag``; an unknown tag fits nowhere."""
    if tag == ANY:
        return True
    parts = _TAG.fullmatch(tag)
    if parts is None or host.os != "linux" or parts[4] != host.machine:
        return False
    if parts[1] is None:
        return True
    libc = host.libc
    if libc is None or libc.name != _FAMILIES[parts[1]]:
        return False
    return _numbers(libc.floor)[:2] >= (int(parts[2]), int(parts[3]))


def host_platform() -> Host:
    """Return what this machine is; ``libc.floor`` is the version that it has.

    No program is started: glibc tells its version, musl is known by its loader.
    """
    system = sys.platform
    machine = os.uname().machine.lower() if hasattr(os, "uname") else ""
    machine = _MACHINE_NAMES.get(machine, machine)
    if system != "linux":
        return Host(machine, {"darwin": "macos", "win32": "windows"}.get(system, system))
    return Host(machine, "linux", host_libc(machine))


def host_libc(machine: str, musl_loader: str = _MUSL_LOADER) -> Libc | None:
    """Return the C library of this Linux host, with the version that it has."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):
        name = version = ""
    if name == GLIBC and _GLIBC_VERSION.fullmatch(f"GLIBC_{version}"):
        return Libc(GLIBC, version)
    if os.path.exists(musl_loader.format(machine=machine)):
        return Libc(MUSL, _MUSL_FLOOR)
    return None


def _is_musl(name: str) -> bool:
    return name == "libc.so" or (name.startswith("libc.musl-") and name.endswith(".so.1"))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def _text(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


def _oldest(machine: str) -> tuple[int, int]:
    return _OLDEST_MANYLINUX.get(machine, _OLDEST_MANYLINUX_ELSEWHERE)
