"""One pattern of gitignore(5), as a regular expression over a path or a name.

Exact where common libraries are not: a pattern is asked about one file or folder, never about
what lies under a folder that it matches, for the walk does not enter that folder at all. So what
``!`` brings back is what git brings back.
"""

from __future__ import annotations

import re

from cloacina_ctl.values import NamedTuple

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
