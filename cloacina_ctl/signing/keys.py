"""Ed25519 keys: 32 bytes that were judged, their files, their fingerprints.

Public keys are PEM (SPKI), private ones PEM (PKCS#8), encrypted where a passphrase is given. One
block stands in a file and nothing else: a file that two programs read differently is no key.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.signing import curve, pem
from cloacina_ctl.signing.files import read_regular, refuse_exposed

if TYPE_CHECKING:
    from collections.abc import Callable

    # Given what the key is called, it returns the passphrase, or None where there is none.
    PassphraseProvider = Callable[[str], bytes | None]

KEY_BYTES = 32
SIGNATURE_BYTES = 64

_SPKI = bytes.fromhex("302a300506032b6570032100")


class PublicKey:
    """A public key that a signature may be judged by; equal by its bytes.

    There is none that is not a point in its canonical form, or one of small order.
    """

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes, *, where: str | None = None) -> None:
        if len(raw) != KEY_BYTES:
            raise pem.bad_key(f"a raw key has {KEY_BYTES} bytes, this has {len(raw)}", where)
        if not curve.is_canonical(raw):
            raise pem.bad_key("the public key is not in its canonical form", where)
        if curve.is_small_order(raw):
            raise pem.bad_key(
                "the public key is of small order: one signature would fit everything", where
            )
        if not curve.is_on_curve(raw):
            raise pem.bad_key("the public key is no point of the curve", where)
        self._raw = bytes(raw)

    @classmethod
    def from_raw(cls, raw: bytes, *, where: str | None = None) -> PublicKey:
        """Return the key whose 32 bytes are ``raw``; ``NotTrusted`` for one that proves nothing."""
        return cls(raw, where=where)

    @classmethod
    def from_pem(cls, data: bytes, *, where: str | None = None) -> PublicKey:
        """Return the key in the one PEM block that is all of ``data``, or raise ``NotTrusted``."""
        label, raw = pem.read_block(data, where)
        if label != pem.PUBLIC:
            raise pem.bad_key(f"expected a public key, found {pem.called(label)}", where)
        if not (raw.startswith(_SPKI) and len(raw) == len(_SPKI) + KEY_BYTES):
            raise _not_ed25519(raw, where)
        return cls(raw[len(_SPKI) :], where=where)

    @property
    def raw(self) -> bytes:
        """The 32 bytes."""
        return self._raw

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the raw key as lower-case hex: what signatures call ``keyid``."""
        return hashlib.sha256(self._raw).hexdigest()

    def to_pem(self) -> bytes:
        """Return the key as PEM."""
        return pem.write_block(pem.PUBLIC, _SPKI + self._raw)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tell whether ``signature`` is this key's over ``message``.

        RFC 8032 without the cofactor, and stricter than its text: S below the order of the group,
        R canonical and not of small order.
        """
        if len(signature) != SIGNATURE_BYTES or not curve.is_scalar(signature[32:]):
            return False
        r = signature[:32]
        if not curve.is_canonical(r) or curve.is_small_order(r):
            return False
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self._raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and other._raw == self._raw

    def __hash__(self) -> int:
        return hash(self._raw)

    def __repr__(self) -> str:
        return f"PublicKey({self.fingerprint[:16]}…)"


class PrivateKey:
    """A private key; nothing that is shown of it tells the key, and it cannot be pickled."""

    __slots__ = ("_key", "public")

    def __init__(self, seed: bytes, *, where: str | None = None) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if len(seed) != KEY_BYTES:
            raise pem.bad_key(f"a raw key has {KEY_BYTES} bytes, this has {len(seed)}", where)
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(self._key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> PrivateKey:
        """Return a new key from the system's randomness."""
        import os

        return cls(os.urandom(KEY_BYTES))  # RFC 8032, 5.1.5: the key is 32 random bytes

    @classmethod
    def from_raw(cls, seed: bytes, *, where: str | None = None) -> PrivateKey:
        """Return the key whose 32 secret bytes are ``seed``."""
        return cls(seed, where=where)

    @classmethod
    def from_pem(
        cls, data: bytes, passphrase: PassphraseProvider | None = None, *, where: str | None = None
    ) -> PrivateKey:
        """Return the key in the one PEM block that is all of ``data``, or raise ``NotTrusted``.

        ``passphrase`` is asked once, and only where the key is encrypted in a way that takes no
        more than seconds to open.
        """
        from cloacina_ctl.signing import pkcs8

        label, raw = pem.read_block(data, where)
        if label == pem.PRIVATE:
            return cls(pkcs8.read_plain(raw, where))
        if label != pem.ENCRYPTED:
            raise pem.bad_key(f"expected a private key (PKCS#8), found {pem.called(label)}", where)
        pkcs8.bound_effort(raw, where)
        return cls(pkcs8.read_sealed(raw, _ask(passphrase, where), where))

    @property
    def raw(self) -> bytes:
        """The 32 secret bytes: to be written where the user says, never shown."""
        return self._key.private_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the signature of ``message``: 64 bytes."""
        return self._key.sign(message)

    def to_pem(self, passphrase: bytes | None = None) -> bytes:
        """Return the key as PEM, encrypted unless ``passphrase`` is None.

        Raises ``NotTrusted`` for a passphrase that is empty or too long.
        """
        from cloacina_ctl.signing import pkcs8

        seed = self.raw
        if passphrase is None:
            return pem.write_block(pem.PRIVATE, pkcs8.write_plain(seed))
        return pem.write_block(pem.ENCRYPTED, pkcs8.write_sealed(seed, passphrase))

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.fingerprint[:16]}…)"


def read_key_file(path: str, *, private: bool) -> bytes:
    """Return the bytes of a key file; a private one must be its owner's alone.

    Raises ``NotTrusted`` for what is no regular file, for one that is too large, and for a private
    key that others can read, write or replace; ``FileProblem`` where the system refuses.
    """
    data, found = read_regular(path, pem.MAX_KEY_FILE)
    if data is None:
        raise pem.bad_key("a key file must be a regular file", path)
    if private:
        refuse_exposed(found, path)
    if len(data) > pem.MAX_KEY_FILE:
        raise pem.bad_key(f"a key file has at most {pem.MAX_KEY_FILE} bytes", path)
    return data


def load_private_key(path: str, passphrase: PassphraseProvider | None = None) -> PrivateKey:
    """Return the private key in the file ``path``; ``NotTrusted`` where others can read it."""
    return PrivateKey.from_pem(read_key_file(path, private=True), passphrase, where=path)


def load_public_key(path: str) -> PublicKey:
    """Return the public key in the file ``path``."""
    return PublicKey.from_pem(read_key_file(path, private=False), where=path)


def is_encrypted(data: bytes) -> bool:
    """Tell whether a private key asks for a passphrase, without opening it."""
    return data.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")


def _not_ed25519(raw: bytes, where: str | None) -> NotTrusted:
    from cloacina_ctl.signing import der

    try:
        kind = pem.algorithm(der.only(raw, der.SEQUENCE))
    except der.NotDer:
        return pem.bad_key("the public key is damaged: not DER", where)
    if kind == "an Ed25519":
        return pem.bad_key("an Ed25519 public key has exactly one form, and this is another", where)
    return pem.bad_key(f"expected an Ed25519 key, found {kind} key", where)


def _ask(passphrase: PassphraseProvider | None, where: str | None) -> bytes:
    secret = passphrase(where or "the private key") if passphrase else None
    if not secret:
        raise NotTrusted.of(
            Code.PASSPHRASE,
            "the private key is encrypted and there is no passphrase",
            where=where,
            hint="run it in a terminal, or give --passphrase-fd or CLOACINA_CTL_PASSPHRASE_FILE",
        )
    return secret
