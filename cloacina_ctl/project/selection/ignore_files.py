"""Patterns in the syntax of gitignore: those of ignore files, and those of the configuration.

What git would ignore by the ``.gitignore`` files from the top of the work tree down and by the
repository's ``info/exclude``. The user's global excludes have no say, for they differ from person
to person, nor has what git tracks. Without a repository the files of the tree alone count.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.files.staging import reported
from cloacina_ctl.project.selection.repository import read_regular
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

# One pattern of gitignore(5), as a regular expression over a path or a name.
#
# Exact where common libraries are not: a pattern is asked about one file or folder, never about
# what lies under a folder that it matches, for the walk does not enter that folder at all. So what
# ``!`` brings back is what git brings back.

_CLASSES = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": r" \t", "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~", "space": r"\s",
    "upper": "A-Z", "xdigit": "0-9a-fA-F",
    "punct": r"!-/:-@\[-`{-~",
}  # fmt: skip
_TOKEN = re.compile(
    r"(?P<any>(?:\A|/)\*\*/)|(?P<inside>(?:/|(?<=/))\*\*+\Z)|(?P<star>\*+)|(?P<one>\?)"
    r"|(?P<set>\[[!^]?\]?(?:\[:[a-z]*:\]|\\.|(?!\[:[a-z]*:\])[^]\\])*\])|(?P<open>\[)"
    r"|\\(?P<escaped>.)"
    r"|(?P<plain>.)",
    re.DOTALL,
)
_MEMBER = re.compile(
    r"\[:(?P<name>[a-z]*):\]|(?P<low>\\.|[^\\])(?:-(?P<high>\\.|[^\\\]]))?", re.DOTALL
)
# Any number of folders, spelled more than once.
_REPEATED = re.compile(r"(?:(?<=/)|\A)(?:\*\*+/)+")


class Pattern(NamedTuple):
    """What a pattern matches, and whether it takes that back; for folders or for names alone."""

    matches: re.Pattern[str]
    takes_back: bool
    folders_only: bool
    names_only: bool


def parse_pattern(line: str) -> Pattern | None:
    """Return the pattern that ``line`` is, None for a comment and for what matches nothing."""
    text = _without_trailing_spaces(line)
    if text.startswith("#"):
        return None
    takes_back = text.startswith("!")
    text = text[1:] if takes_back else text
    folders_only = text.endswith("/")
    text = text[:-1] if folders_only else text
    names_only = "/" not in text
    source = _translate(text.removeprefix("/"), names_only=names_only)
    if not text or source is None:
        return None
    return Pattern(re.compile(source, re.DOTALL), takes_back, folders_only, names_only)


def _without_trailing_spaces(line: str) -> str:
    """Drop spaces at the end but for one that a backslash keeps."""
    bare = line.rstrip(" ")
    backslashes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if backslashes % 2 and len(bare) < len(line) else bare


def _translate(text: str, *, names_only: bool) -> str | None:
    """Return the expression, None where the text ends within a set or after a backslash."""
    text = _REPEATED.sub("**/", text)
    found, position = [], 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None or token.lastgroup == "open":
            return None
        found.append(_piece(token, names_only=names_only))
        position = token.end()
    return "".join(found)


def _piece(token: re.Match[str], *, names_only: bool) -> str:
    kind, text = str(token.lastgroup), token.group()
    if kind == "any":
        return "(?:.*/)?" if text[0] == "*" else "/(?:.*/)?"
    if kind == "inside":
        return "/.+" if text[0] == "/" else ".+"
    if kind == "star":
        whole = token.start() == 0 and token.end() == len(token.string)
        return ".*" if whole and not names_only and len(text) > 1 else "[^/]*"
    if kind == "one":
        return "[^/]"
    if kind == "set":
        return _set(text[1:-1])
    return re.escape(token.group(kind))


def _set(inner: str) -> str:
    negated = inner[:1] in ("!", "^")
    members = "".join(map(_member, _MEMBER.finditer(inner[1:] if negated else inner)))
    if not members:
        return "[^/]" if negated else "(?!)"
    return f"(?!/)[{'^' if negated else ''}{members}]"


def _member(match: re.Match[str]) -> str:
    if match["low"] is None:
        return _CLASSES.get(match["name"], "")
    low, high = match["low"][-1], (match["high"] or match["low"])[-1]
    return f"{re.escape(low)}-{re.escape(high)}" if low <= high else re.escape(low)


GITIGNORE, OUR_IGNORE = ".gitignore", ".cloacinaignore"
MAX_IGNORE_BYTES = 1 << 20
_WILDCARDS = frozenset("*?[\\")


class Patterns:
    """Patterns that count from one folder on; the last that matches wins.

    ``of_git`` is true for those that count only in the repository with their files.
    """

    def __init__(
        self, patterns: Iterable[Pattern], folder: str = "", *, of_git: bool = False
    ) -> None:
        """Take the patterns of ``folder``, a path with its slash at the end, or empty."""
        self.of_git = of_git
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

    def nearest(self, path: str, *, is_folder: bool) -> bool:
        """Return whether ``path`` matches, or the nearest folder around it that a pattern names."""
        verdict = self.verdict(path, is_folder=is_folder)
        while verdict is None and "/" in path:
            path = path.rpartition("/")[0]
            verdict = self.verdict(path, is_folder=True)
        return verdict is True

    def covers(self, path: str) -> bool:
        """Return whether the file ``path`` matches, or a folder that it lies in."""
        if self.verdict(path, is_folder=False):
            return True
        end = path.find("/")
        while end > 0:
            if self.verdict(path[:end], is_folder=True):
                return True
            end = path.find("/", end + 1)
        return False


def compile_patterns(
    lines: Iterable[str], folder: str = "", *, of_git: bool = False
) -> Patterns | None:
    """Return the patterns that ``lines`` spell, or None where there are none.

    As in git, a line that is no pattern matches nothing.
    """
    patterns = [pattern for pattern in map(parse_pattern, lines) if pattern is not None]
    return Patterns(patterns, folder, of_git=of_git) if patterns else None


def read_ignore_files(
    path: str, folder: str, names: Iterable[str], *, shown: str
) -> tuple[Patterns, ...]:
    """Return the patterns of the ignore files ``names`` in the folder at ``path``, ours first.

    ``folder`` is the same folder as the patterns' paths have it, ``shown`` as a message has it,
    both with a slash at the end. A link or a folder of that name is no ignore file.
    """
    found = (
        compile_patterns(
            _lines(os.path.join(path, name), shown + name), folder, of_git=name == GITIGNORE
        )
        for name in (OUR_IGNORE, GITIGNORE)
        if name in names
    )
    return tuple(filter(None, found))


def read_exclude(path: str | None, folder: str) -> tuple[Patterns, ...]:
    """Return the patterns of a repository's ``info/exclude``, which counts from ``folder`` on."""
    if path is None or not os.path.exists(path):
        return ()
    patterns = compile_patterns(_lines(path, path, follow=True), folder, of_git=True)
    return (patterns,) if patterns else ()


