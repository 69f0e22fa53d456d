"""Platform tags: the tag of a library, and the tags that this host can load.

``manylinux_X_Y_ARCH`` and ``musllinux_X_Y_ARCH`` mean what PEP 600 and PEP 656 say. Symbols of
musl carry no version, so that nothing in a library shows the X_Y: such a library is
``musllinux_ARCH``, for any musl. ``linux_ARCH`` promises nothing (docs/platforms.md).
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from cloacina_ctl.manifest.model import Libc
from cloacina_ctl.platforms.baseline import GLIBC, MUSL, oldest
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.platforms.baseline import Demand

ANY = "any"

_TAG = re.compile(
    r"(?:manylinux_(?P<glibc>[0-9]{1,4}_[0-9]{1,4})|(?P<musllinux>musllinux)"
    r"(?:_(?P<musl>[0-9]{1,4}_[0-9]{1,4}))?|linux)_(?P<machine>[a-z0-9_]+)"
)
# Not compiled until a host is asked: most runs import this module for tags alone.
_VERSION = r"[0-9]{1,4}\.[0-9]{1,4}(?:\.[0-9]{1,4})?"
_MACHINE_NAMES = {
    "amd64": "x86_64", "arm64": "aarch64", "armv8l": "armv7l",
    "i386": "i686", "i486": "i686", "i586": "i686",
}  # fmt: skip
# The machine of a 32-bit process on a 64-bit machine.
_NARROW = {"x86_64": "i686", "aarch64": "armv7l", "ppc64": "ppc", "s390x": "s390"}
_MUSL_LOADER = "/lib/ld-musl-{machine}.so.1"
# musl's names of machines, where they are others.
_MUSL_MACHINES = {"i686": "i386", "armv7l": "armhf", "ppc64": "powerpc64", "ppc64le": "powerpc64le"}
# The loader is musl itself, and says its version where it is started without a program.
_MUSL_VERSION = rb"\0(1\.[0-9]{1,3}\.[0-9]{1,3})(?:-git-[0-9a-z-]+)?\0"
_MOST_MUSL = 4 << 20


class HostPlatform(NamedTuple):
    """A machine that could load a library; ``libc.floor`` is the version that it has."""

    machine: str
    os: str
    libc: Libc | None = None


def libc_of(demand: Demand) -> Libc | None:
    """Return the manifest's entry for the C library of a demand."""
    if demand.libc is None:
        return None
    return Libc(demand.libc, ".".join(map(str, demand.floor)) if demand.floor else None)


def tag_of(machine: str, libc: Libc | None) -> str:
    """Return the platform tag of a Linux library, or the newest that a Linux host can load."""
    if libc is None or (libc.name == GLIBC and libc.floor is None):
        return f"linux_{machine}"
    if libc.floor is None:
        return f"musllinux_{machine}"
    numbers = _numbers(libc.floor)[:2]
    if libc.name == MUSL:
        return f"musllinux_{_joined(numbers)}_{machine}"
    return f"manylinux_{_joined(max(numbers, oldest(machine)))}_{machine}"


def platform_fits(tag: str, host: HostPlatform, libc: Libc | None = None) -> bool:
    """Return whether ``host`` can load a library with the tag ``tag`` that needs ``libc``.

    An unknown tag fits nowhere. ``linux_ARCH`` and ``musllinux_ARCH`` name no release, so only
    loading shows whether it works.
    """
    if tag == ANY:
        return True
    parts = _TAG.fullmatch(tag)
    if parts is None or host.os != "linux" or parts["machine"] != host.machine:
        return False
    family = GLIBC if parts["glibc"] else MUSL if parts["musllinux"] else libc and libc.name
    if family is None or (host.libc is None and not is_promised(tag)):
        return True
    if host.libc is None or host.libc.name != family:
        return False
    floor = parts["glibc"] or parts["musl"]
    if floor is None or host.libc.floor is None:
        return True
    return _numbers(host.libc.floor)[:2] >= tuple(map(int, floor.split("_")))


def is_promised(tag: str) -> bool:
    """Return whether a tag promises anything about the system that it names."""
    return not tag.startswith("linux_")


def states(tag: str, library_tag: str, libc: Libc | None) -> bool:
    """Return whether a package may state ``tag`` for a library whose own tag is ``library_tag``.

    The release of musl is not in the library: it is stated elsewhere, as in the name of its wheel.
    """
    if tag == library_tag:
        return True
    parts, own = _TAG.fullmatch(tag), _TAG.fullmatch(library_tag)
    return (
        parts is not None and own is not None and libc is not None and libc.name == MUSL
        and parts["musllinux"] is not None and parts["machine"] == own["machine"]
    )  # fmt: skip


def host_platform() -> HostPlatform:
    """Return this machine's platform, for a process such as this one.

    No program is started: glibc reports its version, musl's is in its loader.
    """
    system = sys.platform
    machine = os.uname().machine.lower() if hasattr(os, "uname") else ""
    machine = _MACHINE_NAMES.get(machine, machine)
    if system != "linux":
        return HostPlatform(machine, {"darwin": "macos", "win32": "windows"}.get(system, system))
    if sys.maxsize < 1 << 32:
        machine = _NARROW.get(machine, machine)
    return HostPlatform(machine, "linux", host_libc(machine))


def host_libc(machine: str, musl_loader: str = _MUSL_LOADER) -> Libc | None:
    """Return the C library of this Linux host, with the version that it has."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):
        name = version = ""
    if name == GLIBC and re.fullmatch(_VERSION, version):
        return Libc(GLIBC, version)
    loader = musl_loader.format(machine=_MUSL_MACHINES.get(machine, machine))
    try:
        with open(loader, "rb") as file:
            found = re.search(_MUSL_VERSION, file.read(_MOST_MUSL))
    except FileNotFoundError:
        return None
    except OSError:
        found = None
    return Libc(MUSL, found[1].decode() if found else None)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def _joined(numbers: tuple[int, ...]) -> str:
    return "_".join(map(str, numbers))
