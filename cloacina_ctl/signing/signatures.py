"""Whether the signatures of a package hold: the argument, step by step.

For each envelope, before the head is decompressed (``check_head_signatures``):

(1) Its ``keyid`` names a known key. It only helps to find the key; an envelope of an unknown key is
    ignored, whatever it holds.
(2) That key made the signature, over the exact payload and its type. The key itself was checked
    when it was read: canonical, on the curve, not of small order.
(3) The payload has the exact form of a statement; one of another type is JSON without duplicate
    keys.
(4) The statement is about these bytes of the head.

and after the head was read (``check_signed_subjects``):

(5) The subject's name is that of the package, and for a package signature so are its name, version
    and content.

A failure from (2) on under a known key is ``INVALID``: an accident or a forgery, never ignored.
Only statements of the type of a package signature count as one; others that hold are attestations.
``policy`` decides whether the signatures are enough.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from cloacina_ctl.dsse import pae
from cloacina_ctl.errors import Refused
from cloacina_ctl.signing.statement import (
    OWN_TYPES,
    SIGNATURE_TYPE,
    Claims,
    Subject,
    claimed_heads,
    claims,
    read_statement,
)
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.digest import Digest
    from cloacina_ctl.dsse import Envelope
    from cloacina_ctl.signing.keys import PublicKey
    from cloacina_ctl.signing.schemes import Scheme


class SignatureStatus(str, enum.Enum):
    """The result of checking one signature."""

    TRUSTED = "trusted"
    VALID = "valid"
    UNKNOWN_KEY = "unknown-key"
    INVALID = "invalid"


class KnownKey(NamedTuple):
    """A key that the user knows; only signatures of a trusted one count."""

    key: PublicKey
    name: str | None = None
    trusted: bool = True


class CheckedSignature(NamedTuple):
    """One signature and the result of checking it.

    ``name`` is the user's name for the key, ``reason`` why the signature is INVALID. ``claims`` is
    text that anyone can have written unless ``holds``. A signature of a legacy package has a
    ``scheme`` and no ``envelope``; ``keyid`` is empty where it names no key, its claims are never
    verified, and ``reason`` says why it does not count.
    """

    envelope: Envelope | None
    keyid: str
    status: SignatureStatus
    name: str | None = None
    reason: str | None = None
    claims: Claims | None = None
    scheme: Scheme | None = None

    @property
    def holds(self) -> bool:
        """Return whether the signature was verified."""
        return self.status in (SignatureStatus.TRUSTED, SignatureStatus.VALID)

    @property
    def predicate_type(self) -> str | None:
        """The type of statement that it claims to be."""
        return self.claims.predicate_type if self.claims else None

    @property
    def is_signature(self) -> bool:
        """Return whether it is a signature of the package; others are attestations."""
        return self.scheme is not None or self.predicate_type == SIGNATURE_TYPE

    @property
    def claims_hold(self) -> bool:
        """Return whether the signature is over its claims, and was verified."""
        return self.holds and self.scheme is None

    @property
    def signed_at(self) -> str | None:
        """The time that a verified signer claims."""
        if self.claims is None or not (self.claims_hold and self.is_signature):
            return None
        return self.claims.signed_at


def check_head_signatures(
    envelopes: Iterable[Envelope], head: Digest, known: Iterable[KnownKey]
) -> tuple[CheckedSignature, ...]:
    """Check each envelope against the bytes of the head, which is not parsed yet."""
    keys = by_fingerprint(known)
    return tuple(_check_one(envelope, head, keys) for envelope in envelopes)


def check_signed_subjects(
    checked: Iterable[CheckedSignature], subject: Subject
) -> tuple[CheckedSignature, ...]:
    """Check the signatures that hold so far against the content of the head (5)."""
    return tuple(_check_claims(one, subject) for one in checked)


def by_fingerprint(known: Iterable[KnownKey]) -> dict[str, KnownKey]:
    """Return each key once: trusted if any entry is, with its first name."""
    keys: dict[str, KnownKey] = {}
    for one in known:
        fingerprint = one.key.fingerprint
        before = keys.get(fingerprint, one)
        keys[fingerprint] = KnownKey(
            key=one.key, name=before.name or one.name, trusted=before.trusted or one.trusted
        )
    return keys


def _check_one(envelope: Envelope, head: Digest, keys: dict[str, KnownKey]) -> CheckedSignature:
    claimed = claims(envelope)
    known = keys.get(envelope.keyid)  # (1)
    if known is None:
        return CheckedSignature(
            envelope, envelope.keyid, SignatureStatus.UNKNOWN_KEY, claims=claimed
        )
    reason = _why_not(envelope, claimed, head, known.key)
    if reason is not None:
        return CheckedSignature(
            envelope, envelope.keyid, SignatureStatus.INVALID, known.name, reason, claimed
        )
    status = SignatureStatus.TRUSTED if known.trusted else SignatureStatus.VALID
    return CheckedSignature(envelope, envelope.keyid, status, known.name, claims=claimed)


def _why_not(
    envelope: Envelope, claimed: Claims | None, head: Digest, key: PublicKey
) -> str | None:
    """Return why the signature does not hold over this head, or None."""
    if not key.verify(envelope.sig, pae(envelope.payload_type, envelope.payload)):  # (2)
        return "the signature does not match"
    if claimed is None:  # (3)
        return "its payload is no statement"
    heads = claimed_heads(envelope)
    if claimed.predicate_type.startswith(OWN_TYPES):
        try:
            heads = (read_statement(envelope).head,)  # (3)
        except Refused as error:
            return error.diagnostics[0].message
    if str(head) not in heads:  # (4)
        return "it is the signature of another package"
    return None


def _check_claims(checked: CheckedSignature, subject: Subject) -> CheckedSignature:
    kind = checked.predicate_type
    if checked.envelope is None or not checked.holds or kind is None:
        return checked
    if not kind.startswith(OWN_TYPES):
        return checked
    statement = read_statement(checked.envelope)  # (3) held before, so it does now
    said, expected = [statement.subject_name], [subject.file_name]
    if kind == SIGNATURE_TYPE:
        said += [str(statement.predicate[key]) for key in ("name", "version", "content")]
        expected += [subject.name, subject.version, subject.content]
    if said == expected:
        return checked
    return checked._replace(
        status=SignatureStatus.INVALID, reason="it names another package than this one"
    )
