"""Whose signatures count: ``trust.json``, changed only by the user, never by a package.

A file that others can write to is no trust. Changes are made under a lock, so that none is lost.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.signing.judge import KnownKey
from cloacina_ctl.signing.keys import PublicKey
from cloacina_ctl.signing.store import KeyStore, check_name
from cloacina_ctl.staging import reported, write_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TRUST_FILE = "trust.json"
_LOCK_FILE = ".trust.lock"
_MAX_BYTES = 4 << 20


class TrustedKey(NamedTuple):
    """A key that somebody else owns and that this user takes signatures of."""

    name: str
    public: PublicKey

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint."""
        return self.public.fingerprint


class TrustStore:
    """The trusted keys under the user's folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.path = os.path.join(folder, TRUST_FILE)

    def list(self) -> tuple[TrustedKey, ...]:
        """Return the trusted keys by name; ``NotTrusted`` where the file cannot be relied on."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return ()
        with reported(self.path), open(fd, "rb") as file:
            self._refuse_shared(os.fstat(fd))
            data = file.read(_MAX_BYTES + 1)
        return self._parse(data)

    def add(self, name: str, public: PublicKey) -> TrustedKey:
        """Trust ``public`` under ``name``; adding the same again changes nothing."""
        check_name(name)
        with self._locked():
            keys = self.list()
            for key in keys:
                if key == (name, public):
                    return key
                if name == key.name or public == key.public:
                    raise NotTrusted.of(
                        Code.KEY_EXISTS,
                        f"{key.name} is trusted already, with the key {key.fingerprint[:16]}",
                        hint=f"remove it first: `cloacina-ctl trust remove {key.name}`",
                    )
            added = TrustedKey(name, public)
            self._write(sorted((*keys, added)))
        return added

    def remove(self, spec: str) -> TrustedKey:
        """Trust the key no longer that ``spec`` names by name or beginning of its fingerprint."""
        with self._locked():
            keys = self.list()
            gone = find_trusted(keys, spec)
            self._write([key for key in keys if key != gone])
        return gone

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with reported(self._folder):
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            path = os.path.join(self._folder, _LOCK_FILE)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _write(self, keys: Sequence[TrustedKey]) -> None:
        rows = [{"name": key.name, "key": key.public.raw.hex()} for key in keys]
        text = json.dumps({"version": 1, "keys": rows}, indent=2) + "\n"
        write_file(self.path, text.encode(), replace=True, mode=0o600)

    def _parse(self, data: bytes) -> tuple[TrustedKey, ...]:
        try:
            value = json.loads(data) if len(data) <= _MAX_BYTES else None
            if (
                not isinstance(value, dict)
                or value.keys() != {"version", "keys"}
                or value["version"] != 1
            ):
                raise self._bad("it is not of version 1")
            keys = tuple(
                TrustedKey(
                    row["name"], PublicKey.from_raw(bytes.fromhex(row["key"]), where=self.path)
                )
                for row in value["keys"]
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._bad("it cannot be read") from error
        if len({key.name for key in keys}) + len({key.public for key in keys}) != 2 * len(keys):
            raise self._bad("it has a name or a key twice")
        return keys

    def _refuse_shared(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in (os.geteuid(), 0):
            raise self._bad("it is not a file of this user")
        if found.st_mode & 0o022:
            raise NotTrusted.of(
                Code.BAD_TRUST_FILE,
                "others can write to the trust file",
                where=self.path,
                hint=f"look at what is in it, then: chmod 600 {self.path}",
            )

    def _bad(self, why: str) -> NotTrusted:
        return NotTrusted.of(
            Code.BAD_TRUST_FILE,
            f"the trust file cannot be used: {why}",
            where=self.path,
            hint="move it away and add the keys again",
        )


def find_trusted(keys: Sequence[TrustedKey], spec: str) -> TrustedKey:
    """Return the trusted key that ``spec`` names, or raise ``NotTrusted``."""
    matches = [key for key in keys if key.name == spec]
    if not matches and len(spec) >= 8:
        matches = [key for key in keys if key.fingerprint.startswith(spec.lower())]
    if len(matches) != 1:
        raise NotTrusted.of(
            Code.NO_SUCH_KEY,
            f"{len(matches) or 'no'} trusted keys are called: {spec}",
            hint="`cloacina-ctl trust list` lists them",
        )
    return matches[0]


def known_keys(folder: str) -> tuple[KnownKey, ...]:
    """Return the keys whose signatures count by default: the trusted ones and the user's own."""
    trusted = [KnownKey(key.public, key.name) for key in TrustStore(folder).list()]
    own = [KnownKey(key.public, key.name) for key in KeyStore(folder).list()]
    return tuple({known.key: known for known in (*own, *trusted)}.values())
