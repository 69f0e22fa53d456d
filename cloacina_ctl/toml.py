"""The one door to TOML: bounded before the parser runs, and with errors that name the line.

A general parser takes 20 seconds for one dotted key of 200 kB and exhausts the stack on nested
arrays, so what makes it slow is counted first. Each count is a pass or two over the bytes, none a
regular expression that could go back.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.files.staging import reported

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 1 << 20
MAX_NESTING = 64
MAX_KEY_PARTS = 16
MAX_DOTS = 1 << 16  # 10 000 tables of 32 parts each took the parser 2.6 seconds
MAX_WORD = 1024  # of a bare key or a number: making one of a million digits takes quadratic time

_BOM = b"\xef\xbb\xbf"
# What is no structure. A quote that ends nowhere stays as it is: the parser stops there, too.
_OPAQUE = re.compile(
    rb'"""[\s\S]*?"{3,5}|\'\'\'[\s\S]*?\'{3,5}|"[^"\n]*"|\'[^\'\n]*\'|#[^\n]*|(["\'])'
)
_BRACKETS_ONLY = bytes(byte for byte in range(256) if byte not in b"[]{}")
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_KEY_ENDS = bytes.maketrans(b"=,[]{}", b"\n" * 6)
_NO_KEY = bytes(byte for byte in range(256) if byte not in b"=,[]{}\n.")
_WORDS = bytes(
    ord("a") if chr(byte).isalnum() or byte in b"_+-" or byte > 127 else ord(" ")
    for byte in range(256)
)
_PLACE = re.compile(r" ?\(at (?:line (\d+), column (\d+)|end of document)\)")


def parse_toml(data: bytes, *, where: str, of_cargo: bool = False) -> dict[str, Any]:
    """Return the table that ``data`` spells, or raise ``Refused`` with the place in ``where``.

    A file ``of_cargo`` may begin with a byte order mark: cargo passes over it.
    """
    if of_cargo:
        data = data.removeprefix(_BOM)
    if data.startswith(_BOM):
        raise _bad("it begins with a byte order mark", f"{where}:1:1")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _position(data[: error.start].decode("utf-8"))
        raise _bad("it is not UTF-8", f"{where}:{line}:{column}") from error
    _bound(data, where)
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except ValueError as error:  # also what the parser lets through of int() and its like
        raise _located(str(error), text, where) from error


def read_toml(
    path: str | os.PathLike[str], *, where: str | None = None, max_bytes: int = MAX_BYTES
) -> dict[str, Any]:
    """Return the table in the file ``path``; ``where`` is what messages call it.

    A link is followed, since configuration may be linked into place. Anything but a regular file
    is refused without waiting for it. Raises ``Refused`` for what is not TOML, ``FileProblem``
    where the system refuses.
    """
    return parse_toml(
        read_text(path, where=where, max_bytes=max_bytes), where=where or os.fspath(path)
    )


def _open_followed(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def read_text(
    path: str | os.PathLike[str],
    *,
    where: str | None = None,
    max_bytes: int = MAX_BYTES,
    opener: Callable[[str], int] = _open_followed,
) -> bytes:
    """Return the unparsed bytes of the file ``path``; raises as ``read_toml``.

    ``opener`` returns a descriptor of a path, and decides whether links are followed.
    """
    name = os.fspath(path)
    with reported(name):
        fd = opener(name)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise FileProblem.of(Code.NOT_REGULAR, "it is not a regular file", where=name)
            with open(fd, "rb", closefd=False) as file:
                data = file.read(max_bytes + 1)
        finally:
            os.close(fd)
    if len(data) > max_bytes:
        raise _bad(f"more than {max_bytes} bytes", where or name)
    return data


def _bound(data: bytes, where: str) -> None:
    """Refuse what would take the parser too long or too deep."""
    plain = data.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    structure = _OPAQUE.sub(rb" \1", plain)
    if b"a" * (MAX_WORD + 1) in structure.translate(_WORDS):
        raise _bad(f"a bare key or number of more than {MAX_WORD} characters", where)
    dots = structure.translate(_KEY_ENDS, _NO_KEY)
    if b"." * MAX_KEY_PARTS in dots:
        raise _bad(f"a key of more than {MAX_KEY_PARTS} parts", where)
    if dots.count(b".") > MAX_DOTS:
        raise _bad(f"more than {MAX_DOTS} dots outside of texts", where)
    brackets = structure.translate(_ONE_KIND, _BRACKETS_ONLY)
    for _ in range(MAX_NESTING):
        if b"[]" not in brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    if b"[]" in brackets or brackets.count(b"[") > MAX_NESTING:
        raise _bad(f"nested more than {MAX_NESTING} deep", where)


def _located(message: str, text: str, where: str) -> Refused:
    place = _PLACE.search(message)
    words = _PLACE.sub("", message)
    words = words[:1].lower() + words[1:]
    if place is None:
        return _bad(words, where)
    line, column = (place[1], place[2]) if place[1] else _position(text)
    return _bad(words, f"{where}:{line}:{column}")


def _position(before: str) -> tuple[int, int]:
    """Return line and column, from 1, of the end of ``before``."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _bad(message: str, where: str) -> Refused:
    return Refused.of(Code.BAD_TOML, f"not TOML: {message}", where=where)
