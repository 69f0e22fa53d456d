"""DSSE envelopes and in-toto statements as the format describes them, for the builder."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PACKAGE_SIGNATURE = "urn:cloacina:package-signature:v1"
SIGNED_AT = "2026-01-02T03:04:05Z"

ALICE = b"\x01" * 32
BOB = b"\x02" * 32
MALLORY = b"\x66" * 32


def canonical(value: Any) -> bytes:
    """Return canonical JSON; surrogate escapes give back the raw bytes they stand for."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return (text + "\n").encode("utf-8", "surrogateescape")


def public_key(seed: bytes) -> bytes:
    """Return the raw public key of a seed."""
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def keyid(seed: bytes) -> str:
    """Return the key id that the format wants."""
    return hashlib.sha256(public_key(seed)).hexdigest()


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """Return what DSSE signs."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def statement(
    *, root: str, head_sha256: str, predicate: Any, predicate_type: str = PACKAGE_SIGNATURE
) -> dict[str, Any]:
    """Return an in-toto statement about a head frame."""
    return {
        "_type": STATEMENT_TYPE,
        "predicate": predicate,
        "predicateType": predicate_type,
        "subject": [{"digest": {"sha256": head_sha256}, "name": f"{root}.cloacina"}],
    }


def envelope(seed: bytes, payload: bytes, **replaced: Any) -> dict[str, Any]:
    """Return a signed envelope around payload bytes, with whole keys replaced on top."""
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(
        pre_authentication(PAYLOAD_TYPE, payload)
    )
    made: dict[str, Any] = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": keyid(seed), "sig": base64.b64encode(signature).decode()}],
    }
    return {**made, **replaced}
