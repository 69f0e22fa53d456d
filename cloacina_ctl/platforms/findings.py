"""Findings about a library that does not run on every system.

They are the same for a crate that is packed, for vendored wheels, and for a package in `validate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from cloacina_ctl.platforms.library import Library


def library_findings(
    library: Library, where: str, beside: Collection[str] = ()
) -> Iterator[Diagnostic]:
    """Yield all findings for one library; ``beside`` names the files in its package."""
    if library.unmarked_relocations:
        yield unmarked(where)
    yield from outside(library.needs_outside(beside), where)
    yield from no_promise(library, where)


def unmarked(where: str) -> Diagnostic:
    """Return the error for packed relocations without their mark."""
    return Diagnostic(
        Code.UNMARKED_RELOCATIONS,
        "no release of glibc loads it: it has packed relocations (DT_RELR) and does not need "
        "the version GLIBC_ABI_DT_RELR of libc.so.6",
        where,
        "use `-z pack-relative-relocs` with GNU ld from 2.38 or LLD from 15, or do not pack them",
    )


def outside(names: Iterable[str], where: str) -> Iterator[Diagnostic]:
    """Yield a warning for each needed library that neither the package nor the base system has."""
    for name in names:
        yield Diagnostic(
            Code.NEEDED_OUTSIDE,
            f"it needs {name}, which is not in the package and not on every system",
            where,
            "link it statically, or install it on every machine that runs the package",
            Severity.WARNING,
        )


def no_promise(library: Library, where: str) -> Iterator[Diagnostic]:
    """Yield a warning where the library needs versions that no known release has."""
    if library.unknown_versions:
        yield Diagnostic(
            Code.NO_PROMISE,
            "nothing says which systems it runs on: no known release of the base system has "
            f"{library.unknown_versions[0]}",
            where,
            "build it on an older system",
            Severity.WARNING,
        )
