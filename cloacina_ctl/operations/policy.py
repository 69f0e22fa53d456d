"""What a package must be to be taken, as a user says it: the rule, and the keys that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.verification.policy import VerificationPolicy, available_keys, verification_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.signing.keys import PublicKey

# Limits raised for one run, by name.


def raised_limits(settings: Iterable[str]) -> Limits:
    """Return the default limits with those of ``settings`` (``name=number``) in their place."""
    limits = DEFAULT_LIMITS
    for setting in settings:
        name, _, number = setting.partition("=")
        if name not in Limits._fields:
            known = ", ".join(Limits._fields)
            raise UsageError.of(Code.USAGE, f"no such limit: {name}", hint=f"use one of {known}")
        if not (number.isascii() and number.isdigit() and len(number) <= 18):
            raise UsageError.of(Code.USAGE, f"expected NAME=NUMBER, found: {setting}")
        limits = limits._replace(**{name: int(number)})
    return limits


__all__ = ["VerificationPolicy", "public_keys", "raised_limits", "unread_keys"]


def public_keys(specs: tuple[str, ...]) -> tuple[PublicKey, ...]:
    """Return the public keys that ``specs`` mean, each once, and read once."""
    return (
        tuple(one.key for one in verification_keys(VerificationPolicy(keys=specs))) if specs else ()
    )


def unread_keys(*, allow_unsigned: bool) -> tuple[Diagnostic, ...]:
    """Return a warning for each key that would count by default and cannot be read.

    Where a package must be signed, a folder of keys that cannot be read is no warning here:
    verification refuses it.
    """
    unread = available_keys().unread
    return tuple(one for one in unread if allow_unsigned or one.code is Code.UNUSABLE_STORED_KEY)
