"""The body of one pax header: a path, facts that are ignored, and nothing that changes a size."""

from __future__ import annotations

import re

from cloacina_ctl.formats.legacy.tar_headers import bad

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
    """Return the path and the size that a pax header gives to the next member, where it does.

    Raises ``Refused`` for a record that is malformed, stands twice, or says what is not taken:
    links, sparse files, another character set.
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
