"""Untrusted text made safe to show: nothing of it moves the cursor, hides, or turns text around."""

from __future__ import annotations

# What Unicode assigns and does not show: other spaces, joiners, fillers, variation selectors, an
# empty Braille cell. First and last of each run.
_UNSEEN = (
    "\u00a0\u00a0\u034f\u034f\u115f\u1160\u1680\u1680\u17b4\u17b5\u180b\u180d\u2000\u200a\u202f\u202f"
    "\u205f\u205f\u2800\u2800\u3000\u3000\u3164\u3164\ufe00\ufe0f\uffa0\uffa0\U000e0100\U000e01ef"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape(text: str) -> str:
    r"""Return ``text`` on one line, with every character that does not simply show spelled out.

    Controls, line ends, bidirectional and zero-width characters, spaces that only look like one,
    private-use and unassigned ones become ``\x1b`` or ``\u202e``; letters of all scripts stay as
    they are. Backslashes stay too, so that escaping twice changes nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _shows(character) else _spelled(character) for character in text)


def escape_printed(text: str) -> str:
    """Return a line that a task printed, like ``escape``, with its symbols as they were meant.

    U+FE0F after a symbol asks for its colored form, as most emoji have it. In a name it could
    make two look alike; in printed output that does no harm.
    """
    first, *others = text.split("\ufe0f")
    if not others:
        return escape(text)
    from unicodedata import category

    shown, last = escape(first), first[-1:]
    for other in others:
        is_symbol = bool(last) and category(last) == "So"
        shown += ("\ufe0f" if is_symbol else _spelled("\ufe0f")) + escape(other)
        last = other[-1:]
    return shown


def escape_shown(text: str) -> str:
    """Return lines of our own with nothing in them but what shows, line ends, and colour.

    The last barrier, for a place that forgot to escape: untrusted text can then color, and no more.
    """
    if text.isascii() and text.isprintable():
        return text
    import re  # here, and the table below, for start-up: most of what is shown is plain ASCII

    pieces = re.split("(\x1b\\[[0-9;]{0,8}m)", text)
    pieces[::2] = ["\n".join(map(escape, piece.split("\n"))) for piece in pieces[::2]]
    return "".join(pieces)


def shorten(text: str, size: int) -> str:
    """Return ``text`` in at most ``size`` bytes of UTF-8, without its middle if need be."""
    if len(text) * 4 <= size:
        return text
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= size:
        return text
    each = (size - 5) // 2
    head = data[:each].decode("utf-8", "ignore")
    return f"{head} ... {data[-each:].decode('utf-8', 'ignore')}"


def _shows(character: str) -> bool:
    if character <= "~":
        return character >= " "
    if character == "\x7f":
        return False
    from cloacina_ctl.unicode_names import is_allowed

    return is_allowed(character) and not _is_unseen(character)


def _is_unseen(character: str) -> bool:
    from bisect import bisect_right

    at = bisect_right(_UNSEEN, character)
    return at % 2 == 1 or character == _UNSEEN[at - 1]


def _spelled(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return _SHORT.get(character) or f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
