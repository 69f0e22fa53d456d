"""What is wrong with signatures, of packages of every generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.checks.engine import Finding
from cloacina_ctl.signing.signatures import CheckedSignature, SignatureStatus

if TYPE_CHECKING:
    from collections.abc import Iterator


def failing(signatures: tuple[CheckedSignature, ...], path: str) -> Iterator[Finding]:
    """Yield each signature under a known key that fails."""
    for judged in signatures:
        if judged.status is SignatureStatus.INVALID:
            who = judged.name or judged.keyid
            yield Finding(f"the signature of {who} fails: {judged.reason}", path)


def is_judged(signatures: tuple[CheckedSignature, ...]) -> bool:
    """Tell whether one of them is under a known key, whether it holds or fails."""
    return any(
        judged.status in (SignatureStatus.TRUSTED, SignatureStatus.INVALID) for judged in signatures
    )
