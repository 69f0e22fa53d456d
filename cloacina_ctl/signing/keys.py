"""Ed25519 keys: 32 bytes that were judged, their files, their fingerprints.

Public keys are PEM (SPKI), private ones PEM (PKCS#8), encrypted where a passphrase is given. Exactly
one block stands in a file and nothing else: a file that two programs read differently is no key.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, NotTrusted
from cloacina_ctl.signing import curve
from cloacina_ctl.staging import reported

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    PassphraseProvider = Callable[[str], bytes | None]

KEY_BYTES = 32
MAX_KEY_FILE = 64 << 10
MAX_KDF_ITERATIONS = 10_000_000  # a hundred times what anybody uses, seconds at most

_SPKI = bytes.fromhex("302a300506032b6570032100")
_PEM = re.compile(
    rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n((?:[A-Za-z0-9+/=]+\r?\n)+)-----END \1-----\r?\n?"
)
_PBES2_ITERATIONS = re.compile(rb"\x30.\x04.{8,64}?\x02([\x01-\x08])", re.DOTALL)


class PublicKey:
    """A public key that a signature may be judged by; equal by its bytes."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @classmethod
    def from_raw(cls, raw: bytes, *, where: str | None = None) -> PublicKey:
        """Return the key whose 32 bytes are ``raw``; refuse those that vouch for anything."""
        if len(raw) != KEY_BYTES:
            raise _bad(f"a raw key has {KEY_BYTES} bytes, this has {len(raw)}", where)
        if not curve.is_canonical(raw):
            raise _bad("the public key is not in its canonical form", where)
        if curve.is_small_order(raw):
            raise _bad(
                "the public key is of small order: one signature would fit everything", where
            )
        return cls(raw)

    @classmethod
    def from_pem(cls, data: bytes, *, where: str | None = None) -> PublicKey:
        """Return the key in the one PEM block that is all of ``data``."""
        label, der = _pem_block(data, where)
        if label != "PUBLIC KEY":
            raise _bad(f"expected a public key, found: {_called(label)}", where)
        if len(der) != len(_SPKI) + KEY_BYTES or not der.startswith(_SPKI):
            raise _bad(f"expected an Ed25519 key, found {_algorithm(der)}", where)
        return cls.from_raw(der[len(_SPKI) :], where=where)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the raw key as lower-case hex: what signatures call ``keyid``."""
        return hashlib.sha256(self.raw).hexdigest()

    def to_pem(self) -> bytes:
        """Return the key as PEM."""
        body = base64.b64encode(_SPKI + self.raw)
        return b"-----BEGIN PUBLIC KEY-----\n" + body + b"\n-----END PUBLIC KEY-----\n"

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tell whether ``signature`` is this key's over ``message`` (RFC 8032, cofactorless)."""
        if len(signature) != 64 or not curve.is_scalar(signature[32:]):
            return False
        r = signature[:32]
        if not curve.is_canonical(r) or curve.is_small_order(r):
            return False
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):  # ValueError: bytes that are no point
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"PublicKey({self.fingerprint[:16]}…)"


