"""What lies where in the folder of a local registry, and how its parts are named.

::

    index.sqlite                     what is installed, which version is active
    packages/ab/ab….cloacina         by the SHA-256 of their bytes, read-only
    sidecars/cd/cd….sig              signatures of packages that have none inside, likewise
    records/ef/ef….json              of each name what the index says of it, to make it anew from
    incoming/                        what is being written
    reserve                          room for a removal when the disk is full
    lock                             held by whoever changes something

Names of packages and tenants never become names of files.
"""

from __future__ import annotations

import hashlib
import os
import re

from cloacina_ctl.errors import Code, Refused, UsageError

INDEX = "index.sqlite"
LOCK = "lock"
RESERVE = "reserve"
PACKAGES, SIDECARS, RECORDS, INCOMING = "packages", "sidecars", "records", "incoming"
FOLDERS = (PACKAGES, SIDECARS, RECORDS, INCOMING)
SUFFIXES = {PACKAGES: ".cloacina", SIDECARS: ".sig", RECORDS: ".json"}
DEFAULT_TENANT = "public"  # the one that the workflows' own declarations have by default

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
# Other generations let a name be nearly anything; `@` is where NAME@VERSION is cut.
_NAME = re.compile(r"[^\x00-\x20\x7f-\xa0@\ud800-\udfff]{1,255}")
_STORED = re.compile(r"[0-9a-f]{64}")


def stored_path(kind: str, digest: str) -> str:
    """Return where a file of that kind and digest lies, from the registry's folder on."""
    return os.path.join(kind, digest[:2], digest + SUFFIXES[kind])


def digest_in(kind: str, folder: str, name: str) -> str | None:
    """Return the digest of the file ``name`` in ``folder`` of that kind; None for a stray file."""
    digest = name.removesuffix(SUFFIXES[kind])
    if digest + SUFFIXES[kind] != name or _STORED.fullmatch(digest) is None:
        return None
    return digest if digest[:2] == folder else None


def digest_at(kind: str, path: str) -> str | None:
    """Return the digest of the stored file of that kind at ``path``; None for any other path."""
    above, name = os.path.split(path)
    folder, parent = os.path.basename(os.path.dirname(above)), os.path.basename(above)
    return digest_in(kind, parent, name) if folder == kind else None


def record_digest(tenant: str, name: str) -> str:
    """Return what the record of a package is called by; a tenant holds no NUL."""
    text = f"{tenant}\0{name}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()


def check_tenant(tenant: str) -> str:
    """Return ``tenant``, or raise ``UsageError`` for what no tenant may be called."""
    if _TENANT.fullmatch(tenant) is None:
        raise UsageError.of(
            Code.USAGE,
            "a tenant has 1 to 63 letters, digits, `_`, `.` and `-`, and begins with a letter or "
            f"digit: {tenant[:80]}",
        )
    return tenant


def check_name(text: str, where: str) -> str:
    """Return a package's name or version, or raise ``Refused`` for what cannot be called by it."""
    if _NAME.fullmatch(text) is None:
        raise Refused.of(
            Code.FIELD_VALUE,
            "a package is installed under a name and version of 1 to 255 characters without "
            f"spaces, control characters and `@`: {text[:80]}",
            where=where,
        )
    return text
