"""Ed25519 keys: 32 checked bytes, their files, their fingerprints.

Keys are read in the forms of ``forms``. They are written as PEM only: SPKI, and PKCS#8 of version
1, encrypted where a passphrase is given.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.signing.key_formats import curve
from cloacina_ctl.signing.key_formats.curve import KEY_BYTES, SPKI
from cloacina_ctl.signing.key_formats.recognized import bad_key
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloacina_ctl.signing.key_formats.forms import Locked, PrivateHalf

    # Takes the name of the key, and returns the passphrase, or None where there is none.
    PassphraseProvider = Callable[[str], bytes | None]

SIGNATURE_BYTES = 64

_PEM = b"-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n"
_PEM_BEHIND = len(_PEM) - _PEM.index(b"%") - 2


class PublicKey:
    """A public key for checking signatures; keys are equal if their bytes are.

    It is always a point in its canonical form, and not of small order.
    """

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes, *, where: str | None = None) -> None:
        if len(raw) != KEY_BYTES:
            raise bad_key(f"a raw key has {KEY_BYTES} bytes, this has {len(raw)}", where)
        if not curve.is_canonical(raw):
            raise bad_key("the public key is not in its canonical form", where)
        if curve.is_small_order(raw):
            raise bad_key(
                "the public key is of small order: one signature would fit everything", where
            )
        if not curve.is_on_curve(raw):
            raise bad_key("the public key is no point of the curve", where)
        self._raw = bytes(raw)

    @classmethod
    def from_raw(cls, raw: bytes, *, where: str | None = None) -> PublicKey:
        """Return the key whose 32 bytes are ``raw``; ``NotTrusted`` for an unusable one."""
        return cls(raw, where=where)

    @classmethod
    def parse(cls, data: bytes, *, where: str | None = None) -> PublicKey:
        """Return the public key in ``data``, a key file's bytes, or raise ``NotTrusted``."""
        raw = _own_spelling(data)
        if raw is not None:
            return cls(raw, where=where)
        from cloacina_ctl.signing.key_formats import forms

        half = forms.read_half(data, where)
        if not isinstance(half, forms.PublicHalf):
            forms.refuse_private(half, data, where)
        return cls(half.raw, where=where)

    @property
    def raw(self) -> bytes:
        """The 32 bytes."""
        return self._raw

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the raw key as lower-case hex; ``keyid`` in envelopes."""
        return hashlib.sha256(self._raw).hexdigest()

    @property
    def openssh_fingerprint(self) -> str:
        """OpenSSH's fingerprint of the key: ``SHA256:`` and base64."""
        from cloacina_ctl.signing.key_formats.openssh import fingerprint

        return fingerprint(self._raw)

    def to_pem(self) -> bytes:
        """Return the key as PEM."""
        return _PEM % base64.b64encode(SPKI + self._raw)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Return whether ``signature`` is this key's over ``message``.

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
    """A private key; its ``repr`` does not reveal it, and it cannot be pickled."""

    __slots__ = ("_key", "public")

    def __init__(self, seed: bytes, *, where: str | None = None) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if len(seed) != KEY_BYTES:
            raise bad_key(f"a raw key has {KEY_BYTES} bytes, this has {len(seed)}", where)
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
    def parse(
        cls, data: bytes, passphrase: PassphraseProvider | None = None, *, where: str | None = None
    ) -> PrivateKey:
        """Return the private key in ``data``, a key file's bytes, or raise ``NotTrusted``.

        ``passphrase`` is called once, and only where the key is encrypted and takes no more than
        seconds to open. A public half beside the secret one must belong to it.
        """
        from cloacina_ctl.signing.key_formats import forms

        half = forms.read_half(data, where)
        if isinstance(half, forms.PublicHalf):
            raise bad_key("expected a private key, found a public key", where)
        return cls.of_half(half, passphrase, where)

    @classmethod
    def of_half(
        cls, half: PrivateHalf | Locked, passphrase: PassphraseProvider | None, where: str | None
    ) -> PrivateKey:
        """Return the private key of ``half``, opened where it is encrypted, or raise."""
        from cloacina_ctl.signing.key_formats.forms import Locked

        if isinstance(half, Locked):
            half = half.unlock(_ask(passphrase, where), where)
        key = cls(half.seed, where=where)
        if half.public not in (None, key.public.raw):
            raise bad_key("the public half in the file is not of this private key", where)
        return key

    @property
    def raw(self) -> bytes:
        """The 32 secret bytes: written only where the user asks, never shown."""
        return self._key.private_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the signature of ``message``: 64 bytes."""
        return self._key.sign(message)

    def to_pem(self, passphrase: bytes | None = None) -> bytes:
        """Return the key as PEM, encrypted unless ``passphrase`` is None.

        Raises ``NotTrusted`` for a passphrase that is empty or too long.
        """
        from cloacina_ctl.signing.key_formats import pem, pkcs8

        seed = self.raw
        if passphrase is None:
            return pem.write_block(pem.PRIVATE, pkcs8.write_plain(seed))
        return pem.write_block(pem.ENCRYPTED, pkcs8.write_sealed(seed, passphrase))

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.fingerprint[:16]}…)"


class LoadedKey(NamedTuple):
    """A public or private key from a file, and whether it has a passphrase."""

    key: PublicKey | PrivateKey
    encrypted: bool


def load_private_key(source: str, passphrase: PassphraseProvider | None = None) -> PrivateKey:
    """Return the private key that comes from ``source`` (``sources``).

    Raises ``NotTrusted`` for a file that others can read, write or replace.
    """
    from cloacina_ctl.signing.sources import read_source

    read = read_source(source)
    read.keep_secret()
    return PrivateKey.parse(read.data, passphrase, where=read.where)


def load_public_key(source: str) -> PublicKey:
    """Return the public key that comes from ``source``."""
    from cloacina_ctl.signing.sources import read_source

    read = read_source(source)
    return PublicKey.parse(read.data, where=read.where)


def load_key(
    source: str, passphrase: PassphraseProvider | None = None, *, to_use: bool = True
) -> LoadedKey:
    """Return the public or private key that comes from ``source``.

    A private one must be this user's alone, as in ``load_private_key``, if it is ``to_use``.
    """
    from cloacina_ctl.signing.key_formats import forms
    from cloacina_ctl.signing.sources import read_source

    read = read_source(source)
    half = forms.read_half(read.data, read.where)
    if isinstance(half, forms.PublicHalf):
        return LoadedKey(PublicKey(half.raw, where=read.where), encrypted=False)
    if to_use:
        read.keep_secret()
    key = PrivateKey.of_half(half, passphrase, read.where)
    return LoadedKey(key, encrypted=isinstance(half, forms.Locked))


def load_raw_key(source: str, *, private: bool) -> PublicKey | PrivateKey:
    """Return the key whose 32 bytes come from ``source``; the caller says which half it is."""
    from cloacina_ctl.signing.sources import read_source

    read = read_source(source)
    if not private:
        return PublicKey.from_raw(read.data, where=read.where)
    read.keep_secret()
    return PrivateKey.from_raw(read.data, where=read.where)


def is_encrypted(data: bytes) -> bool:
    """Return whether a private key has a passphrase, without opening it."""
    from cloacina_ctl.signing.key_formats import forms

    return isinstance(forms.read_half(data, None), forms.Locked)


def _own_spelling(data: bytes) -> bytes | None:
    """Return the public key in ``data`` if it is spelled as ``to_pem`` does: most are."""
    text = data[_PEM.index(b"%") : -_PEM_BEHIND]
    try:
        raw = base64.b64decode(text)[len(SPKI) :]
    except ValueError:
        return None
    return raw if data == _PEM % base64.b64encode(SPKI + raw) else None


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
