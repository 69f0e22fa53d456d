"""SHA-256 digests: 64 lower-case hex digits, and the one identity that carries a prefix."""

from __future__ import annotations

import hashlib
import re

from cloacina_ctl.errors import Code, Refused

CONTENT_PREFIX = "sha256:"
_HEX = re.compile(r"[0-9a-f]{64}")


class Digest(str):
    """A SHA-256 digest as 64 lower-case hex digits.

    Digests are compared with ``==``: nothing that is compared here is a secret.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Return the digest that ``text`` spells, or raise ``Refused``."""
        if _HEX.fullmatch(text) is None:
            raise Refused.of(
                Code.FIELD_VALUE, f"expected 64 lower-case hex digits, found: {text[:80]}"
            )
        return cls(text)

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview) -> Digest:
        """Return the digest of ``data``."""
        return cls(hashlib.sha256(data).hexdigest())

    @classmethod
    def from_bytes(cls, raw: bytes) -> Digest:
        """Return the digest whose 32 bytes are ``raw``."""
        return cls.parse(raw.hex())
