"""Suggestions for a mistyped word."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 100  # the comparison takes quadratic time, and what people mistype is shorter


def closest(word: str, known: Iterable[str], most: int = 1) -> list[str]:
    """Return those of ``known`` that resemble ``word``, the nearest first, at most ``most``."""
    if len(word) > _LONGEST:
        return []
    from difflib import get_close_matches

    return get_close_matches(word, list(known), n=most)


def did_you_mean(word: str, known: Iterable[str], most: int = 1) -> str | None:
    """Return a hint with similar words of ``known``, or None where there is none."""
    near = closest(word, known, most)
    return f"did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else None
