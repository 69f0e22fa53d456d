"""The DSSE envelope: its one form, and the bytes that a signature is over. No cryptography."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.manifest.canonical import JsonObject

PAYLOAD_TYPE = "application/vnd.in-toto+json"
SIGNATURE_BYTES = 64
_KEYID = re.compile(r"[0-9a-f]{64}")


class Envelope(NamedTuple):
    """A signed text: ``payload`` of ``payload_type``, ``sig`` said to be by the key ``keyid``."""

    payload: bytes
    payload_type: str
    keyid: str
    sig: bytes

    @classmethod
    def from_json(cls, value: object, *, where: str) -> Envelope:
        """Return the envelope that ``value`` is, or raise ``Refused`` for any other form."""
        if not isinstance(value, dict) or value.keys() != {"payload", "payloadType", "signatures"}:
            raise _bad("a signature is not a DSSE envelope", where)
        signatures = value["signatures"]
        if not isinstance(signatures, list) or len(signatures) != 1:
            raise _bad("an envelope holds exactly one signature", where)
        (signature,) = signatures
        if not isinstance(signature, dict) or signature.keys() != {"keyid", "sig"}:
            raise _bad("a signature has exactly `keyid` and `sig`", where)
        keyid, payload_type = signature["keyid"], value["payloadType"]
        if payload_type != PAYLOAD_TYPE:
            raise _bad(f"expected the payload type {PAYLOAD_TYPE}", where)
        if not isinstance(keyid, str) or _KEYID.fullmatch(keyid) is None:
            raise _bad("a keyid is 64 lower-case hex digits", where)
        sig = _decode(signature["sig"], where)
        if len(sig) != SIGNATURE_BYTES:
            raise _bad(f"a signature has {SIGNATURE_BYTES} bytes, this one {len(sig)}", where)
        return cls(_decode(value["payload"], where), PAYLOAD_TYPE, keyid, sig)

    def to_json(self) -> JsonObject:
        """Return the JSON that ``from_json`` takes."""
        return {
            "payload": _encode(self.payload),
            "payloadType": self.payload_type,
            "signatures": [{"keyid": self.keyid, "sig": _encode(self.sig)}],
        }


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the pre-authentication encoding: the bytes that get signed (DSSE v1.0.2)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode(text: object, where: str) -> bytes:
    """Decode base64 of one spelling: the decoder alone takes several for the same bytes."""
    try:
        data = (
            base64.b64decode(text.encode("ascii"), validate=True) if isinstance(text, str) else None
        )
    except (binascii.Error, UnicodeEncodeError):
        data = None
    if data is None or _encode(data) != text:
        raise _bad("not base64 in its standard spelling", where)
    return data


def _bad(message: str, where: str) -> Refused:
    return Refused.of(Code.BAD_SIGNATURE_FRAME, message, where=where)
