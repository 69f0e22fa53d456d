"""What a member of a package may be called: the one place where names are judged.

A name that passes means the same to every file system, archive tool and terminal, or is refused
(docs/format.md, "Names"). Judged before anything touches a disk.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from cloacina_ctl.errors import Code, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_PART_BYTES = 255
MAX_PATH_BYTES = 1024
MAX_DEPTH = 32

# Most names are plain: one match judges them, but for Windows' devices and the lengths.
_PLAIN = re.compile(
    r"[A-Za-z0-9_+=@~^%$#!&',;(){}\[\]-]"  # a part begins
    r"(?:[A-Za-z0-9_+=@~^%$#!&',;(){}\[\] -]|[.](?![./]|\Z)|/(?=[A-Za-z0-9_+@-]))*"
)
_FORBIDDEN = re.compile(r'[\\<>:"|?*\x00-\x1f\x7f]')
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|com[1-9\u00b9\u00b2\u00b3]|lpt[1-9\u00b9\u00b2\u00b3]|conin\$|conout\$) *(?:\..*)?",
    re.IGNORECASE | re.DOTALL,
)
_MAYBE_DEVICE = re.compile(r"(?:\A|/)(?:con|prn|aux|nul|com|lpt)", re.IGNORECASE)


class MemberPath(str):
    """The path of a member, without the root folder: relative, portable, in one spelling."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> MemberPath:
        """Return the path that ``text`` is, or raise ``Refused`` with the rule that it breaks."""
        rule = judge_path(text)
        if rule is not None:
            raise Refused.of(Code.MEMBER_NAME, f"{rule}: {text[:200]}", where=text[:200])
        return cls(text)

    @property
    def parts(self) -> tuple[str, ...]:
        """The names between the slashes."""
        return tuple(self.split("/"))


def judge_path(text: str) -> str | None:
    """Return the rule that ``text`` breaks, as part of a sentence, or None."""
    if text.isascii() and len(text) <= MAX_PART_BYTES and _PLAIN.fullmatch(text):
        if text[-1] != " " and " /" not in text and _MAYBE_DEVICE.search(text) is None:
            return None if text.count("/") < MAX_DEPTH else _too_deep()
    return _judge_slowly(text)


def _judge_slowly(text: str) -> str | None:
    if not text:
        return "an empty name"
    if len(text) > MAX_PATH_BYTES:
        return f"a path of more than {MAX_PATH_BYTES} bytes"
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return "a name that is not UTF-8"
    if size > MAX_PATH_BYTES:
        return f"a path of more than {MAX_PATH_BYTES} bytes"
    if text.count("/") >= MAX_DEPTH:
        return _too_deep()
    return _judge_characters(text) or _judge_parts(text)


def _judge_characters(text: str) -> str | None:
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        character = forbidden.group()
        if character == "\\":
            return "a backslash in a name"
        kind = "a control character" if character < " " or character == "\x7f" else "a character"
        return f"{kind} that not every system takes in a name (U+{ord(character):04X})"
    if text.isascii():
        return None
    from unicodedata import is_normalized

    from cloacina_ctl.unicode13 import is_allowed

    for character in text:
        if character > "\x7f" and not is_allowed(character):
            return f"a character that does not show, or that Unicode 13 does not assign (U+{ord(character):04X})"
    return None if is_normalized("NFC", text) else "a name that is not in the normal form NFC"


def _judge_parts(text: str) -> str | None:
    if text.startswith("/"):
        return "an absolute path"
    for part in text.split("/"):
        if part in ("", ".", ".."):
            return f"an empty, `.` or `..` part (`{part}`)"
        if part[0] == " " or part[-1] == " ":
            return "a part that begins or ends with a space"
        if part[-1] == ".":
            return "a part that ends with a dot"
        if len(part) > MAX_PART_BYTES // 4 and len(part.encode()) > MAX_PART_BYTES:
            return f"a part of more than {MAX_PART_BYTES} bytes"
        if _DEVICE.fullmatch(part):
            return "a name that Windows keeps for a device"
    return None


def _too_deep() -> str:
    return f"more than {MAX_DEPTH} folders deep"


class Collision(NamedTuple):
    """Two paths of one package that some system cannot hold side by side, and why."""

    first: str
    second: str
    rule: str


def collisions(paths: Iterable[str]) -> tuple[Collision, ...]:
    """Return the paths that clash with an earlier one: under case and width, or file and folder.

    Linear in the length of all paths; folders are compared too, so ``A/x`` and ``a/y`` clash.
    """
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    found: list[Collision] = []
    for path in paths:
        _note_folders(path, folders, seen, found)
        key = _folded(path)
        other = seen.setdefault(key, path)
        if other is not path:
            found.append(Collision(other, path, _same(other, path)))
        elif key in folders:
            found.append(Collision(folders[key], path, "one is a folder, the other a file"))
    return tuple(found)


def _note_folders(
    path: str, folders: dict[str, str], files: dict[str, str], found: list[Collision]
) -> None:
    """Note the folders above ``path``, from the nearest up to the first that is known."""
    end = path.rfind("/")
    while end > 0:
        folder = path[:end]
        key = _folded(folder)
        other = folders.get(key)
        if other is not None:
            if other != folder:
                found.append(Collision(other, folder, _same(other, folder)))
            return
        folders[key] = folder
        if key in files:
            found.append(Collision(files[key], path, "one is a file, the other a folder"))
        end = path.rfind("/", 0, end)


def _folded(path: str) -> str:
    if path.isascii():
        return path.lower()
    from unicodedata import normalize

    return normalize("NFKC", normalize("NFKC", path).casefold())


def _same(first: str, second: str) -> str:
    return "listed twice" if first == second else "some file systems take them for one name"
