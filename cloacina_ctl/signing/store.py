"""The user's own keys: ``keys/NAME.pem``, private to the user, and ``NAME.pub.pem`` beside it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, FileProblem, NotTrusted
from cloacina_ctl.folders import PREFIX, hidden_name, open_folder
from cloacina_ctl.signing.files import is_there, locked, make_private_folder, refuse_shared_folder
from cloacina_ctl.signing.keys import (
    PrivateKey,
    PublicKey,
    is_encrypted,
    load_private_key,
    load_public_key,
    read_key_file,
)
from cloacina_ctl.signing.names import Named, check_name, find_one, is_name
from cloacina_ctl.signing.pem import bad_key
from cloacina_ctl.staging import StagedFile, reported, write_all
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.folders import Folder
    from cloacina_ctl.signing.keys import PassphraseProvider

DEFAULT_KEY = "default"
KEYS_FOLDER = "keys"
_PRIVATE, _PUBLIC = ".pem", ".pub.pem"
_LISTING = "cloacina-ctl key list"


class StoredKey(NamedTuple):
    """A key in the store; ``has_private`` where it can sign, ``encrypted`` with a passphrase."""

    name: str
    public: PublicKey
    has_private: bool
    encrypted: bool

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint."""
        return self.public.fingerprint


class KeyStore:
    """The keys under the user's folder. Nothing is ever overwritten.

    Signatures of these keys count as trusted, so a folder that others can write to is refused.
    """

    def __init__(self, folder: str) -> None:
        self._above = folder
        self.folder = os.path.join(folder, KEYS_FOLDER)

    def generate(self, name: str = DEFAULT_KEY, passphrase: bytes | None = None) -> StoredKey:
        """Make a new key called ``name``; it is then in the store, 0600 from its first byte."""
        return self.add_private(name, PrivateKey.generate(), passphrase)

    def add_private(self, name: str, key: PrivateKey, passphrase: bytes | None = None) -> StoredKey:
        """Put ``key`` into the store, encrypted unless ``passphrase`` is None.

        Raises ``NotTrusted`` for a name that is taken. Both halves are on the disk before one has
        its name. The public half comes first, and has a hidden name beside its own until the other
        is there: by that the next change tells what a killed run left, and takes it back.
        """
        halves = ((_PUBLIC, key.public.to_pem(), 0o644), (_PRIVATE, key.to_pem(passphrase), 0o600))
        with self._changing(name), contextlib.ExitStack() as stack:
            public, private = [stack.enter_context(self._staged(name, *half)) for half in halves]
            public.show_hidden()
            public.commit()
            try:
                private.commit()
            except BaseException:
                with contextlib.suppress(OSError), open_folder(self.folder) as folder:
                    folder.unlink(name + _PUBLIC)
                raise
        return StoredKey(name, key.public, has_private=True, encrypted=passphrase is not None)

    def add_public(self, name: str, key: PublicKey) -> StoredKey:
        """Put a public key into the store, for a key of the user's that signs elsewhere."""
        with self._changing(name), self._staged(name, _PUBLIC, key.to_pem(), 0o644) as staged:
            staged.commit()
        return StoredKey(name, key, has_private=False, encrypted=False)

    def public_keys(self) -> tuple[Named, ...]:
        """Return name and public half of each key, by name; private halves are not touched."""
        if not is_there(self.folder):
            return ()
        self._refuse_shared()
        with reported(self.folder):
            files = sorted(os.listdir(self.folder))
        names = [file.removesuffix(_PUBLIC) for file in files if file.endswith(_PUBLIC)]
        return tuple(
            Named(name, key)
            for name in names
            if is_name(name) and (key := self._public(name)) is not None
        )

    def _public(self, name: str) -> PublicKey | None:
        """Return the public half; None where another run removed it just now."""
        try:
            return load_public_key(self._path(name, _PUBLIC))
        except FileProblem as error:
            if error.diagnostics[0].code is Code.NOT_FOUND:
                return None
            raise

    def list(self) -> tuple[StoredKey, ...]:
        """Return the keys by name; a private half is looked at, not opened."""
        return tuple(self._stored(key) for key in self.public_keys())

    def find(self, spec: str) -> StoredKey:
        """Return the key whose name is ``spec``, or whose fingerprint alone begins with it."""
        return self._stored(find_one(spec, self.public_keys(), listing=_LISTING))

    def load_private(self, spec: str, passphrase: PassphraseProvider | None = None) -> PrivateKey:
        """Return the private key that ``spec`` names, or raise ``NotTrusted``."""
        stored = find_one(spec, self.public_keys(), listing=_LISTING)
        path = self._path(stored.name, _PRIVATE)
        if not os.path.lexists(path):
            raise NotTrusted.of(
                Code.NO_SUCH_KEY, f"only the public half of the key is here: {stored.name}"
            )
        key = load_private_key(path, passphrase)
        if key.public != stored.public:
            raise bad_key(f"{stored.name}{_PUBLIC} is not the other half of this key", path)
        return key

    def remove(self, spec: str) -> StoredKey:
        """Remove the key that ``spec`` names, both halves; return what it was."""
        self.find(spec)  # before a folder is made where there is none
        with locked(self._above, self.folder):
            stored = self.find(spec)
            private, public = (stored.name + suffix for suffix in (_PRIVATE, _PUBLIC))
            with reported(self.folder), open_folder(self.folder) as folder:
                finish_removals(folder)
                mark = hidden_name()
                with contextlib.suppress(OSError):  # not every file system has hard links
                    folder.link(public, mark)
                for name in (private, public, mark):
                    folder.unlink(name)
        return stored

    def _stored(self, key: Named) -> StoredKey:
        path = self._path(key.name, _PRIVATE)
        has_private = os.path.lexists(path)
        encrypted = has_private and is_encrypted(read_key_file(path, private=False))
        return StoredKey(key.name, key.public, has_private, encrypted)

    def _path(self, name: str, suffix: str) -> str:
        return os.path.join(self.folder, name + suffix)

    @contextlib.contextmanager
    def _changing(self, name: str) -> Iterator[None]:
        """Hold the store while a key is added; refuse a name that is taken."""
        check_name(name)
        with locked(self._above, self.folder):
            make_private_folder(self.folder)
            self._refuse_shared()
            with reported(self.folder), open_folder(self.folder) as folder:
                finish_removals(folder)
            if any(os.path.lexists(self._path(name, suffix)) for suffix in (_PRIVATE, _PUBLIC)):
                raise _taken(name)
            try:
                yield
            except FileProblem as error:
                if error.diagnostics[0].code is Code.EXISTS:  # by somebody who takes no turns
                    raise _taken(name) from error
                raise

    def _refuse_shared(self) -> None:
        refuse_shared_folder(self._above)
        refuse_shared_folder(self.folder)

    @contextlib.contextmanager
    def _staged(self, name: str, suffix: str, data: bytes, mode: int) -> Iterator[StagedFile]:
        path = self._path(name, suffix)
        with StagedFile(path, mode=mode) as staged:
            with reported(path):
                write_all(staged.fd, data)
            staged.flush()
            yield staged


def finish_removals(folder: Folder) -> None:
    """Remove public halves that are marked and alone; for who holds the store.

    A killed run left them: it had not yet added the private half, or had removed it already.
    """
    names = folder.names()
    marks = [name for name in names if name.startswith(PREFIX)]
    for mark in marks:
        for name in names:
            if name.endswith(_PUBLIC) and _is_one_file(folder, mark, name):
                if folder.look(name.removesuffix(_PUBLIC) + _PRIVATE) is None:
                    folder.unlink(name)
                folder.unlink(mark)


def _is_one_file(folder: Folder, first: str, second: str) -> bool:
    one, other = folder.look(first), folder.look(second)
    return one is not None and other is not None and os.path.samestat(one, other)


def _taken(name: str) -> NotTrusted:
    return NotTrusted.of(
        Code.KEY_EXISTS,
        f"a key of that name exists: {name}",
        hint="choose another name, or remove it: `cloacina-ctl key remove`",
    )
