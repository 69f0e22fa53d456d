"""The largest sizes in a package: one value, the same for writing and for reading."""

from __future__ import annotations

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.values import NamedTuple

MIB, GIB = 1 << 20, 1 << 30


class Limits(NamedTuple):
    """The limits of packages; raise one with ``_replace`` for a single run.

    Sizes are bytes. They bound the cost of an untrusted package: everything is checked on the claim
    before memory or time is spent, and again on the bytes.
    """

    signature_block: int = 1 * MIB
    envelopes: int = 64
    head_compressed: int = 16 * MIB
    head: int = 64 * MIB
    manifest: int = 16 * MIB
    index_bytes: int = 16 * MIB
    tasks: int = 100_000
    files: int = 250_000
    file: int = 8 * GIB - 1
    total: int = 64 * GIB
    frames: int = 65_536
    ratio: int = 200
    ratio_from: int = 256 * MIB
    # Legacy packages. Engines load 10 000 entries and 500 MiB, servers accept 100 MiB; they have a
    # ratio of 10 too, but release 0.5 had none, and validate reports it (docs/formats.md).
    legacy_compressed: int = 1 * GIB
    legacy_entries: int = 10_000
    legacy_total: int = 2 * GIB
    legacy_manifest: int = 1 * MIB
    legacy_ratio: int = 100
    legacy_ratio_from: int = 16 * MIB

    def check(self, name: str, value: int, *, where: str, what: str) -> None:
        """Refuse ``value`` when it is over the limit called ``name``."""
        limit = getattr(self, name)
        if value > limit:
            raise over_limit(name, value, limit, where=where, what=what)


def over_limit(name: str, value: int, limit: int, *, where: str, what: str) -> Refused:
    """Return the error for ``what`` being ``value`` where ``limit`` is allowed."""
    return Refused.of(
        Code.LIMIT,
        f"{what} is {value}, and at most {limit} is allowed",
        where=where,
        hint=f"if you trust where it came from, raise it for this run: --limit {name}={value}",
    )


DEFAULT_LIMITS = Limits()
