"""PEM: the one block in a key file, and messages for anything else."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from cloacina_ctl.signing.key_formats import der
from cloacina_ctl.signing.key_formats.der import NotDer
from cloacina_ctl.signing.key_formats.recognized import bad_key, joined_lines, not_a_key, of_label

if TYPE_CHECKING:
    from cloacina_ctl.errors import NotTrusted

PUBLIC = "PUBLIC KEY"
PRIVATE = "PRIVATE KEY"
ENCRYPTED = "ENCRYPTED PRIVATE KEY"
OPENSSH = "OPENSSH PRIVATE KEY"

_BLOCK = re.compile(
    rb"^-----BEGIN ([A-Z0-9 ]{1,64})-----[ \t]*\r?\n"
    rb"((?:[A-Za-z0-9+/=]+[ \t]*\r?\n)+)"
    rb"-----END \1-----[ \t]*\r?$",
    re.MULTILINE,
)
_LABELS = {
    PUBLIC: "a public key",
    PRIVATE: "a private key",
    ENCRYPTED: "an encrypted private key",
    OPENSSH: "a private key of OpenSSH",
}
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{0,64})")
_END = re.compile(rb"-----END ")
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
    """Return the label and the bytes of the one block in ``data``.

    Text before and behind it is ignored, as programs write it there; a second block is refused,
    since it would be unclear which of the two is meant.
    """
    found = _BLOCK.search(data)
    if found is None or len(_BEGIN.findall(data)) > 1 or len(_END.findall(data)) > 1:
        raise _no_block(data, where)
    text = re.sub(rb"[ \t\r\n]", b"", found[2])
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


def algorithm(identifier: bytes) -> str:
    """Return the name of the algorithm in the AlgorithmIdentifier ``identifier``."""
    try:
        inner, _ = der.take(identifier, der.SEQUENCE)
        oid, parameters = der.take(inner, der.OID)
        name = _ALGORITHMS.get(oid.hex(), "unknown")
        if name == "ECDSA":
            name = _ALGORITHMS.get(der.take(parameters, der.OID)[0].hex(), name)
    except NotDer:
        return "a damaged"
    return f"{'an' if name[0] in 'uERX' else 'a'} {name}"


def _no_block(data: bytes, where: str | None) -> NotTrusted:
    labels = [label.decode("ascii", "replace") for label in _BEGIN.findall(data)]
    if len(labels) > 1 and not any(label in _LABELS for label in labels):
        return not_a_key(of_label(labels[-1]), where)
    if len(labels) > 1:
        called = ", ".join(_LABELS.get(label) or of_label(label).name for label in labels[:4])
        return bad_key(
            f"expected one key, found {len(labels)} PEM blocks: {called}",
            where,
            "keep one, in a file of its own: `sed '/-----END /q' FILE > key.pem` takes the first",
        )
    hint = joined_lines(data)
    if hint is not None:
        return bad_key("the lines of the PEM block were joined to one", where, hint)
    if labels and labels[0] in _LABELS:
        return bad_key(f"the PEM block of {_LABELS[labels[0]]} is damaged or cut off", where)
    if labels:
        return not_a_key(of_label(labels[0]), where)
    return bad_key("the PEM block has no beginning or a damaged one", where)
