"""Zip files of wheels, read strictly: one file, one meaning, or nothing.

The only module that opens zip files. A zip file has two lists of its members, one of them anywhere
in it, and readers differ in which they believe. So forms that no builder of wheels writes are
refused: bytes before the first member or behind the end, members that overlap, links, encryption,
other compression than deflate, names in an old code page. Zip files written here are never packed.
"""

from __future__ import annotations

import contextlib
import stat
import struct
import zipfile
import zlib
from operator import attrgetter
from typing import IO, TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.files.staging import reported
from cloacina_ctl.paths import check_path, collisions
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloacina_ctl.formats.limits import Limits

# All of it is read at once; a list of 250 000 members, the most that are taken, has half as much.
MAX_LIST_BYTES = 64 << 20

_READ_BYTES = 1 << 18
_LOCAL_HEADER_BYTES = 30
_END = struct.Struct("<4s4H2LH")  # of the end record, the last 22 bytes without a comment
_END_MAGIC = b"PK\x05\x06"
_ENCRYPTED, _UTF8 = 0x1, 0x800
_UNIX_MODE_SHIFT = 16


class WheelMember(NamedTuple):
    """A file in a wheel: its path there, its size in bytes, whether its owner may run it."""

    path: str
    size: int
    executable: bool


class WheelZip:
    """An open zip file whose list of members was checked; read them with ``chunks``."""

    def __init__(self, archive: zipfile.ZipFile, where: str) -> None:
        self._archive = archive
        self._where = where
        self._infos = {info.filename: info for info in archive.infolist() if not info.is_dir()}

    @property
    def members(self) -> tuple[WheelMember, ...]:
        """The files, sorted by path."""
        return tuple(
            WheelMember(path, info.file_size, bool(_mode(info) & stat.S_IXUSR))
            for path, info in sorted(self._infos.items())
        )

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of a file: as many as it claims, with the checksum it claims.

        Raises ``Refused`` for a stream that is damaged or cut short.
        """
        with _understood(self._where), self._archive.open(self._infos[path]) as stream:
            left = self._infos[path].file_size
            while data := stream.read(_READ_BYTES):
                left -= len(data)
                yield data
        if left:
            raise bad_wheel(f"a member is {left} bytes shorter than it says: {path}", self._where)

    def read(self, path: str, most: int) -> bytes:
        """Return the bytes of a small file, or refuse one of more than ``most`` bytes."""
        if self._infos[path].file_size > most:
            raise bad_wheel(f"a member of more than {most} bytes: {path}", self._where)
        return b"".join(self.chunks(path))


@contextlib.contextmanager
def open_wheel_zip(file: IO[bytes], size: int, where: str, limits: Limits) -> Iterator[WheelZip]:
    """Open the zip file of ``size`` bytes in ``file``; ``where`` names it in errors.

    Raises ``Refused`` with every problem in its list of members, or where it is over a limit.
    """
    _check_end(file, size, where, limits)
    with _understood(where):
        archive = zipfile.ZipFile(file)
    with archive:
        _check(archive, where, limits)
        yield WheelZip(archive, where)


def bad_wheel(message: str, where: str) -> Refused:
    """Return the error for a wheel that breaks its format."""
    return Refused.of(
        Code.BAD_WHEEL, message, where=where, hint="fetch it again, or build it again"
    )


def _check_end(file: IO[bytes], size: int, where: str, limits: Limits) -> None:
    """Refuse a file that does not end with its end record, or claims too many members."""
    file.seek(max(size - _END.size, 0))
    tail = file.read(_END.size)
    file.seek(0)
    if len(tail) < _END.size or not tail.startswith(_END_MAGIC):
        raise bad_wheel(
            "no zip file, one that is cut short, or one with bytes behind its end", where
        )
    _, _, _, _, count, length, _, _ = _END.unpack(tail)
    limits.check("files", count, where=where, what="the number of members")
    if length > min(size, MAX_LIST_BYTES):
        raise bad_wheel(f"its list of members has {length} bytes", where)


def _check(archive: zipfile.ZipFile, where: str, limits: Limits) -> None:
    infos = archive.infolist()
    limits.check("files", len(infos), where=where, what="the number of members")
    problems = [f"{rule}: {info.orig_filename[:200]}" for info in infos if (rule := _rule(info))]
    problems += _out_of_place(archive, infos)
    names = [info.filename for info in infos if not (problems or info.is_dir())]
    problems += [f"{one.rule}: {one.first}, {one.second}" for one in collisions(names)]
    if problems:
        raise Refused(*(bad_wheel(problem, where).diagnostics[0] for problem in problems[:100]))
    total = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    limits.check("total", total, where=where, what="the size of all members")
    if total > limits.ratio_from and total > limits.ratio * packed:
        raise bad_wheel(
            f"{packed} bytes would become {total}: more than {limits.ratio} times", where
        )


def _rule(info: zipfile.ZipInfo) -> str | None:
    """Return the rule that the member breaks, or None."""
    name = info.orig_filename
    if not name.isascii() and not info.flag_bits & _UTF8:
        return "a name that is not marked as UTF-8"
    if name != info.filename:
        return "a name that is read in two ways"
    rule = check_path(name.removesuffix("/"))
    if rule is not None:
        return rule
    if info.flag_bits & _ENCRYPTED:
        return "an encrypted member"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "a member that is neither stored nor deflated"
    kind = stat.S_IFMT(_mode(info))
    if kind == stat.S_IFLNK:
        return "a link"
    if kind not in (0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG):
        return "a member that is neither a file nor a folder"
    return "a folder with bytes in it" if info.is_dir() and info.file_size else None


def _out_of_place(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> Iterator[str]:
    """Yield what is wrong where members overlap, or something stands before the first.

    Members that share their bytes make a file of kilobytes into one of terabytes.
    """
    ordered = sorted(infos, key=attrgetter("header_offset"))
    if ordered and ordered[0].header_offset != 0:
        yield "bytes before the first member"
    ends = [info.header_offset for info in ordered[1:]] + [archive.start_dir]
    for info, end in zip(ordered, ends, strict=True):
        header = _LOCAL_HEADER_BYTES + len(info.orig_filename.encode("utf-8", "replace"))
        if info.header_offset + header + info.compress_size > end:
            yield f"a member that overlaps with another: {info.orig_filename[:200]}"


def _mode(info: zipfile.ZipInfo) -> int:
    """Return the Unix mode, 0 where none was recorded."""
    return info.external_attr >> _UNIX_MODE_SHIFT


@contextlib.contextmanager
def _understood(where: str) -> Iterator[None]:
    """Turn the library's errors for hostile bytes into ``Refused``."""
    try:
        yield
    except (
        zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError,
        struct.error, IndexError, OverflowError,
    ) as error:  # fmt: skip
        text = str(error) or type(error).__name__
        raise bad_wheel(f"a damaged zip file: {text[:1].lower()}{text[1:200]}", where) from error


def write_wheel_zip(path: str, members: Mapping[str, str]) -> None:
    """Write the new file ``path`` with these texts as its members."""
    with reported(path), zipfile.ZipFile(path, "x") as archive:
        for member, text in members.items():
            archive.writestr(member, text)
