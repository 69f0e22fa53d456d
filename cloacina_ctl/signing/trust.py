"""The trusted keys: ``trust.json``, changed only by the user, never by a package.

A file that others can write to is refused. Changes are made under a lock, so that none is lost.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.files.ownership import is_own, is_there, others_can_write, quoted, refuse_shared
from cloacina_ctl.files.staging import StagedFile, reported, write_all
from cloacina_ctl.signing.files import locked, read_regular
from cloacina_ctl.signing.keys import PublicKey
from cloacina_ctl.signing.names import NamedKey, check_name, find_one, is_name
from cloacina_ctl.signing.signatures import KnownKey
from cloacina_ctl.signing.statement import each_once
from cloacina_ctl.signing.store import KeyStore

if TYPE_CHECKING:
    from collections.abc import Sequence

TRUST_FILE = "trust.json"
_MAX_BYTES = 4 << 20
_RAW_KEY = re.compile(r"[0-9a-f]{64}")


class TrustedKey(NamedKey):
    """A key of another owner whose signatures count for this user."""

    __slots__ = ()

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
        if is_there(self._folder):  # even without the file: others could have removed it
            refuse_shared(self._folder)
        if not is_there(self.path):
            return ()
        data, found = read_regular(self.path, _MAX_BYTES)
        if data is None or not is_own(found):
            raise self._bad("it is not a file of this user")
        if others_can_write(found):
            raise NotTrusted.of(
                Code.BAD_TRUST_FILE,
                "others can write to the trust file",
                where=self.path,
                hint=f"look at what is in it, then: chmod go-w {quoted(self.path)}",
            )
        refuse_shared(self.path)  # which may be a link to elsewhere
        return self._parse(data)

    def add(self, name: str, public: PublicKey) -> TrustedKey:
        """Trust ``public`` under ``name``; adding the same again changes nothing.

        Raises ``NotTrusted`` where the name has another key, or the key another name.
        """
        check_name(name)
        added = TrustedKey(name, public)
        with locked(self._folder, self.path):
            keys = self.list()
            if added in keys:
                return added
            for key in keys:
                if name == key.name or public == key.public:
                    raise NotTrusted.of(
                        Code.KEY_EXISTS,
                        f"{key.name} is trusted already, with the key {key.fingerprint[:16]}",
                        hint=f"remove it first: `cloacina-ctl trust remove {key.name}`",
                    )
            self._write((*keys, added))
        return added

    def remove(self, spec: str) -> TrustedKey:
        """Stop trusting the key that ``spec`` means: a name, or the beginning of a fingerprint."""
        with locked(self._folder, self.path):
            keys = self.list()
            gone = find_trusted(keys, spec)
            self._write([key for key in keys if key != gone])
        return gone

    def _write(self, keys: Sequence[TrustedKey]) -> None:
        ordered = sorted(keys, key=lambda key: key.name)
        rows = [{"name": key.name, "key": key.public.raw.hex()} for key in ordered]
        text = json.dumps({"version": 1, "keys": rows}, indent=2) + "\n"
        with StagedFile(self.path, replace=True, mode=0o600) as staged:
            with reported(self.path):
                os.fchmod(staged.fd, 0o600)  # whatever the umask is
                write_all(staged.fd, text.encode())
            staged.commit()

    def _parse(self, data: bytes) -> tuple[TrustedKey, ...]:
        if len(data) > _MAX_BYTES:
            raise self._bad(f"it has more than {_MAX_BYTES} bytes")
        try:
            value = json.loads(data.decode("utf-8"), object_pairs_hook=each_once)
        except (ValueError, RecursionError) as error:
            raise self._bad("it is not JSON, or has a key twice") from error
        if not isinstance(value, dict) or value.keys() != {"version", "keys"}:
            raise self._bad("expected an object of `version` and `keys`")
        rows = value["keys"]
        if value["version"] != 1 or not isinstance(rows, list):
            raise self._bad("it is not of version 1")
        keys = tuple(self._row(row) for row in rows)
        if len({key.name for key in keys}) + len({key.public for key in keys}) != 2 * len(keys):
            raise self._bad("it has a name or a key twice")
        return keys

    def _row(self, row: object) -> TrustedKey:
        if not isinstance(row, dict) or row.keys() != {"name", "key"}:
            raise self._bad("expected each key as an object of `name` and `key`")
        name, raw = row["name"], row["key"]
        if not isinstance(name, str) or not is_name(name):
            raise self._bad("it has a name that no key may have")
        if not isinstance(raw, str) or _RAW_KEY.fullmatch(raw) is None:
            raise self._bad(f"the key of {name} is not 64 lower-case hex digits")
        return TrustedKey(name, PublicKey(bytes.fromhex(raw), where=self.path))

    def _bad(self, why: str) -> NotTrusted:
        return NotTrusted.of(
            Code.BAD_TRUST_FILE,
            f"the trust file cannot be used: {why}",
            where=self.path,
            hint="move it away and add the keys again",
        )


def find_trusted(keys: Sequence[TrustedKey], spec: str) -> TrustedKey:
    """Return the trusted key that ``spec`` names, or raise ``NotTrusted``."""
    return TrustedKey(*find_one(spec, keys, listing="cloacina-ctl trust list"))


def known_keys(folder: str) -> tuple[KnownKey, ...]:
    """Return the keys whose signatures count by default: the trusted ones and the user's own.

    Each key once; a key in both places has its name from the trust file.
    """
    named = (*KeyStore(folder).public_keys(), *TrustStore(folder).list())
    return tuple({key.public: KnownKey(key.public, key.name) for key in named}.values())
