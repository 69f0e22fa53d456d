"""PKCS#8 for one kind of key, Ed25519: plain in one spelling, encrypted with bounded effort.

A file states how much work opening it is, so its parameters are checked first: a count of 2³¹
rounds would take minutes. Sealing uses PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC, which every
program reads, and 600 000 rounds (OWASP, 2023); the library's own function uses 2048.
"""

from __future__ import annotations

import hashlib
import os

from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.signing.key_formats import der, pem
from cloacina_ctl.signing.key_formats.der import NotDer
from cloacina_ctl.signing.key_formats.recognized import GENERATE, bad_key

ROUNDS = 600_000
MAX_ROUNDS = 10_000_000  # one to three seconds
MAX_SCRYPT = 1 << 21  # N·r·p, which takes 128 bytes each: 256 MiB and about a second
MAX_PASSPHRASE = 1023  # the library takes no more

_PLAIN = bytes.fromhex("302e020100300506032b657004220420")
_ED25519 = bytes.fromhex("300506032b6570")
_ATTRIBUTES, _PUBLIC_IMPLICIT, _PUBLIC_EXPLICIT = 0xA0, 0x81, 0xA1
_PBES2 = bytes.fromhex("2a864886f70d01050d")
_PBKDF2 = bytes.fromhex("2a864886f70d01050c")
_SCRYPT = bytes.fromhex("2b06010401da47040b")
_HMAC_SHA256 = bytes.fromhex("300c06082a864886f70d02090500")
_AES_256_CBC = bytes.fromhex("60864801650304012a")
_REWRITE = "rewrite it: `openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out key.pem`"


def read_plain(raw: bytes, where: str | None) -> tuple[bytes, bytes | None]:
    """Return the seed in an unencrypted key, and the public half where the file has one.

    Version 1 has one spelling, except for attributes, which are ignored. Version 2 (RFC 5958) has
    the public half too: tagged as in RFC 8410, or as ring did up to 0.16.
    """
    try:
        version, rest = der.take_number(der.only(raw, der.SEQUENCE))
    except NotDer as error:
        raise bad_key("the private key is damaged: not DER", where) from error
    kind = pem.algorithm(rest)
    if kind != "an Ed25519":
        raise bad_key(f"expected an Ed25519 key, found {kind} key", where, GENERATE)
    try:
        return _halves(version, rest)
    except NotDer as error:
        raise bad_key(
            "the private key is damaged: expected PKCS#8 (RFC 5208, RFC 5958) of an Ed25519 key",
            where,
        ) from error


def _halves(version: int, rest: bytes) -> tuple[bytes, bytes | None]:
    if version > 1 or not rest.startswith(_ED25519):
        raise NotDer
    outer, rest = der.take(rest[len(_ED25519) :], der.OCTETS)
    seed = der.only(outer, der.OCTETS)
    if rest[:1] == bytes([_ATTRIBUTES]):
        attributes, rest = der.take(rest, _ATTRIBUTES)
        while attributes:
            _, attributes = der.take(attributes, der.SEQUENCE)
    if len(seed) != 32:
        raise NotDer
    if version == 0:
        if rest:
            raise NotDer
        return seed, None
    bits = (
        der.only(der.only(rest, _PUBLIC_EXPLICIT), der.BITS)
        if rest[:1] == bytes([_PUBLIC_EXPLICIT])
        else der.only(rest, _PUBLIC_IMPLICIT)
    )
    if len(bits) != 33 or bits[0]:
        raise NotDer
    return seed, bits[1:]


def write_plain(seed: bytes) -> bytes:
    """Return the one spelling of an unencrypted key."""
    return _PLAIN + seed


def read_sealed(raw: bytes, passphrase: bytes, where: str | None) -> bytes:
    """Return the seed in an encrypted key, or raise ``NotTrusted``; one attempt."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    bound_effort(raw, where)
    try:
        key = load_der_private_key(raw, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # it does not say which
        raise NotTrusted.of(
            Code.PASSPHRASE,
            "the passphrase is wrong, or the key is damaged or encrypted with an unknown cipher",
            where=where,
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        kind = type(key).__name__.strip("_").removesuffix("PrivateKey")
        raise bad_key(f"expected an Ed25519 key, found another kind: {kind}", where, GENERATE)
    return key.private_bytes_raw()


def write_sealed(seed: bytes, passphrase: bytes) -> bytes:
    """Return an encrypted key; ``NotTrusted`` for a passphrase that is empty or too long."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    check_passphrase(passphrase)
    salt, nonce = os.urandom(16), os.urandom(16)
    secret = hashlib.pbkdf2_hmac("sha256", passphrase, salt, ROUNDS, 32)
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(nonce)).encryptor()
    padded = write_plain(seed) + bytes([16]) * 16  # 48 bytes: a whole block of padding
    sealed = encryptor.update(padded) + encryptor.finalize()
    derivation = _sequence(
        der.wrap(der.OID, _PBKDF2),
        _sequence(der.wrap(der.OCTETS, salt), der.number(ROUNDS), _HMAC_SHA256),
    )
    cipher = _sequence(der.wrap(der.OID, _AES_256_CBC), der.wrap(der.OCTETS, nonce))
    how = _sequence(der.wrap(der.OID, _PBES2), _sequence(derivation, cipher))
    return _sequence(how, der.wrap(der.OCTETS, sealed))


def check_passphrase(passphrase: bytes) -> None:
    """Refuse a passphrase that is empty, or longer than programs accept."""
    if not 0 < len(passphrase) <= MAX_PASSPHRASE:
        raise NotTrusted.of(
            Code.PASSPHRASE,
            f"a passphrase has 1 to {MAX_PASSPHRASE} bytes, this one {len(passphrase)}",
        )


def bound_effort(raw: bytes, where: str | None) -> None:
    """Refuse a key whose derivation is unknown, or takes more than a few seconds or 256 MiB."""
    try:
        asked = _effort(raw)
    except NotDer as error:
        raise bad_key("the encrypted key is damaged: not DER", where) from error
    if asked is None:
        raise bad_key(
            "the key is encrypted in a way that this program does not open: expected PBES2 with "
            "PBKDF2 or scrypt",
            where,
            _REWRITE,
        )
    what, amount, most = asked
    if amount > most:
        raise bad_key(f"opening the key takes too long: {what} {amount}, at most {most}", where)


def _effort(raw: bytes) -> tuple[str, int, int] | None:
    """Return the kind of effort that an encrypted key needs, its amount, and the limit."""
    how, sealed = der.take(der.only(raw, der.SEQUENCE), der.SEQUENCE)
    der.only(sealed, der.OCTETS)
    scheme, parameters = der.take(how, der.OID)
    if scheme != _PBES2:
        return None
    derivation, _ = der.take(der.only(parameters, der.SEQUENCE), der.SEQUENCE)
    function, parameters = der.take(derivation, der.OID)
    _, behind_salt = der.take(der.only(parameters, der.SEQUENCE), der.OCTETS)
    count, rest = der.take_number(behind_salt)
    if function == _PBKDF2:
        return "rounds of PBKDF2:", count, MAX_ROUNDS
    if function == _SCRYPT:
        block, rest = der.take_number(rest)
        parallel, _ = der.take_number(rest)
        return "N·r·p of scrypt is", count * block * parallel, MAX_SCRYPT
    return None


def _sequence(*parts: bytes) -> bytes:
    return der.wrap(der.SEQUENCE, *parts)
