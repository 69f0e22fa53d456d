"""Foreign text made safe to show: nothing of it moves the cursor, hides, or turns text around."""

from __future__ import annotations

from cloacina_ctl.unicode13 import is_allowed


def escape(text: str) -> str:
    """Return ``text`` on one line, with every character that does not simply show spelt out.

    Controls, line ends, bidirectional and zero-width characters, private-use and unassigned ones
    become ``\\x1b`` or ``\\u202e``; letters of all scripts stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _shows(character) else _spelt(ord(character)) for character in text)


def _shows(character: str) -> bool:
    return " " <= character <= "~" or (character > "\x7f" and is_allowed(character))


def _spelt(number: int) -> str:
    if number < 0x100:
        return {9: "\\t", 10: "\\n", 13: "\\r"}.get(number, f"\\x{number:02x}")
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
