"""The one door to TOML: bounded before the parser runs, and with errors that name the line.

A general parser takes 20 seconds for one dotted key of 200 kB and exhausts the stack on nested
arrays, so depth and keys are bounded first.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.staging import reported

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_BYTES = 1 << 20
MAX_NESTING = 64
MAX_KEY_PARTS = 32

_STRINGS = re.compile(
    r'"""(?:[^\\]|\\.)*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL
)
_LONG_KEY = re.compile(rf'(?:[\w-]+|"")(?:[ \t]*\.[ \t]*(?:[\w-]+|"")){{{MAX_KEY_PARTS}}}')
_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")


def parse_toml(data: bytes, *, where: str) -> dict[str, Any]:
    """Return the table that ``data`` spells, or raise ``Refused`` with the place in ``where``."""
    if len(data) > MAX_BYTES:
        raise _bad(f"{len(data)} bytes, and at most {MAX_BYTES} are read", where)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad(f"not UTF-8 at byte {error.start}", where) from error
    _scan(text, where)
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _located(str(error), where) from error


def read_toml(path: str, *, where: str | None = None) -> dict[str, Any]:
    """Return the table in the file ``path``; ``where`` is what messages call it."""
    with reported(path):
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise FileProblem.of(Code.NOT_REGULAR, "not a regular file", where=path)
            data = file.read(MAX_BYTES + 1)
    return parse_toml(data, where=where or path)


def suggest(word: str, known: Iterable[str]) -> str | None:
    """Return a hint with the known word that ``word`` was perhaps meant to be."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1)
    return f"did you mean `{near[0]}`?" if near else None


def _scan(text: str, where: str) -> None:
    bare = _STRINGS.sub('""', text)
    if _LONG_KEY.search(bare) is not None:
        raise _bad(f"a key of more than {MAX_KEY_PARTS} parts", where)
    brackets = re.sub(r"[^][{}]", "", bare)
    for _ in range(MAX_NESTING):
        shorter = re.sub(r"\[\]|\{\}", "", brackets)
        if shorter == brackets:
            return
        brackets = shorter
    if brackets:
        raise _bad(f"nested more than {MAX_NESTING} deep", where)


def _located(message: str, where: str) -> Refused:
    place = _PLACE.search(message)
    if place is None:
        return _bad(message.lower(), where)
    words = _PLACE.sub("", message).strip()
    return _bad(words[:1].lower() + words[1:], f"{where}:{place[1]}:{place[2]}")


def _bad(message: str, where: str) -> Refused:
    return Refused.of(Code.BAD_TOML, f"not TOML: {message}", where=where)
