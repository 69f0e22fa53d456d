"""``verify``: whether every byte of a package is as it was promised, and who signed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.operations.results import Verified
from cloacina_ctl.progress import stage
from cloacina_ctl.verification.policy import VerificationPolicy
from cloacina_ctl.verification.verify import Unsigned, verifying

if TYPE_CHECKING:
    from cloacina_ctl.progress import Progress

__all__ = ["Verified", "verify"]


def verify(
    path: str, rule: VerificationPolicy = VerificationPolicy(), progress: Progress | None = None
) -> Verified:
    """Prove every byte of the package at ``path`` (``-`` is standard input), and who signed it.

    Raises ``Refused`` for what is no whole package, ``NotTrusted`` where the policy is not met.
    Missing signatures are reported last, when it is known that the content is whole.
    """
    with verifying(path, rule, unsigned=Unsigned.LAST) as proof:
        return Verified.of(proof.stream(progress=stage(progress, "verifying")))