class PrivateKey:
    """A private key; nothing that is shown of it tells the key."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._key = key
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = PublicKey.from_raw(raw)

    @classmethod
    def generate(cls) -> PrivateKey:
        """Return a new key from the system's randomness."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_raw(cls, seed: bytes, *, where: str | None = None) -> PrivateKey:
        """Return the key whose 32 secret bytes are ``seed``."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if len(seed) != KEY_BYTES:
            raise _bad(f"a raw key has {KEY_BYTES} bytes, this has {len(seed)}", where)
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(
        cls, data: bytes, passphrase: PassphraseProvider | None = None, *, where: str | None = None
    ) -> PrivateKey:
        """Return the key in the one PEM block that is all of ``data``.

        ``passphrase`` is asked once, and only where the key is encrypted.
        """
        label, der = _pem_block(data, where)
        if label not in ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"):
            raise _bad(f"expected a private key (PKCS#8), found: {_called(label)}", where)
        secret = None
        if label == "ENCRYPTED PRIVATE KEY":
            _bound_derivation(der, where)
            secret = _ask(passphrase, where)
        return cls(_load(data, secret, where))

    def sign(self, message: bytes) -> bytes:
        """Return the signature of ``message``: 64 bytes."""
        return self._key.sign(message)

    def to_pem(self, passphrase: bytes | None = None) -> bytes:
        """Return the key as PEM, encrypted where a passphrase is given."""
        from cryptography.hazmat.primitives import serialization

        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            encryption = serialization.BestAvailableEncryption(passphrase)
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.fingerprint[:16]}…)"


def read_key_file(path: str, *, private: bool) -> bytes:
    """Return the bytes of a key file; a private one must be readable by its owner alone."""
    with reported(path):
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise _bad("not a regular file", path)
            if private:
                _refuse_exposed(found, path)
            data = file.read(MAX_KEY_FILE + 1)
    if len(data) > MAX_KEY_FILE:
        raise _bad(f"a key file has at most {MAX_KEY_FILE} bytes", path)
    return data


def load_private_key(path: str, passphrase: PassphraseProvider | None = None) -> PrivateKey:
    """Return the private key in the file ``path``; ``NotTrusted`` where others can read it."""
    return PrivateKey.from_pem(read_key_file(path, private=True), passphrase, where=path)


def load_public_key(path: str) -> PublicKey:
    """Return the public key in the file ``path``."""
    return PublicKey.from_pem(read_key_file(path, private=False), where=path)


def is_encrypted(pem: bytes) -> bool:
    """Tell whether a private key asks for a passphrase."""
    return b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in pem


def _refuse_exposed(found: os.stat_result, path: str) -> None:
    if found.st_uid not in (os.geteuid(), 0):
        raise NotTrusted.of(Code.KEY_EXPOSED, "the private key belongs to another user", where=path)
    if found.st_mode & 0o077:
        raise NotTrusted.of(
            Code.KEY_EXPOSED,
            f"others can read the private key: its mode is {stat.S_IMODE(found.st_mode):04o}",
            where=path,
            hint=f"chmod 600 {path}",
        )


def _pem_block(data: bytes, where: str | None) -> tuple[str, bytes]:
    if len(data) > MAX_KEY_FILE:
        raise _bad(f"a key file has at most {MAX_KEY_FILE} bytes", where)
    found = _PEM.fullmatch(data)
    if found is None:
        hint = None
        if len(data) == KEY_BYTES:
            hint = "32 raw bytes can be a public or a private key: say which with --raw-public or --raw-private"
        raise _bad("not a key file: expected exactly one PEM block", where, hint)
    text = re.sub(rb"\s", b"", found[2])
    try:
        der = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise _bad("the PEM block is not base64", where) from error
    if base64.b64encode(der) != text:
        raise _bad("the PEM block is not base64 in its standard spelling", where)
    return found[1].decode("ascii"), der


def _load(pem: bytes, secret: bytes | None, where: str | None) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, secret)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if secret is not None:
            raise NotTrusted.of(Code.PASSPHRASE, "the passphrase is wrong", where=where) from error
        raise _bad("the private key cannot be read", where) from error
    if not isinstance(key, Ed25519PrivateKey):
        kind = type(key).__name__.strip("_").removesuffix("PrivateKey")
        raise _bad(f"expected an Ed25519 key, found {kind}", where)
    return key


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


def _bound_derivation(der: bytes, where: str | None) -> None:
    """Refuse a key whose derivation would take for ever, before it is tried."""
    found = _PBES2_ITERATIONS.search(der)
    if found is None:
        return  # scrypt and the like: the library bounds its memory
    length = found[1][0]
    count = int.from_bytes(der[found.end() : found.end() + length], "big")
    if count > MAX_KDF_ITERATIONS:
        raise _bad(
            f"its derivation takes {count} rounds, at most {MAX_KDF_ITERATIONS} are done", where
        )


def _called(label: str) -> str:
    return f"a block called {label}"


def _algorithm(der: bytes) -> str:
    known = {
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01": "RSA",
        b"\x2a\x86\x48\xce\x3d\x02\x01": "an elliptic curve of NIST",
        b"\x2b\x65\x71": "Ed448",
        b"\x2b\x65\x6e": "X25519",
    }
    return next((name for oid, name in known.items() if oid in der[:40]), "another kind")


def _bad(message: str, where: str | None, hint: str | None = None) -> NotTrusted:
    return NotTrusted(Diagnostic(Code.BAD_KEY, message, where, hint))
