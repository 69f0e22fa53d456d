"""Whether the signatures of a package are enough for who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cloacina_ctl.errors import Code, Diagnostic, NotTrusted
from cloacina_ctl.signing.judge import Judged, Status

if TYPE_CHECKING:
    from collections.abc import Sequence


class Requirement(NamedTuple):
    """How many different trusted keys must have signed; ``allow_unsigned`` asks for none."""

    threshold: int = 1
    allow_unsigned: bool = False


def failed_signatures(judged: Sequence[Judged], where: str) -> tuple[Diagnostic, ...]:
    """Return a diagnostic for each signature under a known key that fails."""
    return tuple(
        Diagnostic(
            Code.BAD_SIGNATURE,
            f"the signature of {one.name or one.keyid} fails: {one.reason}",
            where,
            "the package was changed after it was signed, or the signature is of another package",
        )
        for one in judged
        if one.status is Status.INVALID
    )


def require_signatures(
    judged: Sequence[Judged], requirement: Requirement, *, where: str
) -> tuple[str, ...]:
    """Return the fingerprints of the trusted keys that signed, each once, or raise ``NotTrusted``.

    A failing signature under a known key is never excused, also where unsigned is allowed.
    """
    failed = failed_signatures(judged, where)
    if failed:
        raise NotTrusted(*failed)
    vouched = tuple(
        dict.fromkeys(
            one.keyid for one in judged if one.status is Status.TRUSTED and one.is_signature
        )
    )
    enough = max(requirement.threshold, 1)
    if len(vouched) >= enough or requirement.allow_unsigned:
        return vouched
    raise NotTrusted(_missing(judged, vouched, enough, where))


def _missing(
    judged: Sequence[Judged], vouched: tuple[str, ...], enough: int, where: str
) -> Diagnostic:
    if vouched:
        message = f"{len(vouched)} known keys signed it, and {enough} are required"
        return Diagnostic(Code.THRESHOLD, message, where)
    if not any(one.is_signature for one in judged):
        return Diagnostic(
            Code.UNSIGNED,
            "the package is not signed",
            where,
            "ask its author to sign it, or take it as it is with --allow-unsigned",
        )
    keys = ", ".join(dict.fromkeys(one.keyid[:16] for one in judged if one.is_signature))
    return Diagnostic(
        Code.NOT_VOUCHED,
        f"nobody known vouches for it; signed by unknown keys: {keys}",
        where,
        "give the author's key with --key, or make it known: `cloacina-ctl trust add`",
    )
