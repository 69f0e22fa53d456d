"""The token that identifies a user to a server: sent in one header, never shown."""

from __future__ import annotations

import re

from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.redaction import remember

MASK = "[token]"
MAX_LENGTH = 4096
_FORM = re.compile(r"[!-~]+")  # what fits into a header, and holds no line of its own


class Token:
    """A secret whose text only :meth:`reveal` gives: no format, message or traceback has it."""

    __slots__ = ("_text",)

    def __init__(self, text: str, where: str) -> None:
        """Take ``text``; raises ``NotTrusted`` that names its source ``where``, never the text."""
        text = text.strip(" \t\r\n")
        if not text:
            raise NotTrusted.of(Code.NO_TOKEN, "it holds no token", where=where)
        if len(text) > MAX_LENGTH or not _FORM.fullmatch(text):
            raise NotTrusted.of(
                Code.NO_TOKEN,
                f"it holds no token: expected one word of at most {MAX_LENGTH} ASCII characters",
                where=where,
            )
        self._text = text
        remember(text, MASK)

    def reveal(self) -> str:
        """Return the text, for the header of a request."""
        return self._text

    def masked(self, text: str) -> str:
        """Return ``text`` of a server, without the token that it may repeat."""
        return text.replace(self._text, MASK)

    def __repr__(self) -> str:
        """Return a text without the token."""
        return "Token(...)"
