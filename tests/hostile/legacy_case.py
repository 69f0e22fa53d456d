"""Cases for gzip and bzip2 packages: one attack, put into a package of either kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.hostile.case import Case
from tests.support import archives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

END = archives.END
PACK = {"gz": archives.gz, "bz2": archives.bz2}
PREFIX = {"gz": "", "bz2": f"{archives.ROOT}/"}


def files_of(kind: str) -> dict[str, bytes]:
    """Return the files of the plain package: of format 2 in gzip, a source package in bzip2."""
    if kind == "bz2":
        return dict(archives.SOURCE)
    code = {path: data for path, data in archives.SOURCE.items() if path != "package.toml"}
    return {"manifest.json": archives.pretty(archives.v2_manifest()), **code}


def members_of(kind: str, files: dict[str, bytes] | None = None) -> list[bytes]:
    """Return the tar members of the files, in their order."""
    files = files_of(kind) if files is None else files
    return [archives.entry(PREFIX[kind] + path, data) for path, data in files.items()]


def stream_of(kind: str, files: dict[str, bytes] | None = None) -> bytes:
    """Return the whole tar."""
    return b"".join(members_of(kind, files)) + END


def package_of(kind: str, files: dict[str, bytes] | None = None) -> bytes:
    """Return the whole package."""
    return PACK[kind](stream_of(kind, files))


def of_stream(
    case_id: str, what: str, make: Callable[[str], bytes], **options: Any
) -> Iterator[Case]:
    """Yield a case for each kind, whose tar `make` gives."""
    for kind, pack in PACK.items():
        yield legacy_case(case_id, kind, what, lambda k=kind, p=pack: p(make(k)), **options)


def with_members(
    case_id: str, what: str, make: Callable[[str], bytes], **options: Any
) -> Iterator[Case]:
    """Yield a case for each kind, with more members before the last; `make` gets their prefix."""

    def stream(kind: str) -> bytes:
        *first, last = members_of(kind)
        return b"".join(first) + make(PREFIX[kind]) + last + END

    yield from of_stream(case_id, what, stream, **options)


def legacy_case(
    case_id: str, kind: str, what: str, build: Callable[[], bytes], **options: Any
) -> Case:
    """Return a case of one kind; all of such a package is read by every verb."""
    row, _, rest = case_id.partition("-")
    return Case(id=f"{row}-{kind}-{rest}", what=what, build=build, **{"reach": "head", **options})
