"""files.json and index.json: which files and which frames a package has.

Both can be long, so they are read entry by entry against their one possible spelling and never
by a general JSON parser: all entries are matched at once, encoded again, and compared.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.formats.layout import (
    COMMON,
    END,
    HEAD_MEMBERS,
    SOURCE,
    is_tag,
    section_of,
    section_rank,
)
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.paths import MemberPath, all_plain, collisions
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FRAME_SIZE = 2_097_152
MAX_FILE_BYTES = 8 * (1 << 30) - 1  # eleven octal digits

_NUMBER = r"(0|[1-9][0-9]{0,15})"
_DIGEST = r"([0-9a-f]{64})"
_FILE = re.compile(
    r'\{(?:"executable":(true),)?"path":"([^"\\]+)","sha256":"'
    + _DIGEST
    + r'","size":'
    + _NUMBER
    + r"\}"
)
_FRAME = re.compile(
    r'\{"content_size":'
    + _NUMBER
    + r',"section":"([a-z0-9_.]{1,64})","sha256":"'
    + _DIGEST
    + r'","size":'
    + _NUMBER
    + r"\}"
)
_FILES_START, _FILES_END = '{"files":[', "]}\n"
_INDEX_START = f'{{"frame_size":{FRAME_SIZE},"frames":['
_INDEX_END = re.compile(
    r'\],"tool":\{"name":"([a-z0-9-]{1,64})","version":"([0-9A-Za-z.+!-]{1,64})"\}\}\n'
)


class FileEntry(NamedTuple):
    """One file of a package; ``size`` in bytes."""

    path: MemberPath
    size: int
    sha256: Digest
    executable: bool = False


class FrameEntry(NamedTuple):
    """One payload frame; ``size`` is of its compressed bytes, which ``sha256`` is over."""

    section: str
    content_size: int
    size: int
    sha256: Digest


class Tool(NamedTuple):
    """The program that wrote the package; claimed, and no part of its identity."""

    name: str
    version: str


class Index(NamedTuple):
    """The content of index.json."""

    frames: tuple[FrameEntry, ...]
    tool: Tool


def encode_files(files: Iterable[FileEntry]) -> bytes:
    """Return files.json for ``files``, which stand in the order of the stream."""
    body = ",".join([_file_text(file) for file in files])
    return f"{_FILES_START}{body}{_FILES_END}".encode()


def decode_files(
    data: bytes, *, where: str, limits: Limits = DEFAULT_LIMITS
) -> tuple[FileEntry, ...]:
    """Return the files that files.json lists, in the order of the stream, every rule checked."""
    text = _text(data, Code.BAD_FILE_TABLE, where)
    limits.check("files", text.count('{"') - 1, where=where, what="the number of files")
    rows = _FILE.findall(text)
    parse = MemberPath if all_plain([path for _, path, _, _ in rows]) else MemberPath.parse
    files = tuple(
        [
            FileEntry(parse(path), int(size), Digest(sha256), bool(executable))
            for executable, path, sha256, size in rows
        ]
    )
    if encode_files(files) != data:
        raise _bad_files("it is not the one spelling of a list of files", where)
    check_files(files, where=where, limits=limits)
    return files


def check_files(files: Sequence[FileEntry], *, where: str, limits: Limits = DEFAULT_LIMITS) -> None:
    """Refuse a list of files that no package may have; used by the writer and the reader."""
    if not files:
        raise _bad_files("a package has at least one file", where)
    limits.check("files", len(files), where=where, what="the number of files")
    largest = max(files, key=lambda file: file.size)
    limits.check("file", largest.size, where=largest.path, what="the size of the file")
    if largest.size > MAX_FILE_BYTES:
        raise _bad_files(f"a tar header holds no size of 8 GiB or more: {largest.path}", where)
    total = sum(file.size for file in files)
    limits.check("total", total, where=where, what="the size of all files")
    _check_order(files, where)
    for clash in collisions([*HEAD_MEMBERS, *(file.path for file in files)]):
        raise Refused.of(
            Code.MEMBER_COLLISION, f"{clash.first} and {clash.second}: {clash.rule}", where=where
        )


def _check_order(files: Sequence[FileEntry], where: str) -> None:
    before: tuple[tuple[int, str], str] = ((-1, ""), "")
    for file in files:
        # Code points are in the order of their UTF-8 bytes.
        key = (section_rank(section_of(file.path)), file.path)
        if not before < key:
            rule = "listed twice" if before == key else "not in the order of the stream"
            raise _bad_files(f"{rule}: {file.path}", where)
        before = key


def encode_index(index: Index) -> bytes:
    """Return index.json."""
    frames = ",".join([_frame_text(frame) for frame in index.frames])
    tool = f'],"tool":{{"name":"{index.tool.name}","version":"{index.tool.version}"}}}}\n'
    return f"{_INDEX_START}{frames}{tool}".encode()


def decode_index(data: bytes, *, where: str, limits: Limits = DEFAULT_LIMITS) -> Index:
    """Return the frames that index.json lists, in the order of the file."""
    limits.check("index_bytes", len(data), where=where, what="the size of index.json")
    text = _text(data, Code.BAD_INDEX, where)
    limits.check("frames", text.count('{"content_size"'), where=where, what="the number of frames")
    end = _INDEX_END.search(text, max(0, len(text) - 256))
    if end is None:
        raise _bad_index("it does not end with the tool that wrote it", where)
    frames = tuple(
        [
            FrameEntry(section, int(content_size), int(size), Digest(sha256))
            for content_size, section, sha256, size in _FRAME.findall(text)
        ]
    )
    index = Index(frames, Tool(end[1], end[2]))
    if encode_index(index) != data:
        raise _bad_index("it is not the one spelling of a list of frames", where)
    for frame in frames:
        if frame.section not in (COMMON, SOURCE, END) and not is_tag(frame.section):
            raise _bad_index(f"no section: {frame.section}", where)
    return index


def _file_text(file: FileEntry) -> str:
    executable = '"executable":true,' if file.executable else ""
    return f'{{{executable}"path":"{file.path}","sha256":"{file.sha256}","size":{file.size}}}'


def _frame_text(frame: FrameEntry) -> str:
    return (
        f'{{"content_size":{frame.content_size},"section":"{frame.section}",'
        f'"sha256":"{frame.sha256}","size":{frame.size}}}'
    )


def _text(data: bytes, code: Code, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused.of(code, f"not UTF-8 at byte {error.start}", where=where) from error


def _bad_files(message: str, where: str) -> Refused:
    return Refused.of(Code.BAD_FILE_TABLE, message, where=where)


def _bad_index(message: str, where: str) -> Refused:
    return Refused.of(Code.BAD_INDEX, message, where=where)
