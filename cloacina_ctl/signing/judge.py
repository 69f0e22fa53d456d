"""Whether the signatures of a package hold: the argument, step by step.

For each envelope, before the head is decompressed (``judge_head``):

(1) Its ``keyid`` names a key that the caller knows. It is a hint to find the key, no more; an
    envelope of a key that nobody asked for is ignored, whatever it holds.
(2) The signature is that key's, over the exact payload and its type. The key itself was judged
    when it was read: canonical, not of small order.
(3) The payload has the exact form of a statement.
(4) The statement is about these bytes of the head.

and after the head was read (``judge_subject``):

(5) Name, version, content and the subject's name are those of the head.

What fails from (2) on under a known key is ``INVALID``: an accident or a forgery, never nothing.
Only statements of the type of a package signature count as one; others that hold are attestations.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, NamedTuple

from cloacina_ctl.envelope import pae
from cloacina_ctl.errors import Refused
from cloacina_ctl.signing.statement import (
    OWN_TYPES,
    SIGNATURE_TYPE,
    Claims,
    Subject,
    claims,
    read_statement,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.digest import Digest
    from cloacina_ctl.envelope import Envelope
    from cloacina_ctl.manifest.canonical import JsonObject
    from cloacina_ctl.signing.keys import PublicKey

_TIME = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]Z")
_REQUIRED = {"name", "version", "content", "signed_at"}
_OPTIONAL = {"comment"}


class Status(str, enum.Enum):
    """What is known of one signature."""

    TRUSTED = "trusted"
    VALID = "valid"
    UNKNOWN_KEY = "unknown-key"
    INVALID = "invalid"


class KnownKey(NamedTuple):
    """A key that the user knows; only a trusted one vouches."""

    key: PublicKey
    name: str | None = None
    trusted: bool = True


class Judged(NamedTuple):
    """One envelope and what is known of it.

    ``claims`` is text that anybody can have written unless ``status`` is TRUSTED or VALID.
    """

    envelope: Envelope
    keyid: str
    status: Status
    name: str | None = None
    reason: str | None = None
    claims: Claims | None = None

    @property
    def holds(self) -> bool:
        """Tell whether the signature was verified."""
        return self.status in (Status.TRUSTED, Status.VALID)

    @property
    def is_signature(self) -> bool:
        """Tell whether it says "I sign this package"; others are attestations."""
        return self.claims is not None and self.claims.predicate_type == SIGNATURE_TYPE

    @property
    def signed_at(self) -> str | None:
        """The time that a signer who was verified claims."""
        return self.claims.signed_at if self.holds and self.claims else None


def judge_head(
    envelopes: Iterable[Envelope], head: Digest, known: Iterable[KnownKey]
) -> tuple[Judged, ...]:
    """Judge each envelope against the bytes of the head, without what the head says."""
    keys = {one.key.fingerprint: one for one in known}
    return tuple(_judge_one(envelope, head, keys) for envelope in envelopes)


def judge_subject(judged: Iterable[Judged], subject: Subject) -> tuple[Judged, ...]:
    """Judge what holds so far against what the head says (5)."""
    return tuple(_judge_claims(one, subject) if one.holds else one for one in judged)


def _judge_one(envelope: Envelope, head: Digest, keys: dict[str, KnownKey]) -> Judged:
    claimed = claims(envelope)
    known = keys.get(envelope.keyid)  # (1)
    if known is None:
        return Judged(envelope, envelope.keyid, Status.UNKNOWN_KEY, claims=claimed)
    reason = _why_not(envelope, head, known.key)
    if reason is not None:
        return Judged(envelope, envelope.keyid, Status.INVALID, known.name, reason, claimed)
    status = Status.TRUSTED if known.trusted else Status.VALID
    return Judged(envelope, envelope.keyid, status, known.name, claims=claimed)


def _why_not(envelope: Envelope, head: Digest, key: PublicKey) -> str | None:
    """Return why the signature does not hold over this head, or None."""
    if not key.verify(envelope.sig, pae(envelope.payload_type, envelope.payload)):  # (2)
        return "the signature does not match"
    claimed = claims(envelope)
    if claimed is None:
        return "it is no statement"
    if not claimed.predicate_type.startswith(OWN_TYPES):
        return None  # an attestation of another type: kept as it is, never counted
    try:
        statement = read_statement(envelope)  # (3)
    except Refused as error:
        return error.diagnostics[0].message
    if claimed.predicate_type == SIGNATURE_TYPE:
        problem = _judge_form(statement)
        if problem is not None:
            return problem
    if _digest_of(statement) != str(head):  # (4)
        return "it is the signature of another package"
    return None


def _judge_form(statement: JsonObject) -> str | None:
    predicate = statement["predicate"]
    if (
        not isinstance(predicate, dict)
        or not _REQUIRED <= predicate.keys() <= _REQUIRED | _OPTIONAL
    ):
        return "its statement has other fields than a signature has"
    if not all(isinstance(text, str) and text for text in predicate.values()):
        return "a field of its statement is no text"
    if not _is_time(str(predicate["signed_at"])):
        return "its time is not in the one form that a signature has"
    return None


def _is_time(text: str) -> bool:
    """Tell whether ``text`` is a time that there was or will be, in the one form of a statement."""
    if _TIME.fullmatch(text) is None:
        return False
    from datetime import datetime

    try:
        datetime.fromisoformat(text[:-1])
    except ValueError:
        return False
    return True


def _digest_of(statement: JsonObject) -> str | None:
    """Return the digest that the one subject has, where it has exactly the form of one."""
    subjects = statement["subject"]
    if not isinstance(subjects, list) or len(subjects) != 1:
        return None
    subject = subjects[0]
    if not isinstance(subject, dict) or subject.keys() != {"digest", "name"}:
        return None
    digest = subject["digest"]
    if not isinstance(digest, dict) or digest.keys() != {"sha256"}:
        return None
    return str(digest["sha256"])


def _judge_claims(judged: Judged, subject: Subject) -> Judged:
    if not judged.is_signature or judged.claims is None:
        return judged
    statement = read_statement(judged.envelope)
    subjects = statement["subject"]
    named = (
        subjects[0].get("name")
        if isinstance(subjects, list) and isinstance(subjects[0], dict)
        else None
    )
    said = (judged.claims.name, judged.claims.version, judged.claims.content, named)
    if said == (subject.name, subject.version, subject.content, subject.file_name):
        return judged
    return judged._replace(status=Status.INVALID, reason="it names another package than this one")
