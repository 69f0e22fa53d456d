"""Recognize a file by its first bytes: one table with one row for each format."""

from __future__ import annotations

from cloacina_ctl.errors import CloacinaError, Code, Refused
from cloacina_ctl.values import NamedTuple

SNIFF_BYTES = 512


class Container(NamedTuple):
    """A kind of file; ``is_legacy`` is true for a legacy package."""

    name: str
    what: str
    is_legacy: bool = False


NATIVE = Container("native", "a native package")
NATIVE_MAGIC = b"\x5c\x2a\x4d\x18"

# Magic bytes at an offset. The first row that fits decides.
_TABLE: tuple[tuple[int, bytes, Container], ...] = (
    (0, NATIVE_MAGIC, NATIVE),
    (
        0,
        b"\x1f\x8b",
        Container("gzip", "a gzip file, as the packages of Cloacina 0.2 and 0.3 are", True),
    ),
    (
        0,
        b"BZh",
        Container("bzip2", "a bzip2 file, as the packages of Cloacina 0.4 and later are", True),
    ),
    (0, b"\x28\xb5\x2f\xfd", Container("zstd", "a zstd file without a signature frame")),
    (0, b"\x25\xb5\x2f\xfd", Container("zstd-old", "a file of an early zstd")),
    (0, b"\x27\xb5\x2f\xfd", Container("zstd-old", "a file of an early zstd")),
    (0, b"PK\x03\x04", Container("zip", "a zip file")),
    (0, b"PK\x05\x06", Container("zip", "an empty zip file")),
    (0, b"\xfd7zXZ\0", Container("xz", "an xz file")),
    (0, b"7z\xbc\xaf\x27\x1c", Container("7z", "a 7-zip file")),
    (0, b"\x04\x22\x4d\x18", Container("lz4", "an lz4 file")),
    (0, b"\x1f\x9d", Container("compress", "a file of `compress`")),
    (0, b"\x7fELF", Container("elf", "an ELF library or program")),
    (0, b"\xcf\xfa\xed\xfe", Container("mach-o", "a Mach-O library or program")),
    (0, b"\xca\xfe\xba\xbe", Container("mach-o", "a Mach-O library or program")),
    (0, b"MZ", Container("pe", "a Windows library or program")),
    (0, b"#!", Container("script", "a script")),
    (0, b"-----BEGIN ", Container("pem", "a PEM file, such as a key")),
    (257, b"ustar", Container("tar", "a plain tar file")),
)


def detect(start: bytes, *, where: str) -> Container:
    """Return the container that begins with ``start``; raise ``Refused`` for an unknown one.

    ``start`` holds the first ``SNIFF_BYTES`` of the file, or all of a shorter one.
    """
    if not start:
        raise _refuse("the file is empty", where, "fetch or copy it again")
    for offset, magic, container in _TABLE:
        if start.startswith(magic, offset):
            return container
    raise _refuse(f"it is {_guess(start)}", where)


def require_native(start: bytes, *, where: str) -> None:
    """Refuse every container but the native one, and say what it is."""
    container = require_package(start, where=where)
    if container.is_legacy:
        raise Refused.of(
            Code.OLDER_FORMAT,
            f"it is {container.what}; a native package is needed",
            where=where,
            hint="make the package again with `cloacina-ctl package`",
        )


def require_legacy(start: bytes, *, where: str) -> Container:
    """Return the container of a legacy package, or refuse any other file."""
    container = require_package(start, where=where)
    if not container.is_legacy:
        raise Refused.of(
            Code.OLDER_FORMAT, "a native package, where a legacy one is needed", where=where
        )
    return container


def require_package(start: bytes, *, where: str) -> Container:
    """Return the container of a package of any format, or refuse any other file."""
    container = detect(start, where=where)
    if container is not NATIVE and not container.is_legacy:
        raise _refuse(f"it is {container.what}", where)
    return container


def _guess(start: bytes) -> str:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
        return "an HTML or XML page, perhaps a login page instead of a download"
    if text.startswith((b"{", b"[")):
        return "JSON text"
    if all(byte >= 32 or byte in b"\t\r\n" for byte in start):
        return "text"
    return "a file of an unknown kind"


def _refuse(what: str, where: str, hint: str | None = None) -> CloacinaError:
    return Refused.of(
        Code.NOT_A_PACKAGE,
        f"not a package: {what}",
        where=where,
        hint=hint,
    )
