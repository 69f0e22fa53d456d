"""Our reading of libraries beside auditwheel's, and the table of what may differ.

The table of docs/platforms.md is `REASONS`. What differs for any other reason is a failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.platforms import read_library
from cloacina_ctl.platforms.baseline import GLIBC, MUSL

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from cloacina_ctl.platforms import Library

    Policies = Mapping[str, Collection[str]]

SAME = "the same tag"
NEXT_POLICY = "auditwheel says its next policy, as there is none for the exact release of glibc"
MUSL_RELEASE = "auditwheel says musllinux_1_2, its newest policy; ours says no release"
MUSL_NAME = "musl is needed as `libc.so`: to auditwheel that is no C library, or an unknown one"
NO_LIBC = "no library of the system is needed: ours is linux_ARCH, auditwheel's its oldest policy"
PROGRAM = "a program, which ours refuses and auditwheel reports"
REASONS = {
    NEXT_POLICY: "both; ours is exact, and PEP 600 allows it",
    MUSL_RELEASE: "neither can be determined; ours claims less",
    MUSL_NAME: "ours: it is musl's own name, and what Rust links with",
    NO_LIBC: "both; nothing in the library is of one C library",
    PROGRAM: "both; a package holds libraries alone",
}


class Row(NamedTuple):
    """A file of a wheel, and why the two readers say what they say; None where nobody knows."""

    path: str
    ours: str
    theirs: str
    reason: str | None


def compare(said: dict[str, Any], policies: Policies, beside: Collection[str]) -> Row:
    """Return the row of one file, of which auditwheel said ``said``.

    ``policies`` has auditwheel's names for manylinux, each with its machines; ``beside`` the names
    of the files of the wheel.
    """
    path, theirs = said["path"], f"{said['policy']}, {said['libc']}, {said['external']}"
    try:
        library = read_library(path)
    except Refused as error:
        is_program = error.diagnostics[0].code is Code.NOT_A_LIBRARY and "executable" in str(error)
        return Row(path, str(error), theirs, PROGRAM if is_program else None)
    libc = library.libc.name if library.libc else None
    outside = list(library.needs_outside(beside))
    ours = f"{library.tag}, {libc}, {outside}"
    return Row(path, ours, theirs, _reason(library, beside, said, policies))


def _reason(
    library: Library, beside: Collection[str], said: dict[str, Any], policies: Policies
) -> str | None:
    libc = library.libc.name if library.libc else None
    outside = list(library.needs_outside(beside))
    if libc is None and not set(library.needed) - set(beside):
        return NO_LIBC
    if libc == MUSL and "libc.so" in library.needed:
        external = sorted(set(said["external"]) - {"libc.so"})
        return MUSL_NAME if said["libc"] in (MUSL, None) and external == outside else None
    if said["libc"] != libc or said["external"] != outside:
        return None
    if libc == MUSL:
        is_newest = said["policy"] == f"musllinux_1_2_{library.machine}"
        return MUSL_RELEASE if is_newest and library.tag == f"musllinux_{library.machine}" else None
    if library.tag == said["policy"]:
        return SAME
    return NEXT_POLICY if libc == GLIBC and _next(library, policies) == said["policy"] else None


def _next(library: Library, policies: Policies) -> str | None:
    """Return the first policy of auditwheel for the machine that is not older than our tag."""
    floor = release(library.tag)
    named = sorted((release(name), name) for name in policies if library.machine in policies[name])
    return next((f"{name}_{library.machine}" for found, name in named if found >= floor), None)


def release(name: str) -> tuple[int, int]:
    """Return the release of glibc that a tag or policy is named after."""
    major, minor = name.split("_")[1:3]
    return int(major), int(minor)


def names_beside(path: Path, root: Path) -> set[str]:
    """Return the names of the files of the wheel that is unpacked in a folder of ``root``."""
    wheel = root / path.relative_to(root).parts[0]
    return {one.name for one in wheel.rglob("*")}
