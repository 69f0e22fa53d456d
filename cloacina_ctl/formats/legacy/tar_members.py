"""A tar stream as members, one after the other, and its end: exactly as packers write them.

Everything that two readers of tar could interpret differently is refused: an extension without a
member, or of another dialect than its member; two names for one member; two different sizes;
anything behind the end.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.formats.legacy.tar_headers import BLOCK, Dialect, TarHeader, bad, read_header
from cloacina_ctl.paths import check_legacy_path, fold
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.formats.legacy.bounds import Bounds

# The body of one pax header: a path, facts that are ignored, and nothing that changes a size.

MAX_BYTES = 64 << 10
MAX_NAME_BYTES = 4096  # of a GNU long name: more than any path may have

_LENGTH = re.compile(rb"[1-9][0-9]{0,5} ")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_IGNORED = frozenset(
    {"mtime", "atime", "ctime", "uid", "gid", "uname", "gname", "comment",
     "LIBARCHIVE.creationtime", "RHT.security.selinux", "SCHILY.fflags", "SCHILY.dev", "SCHILY.ino",
     "SCHILY.nlink"}
)  # fmt: skip
_IGNORED_STARTS = ("SCHILY.xattr.", "SCHILY.acl.", "LIBARCHIVE.xattr.")


def read_pax(body: bytes, where: str) -> tuple[bytes | None, int | None]:
    """Return the path and the size that a pax header gives to the next member, each or None.

    Raises ``Refused`` for a record that is malformed, repeated, or not accepted: links, sparse
    files, another character set.
    """
    records: dict[str, bytes] = {}
    position = 0
    while position < len(body):
        position = _record(body, position, records, where)
    path = records.get("path")
    size = records.get("size")
    if path is not None and (not path or b"\0" in path):
        raise bad("the path in a pax header is empty or holds a NUL", where)
    if size is None:
        return path, None
    text = size.decode("ascii", "replace")
    if _NUMBER.fullmatch(text) is None:
        raise bad("the size in a pax header is not a number", where)
    return path, int(text)


def _record(body: bytes, start: int, records: dict[str, bytes], where: str) -> int:
    """Read the record at ``start`` and return where the next one begins."""
    length = _LENGTH.match(body, start)
    end = start + int(length[0]) if length else 0
    record = body[length.end() : end] if length else b""
    if end > len(body) or not record.endswith(b"\n") or b"=" not in record:
        raise bad("a record of a pax header is malformed", where)
    raw, _, value = record[:-1].partition(b"=")
    try:
        key = raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise bad("a key of a pax header is not ASCII", where) from error
    if key in records:
        raise bad(f"a pax header says `{key}` twice", where)
    if key not in ("path", "size", *_IGNORED) and not key.startswith(_IGNORED_STARTS):
        raise bad(f"a pax header says what no package needs: `{key[:80]}`", where)
    records[key] = value
    return end


def read_long_name(body: bytes, where: str) -> bytes:
    """Return the name in the body of a GNU long name."""
    name = body.removesuffix(b"\0")
    if not name or b"\0" in name:
        raise bad("a long name is empty or holds a NUL", where)
    return name


# The rules for names of members of one archive, for each by itself and for all together.
#
# A legacy package is checked while it streams, so a name that clashes with an earlier one has to be
# refused before anything of it is written.


class MemberNames:
    """The names so far; ``where`` is the file that they come from."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._taken: dict[str, tuple[str, bool]] = {}
        self._listed: set[str] = set()

    def take(self, raw: bytes, *, is_folder: bool) -> str:
        """Return the name that ``raw`` spells; refuse a bad form, and a clash with earlier names.

        A folder may be listed once, before or after what lies in it.
        """
        name = self._checked(raw.removesuffix(b"/") if is_folder else raw)
        end = name.find("/")
        while end > 0:
            self._put(name[:end], is_folder=True, listed=False)
            end = name.find("/", end + 1)
        self._put(name, is_folder=is_folder, listed=True)
        return name

    def _checked(self, raw: bytes) -> str:
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            shown = raw[:200].decode("utf-8", "backslashreplace")
            raise self._bad(f"a name that is not UTF-8: {shown}") from error
        rule = check_legacy_path(name)
        if rule is not None:
            raise self._bad(f"{rule}: {name[:200]}")
        return name

    def _put(self, name: str, *, is_folder: bool, listed: bool) -> None:
        """Remember a name; ``listed`` where it has a header of its own."""
        key = fold(name)
        spelling, was_folder = self._taken.get(key, (name, is_folder))
        if spelling != name:
            self._clash(spelling, name, "some file systems take them for one name")
        if was_folder != is_folder:
            self._clash(spelling, name, "one is a file, the other a folder")
        if listed:
            if key in self._listed:
                self._clash(spelling, name, "listed twice")
            self._listed.add(key)
        self._taken[key] = (name, is_folder)

    def _clash(self, first: str, second: str, rule: str) -> None:
        both = first if first == second else f"{first} and {second}"
        raise Refused.of(Code.MEMBER_COLLISION, f"{both}: {rule}", where=self._where)

    def _bad(self, message: str) -> Refused:
        return Refused.of(Code.MEMBER_NAME, message, where=self._where)


