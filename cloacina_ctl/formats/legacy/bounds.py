"""Limits on the content of a file: checked on the claims of headers, and again on the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.formats.limits import Limits

OVERHEAD = 2048  # of tar for one entry: a header, an extension with its body, padding


class Bounds:
    """The allowed content of ``size`` compressed bytes; counts the claims of headers."""

    def __init__(self, size: int, limits: Limits, where: str) -> None:
        limits.check("legacy_compressed", size, where=where, what="the size of the file")
        self._size = size
        self._limits = limits
        self._where = where
        self._entries = 0
        self._claimed = 0

    def claim(self, size: int) -> None:
        """Count one more entry of ``size`` bytes, or refuse it before any of them is read."""
        self._entries += 1
        self._claimed += size
        limits, where = self._limits, self._where
        limits.check(
            "legacy_entries", self._entries, where=where, what="the number of members so far"
        )
        limits.check("legacy_total", self._claimed, where=where, what="the size of all members")
        self._check_ratio(self._claimed)

    def of_stream(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield ``pieces`` as long as all together are within the limits."""
        limits, where, done = self._limits, self._where, 0
        most = limits.legacy_total + OVERHEAD * (limits.legacy_entries + 1)
        for piece in pieces:
            done += len(piece)
            if done > most:
                limits.check("legacy_total", done, where=where, what="the size of the content")
            self._check_ratio(done)
            yield piece

    def _check_ratio(self, size: int) -> None:
        if size > self._limits.legacy_ratio_from:
            what = "the ratio of content to file"
            self._limits.check("legacy_ratio", size // self._size, where=self._where, what=what)
