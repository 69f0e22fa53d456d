"""``verify``: whether every byte of a package is as it was promised, and who signed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.operations.results import Verified, signature_view
from cloacina_ctl.progress import Progress, stage
from cloacina_ctl.verification.policy import VerificationPolicy
from cloacina_ctl.verification.verify import Unsigned, begin, verifying

if TYPE_CHECKING:
    from cloacina_ctl.formats.package import Package
    from cloacina_ctl.verification.verify import Evidence, Proof

__all__ = ["Verified", "verify", "verify_open"]


def verify(
    path: str, rule: VerificationPolicy = VerificationPolicy(), progress: Progress | None = None
) -> Verified:
    """Prove every byte of the package at ``path`` (``-`` is standard input), and who signed it.

    Raises ``Refused`` for what is no whole package, ``NotTrusted`` where the rule is not met. That
    signatures are missing is said last, when it is known that the content is whole.
    """
    with verifying(path, rule, unsigned=Unsigned.LAST) as proof:
        return verified(_whole(proof, progress))


def verify_open(
    package: Package, rule: VerificationPolicy, progress: Progress | None = None
) -> Verified:
    """Prove every byte of an open package, and who signed it, as ``verify`` does."""
    return verified(_whole(begin(package, rule, unsigned=Unsigned.LAST), progress))


def verified(evidence: Evidence) -> Verified:
    """Return what was proved, as ``verify`` shows it."""
    found = evidence.identity
    return Verified(
        path=found.path,
        format=found.format,
        size=evidence.size,
        name=found.name,
        version=found.version,
        content=found.content,
        head=evidence.head,
        files=len(evidence.files),
        signatures=tuple(map(signature_view, evidence.signatures)),
        trusted_signers=evidence.trusted_signers,
        complete=evidence.complete,
    )


def _whole(proof: Proof, progress: Progress | None) -> Evidence:
    return proof.stream(progress=stage(progress, "verifying"))
