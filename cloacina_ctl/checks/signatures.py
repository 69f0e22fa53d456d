"""What is wrong with signatures, of packages of every generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.checks.engine import Finding
from cloacina_ctl.signing.judge import Judged, Status

if TYPE_CHECKING:
    from collections.abc import Iterator


def failing(signatures: tuple[Judged, ...], path: str) -> Iterator[Finding]:
    """Yield each signature under a known key that fails."""
    for judged in signatures:
        if judged.status is Status.INVALID:
            who = judged.name or judged.keyid
            yield Finding(f"the signature of {who} fails: {judged.reason}", path)


def is_judged(signatures: tuple[Judged, ...]) -> bool:
    """Tell whether one of them is under a known key, whether it holds or fails."""
    return any(judged.status in (Status.TRUSTED, Status.INVALID) for judged in signatures)