RECORD = 20 * BLOCK  # to a multiple of which some programs fill an archive up


class TarMember(NamedTuple):
    """A file or folder; ``size`` in bytes, ``executable`` as the owner's x bit says."""

    name: str
    size: int
    is_folder: bool
    executable: bool


class _Bytes:
    """The stream, read by counts."""

    def __init__(self, pieces: Iterable[bytes], where: str) -> None:
        self._pieces = iter(pieces)
        self._where = where
        self._view = memoryview(b"")
        self.position = 0

    def take(self, count: int) -> bytes:
        """Return exactly ``count`` bytes."""
        if len(self._view) >= count:  # as nearly always
            data, self._view = bytes(self._view[:count]), self._view[count:]
            self.position += count
            return data
        return b"".join(self.parts(count))

    def parts(self, count: int) -> Iterator[memoryview]:
        """Yield the next ``count`` bytes in the pieces of the stream."""
        while count:
            if not self._view:
                self._view = memoryview(next(self._pieces, b""))
                if not self._view:
                    raise bad("cut short: the archive does not end", self._where)
            part = self._view[:count]
            self._view = self._view[len(part) :]
            self.position += len(part)
            count -= len(part)
            yield part

    def rest(self) -> Iterator[memoryview]:
        """Yield all remaining bytes."""
        yield self._view
        for piece in self._pieces:
            yield memoryview(piece)


class Members:
    """The members of a tar stream: iterate, and read or skip the body of each."""

    def __init__(self, pieces: Iterable[bytes], bounds: Bounds, where: str) -> None:
        self._bytes = _Bytes(pieces, where)
        self._bounds = bounds
        self._where = where
        self._names = MemberNames(where)
        self._body = 0

    def __iter__(self) -> Iterator[TarMember]:
        while (block := self._bytes.take(BLOCK)).strip(b"\0"):
            header, raw = self._resolve(read_header(block, self._where))
            is_folder = header.kind == "folder"
            self._bounds.claim(header.size)
            if raw.endswith(b"/") and not is_folder:
                raise bad("a file whose name ends with a slash", self._where)
            name = self._names.take(raw, is_folder=is_folder)
            self._body = header.size
            yield TarMember(name, header.size, is_folder, bool(header.mode & 0o100))
            for _ in self.body():
                pass
        self._end()

    def body(self) -> Iterator[memoryview]:
        """Yield the body of the member that was given last, and check its padding."""
        count, self._body = self._body, 0
        if count:
            yield from self._bytes.parts(count)
            if any(self._bytes.take(-count % BLOCK)):
                raise bad("the padding behind a file is not zero", self._where)

    def _resolve(self, header: TarHeader) -> tuple[TarHeader, bytes]:
        """Return the header of a file or folder, and its name, which may come from an extension."""
        if header.kind in ("file", "folder"):
            return header, header.name
        raw, size = self._extension(header)
        own = read_header(self._bytes.take(BLOCK), self._where)
        if own.kind not in ("file", "folder"):
            raise bad(f"a {header.kind} that does not stand before a file or folder", self._where)
        if own.dialect is not header.dialect:
            raise bad(f"a {header.kind} before a header of another dialect", self._where)
        if size is not None and size != own.size:
            raise bad("a pax header gives a file another size than its header", self._where)
        return own, own.name if raw is None else raw

    def _extension(self, header: TarHeader) -> tuple[bytes | None, int | None]:
        is_pax = header.kind == "pax header"
        if header.dialect is not (Dialect.POSIX if is_pax else Dialect.GNU):
            raise bad(f"a {header.kind} of a dialect that has none", self._where)
        most = MAX_BYTES if is_pax else MAX_NAME_BYTES
        if not 0 < header.size <= most:
            raise bad(f"a {header.kind} of {header.size} bytes, at most {most}", self._where)
        body = self._bytes.take(header.size)
        if any(self._bytes.take(-header.size % BLOCK)):
            raise bad(f"the padding behind a {header.kind} is not zero", self._where)
        if is_pax:
            return read_pax(body, self._where)
        return read_long_name(body, self._where), None

    def _end(self) -> None:
        """Read the second of the two zero blocks, and the padding of the last record."""
        if any(self._bytes.take(BLOCK)):
            raise bad("one block of zeros, and then more: an archive ends with two", self._where)
        filled = -self._bytes.position % RECORD
        more = 0
        for part in self._bytes.rest():
            more += len(part)
            if more > filled or any(part):
                raise bad("bytes behind the end of the archive", self._where)
        if more not in (0, filled):
            raise bad("the archive is filled up to no whole record", self._where)
