"""The half of a key in a file, in any of the supported forms.

PEM, with text around it   SPKI · PKCS#8, plain and encrypted · OpenSSH's private keys
DER                        SPKI · PKCS#8, plain and encrypted
a line of text             OpenSSH's public keys
"""

from __future__ import annotations

import codecs
from typing import NoReturn

from cloacina_ctl.signing.files import MAX_KEY_FILE
from cloacina_ctl.signing.key_formats import der, openssh, pem, pkcs8
from cloacina_ctl.signing.key_formats.curve import KEY_BYTES, SPKI
from cloacina_ctl.signing.key_formats.der import NotDer
from cloacina_ctl.signing.key_formats.recognized import (
    GENERATE,
    RAW,
    Recognized,
    bad_key,
    not_a_key,
    of_bytes,
    of_label,
)
from cloacina_ctl.values import NamedTuple

_PKCS12 = Recognized(
    "a PKCS#12 file",
    "take the key out of it: `openssl pkcs12 -in FILE -nocerts -noenc -out key.pem`",
)
_TO_PUBLIC = "write its public half: `openssl pkey -in FILE -pubout -out key.pub`"
_TO_PUBLIC_OPENSSH = "write its public half: `ssh-keygen -y -f FILE > key.pub`"


class PublicHalf(NamedTuple):
    """The 32 bytes of a public key, not checked yet."""

    raw: bytes


class PrivateHalf(NamedTuple):
    """The 32 secret bytes, and the public half in the file, if it has one."""

    seed: bytes
    public: bytes | None = None


class Locked(NamedTuple):
    """A private key with a passphrase: a PKCS#8 file, or one of OpenSSH."""

    sealed: bytes | openssh.Sealed

    def unlock(self, passphrase: bytes, where: str | None) -> PrivateHalf:
        """Return the halves, or raise ``NotTrusted``; one attempt."""
        if isinstance(self.sealed, bytes):
            return PrivateHalf(pkcs8.read_sealed(self.sealed, passphrase, where))
        seed = openssh.open_private(self.sealed, passphrase, where)
        return PrivateHalf(seed, self.sealed.public)


Half = PublicHalf | PrivateHalf | Locked


def read_half(data: bytes, where: str | None) -> Half:
    """Return the half of a key in ``data``, or raise ``NotTrusted`` that says what the data is.

    For an encrypted one, the effort to open it is checked before the passphrase is requested.
    """
    if len(data) > MAX_KEY_FILE:
        raise bad_key(f"a key file has at most {MAX_KEY_FILE} bytes", where)
    data = data.removeprefix(codecs.BOM_UTF8)
    if not data.strip():
        raise bad_key("the key file is empty", where)
    if b"-----BEGIN " in data:
        return _from_pem(data, where)
    if len(data) == KEY_BYTES:
        raise bad_key("32 bytes without a word on which half of a key they are", where, RAW)
    what = _whole_sequence(data)
    if what is not None:
        return _from_der(data, what, where)
    recognized = of_bytes(data)
    if recognized is not None:
        raise not_a_key(recognized, where)
    if openssh.is_public(data):
        return PublicHalf(openssh.read_public(data, where))
    raise bad_key(
        "not a key file: expected PEM, DER or a key of OpenSSH", where, "make one with "
        "`cloacina-ctl key generate`",
    )  # fmt: skip


def refuse_private(half: PrivateHalf | Locked, data: bytes, where: str | None) -> NoReturn:
    """Raise ``NotTrusted``: a public key was expected, and this is a private one."""
    locked = isinstance(half, Locked)
    hint = _TO_PUBLIC_OPENSSH if b"OPENSSH" in data else _TO_PUBLIC
    if isinstance(half, PrivateHalf) and half.public is not None and b"OPENSSH" not in data:
        hint = "import it, and export its public half: `cloacina-ctl key import FILE NAME`"
    raise bad_key(
        f"expected a public key, found {'an encrypted' if locked else 'a'} private key", where, hint
    )


def _from_pem(data: bytes, where: str | None) -> Half:
    label, raw = pem.read_block(data, where)
    if label == pem.PUBLIC:
        return _public(raw, where)
    if label == pem.PRIVATE:
        return PrivateHalf(*pkcs8.read_plain(raw, where))
    if label == pem.ENCRYPTED:
        return _locked(raw, where)
    if label == pem.OPENSSH:
        sealed = openssh.read_private(raw, where)
        if sealed.is_encrypted:
            return Locked(sealed)
        return PrivateHalf(openssh.open_private(sealed, None, where), sealed.public)
    raise not_a_key(of_label(label), where)


def _locked(raw: bytes, where: str | None) -> Locked:
    pkcs8.bound_effort(raw, where)
    return Locked(raw)


def _whole_sequence(data: bytes) -> bytes | None:
    try:
        return der.only(data, der.SEQUENCE)
    except NotDer:
        return None


def _from_der(data: bytes, inside: bytes, where: str | None) -> Half:
    """Read DER; the element after the first one decides its form."""
    first, rest = _split(inside)
    if first == der.SEQUENCE and rest[:1] == bytes([der.BITS]):
        return _public(data, where)
    if first == der.SEQUENCE and rest[:1] == bytes([der.OCTETS]):
        return _locked(data, where)
    if first == der.INTEGER and rest[:1] == bytes([der.SEQUENCE]):
        if inside.startswith(der.number(3)):
            raise not_a_key(_PKCS12, where)
        return PrivateHalf(*pkcs8.read_plain(data, where))
    if first == der.INTEGER:
        raise not_a_key(Recognized("a private key of another kind, in DER", GENERATE), where)
    raise not_a_key(Recognized("a certificate or other DER", GENERATE), where)


def _split(inside: bytes) -> tuple[int | None, bytes]:
    """Return the tag of the first element, None where it is no DER, and the rest."""
    tag = inside[0] if inside else None
    try:
        return tag, der.take(inside, tag or der.SEQUENCE)[1]
    except NotDer:
        return None, b""


def _public(raw: bytes, where: str | None) -> PublicHalf:
    if raw.startswith(SPKI) and len(raw) == len(SPKI) + KEY_BYTES:
        return PublicHalf(raw[len(SPKI) :])
    try:
        kind = pem.algorithm(der.only(raw, der.SEQUENCE))
    except NotDer as error:
        raise bad_key("the public key is damaged: not DER", where) from error
    if kind == "an Ed25519":
        raise bad_key("an Ed25519 public key has exactly one form, and this is another", where)
    raise bad_key(f"expected an Ed25519 key, found {kind} key", where, GENERATE)
