"""The user's own keys: ``keys/NAME.pem``, private to the user, and ``NAME.pub.pem`` beside it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from cloacina_ctl.errors import Code, Diagnostic, NotTrusted, UsageError
from cloacina_ctl.signing.keys import (
    PrivateKey,
    PublicKey,
    is_encrypted,
    load_private_key,
    load_public_key,
    read_key_file,
)
from cloacina_ctl.staging import reported, write_file

if TYPE_CHECKING:
    from cloacina_ctl.signing.keys import PassphraseProvider

DEFAULT_KEY = "default"
MIN_FINGERPRINT = 8
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_PRIVATE, _PUBLIC = ".pem", ".pub.pem"
_FINGERPRINT = re.compile(r"[0-9a-f]{8,64}")


class StoredKey(NamedTuple):
    """A key in the store; ``has_private`` where it can sign."""

    name: str
    public: PublicKey
    has_private: bool
    encrypted: bool

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint."""
        return self.public.fingerprint


class KeyStore:
    """The keys under the user's folder. Nothing is ever overwritten."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.join(folder, "keys")

    def generate(self, name: str = DEFAULT_KEY, passphrase: bytes | None = None) -> StoredKey:
        """Make a new key called ``name``; it is then in the store, 0600."""
        return self.add_private(name, PrivateKey.generate(), passphrase)

    def add_private(self, name: str, key: PrivateKey, passphrase: bytes | None = None) -> StoredKey:
        """Put ``key`` into the store, encrypted where a passphrase is given."""
        self._refuse_taken(name)
        self._make_folder()
        write_file(self._path(name, _PUBLIC), key.public.to_pem())
        write_file(self._path(name, _PRIVATE), key.to_pem(passphrase), mode=0o600)
        return StoredKey(name, key.public, has_private=True, encrypted=bool(passphrase))

    def add_public(self, name: str, key: PublicKey) -> StoredKey:
        """Put a public key into the store, for a key that signs elsewhere."""
        self._refuse_taken(name)
        self._make_folder()
        write_file(self._path(name, _PUBLIC), key.to_pem())
        return StoredKey(name, key, has_private=False, encrypted=False)

    def list(self) -> tuple[StoredKey, ...]:
        """Return the keys by name, without opening a private one."""
        if not os.path.isdir(self.folder):
            return ()
        with reported(self.folder):
            names = sorted(os.listdir(self.folder))
        return tuple(
            self.get(name.removesuffix(_PUBLIC)) for name in names if name.endswith(_PUBLIC)
        )

    def get(self, name: str) -> StoredKey:
        """Return the key called ``name``, or raise ``NotTrusted``."""
        check_name(name)
        path = self._path(name, _PUBLIC)
        if not os.path.lexists(path):
            raise _no_such_key(name)
        private = self._path(name, _PRIVATE)
        has_private = os.path.lexists(private)
        encrypted = has_private and is_encrypted(read_key_file(private, private=True))
        return StoredKey(name, load_public_key(path), has_private, encrypted)

    def find(self, spec: str) -> StoredKey:
        """Return the key whose name is ``spec``, or whose fingerprint alone begins with it."""
        stored = {key.name: key for key in self.list()}
        if spec in stored:
            return stored[spec]
        if _FINGERPRINT.fullmatch(spec):
            matches = {
                key.fingerprint: key for key in stored.values() if key.fingerprint.startswith(spec)
            }
            if len(matches) == 1:
                return next(iter(matches.values()))
            if matches:
                raise NotTrusted.of(
                    Code.NO_SUCH_KEY,
                    f"{len(matches)} keys begin with: {spec}",
                    hint="give more digits",
                )
        raise _no_such_key(spec)

    def load_private(self, spec: str, passphrase: PassphraseProvider | None = None) -> PrivateKey:
        """Return the private key that ``spec`` names."""
        stored = self.find(spec)
        if not stored.has_private:
            raise NotTrusted.of(
                Code.NO_SUCH_KEY, f"only the public half of the key is here: {stored.name}"
            )
        return load_private_key(self._path(stored.name, _PRIVATE), passphrase)

    def remove(self, spec: str) -> StoredKey:
        """Remove the key that ``spec`` names, both halves; return what it was."""
        stored = self.find(spec)
        for suffix in (_PRIVATE, _PUBLIC):  # the private half first: it must not stay behind alone
            path = self._path(stored.name, suffix)
            if os.path.lexists(path):
                with reported(path):
                    os.unlink(path)
        return stored

    def _path(self, name: str, suffix: str) -> str:
        return os.path.join(self.folder, name + suffix)

    def _make_folder(self) -> None:
        with reported(self.folder):
            os.makedirs(self.folder, mode=0o700, exist_ok=True)

    def _refuse_taken(self, name: str) -> None:
        check_name(name)
        if any(os.path.lexists(self._path(name, suffix)) for suffix in (_PRIVATE, _PUBLIC)):
            raise NotTrusted.of(
                Code.KEY_EXISTS,
                f"a key of that name exists: {name}",
                hint="choose another name, or remove it: `cloacina-ctl key remove`",
            )


def check_name(name: str) -> None:
    """Refuse a name that no key may have."""
    if _NAME.fullmatch(name) is None or name.endswith((_PRIVATE, ".pub")):
        raise UsageError(
            Diagnostic(
                Code.USAGE,
                f"not a name for a key: {name}",
                None,
                "letters, digits, `.`, `_` and `-`, at most 64, not ending in .pem or .pub",
            )
        )


def _no_such_key(spec: str) -> NotTrusted:
    return NotTrusted.of(
        Code.NO_SUCH_KEY, f"no such key: {spec}", hint="`cloacina-ctl key list` lists them"
    )
