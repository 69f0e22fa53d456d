"""Files that hold no signing key: what each is, and a hint for its owner."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, NotTrusted
from cloacina_ctl.files.ownership import quoted
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

GENERATE = "only Ed25519 keys sign packages: make one with `cloacina-ctl key generate`"
RAW = (
    "32 raw bytes can be either half of a key: import it with `cloacina-ctl key import FILE NAME "
    "--raw-private`, or --raw-public"
)
_JOINED = "store the key as base64, which is one line: `base64 -w0 FILE`, and give it with env:NAME"

# The labels of PEM blocks: the name of such a block, and the hint.
_LABELS = {
    "RSA PRIVATE KEY": ("an RSA private key", GENERATE),
    "RSA PUBLIC KEY": ("an RSA public key", GENERATE),
    "EC PRIVATE KEY": ("an elliptic-curve private key", GENERATE),
    "EC PARAMETERS": ("parameters of an elliptic curve", GENERATE),
    "DSA PRIVATE KEY": ("a DSA private key", GENERATE),
    "CERTIFICATE": (
        "a certificate",
        "take the public key out of it: `openssl x509 -in FILE -noout -pubkey -out key.pub`",
    ),
    "CERTIFICATE REQUEST": (
        "a certificate request",
        "take the public key out of it: `openssl req -in FILE -noout -pubkey -out key.pub`",
    ),
    "PGP PUBLIC KEY BLOCK": ("an OpenPGP public key", GENERATE),
    "PGP PRIVATE KEY BLOCK": ("an OpenPGP private key", GENERATE),
    "PGP SIGNATURE": ("an OpenPGP signature", None),
    "SSH SIGNATURE": ("a signature of OpenSSH", None),
    "AGE ENCRYPTED FILE": (
        "a file that age encrypted",
        "decrypt it on the way: `age -d FILE | cloacina-ctl sign PACKAGE --key -`",
    ),
    "ENCRYPTED COSIGN PRIVATE KEY": ("a private key of cosign", GENERATE),
    "ENCRYPTED SIGSTORE PRIVATE KEY": ("a private key of cosign", GENERATE),
}


class Recognized(NamedTuple):
    """The name of a kind of file, and a hint."""

    name: str
    hint: str | None


def bad_key(message: str, where: str | None, hint: str | None = None) -> NotTrusted:
    """Return the error for a key that cannot be used; FILE in a hint becomes the file's name."""
    if hint is not None and where is not None and os.path.lexists(where):
        hint = hint.replace("FILE", quoted(where))
    return NotTrusted(Diagnostic(Code.BAD_KEY, message, where, hint))


def not_a_key(what: Recognized, where: str | None) -> NotTrusted:
    """Return the error for a file that is something else."""
    return bad_key(f"expected an Ed25519 key, found {what.name}", where, what.hint)


def of_label(label: str) -> Recognized:
    """Return the kind of a PEM block with that label, which holds no signing key."""
    return Recognized(*_LABELS.get(label, (f"a block of type {label}", GENERATE)))


def of_bytes(data: bytes) -> Recognized | None:
    """Return the kind of ``data``, which is neither PEM nor DER nor a public key of OpenSSH."""
    return next(_recognitions(data), None)


def _recognitions(data: bytes) -> Iterator[Recognized]:
    text = data.lstrip()
    if text.startswith(b"untrusted comment:"):
        yield Recognized("a file of minisign or signify", GENERATE)
    if b"AGE-SECRET-KEY-" in data or text.startswith(b"age1"):
        yield Recognized("a key of age, which encrypts and does not sign", GENERATE)
    if text.startswith(b"PuTTY-User-Key-File-"):
        yield Recognized(
            "a private key of PuTTY",
            "export it in PuTTYgen as an OpenSSH key, or make one with `cloacina-ctl key generate`",
        )
    if text.startswith(b"---- BEGIN SSH2 PUBLIC KEY ----"):
        yield Recognized(
            "a public key in the form of RFC 4716",
            "rewrite it: `ssh-keygen -i -f FILE > key.pub`",
        )
    if text.startswith(b"{"):
        yield Recognized(
            "JSON, such as a JSON Web Key",
            "write the 32 bytes of its `d` (or `x`), decoded from base64url, to a file, and import "
            "that with --raw-private (or --raw-public)",
        )
    if text.startswith(b"<"):
        yield Recognized("an HTML or XML page, perhaps instead of a download", None)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or (len(data) > 64 and b"\0B\0E\0G" in data):
        yield Recognized(
            "a text in UTF-16", "rewrite it: `iconv -f UTF-16 -t UTF-8 FILE > key.pem`"
        )
    if data.startswith(b"\xfe\xed\xfe\xed"):
        yield Recognized("a Java key store", GENERATE)
    if data[:1] in (b"\x94", b"\x95", b"\x98", b"\x99", b"\xc5", b"\xc6"):
        yield Recognized("binary data, such as an OpenPGP key", GENERATE)


def joined_lines(data: bytes) -> str | None:
    r"""Return the hint where the lines of a PEM block were joined: by spaces, or by ``\n``."""
    stripped = data.strip()
    if stripped.startswith(b"-----BEGIN ") and b"\n" not in stripped and b"-----END " in stripped:
        return _JOINED
    return None