def rules_above(top: str, prefix: str, exclude: str | None) -> tuple[Patterns, ...]:
    """Return what the repository whose top is ``top`` says of the folder ``prefix`` in it.

    The nearest come first; paths are relative to the top. Where the folder itself is ignored, it
    is no part of the repository (an unpacked archive, what a build made), and nothing of that
    counts.
    """
    found = read_exclude(exclude, "")
    start = 0
    while (end := prefix.find("/", start)) > 0:
        folder, inner = prefix[:start], prefix[:end]
        path = os.path.join(top, folder)
        names = [
            name for name in (OUR_IGNORE, GITIGNORE) if os.path.lexists(os.path.join(path, name))
        ]
        found = (*read_ignore_files(path, folder, names, shown=os.path.join(path, "")), *found)
        if is_ignored(found, inner, is_folder=True):
            return ()
        start = end + 1
    return found


def is_ignored(ignores: tuple[Patterns, ...], path: str, *, is_folder: bool) -> bool:
    """Return whether ``ignores`` leave ``path`` out: the nearest that says something wins."""
    for patterns in ignores:
        verdict = patterns.verdict(path, is_folder=is_folder)
        if verdict is not None:
            return verdict
    return False


def _lines(path: str, where: str, *, follow: bool = False) -> list[str]:
    with reported(where):
        data = read_regular(path, MAX_IGNORE_BYTES, follow=follow) or b""
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
