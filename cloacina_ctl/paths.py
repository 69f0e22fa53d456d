"""Rules for the names of members: the one place where names are checked.

A name that passes means the same to every file system, archive tool and terminal, or is refused
(docs/format.md, "Names"). Names are checked before anything is written to a disk.
"""

from __future__ import annotations

import re
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_PART_BYTES = 255
MAX_PATH_BYTES = 1024
MAX_DEPTH = 32
_MANY_FOLDERS = 50_000

# Most names are plain: one match checks them, except for Windows' devices and the lengths.
_PLAIN = re.compile(r"[A-Za-z0-9_+=@~^%$#!&',;(){}\[\]-][A-Za-z0-9_+=@~^%$#!&',;(){}\[\] ./-]*")
_FORBIDDEN = re.compile(r'[\\<>:"|?*\x00-\x1f\x7f]')
_DRIVE = re.compile(r"(?:\A|/)[A-Za-z]:")
_WINDOWS_ONLY = str.maketrans(dict.fromkeys('<>:"|?*', "_"))
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|(?:com|lpt)[1-9\u00b9\u00b2\u00b3]|conin\$|conout\$) *(?:\..*)?",
    re.IGNORECASE | re.DOTALL,
)
_MAYBE_DEVICE = re.compile(r"(?:\A|/)(?:con|prn|aux|nul|com|lpt)", re.IGNORECASE)


