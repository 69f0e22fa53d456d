"""Keys of OpenSSH: the line of a ``.pub`` file, and private keys, plain or encrypted.

The encryption of a private key is checked before anything is derived from a passphrase: the file
states how many rounds that takes.
"""

from __future__ import annotations

import base64
import hashlib

from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.signing.key_formats import pem
from cloacina_ctl.signing.key_formats.recognized import GENERATE, bad_key
from cloacina_ctl.values import NamedTuple

MAX_ROUNDS = 512  # of bcrypt, 8 ms each: about four seconds; ssh-keygen takes 16 or 24

_TYPE = b"ssh-ed25519"
_MAGIC = b"openssh-key-v1\0"
_TYPES = {
    "ssh-rsa": "an RSA key",
    "ssh-dss": "a DSA key",
    "ecdsa-sha2-nistp256": "a P-256 key",
    "ecdsa-sha2-nistp384": "a P-384 key",
    "ecdsa-sha2-nistp521": "a P-521 key",
    "sk-ssh-ed25519@openssh.com": "an Ed25519 key on a security token, which signs for SSH alone",
    "sk-ecdsa-sha2-nistp256@openssh.com": "a P-256 key on a security token",
}
_CERTIFICATE = "-cert-v01@openssh.com"
_CIPHERS = (b"aes256-ctr", b"aes256-cbc", b"aes256-gcm@openssh.com")


class Sealed(NamedTuple):
    """An unopened private key: its encryption, and the public half that the file states."""

    cipher: bytes
    rounds: int
    public: bytes
    raw: bytes

    @property
    def is_encrypted(self) -> bool:
        """Whether it has a passphrase."""
        return self.cipher != b"none"


class _Damaged(Exception):
    """The bytes are not those of a key."""


def fingerprint(raw: bytes) -> str:
    """Return OpenSSH's fingerprint of the public key ``raw``: ``SHA256:`` and base64."""
    digest = hashlib.sha256(_blob(raw)).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def is_public(data: bytes) -> bool:
    """Return whether a line of ``data`` has a type of OpenSSH's keys in it."""
    return any(_type_at(line.split()) is not None for line in data.splitlines())


def read_public(data: bytes, where: str | None) -> bytes:
    """Return the public key in the one line of ``data``: type, base64 and perhaps a comment."""
    lines = [line.strip() for line in data.splitlines()]
    lines = [line for line in lines if line and not line.startswith(b"#")]
    if len(lines) != 1:
        raise bad_key(
            f"expected one public key of OpenSSH, found {len(lines)} lines",
            where,
            "keep one, in a file of its own: `sed -n 1p FILE > key.pub` takes the first",
        )
    words = lines[0].split()
    at = _type_at(words)
    if at != 0:
        raise bad_key(
            "expected a public key of OpenSSH alone, found something before it, such as options "
            "or the name of a host",
            where,
            "take it out: `grep -o 'ssh-ed25519 AAAA[A-Za-z0-9+/=]*' FILE > key.pub`",
        )
    _refuse_other_type(words[0], where)
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, ValueError) as error:
        raise bad_key("the public key of OpenSSH is damaged: not base64", where) from error
    raw = blob[-32:]
    if blob != _blob(raw) or base64.b64encode(blob) != words[1]:
        raise bad_key("the public key of OpenSSH is damaged", where)
    return raw


def read_private(raw: bytes, where: str | None) -> Sealed:
    """Return an unopened private key; raise ``NotTrusted`` for one that cannot be opened."""
    try:
        sealed = _header(raw, where)
    except _Damaged as error:
        raise bad_key("the private key of OpenSSH is damaged", where) from error
    if sealed.is_encrypted and sealed.cipher not in _CIPHERS:
        raise bad_key(
            f"the key is encrypted with a cipher that is not read here: "
            f"{sealed.cipher[:40].decode('ascii', 'replace')}",
            where,
            "encrypt it again: `ssh-keygen -p -Z aes256-ctr -f FILE`",
        )
    if sealed.rounds > MAX_ROUNDS:
        raise bad_key(
            f"opening the key takes too long: rounds of bcrypt: {sealed.rounds}, at most "
            f"{MAX_ROUNDS}",
            where,
            "encrypt it again: `ssh-keygen -p -a 16 -f FILE`",
        )
    return sealed


def open_private(sealed: Sealed, passphrase: bytes | None, where: str | None) -> bytes:
    """Return the seed, or raise ``NotTrusted``; one attempt."""
    from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    try:
        key = load_ssh_private_key(pem.write_block(pem.OPENSSH, sealed.raw), passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidTag) as error:
        if passphrase is None:
            raise bad_key("the private key of OpenSSH is damaged", where) from error
        raise NotTrusted.of(
            Code.PASSPHRASE, "the passphrase is wrong, or the key is damaged", where=where
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise bad_key("the private key of OpenSSH is damaged", where)
    return key.private_bytes_raw()


def _header(raw: bytes, where: str | None) -> Sealed:
    if not raw.startswith(_MAGIC):
        raise _Damaged
    cipher, rest = _text(raw[len(_MAGIC) :])
    derivation, rest = _text(rest)
    options, rest = _text(rest)
    count, rest = _number(rest)
    if count != 1:
        raise bad_key(f"expected one private key, the file of OpenSSH holds {count}", where)
    blob, rest = _text(rest)
    kind, _ = _text(blob)
    _refuse_other_type(kind, where)
    public = blob[-32:]
    if blob != _blob(public):
        raise _Damaged
    rounds = 0
    if derivation == b"bcrypt":
        _, behind_salt = _text(options)
        rounds, _ = _number(behind_salt)
    elif derivation != b"none" or cipher != b"none":
        raise _Damaged
    return Sealed(cipher, rounds, public, raw)


def _blob(raw: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in (_TYPE, raw))


def _number(data: bytes) -> tuple[int, bytes]:
    if len(data) < 4:
        raise _Damaged
    return int.from_bytes(data[:4], "big"), data[4:]


def _text(data: bytes) -> tuple[bytes, bytes]:
    length, rest = _number(data)
    if length > len(rest):
        raise _Damaged
    return rest[:length], rest[length:]


def _type_at(words: list[bytes]) -> int | None:
    """Return which of ``words`` is the type of a key."""
    for at, word in enumerate(words):
        name = word.decode("ascii", "replace")
        if word == _TYPE or name in _TYPES or name.endswith(_CERTIFICATE):
            return at
    return None


def _refuse_other_type(word: bytes, where: str | None) -> None:
    if word == _TYPE:
        return
    name = word[:80].decode("ascii", "replace")
    if name.endswith(_CERTIFICATE):
        raise bad_key(
            "expected an Ed25519 key, found a certificate of OpenSSH",
            where,
            "give the key that it is for: the `.pub` file without `-cert` in its name",
        )
    what = _TYPES.get(name, f"a key of type {name}")
    raise bad_key(f"expected an Ed25519 key, found {what}", where, GENERATE)
