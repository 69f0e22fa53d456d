"""PEM, exactly one block: what is in a key file, and what to call it when it is something else."""

from __future__ import annotations

import base64
import re

from cloacina_ctl.errors import Code, Diagnostic, NotTrusted
from cloacina_ctl.signing import der
from cloacina_ctl.signing.der import NotDer

MAX_KEY_FILE = 64 << 10
PUBLIC = "PUBLIC KEY"
PRIVATE = "PRIVATE KEY"
ENCRYPTED = "ENCRYPTED PRIVATE KEY"

_BLOCK = re.compile(
    rb"-----BEGIN ([A-Z0-9 ]{1,64})-----\r?\n((?:[A-Za-z0-9+/=]+\r?\n)+)-----END \1-----(?:\r?\n)?"
)
_LABELS = {
    PUBLIC: "a public key",
    PRIVATE: "a private key",
    ENCRYPTED: "an encrypted private key",
    "RSA PRIVATE KEY": "an RSA private key",
    "RSA PUBLIC KEY": "an RSA public key",
    "EC PRIVATE KEY": "an elliptic-curve private key",
    "DSA PRIVATE KEY": "a DSA private key",
    "OPENSSH PRIVATE KEY": "a private key in the form of OpenSSH",
    "CERTIFICATE": "a certificate",
}
_ALGORITHMS = {
    "2a864886f70d010101": "RSA",
    "2a864886f70d01010a": "RSA",
    "2a8648ce380401": "DSA",
    "2a864886f70d010301": "Diffie-Hellman",
    "2b656e": "X25519",
    "2b656f": "X448",
    "2b6570": "Ed25519",
    "2b6571": "Ed448",
    "2a8648ce3d0201": "ECDSA",
    "2a8648ce3d030107": "P-256",
    "2b81040022": "P-384",
    "2b81040023": "P-521",
    "2b8104000a": "secp256k1",
}


def read_block(data: bytes, where: str | None) -> tuple[str, bytes]:
    """Return the label and the bytes of the one block that is all of ``data``."""
    if len(data) > MAX_KEY_FILE:
        raise bad_key(f"a key file has at most {MAX_KEY_FILE} bytes", where)
    found = _BLOCK.fullmatch(data)
    if found is None:
        raise bad_key(_why_no_block(data), where, _hint(data))
    text = re.sub(rb"[\r\n]", b"", found[2])
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise bad_key("the PEM block is not base64", where) from error
    if base64.b64encode(raw) != text:
        raise bad_key("the PEM block is not base64 in its standard spelling", where)
    return found[1].decode("ascii"), raw


def write_block(label: str, raw: bytes) -> bytes:
    """Return ``raw`` as a PEM block: lines of 64 characters, as every program writes them."""
    text = base64.b64encode(raw)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    name = label.encode("ascii")
    return b"\n".join((b"-----BEGIN %s-----" % name, *lines, b"-----END %s-----" % name, b""))


def called(label: str) -> str:
    """Return what a block with that label is."""
    return _LABELS.get(label, f"a block of type {label}")


def algorithm(identifier: bytes) -> str:
    """Return what the algorithm is called whose AlgorithmIdentifier ``identifier`` begins with."""
    try:
        inner, _ = der.take(identifier, der.SEQUENCE)
        oid, parameters = der.take(inner, der.OID)
        name = _ALGORITHMS.get(oid.hex(), "unknown")
        if name == "ECDSA":
            name = _ALGORITHMS.get(der.take(parameters, der.OID)[0].hex(), name)
    except NotDer:
        return "a damaged"
    return f"{'an' if name[0] in 'uERX' else 'a'} {name}"


def bad_key(message: str, where: str | None, hint: str | None = None) -> NotTrusted:
    """Return the error for a key that cannot be used."""
    return NotTrusted(Diagnostic(Code.BAD_KEY, message, where, hint))


def _why_no_block(data: bytes) -> str:
    if not data:
        return "the key file is empty"
    if data.count(b"-----BEGIN ") > 1:
        return "expected one PEM block, found several"
    if b"-----BEGIN " in data and not data.startswith(b"-----BEGIN "):
        return "expected nothing but one PEM block, found text before it"
    if b"-----END " in data and not data.rstrip().endswith(b"-----"):
        return "expected nothing but one PEM block, found text behind it"
    return "not a key file: expected one PEM block"


def _hint(data: bytes) -> str | None:
    if len(data) == 32:
        return (
            "32 raw bytes can be either half of a key: import it with --raw-public or --raw-private"
        )
    return None