class MemberPath(str):
    """The path of a member, without the root folder: relative, portable, in one spelling."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> MemberPath:
        """Return the path that ``text`` is, or raise ``Refused`` with the rule that it breaks."""
        rule = check_path(text)
        if rule is not None:
            raise Refused.of(Code.MEMBER_NAME, f"{rule}: {text[:200]}", where=text[:200])
        return cls(text)

    @property
    def parts(self) -> tuple[str, ...]:
        """The names between the slashes."""
        return tuple(self.split("/"))


def check_path(text: str) -> str | None:
    """Return the rule that ``text`` breaks, as part of a sentence, or None."""
    if (
        len(text) <= MAX_PART_BYTES
        and text.count("/") < MAX_DEPTH
        and _PLAIN.fullmatch(text) is not None
        and text[-1] not in " ./"
        and not ("//" in text or "/." in text or "./" in text or "/ " in text or " /" in text)
        and _MAYBE_DEVICE.search(text) is None
    ):
        return None
    return _check_slowly(text)


_PLAIN_BYTES = (
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=@~^%$#!&',;(){}[]- ./\n"
)
# No empty part, none that begins with a space or ends with a space or a dot.
_NOT_PLAIN = ("\n\n", "\n ", "\n/", " \n", ".\n", "/\n", "//", "./", "/ ", " /")
_DEVICE_LINE = re.compile(
    r"[/\n](?:con|prn|aux|nul|(?:com|lpt)[1-9]|conin\$|conout\$) *[./\n]", re.IGNORECASE
)


def all_plain(paths: Sequence[str]) -> bool:
    """Return True only if all of ``paths`` are allowed; False means that each must be checked.

    One check for all, where ``check_path`` checks each: most packages have only plain names.
    """
    text = "\n".join(["", *paths, ""])
    return (
        text.isascii()
        and text.count("\n") == len(paths) + 1
        and not text.encode().translate(None, _PLAIN_BYTES)
        and not any(pair in text for pair in _NOT_PLAIN)
        and max(map(len, paths), default=0) <= MAX_PART_BYTES
        and not any(path.count("/") >= MAX_DEPTH for path in paths)
        and _DEVICE_LINE.search(text) is None
    )


def check_legacy_path(text: str) -> str | None:
    """Return the rule that ``text`` breaks as a path in a legacy package, or None.

    Their packers run on systems without forbidden names, so names that Windows forbids are
    accepted, except for those that name a drive there.
    """
    if check_path(text) is None:
        return None
    if _DRIVE.search(text):
        return "a part that begins with the letter of a drive"
    return _check_slowly(text.translate(_WINDOWS_ONLY), devices=True)


def _check_slowly(text: str, *, devices: bool = False) -> str | None:
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
        return f"more than {MAX_DEPTH} folders deep"
    return _check_characters(text) or _check_parts(text, devices=devices)


def _check_characters(text: str) -> str | None:
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

    from cloacina_ctl.unicode_names import is_allowed

    for character in text:
        if character > "\x7f" and not is_allowed(character):
            number = f"U+{ord(character):04X}"
            return f"a character that does not show, or that Unicode 13 does not assign ({number})"
    return None if is_normalized("NFC", text) else "a name that is not in the normal form NFC"


def _check_parts(text: str, *, devices: bool) -> str | None:
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
        if not devices and _DEVICE.fullmatch(part):
            return "a name that Windows keeps for a device"
    return None


class Collision(NamedTuple):
    """Two paths of one package that some system cannot hold side by side, and why."""

    first: str
    second: str
    rule: str


def collisions(paths: Iterable[str]) -> tuple[Collision, ...]:
    """Return the paths that clash: equal but for case and width, listed twice, or file and folder.

    ``check_path`` accepts each of ``paths``. Folders are compared too: ``A/x`` and ``a/y`` clash.
    Paths are sorted by their folded form, so all paths in one folder are adjacent and comparing
    neighbors is enough: a table of all folders would take gigabytes for a hostile package.
    """
    paths = list(paths)
    if _clearly_apart(paths):
        return ()
    entries = sorted((_folded(path), number, path) for number, path in enumerate(paths))
    found: dict[Collision, None] = {}
    for (folded, _, path), (next_folded, _, next_path) in pairwise(entries):
        end = path.rfind("/") + 1
        is_sibling = next_path.startswith(path[:end]) and "/" not in next_path[end:]
        if not is_sibling or folded == next_folded:
            clash = _compare(path, folded, next_path, next_folded)
            if clash is not None:
                found[clash] = None
    found.update(dict.fromkeys(_slashes(entries)))
    return tuple(found)


def _clearly_apart(paths: list[str]) -> bool:
    """Return whether no two of ``paths`` can clash: ASCII, in a moderate number of folders."""
    folders: set[str] = set()
    for path in paths:
        end = path.rfind("/")
        while end > 0 and path[:end] not in folders:
            folders.add(path[:end])
            end = path.rfind("/", 0, end)
        if len(folders) > _MANY_FOLDERS:
            return False
    if not all(map(str.isascii, paths)):
        return False
    names = {name.lower() for name in chain(paths, folders)}
    return len(names) == len(paths) + len(folders)


def _folded(path: str) -> str:
    """Return the folded form of ``path``, with U+0001 as the slash: it sorts first."""
    path = path.replace("/", "\x01")
    return path.lower() if path.isascii() else fold(path)


def fold(text: str) -> str:
    """Return one form for all texts that some file system treats as the same name as ``text``."""
    if text.isascii():
        return text.lower()
    from unicodedata import normalize

    return normalize("NFKC", normalize("NFKC", text).casefold())


def _compare(first: str, folded: str, second: str, next_folded: str) -> Collision | None:
    """Return how two paths clash, part by part from the root."""
    parts, next_parts = first.split("/"), second.split("/")
    pairs = zip(folded.split("\x01"), next_folded.split("\x01"), strict=False)
    for number, (key, next_key) in enumerate(pairs):
        if key != next_key:
            return None
        if parts[number] != next_parts[number]:
            upto = slice(number + 1)
            return Collision(
                "/".join(parts[upto]),
                "/".join(next_parts[upto]),
                "some file systems take them for one name",
            )
    if len(parts) == len(next_parts):
        return Collision(first, second, "listed twice")
    return Collision(first, second, "one is a file, the other a folder")


def _slashes(entries: list[tuple[str, int, str]]) -> Iterator[Collision]:
    """Yield paths that are equal once a character that folds to a slash is read as one."""
    if not any("/" in folded for folded, _, _ in entries):
        return
    seen: dict[str, str] = {}
    for folded, _, path in entries:
        other = seen.setdefault(folded.replace("\x01", "/"), path)
        if other != path:
            yield Collision(other, path, "some file systems take them for one name")
