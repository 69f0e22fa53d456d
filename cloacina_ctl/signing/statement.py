"""What a signature says: an in-toto statement about one package (docs/format.md, "Envelopes")."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from cloacina_ctl.envelope import PAYLOAD_TYPE, Envelope, pae
from cloacina_ctl.errors import Refused
from cloacina_ctl.manifest import canonical

if TYPE_CHECKING:
    from cloacina_ctl.digest import Digest
    from cloacina_ctl.manifest.canonical import JsonObject
    from cloacina_ctl.signing.keys import PrivateKey

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
SIGNATURE_TYPE = "urn:cloacina:package-signature:v1"
OWN_TYPES = "urn:cloacina:"
_MAX_PAYLOAD = 1 << 20
_MAX_SHOWN = 4096


class Subject(NamedTuple):
    """The package that a signature is about; ``head`` is the digest of its head frame."""

    name: str
    version: str
    head: Digest
    content: str

    @property
    def file_name(self) -> str:
        """What a statement calls the package."""
        return f"{self.name}-{self.version}.cloacina"


class Claims(NamedTuple):
    """What an envelope's text says; true only where its signature was verified."""

    predicate_type: str
    name: str | None = None
    version: str | None = None
    content: str | None = None
    signed_at: str | None = None
    comment: str | None = None


def now_utc() -> str:
    """Return the time as a statement spells it: RFC 3339, UTC, whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def sign_package(
    subject: Subject, key: PrivateKey, *, signed_at: str, comment: str | None = None
) -> Envelope:
    """Return the envelope by which the owner of ``key`` says: I sign this package."""
    predicate: JsonObject = {
        "name": subject.name,
        "version": subject.version,
        "content": subject.content,
        "signed_at": signed_at,
    }
    if comment:
        predicate["comment"] = comment
    payload = canonical.encode(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": subject.file_name, "digest": {"sha256": str(subject.head)}}],
            "predicateType": SIGNATURE_TYPE,
            "predicate": predicate,
        }
    )
    signature = key.sign(pae(PAYLOAD_TYPE, payload))
    return Envelope(payload, PAYLOAD_TYPE, key.public.fingerprint, signature)


def read_statement(envelope: Envelope) -> JsonObject:
    """Return the statement of one of our own types, or raise ``Refused`` for any other form."""
    value = canonical.decode(envelope.payload, what="the statement", max_bytes=_MAX_PAYLOAD)
    if not isinstance(value, dict) or value.keys() != {
        "_type", "predicate", "predicateType", "subject",
    }:  # fmt: skip
        raise _bad("not an in-toto statement")
    if value["_type"] != STATEMENT_TYPE or not isinstance(value["predicate"], dict):
        raise _bad(f"not a statement of {STATEMENT_TYPE}")
    return value


def claims(envelope: Envelope) -> Claims | None:
    """Return what the text of ``envelope`` claims, whoever wrote it; None where it says nothing."""
    import json

    try:
        value = json.loads(envelope.payload[:_MAX_PAYLOAD])
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("predicateType"), str):
        return None
    predicate = value.get("predicate")
    texts = {
        key: item[:_MAX_SHOWN]
        for key, item in (predicate if isinstance(predicate, dict) else {}).items()
        if key in Claims._fields[1:] and isinstance(item, str)
    }
    return Claims(value["predicateType"][:_MAX_SHOWN], **texts)


def _bad(message: str) -> Refused:
    from cloacina_ctl.errors import Code

    return Refused.of(Code.BAD_SIGNATURE, message)
