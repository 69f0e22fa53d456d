"""Patterns in the syntax of gitignore: those of ignore files, and those of the configuration.

What git would ignore by the ``.gitignore`` files of the tree alone: neither the user's global
excludes nor ``.git/info/exclude`` nor what git tracks has a say, so the answer is the same in an
exported tree.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.project.gitignore import parse_pattern
from cloacina_ctl.staging import reported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.project.gitignore import Pattern

# Read in this order: the last pattern that matches wins.
IGNORE_FILES = (".gitignore", ".cloacinaignore")
MAX_IGNORE_BYTES = 1 << 20
_WILDCARDS = frozenset("*?[\\")


class Patterns:
    """Patterns that count from one folder on; the last that matches wins."""

    def __init__(self, patterns: Iterable[Pattern], folder: str = "") -> None:
        """Take the patterns of ``folder``, a path with its slash at the end, or empty."""
        self._patterns = tuple(reversed(tuple(patterns)))
        self._start = len(folder)

    def verdict(self, path: str, *, is_folder: bool) -> bool | None:
        """Return True where ``path`` itself matches, False where a ``!`` pattern takes it back."""
        within = path[self._start :]
        name = path[path.rfind("/") + 1 :]
        for pattern in self._patterns:
            if pattern.folders_only and not is_folder:
                continue
            if pattern.matches.fullmatch(name if pattern.names_only else within):
                return not pattern.takes_back
        return None

    def covers(self, path: str) -> bool:
        """Tell whether the file ``path`` matches, or a folder that it lies in."""
        if self.verdict(path, is_folder=False):
            return True
        end = path.find("/")
        while end > 0:
            if self.verdict(path[:end], is_folder=True):
                return True
            end = path.find("/", end + 1)
        return False


def compile_patterns(lines: Iterable[str], folder: str = "") -> Patterns | None:
    """Return the patterns that ``lines`` spell, or None where there are none.

    As in git, a line that is no pattern matches nothing.
    """
    patterns = [pattern for pattern in map(parse_pattern, lines) if pattern is not None]
    return Patterns(patterns, folder) if patterns else None


def read_ignore_files(path: str, folder: str, names: Iterable[str]) -> Patterns | None:
    """Return the patterns of the ignore files ``names`` in the folder at ``path``.

    ``folder`` is the same folder relative to the project's root, with its slash. A link or a
    folder of that name is no ignore file.
    """
    lines: list[str] = []
    for name in IGNORE_FILES:
        if name in names:
            lines += _lines(os.path.join(path, name), folder + name)
    return compile_patterns(lines, folder)


def _lines(path: str, where: str) -> list[str]:
    with reported(where):
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return []
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            data = file.read(MAX_IGNORE_BYTES + 1)
    if len(data) > MAX_IGNORE_BYTES:
        raise Refused.of(
            Code.LIMIT, f"an ignore file of more than {MAX_IGNORE_BYTES} bytes", where=where
        )
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    return [line.removesuffix("\r") for line in text.split("\n")]


def exact_paths(patterns: Iterable[str]) -> frozenset[str]:
    """Return the patterns that name one file in full: no wildcard, and from the root on."""
    return frozenset(
        pattern.removeprefix("/")
        for pattern in patterns
        if not _WILDCARDS.intersection(pattern) and not pattern.endswith("/")
    )
