"""Reads `requirements.txt` as pip and uv do, with the files in the project that it names.

`-r` adds requirements, `-c` limits versions; an index in a line counts as an index of the project
(``origin_tables``). Other options are left to the caller.
"""

from __future__ import annotations

import codecs
import os
import re
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, FileProblem, Refused
from cloacina_ctl.files.staging import reported
from cloacina_ctl.project.detect import REQUIREMENTS_TXT
from cloacina_ctl.project.own_files import open_own
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.declared.origins import PYPI, ProjectIndex, without_user

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_REQUIREMENTS_BYTES = 1 << 20
_MOST_FILES = 64
_COMMENT = re.compile(r"(?:^|\s)#.*$")
# The longer mark first: that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FILE = re.compile(r"(?:-([rc])\s*|--(requirement|constraint)[\s=]\s*)(\S.*)")
_INDEX = re.compile(
    r"(?:-[if]\s*|--(?:index-url|pypi-url|extra-index-url|find-links)[\s=]\s*)(\S+)"
)
# Options that have no effect: only wheels are taken in any case.
_HOLDS = re.compile(r"--(?:prefer-binary|only-binary(?:[\s=]\s*\S+)?)")


class Line(NamedTuple):
    """A line without its comment, and its place."""

    where: str
    text: str


class RequirementsFile(NamedTuple):
    """The content of the file and of all files that it names."""

    lines: tuple[Line, ...] = ()
    constraints: tuple[Line, ...] = ()
    indexes: tuple[ProjectIndex, ...] = ()
    problems: tuple[Diagnostic, ...] = ()


def read_requirements_file(root: str) -> RequirementsFile:
    """Return the content of the file in the project ``root``.

    Raises ``Refused`` for links, ``FileProblem`` for a file that is missing or too large.
    """
    return _Reading(root).run()


def text_of(data: bytes) -> str:
    """Return the text of a file for pip: a byte order mark sets the encoding, else UTF-8."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    return data.decode("utf-8", "replace")


class _Reading:
    """The files, each read once for each purpose."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._waiting = [(REQUIREMENTS_TXT, False)]
        self._lines: dict[bool, list[Line]] = {False: [], True: []}
        self._indexes: list[ProjectIndex] = []
        self._problems: list[Diagnostic] = []

    def run(self) -> RequirementsFile:
        done: set[tuple[str, bool]] = set()
        while self._waiting:
            name, limits = self._waiting.pop(0)
            if (name, limits) in done:
                continue
            done.add((name, limits))
            if len(done) > _MOST_FILES:
                raise Refused.of(Code.DEPENDENCY, f"more than {_MOST_FILES} files", where=name)
            for line in _lines(self._root, name):
                self._take(line, name, limits=limits)
        return RequirementsFile(
            tuple(self._lines[False]),
            tuple(self._lines[True]),
            tuple(self._indexes),
            tuple(self._problems),
        )

    def _take(self, line: Line, name: str, *, limits: bool) -> None:
        file, index = _FILE.fullmatch(line.text), _INDEX.fullmatch(line.text)
        if file is not None:
            inner = self._inner(file[3].strip(), line, name)
            if inner is not None:
                is_limit = (file[1] or file[2]).startswith("c")
                self._waiting.append((inner, limits or is_limit))
        elif index is not None:
            url = without_user(index[1])
            if url.rstrip("/") not in PYPI:
                self._indexes.append(ProjectIndex(url, line.where))
        elif _HOLDS.fullmatch(line.text) is None:
            self._lines[limits].append(line)

    def _inner(self, path: str, line: Line, name: str) -> str | None:
        """Return the named file, relative to the project's folder; None if outside of it."""
        inner = os.path.normpath(os.path.join(os.path.dirname(name), path))
        away = "://" in path or os.path.isabs(inner) or inner.split(os.sep)[0] == os.pardir
        if not away and os.path.lexists(os.path.join(self._root, inner)):
            return inner
        message = f"it names a file that is not {'in the project' if away else 'there'}"
        self._problems.append(
            Diagnostic(
                Code.DEPENDENCY,
                f"{message}: {line.text}",
                line.where,
                "only files in the project are read: put it there",
            )
        )
        return None


def _lines(root: str, name: str) -> Iterator[Line]:
    """Yield the lines of a file, continued ones joined, without comments."""
    path = os.path.join(root, name)
    with reported(path), open(open_own(root, name), "rb") as file:
        data = file.read(MAX_REQUIREMENTS_BYTES + 1)
    if len(data) > MAX_REQUIREMENTS_BYTES:
        raise FileProblem.of(Code.LIMIT, f"more than {MAX_REQUIREMENTS_BYTES} bytes", where=path)
    start, kept = 0, ""
    for number, line in enumerate(text_of(data).splitlines(), 1):
        start = start or number
        if line.endswith("\\"):
            kept += line[:-1] + " "
            continue
        whole = _COMMENT.sub("", kept + line).strip()
        if whole:
            yield Line(f"{name}:{start}", whole)
        start, kept = 0, ""
