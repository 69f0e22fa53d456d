"""Records: one file for each name of a tenant, with everything that the registry knows of it.

A record is replaced as a whole by one rename, so a change of a name is complete or absent. Only
records say what is installed.
"""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.files.staging import reported
from cloacina_ctl.registry.files import staged
from cloacina_ctl.registry.layout import (
    is_digest,
    is_name,
    is_tenant,
    name_folder,
    package_file,
    record_file,
    sidecar_file,
)
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.files.folders import Folder
    from cloacina_ctl.manifest.canonical import JsonObject, JsonValue

SCHEMA = "cloacina-ctl/registry-record/"
SCHEMA_VERSION = 1
MAX_BYTES = 256 << 20  # a version takes less than a kilobyte
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Trust(NamedTuple):
    """Why a package was accepted: the trusted signers, the policy, the time.

    ``trusted_signers`` are fingerprints of keys that were known at ``verified_at`` (UTC), none
    where the policy accepted unsigned packages; ``keys`` are those that the policy named, none for
    the trusted keys and the user's own. ``signatures`` are JSON, as in ``verify --json``.
    """

    verified_at: str
    trusted_signers: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    threshold: int = 1
    allow_unsigned: bool = False
    signatures: tuple[JsonValue, ...] = ()

    def rule_to_json(self) -> JsonObject:
        """Return the rule as JSON."""
        return {
            "keys": list(self.keys),
            "threshold": self.threshold,
            "allow_unsigned": self.allow_unsigned,
        }

    def to_json(self) -> JsonObject:
        """Return it as JSON."""
        return {
            "verified_at": self.verified_at,
            "trusted_signers": list(self.trusted_signers),
            "rule": self.rule_to_json(),
            "signatures": list(self.signatures),
        }

    @classmethod
    def from_json(cls, value: object) -> Trust:
        """Return the value that ``to_json`` wrote; raises ``ValueError`` for anything else."""
        try:
            if not isinstance(value, dict):
                raise TypeError("an object is expected")
            rule = value["rule"]
            return cls(
                _text(value["verified_at"]),
                tuple(map(_text, value["trusted_signers"])),
                tuple(map(_text, rule["keys"])),
                int(rule["threshold"]),
                rule["allow_unsigned"] is True,
                tuple(value["signatures"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a decision of trust: {error}") from error


class Stored(NamedTuple):
    """A version of a package in the registry.

    ``digest`` is of the file's bytes, ``sidecar`` of the bytes of its sidecar, ``content`` the
    identity that ``verify`` shows; sizes are bytes, times UTC.
    """

    tenant: str
    name: str
    version: str
    format: str
    digest: str
    size: int
    content: str
    sidecar: str | None
    installed_at: str
    trust: Trust

    @property
    def folder(self) -> str:
        """The folder of its name in ``packages``."""
        return name_folder(self.name)

    @property
    def files(self) -> tuple[str, ...]:
        """The names of its package and signature in the folder of its name."""
        package = package_file(self.digest)
        return (package,) if self.sidecar is None else (package, sidecar_file(self.sidecar))

    def to_json(self) -> JsonObject:
        """Return it as JSON, without tenant and name, which the record has."""
        fields: dict[str, JsonValue] = dict(self._asdict())
        del fields["tenant"], fields["name"]
        return {**fields, "trust": self.trust.to_json()}

    @classmethod
    def from_json(cls, value: object, tenant: str, name: str) -> Stored:
        """Return the value that ``to_json`` wrote; raises ``ValueError`` for anything else."""
        if not isinstance(value, dict) or value.keys() != _KINDS.keys():
            raise ValueError("not a version of a package")
        if not all(isinstance(value[key], kind) for key, kind in _KINDS.items()):
            raise ValueError("a field of the wrong type")
        digests = (value["digest"], value["sidecar"] or value["digest"])
        if not is_name(value["version"]) or not all(map(is_digest, digests)):
            raise ValueError("a version or digest of the wrong form")
        *fields, trust = (value[key] for key in _KINDS)
        return cls._make((tenant, name, *fields, Trust.from_json(trust)))


# The fields after tenant and name, in their order, and the JSON type of each.
_KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(Stored._fields[2:], str),
    "size": int,
    "sidecar": (str, type(None)),
    "trust": dict,
}


class NameRecord(NamedTuple):
    """The record of one name of one tenant: its versions as installed, and their activations.

    ``activations`` are versions, each once: the last is the active one, a rollback goes to the one
    before it.
    """

    tenant: str
    name: str
    versions: tuple[Stored, ...] = ()
    activations: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The folder of the name in ``packages``."""
        return name_folder(self.name)

    @property
    def file(self) -> str:
        """The name of the record there."""
        return record_file(self.tenant)

    @property
    def active(self) -> str | None:
        """The active version; None only where there is none at all."""
        return self.activations[-1] if self.activations else None

    @property
    def installed(self) -> list[str]:
        """The versions, as they were installed."""
        return [one.version for one in self.versions]

    @property
    def files(self) -> set[str]:
        """The names of the files of all versions in the folder of the name."""
        return {file for one in self.versions for file in one.files}

    def find(self, version: str | None) -> Stored | None:
        """Return that version, or the active one for None; None where there is none."""
        wanted = self.active if version is None else version
        return next((one for one in self.versions if one.version == wanted), None)

    def to_json(self) -> JsonObject:
        """Return it as JSON."""
        return {
            "schema": f"{SCHEMA}{SCHEMA_VERSION}",
            "tenant": self.tenant,
            "name": self.name,
            "versions": [one.to_json() for one in self.versions],
            "activations": list(self.activations),
        }

    @classmethod
    def from_json(cls, value: object) -> NameRecord:
        """Return the value that ``to_json`` wrote; raises ``ValueError`` for anything else."""
        if not isinstance(value, dict) or value.get("schema") != f"{SCHEMA}{SCHEMA_VERSION}":
            raise ValueError("not a record of a registry")
        try:
            tenant, name = _text(value["tenant"]), _text(value["name"])
            versions = tuple(Stored.from_json(one, tenant, name) for one in value["versions"])
            activations = tuple(map(_text, value["activations"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a record of a registry: {error}") from error
        if not is_tenant(tenant) or not is_name(name):
            raise ValueError("a tenant or name of the wrong form")
        installed, active = {one.version for one in versions}, set(activations)
        if len(installed) < len(versions) or len(active) < len(activations):
            raise ValueError("a version that is there twice")
        if not active or not active <= installed:
            raise ValueError("no active version, or one that is not installed")
        return cls(tenant, name, versions, activations)


def read(path: str) -> NameRecord | None:
    """Return the record at ``path``; None where there is none.

    Raises ``Refused`` for one that is damaged or of a newer version, ``FileProblem`` where it is no
    regular file, or the system refuses to read it.
    """
    with reported(path):
        try:
            fd = os.open(path, _FLAGS)
        except FileNotFoundError:
            return None
        with open(fd, "rb", buffering=0) as file:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise FileProblem.of(Code.NOT_REGULAR, "it is not a regular file", where=path)
            data = file.read() if found.st_size <= MAX_BYTES else b""
    try:
        if found.st_size > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
        value = json.loads(data.decode("ascii"))
        _refuse_newer(value, path)
        record = NameRecord.from_json(value)
        if os.path.join(record.folder, record.file) != os.path.join(*path.split(os.sep)[-2:]):
            raise ValueError("it is of another name or tenant")
    except (ValueError, RecursionError) as error:
        raise Refused.of(
            Code.REGISTRY_DAMAGED,
            f"the record of a package is damaged: {error}",
            where=path,
            hint="`cloacina-ctl list --check --repair` sets it aside; then install the packages "
            "beside it again",
        ) from error
    return record


def write(record: NameRecord, folder: Folder, registry: str) -> None:
    """Replace the record in the open ``folder`` in one step; without versions it is removed.

    ``registry`` is the path of the registry of the folder.
    """
    if not record.versions:
        with reported(folder.where(record.file)):
            folder.unlink(record.file)
            folder.sync()
        return
    with staged(registry) as incoming:
        incoming.write(json.dumps(record.to_json()).encode("ascii") + b"\n")
        incoming.flush()
        incoming.place(folder, record.file)


def _refuse_newer(value: object, path: str) -> None:
    schema = value.get("schema") if isinstance(value, dict) else None
    version = schema.removeprefix(SCHEMA) if isinstance(schema, str) else ""
    if schema != version and version.isdecimal() and int(version) > SCHEMA_VERSION:
        raise Refused.of(
            Code.NEWER_REGISTRY,
            f"the registry is of version {version}, and {SCHEMA_VERSION} is the newest that is "
            "known here",
            where=path,
            hint="update cloacina-ctl",
        )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    return value
