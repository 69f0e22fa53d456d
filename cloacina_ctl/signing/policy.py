"""Whether the signatures of a package meet a requirement."""

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
_HOW_TO_TRUST = "give the author's key with --key, or trust it: `cloacina-ctl trust add`"


class Requirement(NamedTuple):
    """How many different trusted keys must have signed; none with ``allow_unsigned``."""

    threshold: int = 1
    allow_unsigned: bool = False


def failed_signatures(checked: Sequence[CheckedSignature], where: str) -> tuple[Diagnostic, ...]:
    """Return a diagnostic for each failing signature of a known key."""
    return tuple(
        Diagnostic(
            Code.BAD_SIGNATURE,
            f"the signature of {one.name or one.keyid} fails: {one.reason}",
            where,
            "the package was changed after it was signed, or the signature is of another package",
        )
        for one in checked
        if one.status is SignatureStatus.INVALID
    )


def trusted_signers(checked: Sequence[CheckedSignature]) -> tuple[str, ...]:
    """Return the fingerprints of the trusted keys whose signatures hold, each once."""
    trusted = (one for one in checked if one.status is SignatureStatus.TRUSTED and one.is_signature)
    return tuple(dict.fromkeys(one.keyid for one in trusted))


def require_signatures(
    checked: Sequence[CheckedSignature], requirement: Requirement, *, where: str
) -> tuple[str, ...]:
    """Return the fingerprints of the trusted keys that signed, each once, or raise ``NotTrusted``.

    A failing signature of a known key is always an error, even where unsigned packages are allowed.
    Raises ``UsageError`` for a threshold that every package would meet.
    """
    if requirement.threshold < 1:
        raise UsageError.of(
            Code.USAGE, f"the threshold must be at least 1: {requirement.threshold}"
        )
    failed = failed_signatures(checked, where)
    if failed:
        raise NotTrusted(*failed)
    signers = trusted_signers(checked)
    if len(signers) >= requirement.threshold or requirement.allow_unsigned:
        return signers
    raise NotTrusted(_missing(checked, signers, requirement.threshold, where))


def _missing(
    checked: Sequence[CheckedSignature], trusted: tuple[str, ...], threshold: int, where: str
) -> Diagnostic:
    if trusted:
        return Diagnostic(
            Code.THRESHOLD,
            f"{len(trusted)} of {threshold} required signatures by trusted keys: "
            f"{_listed(trusted)}",
            where,
            _who_else(checked, where),
        )
    for one in checked:
        if one.status is SignatureStatus.VALID and one.reason is not None:
            return Diagnostic(
                Code.NO_TRUSTED_SIGNER,
                f"the signature of {one.name or one.keyid} holds, but {one.reason}",
                where,
                "ask its author to sign the whole file; --allow-unsigned accepts it as it is",
            )
    signers = tuple(dict.fromkeys(one.keyid for one in checked if one.is_signature))
    if not signers:
        return Diagnostic(
            Code.UNSIGNED,
            "the package is not signed",
            where,
            how_to_sign(where),
        )
    return Diagnostic(
        Code.NO_TRUSTED_SIGNER,
        f"not trusted: no trusted key has signed it; it has signatures by: {_listed(signers)}",
        where,
        f"{_HOW_TO_TRUST}; --allow-unsigned accepts it without",
    )


def how_to_sign(path: str) -> str:
    """Return the hint for the unsigned package at ``path``, for its author and for others."""
    return (
        f"if you made it: `{sign_command(path)}`; otherwise ask its author to sign it; "
        "--allow-unsigned accepts it as it is"
    )


def _who_else(checked: Sequence[CheckedSignature], path: str) -> str:
    """Return the hint where too few trusted keys signed; it names keys that are not trusted."""
    others = tuple(one.keyid for one in checked if one.status in _UNTRUSTED and one.is_signature)
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
