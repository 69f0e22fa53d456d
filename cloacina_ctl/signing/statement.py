"""The signed text: an in-toto statement about one package (docs/format.md, "Envelopes")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.clock import is_time
from cloacina_ctl.dsse import PAYLOAD_TYPE, Envelope, pae
from cloacina_ctl.errors import Code, Refused, UsageError
from cloacina_ctl.manifest import canonical
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloacina_ctl.digest import Digest
    from cloacina_ctl.manifest.canonical import JsonObject
    from cloacina_ctl.signing.keys import PrivateKey

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
SIGNATURE_TYPE = "urn:cloacina:package-signature:v1"
OWN_TYPES = "urn:cloacina:"
MAX_PAYLOAD = 1 << 20
MAX_TEXT = 4096

_KEYS = {"_type", "predicate", "predicateType", "subject"}
_REQUIRED = {"name", "version", "content", "signed_at"}
_OPTIONAL = {"comment"}


class Subject(NamedTuple):
    """The package that a signature is about; ``head`` is the digest of its head frame."""

    name: str
    version: str
    head: Digest
    content: str

    @property
    def file_name(self) -> str:
        """The name of the package in a statement."""
        return f"{self.name}-{self.version}.cloacina"


class Claims(NamedTuple):
    """The claims of an envelope's text; true only where its signature was verified."""

    predicate_type: str
    name: str | None = None
    version: str | None = None
    content: str | None = None
    signed_at: str | None = None
    comment: str | None = None


class Statement(NamedTuple):
    """A statement of one of our own types, in its exact form."""

    predicate_type: str
    predicate: JsonObject
    subject_name: str
    head: str


def sign_package(
    subject: Subject, key: PrivateKey, *, signed_at: str, comment: str | None = None
) -> Envelope:
    """Return the envelope by which ``key`` signs the package.

    Raises ``UsageError`` for a time or a comment that readers refuse.
    """
    if not is_time(signed_at):
        raise UsageError.of(
            Code.USAGE,
            f"expected a time such as 2026-01-02T03:04:05Z, found: {signed_at[:80]}",
        )
    if comment and len(comment) > MAX_TEXT:
        raise UsageError.of(
            Code.USAGE, f"a comment has at most {MAX_TEXT} characters, this one {len(comment)}"
        )
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


def read_statement(envelope: Envelope) -> Statement:
    """Return the statement of one of our own types, or raise ``Refused`` for any other form.

    The form of a signature's predicate is checked too; ``signatures`` checks whether it is true.
    """
    value = canonical.decode(envelope.payload, what="the statement", max_bytes=MAX_PAYLOAD)
    if not isinstance(value, dict) or value.keys() != _KEYS:
        raise _bad("its statement is no in-toto statement")
    predicate, kind = value["predicate"], value["predicateType"]
    if value["_type"] != STATEMENT_TYPE or not isinstance(kind, str):
        raise _bad(f"its statement is not one of {STATEMENT_TYPE}")
    if not isinstance(predicate, dict):
        raise _bad("the predicate of its statement is no object")
    if kind == SIGNATURE_TYPE:
        _check_predicate(predicate)
    name, head = _one_subject(value["subject"])
    return Statement(predicate_type=kind, predicate=predicate, subject_name=name, head=head)


def claims(envelope: Envelope) -> Claims | None:
    """Return the claims in the text of ``envelope``, verified or not; None where it has none.

    Texts are cut at 4096 characters and hold no lone surrogates.
    """
    value = _read_loosely(envelope)
    kind = value.get("predicateType") if value else None
    if value is None or not isinstance(kind, str):
        return None
    predicate = value.get("predicate")
    texts = {
        key: _shown(item)
        for key, item in (predicate if isinstance(predicate, dict) else {}).items()
        if key in Claims._fields[1:] and isinstance(item, str)
    }
    return Claims(_shown(kind), **texts)


def claimed_heads(envelope: Envelope) -> tuple[str, ...]:
    """Return the SHA-256 of each subject of a statement of any type."""
    value = _read_loosely(envelope)
    subjects = value.get("subject") if value else None
    digests = [
        subject.get("digest")
        for subject in (subjects if isinstance(subjects, list) else ())
        if isinstance(subject, dict)
    ]
    found = [digest.get("sha256") for digest in digests if isinstance(digest, dict)]
    return tuple(digest for digest in found if isinstance(digest, str))


def _check_predicate(predicate: JsonObject) -> None:
    if not _REQUIRED <= predicate.keys() <= _REQUIRED | _OPTIONAL:
        raise _bad("its statement has other fields than a signature has")
    if not all(isinstance(text, str) and text for text in predicate.values()):
        raise _bad("a field of its statement is no text, or empty")
    if not is_time(str(predicate["signed_at"])):
        raise _bad("its time is not in the one form that a signature has")


def _one_subject(subjects: object) -> tuple[str, str]:
    if isinstance(subjects, list) and len(subjects) == 1:
        (subject,) = subjects
        if isinstance(subject, dict) and subject.keys() == {"digest", "name"}:
            name, digest = subject["name"], subject["digest"]
            if isinstance(digest, dict) and digest.keys() == {"sha256"}:
                head = digest["sha256"]
                if isinstance(name, str) and isinstance(head, str):
                    return name, head
    raise _bad("its statement has not exactly one subject of `name` and SHA-256")


def _read_loosely(envelope: Envelope) -> dict[str, object] | None:
    """Parse a payload of any type: JSON without duplicate keys, else None."""
    import json

    if len(envelope.payload) > MAX_PAYLOAD:
        return None
    try:
        text = envelope.payload.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=each_once,
            parse_int=_no_number,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def each_once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """Build an object of JSON, or raise ``ValueError`` for a duplicate key."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice")
    return value


def _no_number(_: str) -> None:
    """Skip a number: none is used, and making an int of a million digits takes quadratic time."""


def _shown(text: str) -> str:
    return text[:MAX_TEXT].encode("utf-8", "replace").decode("utf-8")


def _bad(message: str) -> Refused:
    return Refused.of(Code.BAD_SIGNATURE, message)
