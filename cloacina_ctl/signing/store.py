"""The user's own keys: ``keys/NAME.pem``, private to the user, and ``NAME.pub.pem`` beside it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import CloacinaError, Code, Diagnostic, FileProblem, NotTrusted, Severity
from cloacina_ctl.files.folders import PREFIX, hidden_name, open_folder
from cloacina_ctl.files.ownership import is_there, quoted, refuse_shared
from cloacina_ctl.files.staging import StagedFile, reported, write_all
from cloacina_ctl.signing.files import MAX_KEY_FILE, locked, make_private_folder, read_regular
from cloacina_ctl.signing.key_formats.recognized import bad_key
from cloacina_ctl.signing.keys import PrivateKey, PublicKey, is_encrypted, load_private_key
from cloacina_ctl.signing.names import NamedKey, check_name, find_one, is_name
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.files.folders import Folder
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


class UnusableKey(NamedTuple):
    """A key in the store that cannot be read, and the reason."""

    name: str
    error: CloacinaError

    def warning(self) -> Diagnostic:
        """Return the warning for a command that does not need the key."""
        first = self.error.diagnostics[0]
        message = f"the key {self.name} is left out: {first.message}"
        return Diagnostic(
            Code.UNUSABLE_STORED_KEY, message, first.where, first.hint, Severity.WARNING
        )


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
        is there: that shows the next change what a killed run left, and it removes that.
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
        """Put a public key into the store, for a key of the user that signs elsewhere."""
        with self._changing(name), self._staged(name, _PUBLIC, key.to_pem(), 0o644) as staged:
            staged.commit()
        return StoredKey(name, key, has_private=False, encrypted=False)

    def public_keys(self) -> tuple[NamedKey, ...]:
        """Return name and public half of each key that can be read, by name.

        Keys that cannot be read are in ``unusable``. No private half is read.
        """
        return self._read()[0]

    def unusable_public(self) -> tuple[UnusableKey, ...]:
        """Return the keys whose public half cannot be read, by name."""
        return self._read()[1]

    def unusable(self) -> tuple[UnusableKey, ...]:
        """Return the keys of which a half cannot be read, by name."""
        public, unusable = self._read()
        for key in public:
            error = self._private_problem(key.name)
            if error is not None:
                unusable += (UnusableKey(key.name, error),)
        return tuple(sorted(unusable, key=lambda one: one.name))

    def _private_problem(self, name: str) -> CloacinaError | None:
        path = self._path(name, _PRIVATE)
        if not os.path.lexists(path):
            return None
        try:
            is_encrypted(_content(path))
        except CloacinaError as error:
            first = error.diagnostics[0]
            if first.code is not Code.PERMISSION:
                return error
            return type(error)(first._replace(hint=f"chmod 600 {quoted(path)}"))
        return None

    def _read(self) -> tuple[tuple[NamedKey, ...], tuple[UnusableKey, ...]]:
        if is_there(self._above):  # even without keys: others could have removed them
            refuse_shared(self._above)
        if not is_there(self.folder):
            return (), ()
        refuse_shared(self.folder)
        with reported(self.folder):
            files = sorted(os.listdir(self.folder))
        keys: list[NamedKey] = []
        unusable: list[UnusableKey] = []
        for name in (file.removesuffix(_PUBLIC) for file in files if file.endswith(_PUBLIC)):
            if not is_name(name):
                continue
            try:
                keys.append(NamedKey(name, self._public(name)))
            except CloacinaError as error:
                if error.diagnostics[0].code is Code.NOT_FOUND:  # another run removed it just now
                    continue
                unusable.append(UnusableKey(name, self._with_hint(error, name)))
        return tuple(keys), tuple(unusable)

    def _public(self, name: str) -> PublicKey:
        path = self._path(name, _PUBLIC)
        refuse_shared(path)
        return PublicKey.parse(_content(path), where=path)

    def _with_hint(self, error: CloacinaError, name: str) -> CloacinaError:
        """Add a hint how to make the public half readable, or to make it again."""
        first = error.diagnostics[0]
        public, private = (quoted(self._path(name, suffix)) for suffix in (_PUBLIC, _PRIVATE))
        if first.code is Code.PERMISSION:
            hint = f"chmod 644 {public}"
        elif first.code is Code.BAD_KEY and os.path.lexists(self._path(name, _PRIVATE)):
            hint = f"make it again: `openssl pkey -in {private} -pubout -out {public}`"
        elif first.code is Code.BAD_KEY:
            hint = f"move it away: `mv {public} {public}.bad`"
        else:
            return error
        return type(error)(first._replace(hint=hint))

    def list(self) -> tuple[StoredKey, ...]:
        """Return the keys that can be read, by name; a private half is not opened."""
        bad = {one.name for one in self.unusable()}
        return tuple(self._stored(key) for key in self.public_keys() if key.name not in bad)

    def find(self, spec: str) -> StoredKey:
        """Return the key whose name is ``spec``, or whose fingerprint alone begins with it."""
        return self._stored(self._named(spec))

    def has_private(self, name: str) -> bool:
        """Return whether a private half of that name is there, readable or not.

        A user with a broken key is not a user without a key.
        """
        return is_there(self._path(name, _PRIVATE))

    def load_private(self, spec: str, passphrase: PassphraseProvider | None = None) -> PrivateKey:
        """Return the private key that ``spec`` names, or raise ``NotTrusted``."""
        stored = self._named(spec)
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
        """Remove both halves of the key that ``spec`` names, and return the key."""
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

    def refuse_unusable(self, name: str) -> None:
        """Raise the error of the public half of the key ``name``, if it cannot be read."""
        for one in self.unusable_public():
            if one.name == name:
                raise one.error

    def _named(self, spec: str) -> NamedKey:
        self.refuse_unusable(spec)
        return find_one(spec, self.public_keys(), listing=_LISTING)

    def _stored(self, key: NamedKey) -> StoredKey:
        path = self._path(key.name, _PRIVATE)
        has_private = os.path.lexists(path)
        encrypted = False
        if has_private:
            with contextlib.suppress(CloacinaError):  # reported when it signs
                encrypted = is_encrypted(_content(path))
        return StoredKey(key.name, key.public, has_private, encrypted)

    def _path(self, name: str, suffix: str) -> str:
        return os.path.join(self.folder, name + suffix)

    @contextlib.contextmanager
    def _changing(self, name: str) -> Iterator[None]:
        """Hold the store while a key is added; refuse a name that is taken."""
        check_name(name)
        self._refuse_shared()
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
                if error.diagnostics[0].code is Code.EXISTS:  # by a program that ignores the lock
                    raise _taken(name) from error
                raise

    def _refuse_shared(self) -> None:
        refuse_shared(self._above)
        refuse_shared(self.folder)

    @contextlib.contextmanager
    def _staged(self, name: str, suffix: str, data: bytes, mode: int) -> Iterator[StagedFile]:
        path = self._path(name, suffix)
        with StagedFile(path, mode=mode) as staged:
            with reported(path):
                os.fchmod(staged.fd, mode)  # whatever the umask is
                write_all(staged.fd, data)
            staged.flush()
            yield staged


def finish_removals(folder: Folder) -> None:
    """Remove public halves that are marked and alone; the caller holds the lock.

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


def _content(path: str) -> bytes:
    data, _ = read_regular(path, MAX_KEY_FILE)
    if data is None:
        raise bad_key("a key file must be a regular file", path)
    return data


def _taken(name: str) -> NotTrusted:
    return NotTrusted.of(
        Code.KEY_EXISTS,
        f"a key of that name exists: {name}",
        hint=f"choose another name, as in `cloacina-ctl key generate {name[:60]}2`",
    )
