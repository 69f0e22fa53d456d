"""Whether the signatures of a package are enough for who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, NotTrusted, UsageError
from cloacina_ctl.files.ownership import quoted
from cloacina_ctl.signing.signatures import CheckedSignature, SignatureStatus
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMED_IN_A_MESSAGE = 4
_UNTRUSTED = (SignatureStatus.UNKNOWN_KEY, SignatureStatus.VALID)
_WHOM_TO_KNOW = "give the author's key with --key, or make it known: `cloacina-ctl trust add`"


class Requirement(NamedTuple):
    """How many different trusted keys must have signed; ``allow_unsigned`` asks for none."""

    threshold: int = 1
    allow_unsigned: bool = False


def failed_signatures(judged: Sequence[CheckedSignature], where: str) -> tuple[Diagnostic, ...]:
    """Return a diagnostic for each signature under a known key that fails."""
    return tuple(
        Diagnostic(
            Code.BAD_SIGNATURE,
            f"the signature of {one.name or one.keyid} fails: {one.reason}",
            where,
            "the package was changed after it was signed, or the signature is of another package",
        )
        for one in judged
        if one.status is SignatureStatus.INVALID
    )


def trusted_signers(judged: Sequence[CheckedSignature]) -> tuple[str, ...]:
    """Return the fingerprints of the trusted keys whose signatures hold, each once."""
    trusted = (one for one in judged if one.status is SignatureStatus.TRUSTED and one.is_signature)
    return tuple(dict.fromkeys(one.keyid for one in trusted))


def require_signatures(
    judged: Sequence[CheckedSignature], requirement: Requirement, *, where: str
) -> tuple[str, ...]:
    """Return the fingerprints of the trusted keys that signed, each once, or raise ``NotTrusted``.

    A failing signature under a known key is never excused, also where unsigned is allowed. Raises
    ``UsageError`` for a threshold that every package would meet.
    """
    if requirement.threshold < 1:
        raise UsageError.of(
            Code.USAGE, f"the threshold must be at least 1: {requirement.threshold}"
        )
    failed = failed_signatures(judged, where)
    if failed:
        raise NotTrusted(*failed)
    vouched = trusted_signers(judged)
    if len(vouched) >= requirement.threshold or requirement.allow_unsigned:
        return vouched
    raise NotTrusted(_missing(judged, vouched, requirement.threshold, where))


def _missing(
    judged: Sequence[CheckedSignature], vouched: tuple[str, ...], threshold: int, where: str
) -> Diagnostic:
    if vouched:
        return Diagnostic(
            Code.THRESHOLD,
            f"{len(vouched)} of {threshold} required signatures by trusted keys: "
            f"{_listed(vouched)}",
            where,
            _who_else(judged, where),
        )
    for one in judged:
        if one.status is SignatureStatus.VALID and one.reason is not None:
            return Diagnostic(
                Code.NOT_VOUCHED,
                f"the signature of {one.name or one.keyid} holds, but {one.reason}",
                where,
                "ask its author to sign the whole file; --allow-unsigned takes it as it is",
            )
    signers = tuple(dict.fromkeys(one.keyid for one in judged if one.is_signature))
    if not signers:
        return Diagnostic(
            Code.UNSIGNED,
            "the package is not signed",
            where,
            how_to_sign(where),
        )
    return Diagnostic(
        Code.NOT_VOUCHED,
        f"nobody known vouches for it; it has signatures said to be of: {_listed(signers)}",
        where,
        f"{_WHOM_TO_KNOW}; --allow-unsigned takes it without",
    )


def how_to_sign(path: str) -> str:
    """Return what to do about the package at ``path`` that nobody signed: by its author, or not."""
    return (
        f"if you made it: `{sign_command(path)}`; otherwise ask its author to sign it; "
        "--allow-unsigned accepts it as it is"
    )


def _who_else(judged: Sequence[CheckedSignature], path: str) -> str:
    """Return what to do where too few trusted keys signed, and perhaps others did."""
    others = tuple(one.keyid for one in judged if one.status in _UNTRUSTED and one.is_signature)
    if others:
        return (
            f"it has more signatures, by {_listed(others)}: `cloacina-ctl trust add` trusts a key"
        )
    return f"another person whose key is trusted must sign it: `{sign_command(path)}`"


def sign_command(path: str) -> str:
    """Return the command that signs the package at ``path``, as a shell takes it."""
    return f"cloacina-ctl sign {'PACKAGE' if path == '-' else quoted(path)}"


def _listed(keyids: tuple[str, ...]) -> str:
    named = ", ".join(
        keyid[:16] or "a key that it does not name" for keyid in keyids[:_NAMED_IN_A_MESSAGE]
    )
    more = len(keyids) - _NAMED_IN_A_MESSAGE
    return f"{named} and {more} more" if more > 0 else named
