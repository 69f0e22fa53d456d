"""Checks the signatures of packages of every format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.checks.engine import Finding
from cloacina_ctl.signing.signatures import CheckedSignature, SignatureStatus

if TYPE_CHECKING:
    from collections.abc import Iterator


def failing(signatures: tuple[CheckedSignature, ...], path: str) -> Iterator[Finding]:
    """Yield each failing signature by a known key."""
    for checked in signatures:
        if checked.status is SignatureStatus.INVALID:
            who = checked.name or checked.keyid
            yield Finding(f"the signature of {who} fails: {checked.reason}", path)


def is_checked(signatures: tuple[CheckedSignature, ...]) -> bool:
    """Return whether one of them is by a known key, valid or not."""
    return any(
        checked.status in (SignatureStatus.TRUSTED, SignatureStatus.INVALID)
        for checked in signatures
    )
