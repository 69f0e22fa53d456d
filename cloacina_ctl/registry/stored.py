"""What a registry knows of a package: the bytes, the name, and why it was let in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.manifest.canonical import JsonObject, JsonValue


class Trust(NamedTuple):
    """Why a package was let in: who vouched, by which rule, when.

    ``vouched_by`` are fingerprints of keys that were known at ``verified_at`` (UTC), none where the
    rule took unsigned packages; ``keys`` what the rule named, none for the trusted keys and the
    user's own. ``signatures`` are JSON, as ``verify --json`` shows them.
    """

    verified_at: str
    vouched_by: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    threshold: int = 1
    allow_unsigned: bool = False
    signatures: tuple[JsonValue, ...] = ()

    def to_json(self) -> JsonObject:
        """Return it as JSON."""
        return {
            "verified_at": self.verified_at,
            "vouched_by": list(self.vouched_by),
            "rule": {
                "keys": list(self.keys),
                "threshold": self.threshold,
                "allow_unsigned": self.allow_unsigned,
            },
            "signatures": list(self.signatures),
        }

    def to_text(self) -> str:
        """Return the JSON as text."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, value: object) -> Trust:
        """Return what ``to_json`` wrote; raises ``ValueError`` for anything else."""
        try:
            if not isinstance(value, dict):
                raise TypeError("an object is expected")
            rule = value["rule"]
            return cls(
                verified_at=_text(value["verified_at"]),
                vouched_by=tuple(map(_text, value["vouched_by"])),
                keys=tuple(map(_text, rule["keys"])),
                threshold=int(rule["threshold"]),
                allow_unsigned=rule["allow_unsigned"] is True,
                signatures=tuple(value["signatures"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a record of trust: {error}") from error


class Stored(NamedTuple):
    """A version of a package in the registry.

    ``digest`` is of the file's bytes, ``sidecar`` of those of its signature beside it, ``content``
    the identity that ``verify`` shows; sizes are bytes, times UTC.
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

    def to_json(self) -> JsonObject:
        """Return it as JSON, for a record."""
        fields: dict[str, JsonValue] = dict(self._asdict())
        fields["trust"] = self.trust.to_json()
        return fields

    @classmethod
    def from_json(cls, value: object) -> Stored:
        """Return what ``to_json`` wrote; raises ``ValueError`` for anything else."""
        if not isinstance(value, dict) or value.keys() != set(cls._fields):
            raise ValueError("not a record of a package")
        kinds = {"size": int, "sidecar": str | None, "trust": dict}
        if not all(isinstance(value[key], kinds.get(key, str)) for key in cls._fields):
            raise ValueError("a field of the wrong type")
        return cls(**{**value, "trust": Trust.from_json(value["trust"])})


class Shown(NamedTuple):
    """A version as it is listed: whether it is the active one of its name."""

    stored: Stored
    active: bool


class History(NamedTuple):
    """All of one name in one tenant: its versions as they came, and their turns.

    ``history`` are versions, each once: the last is the active one, the one before it is what a
    rollback goes back to.
    """

    tenant: str
    name: str
    versions: tuple[Stored, ...]
    turns: tuple[str, ...]

    @property
    def active(self) -> str | None:
        """The active version; None only where there is none at all."""
        return self.turns[-1] if self.turns else None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    return value
