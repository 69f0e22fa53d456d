"""What lies where in the folder of a local registry, and how its parts are named.

::

    packages/ab…/public.json       of one name and tenant: its versions, and which were active
    packages/ab…/cd….cloacina      a package, by the SHA-256 of its bytes, read-only
    packages/ab…/ef….sig           the signature of a package that has none inside, likewise
    incoming/                      what is being written
    reserve                        room for a removal when the disk is full
    lock                           held while something changes, and says in which folder

A folder in ``packages`` is called by the SHA-256 of a name: names of packages, which may be nearly
anything, never become names of files. All tenants have their packages of that name in it.
"""

from __future__ import annotations

import hashlib
import os
import re

from cloacina_ctl.errors import Code, Refused, UsageError

LOCK = "lock"
RESERVE = "reserve"
PACKAGES, INCOMING = "packages", "incoming"
RECORD = ".json"
SET_ASIDE = f"{RECORD}.damaged-"  # and when
DEFAULT_TENANT = "public"  # the one that the workflows' own declarations have by default

_PACKAGE, _SIDECAR = ".cloacina", ".sig"
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
# Other generations let a name be nearly anything; `@` is where NAME@VERSION is cut.
_NAME = re.compile(r"[^\x00-\x20\x7f-\xa0@\ud800-\udfff]{1,255}")
_LARGE = re.compile(r"[A-Z]")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_STORED = re.compile(r"([0-9a-f]{64})\.(?:cloacina|sig)")


def name_folder(name: str) -> str:
    """Return what the folder of a name is called in ``packages``."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def record_file(tenant: str) -> str:
    """Return what a tenant's record is called in the folder of a name.

    Some file systems take large letters for small ones, so they are marked.
    """
    return _LARGE.sub(r"%\g<0>", tenant) + RECORD


def package_file(digest: str) -> str:
    """Return what a package is called in the folder of its name."""
    return digest + _PACKAGE


def sidecar_file(digest: str) -> str:
    """Return what the signature of a package is called there."""
    return digest + _SIDECAR


def is_digest(text: str) -> bool:
    """Tell whether it is a SHA-256 as folders and files are called by it."""
    return _DIGEST.fullmatch(text) is not None


def file_digest(name: str) -> str | None:
    """Return the digest that a stored file is called by; None for any other name."""
    found = _STORED.fullmatch(name)
    return found[1] if found else None


def package_digest(path: str) -> str | None:
    """Return the digest of the stored package at ``path``; None for any other path."""
    above, name = os.path.split(path)
    packages, folder = os.path.split(above)
    if os.path.basename(packages) != PACKAGES or not is_digest(folder):
        return None
    return file_digest(name) if name.endswith(_PACKAGE) else None


def is_tenant(text: str) -> bool:
    """Tell whether a tenant may be called so."""
    return _TENANT.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Tell whether a package may be installed under that name or version."""
    return _NAME.fullmatch(text) is not None


def check_tenant(tenant: str) -> str:
    """Return ``tenant``, or raise ``UsageError`` for what no tenant may be called."""
    if not is_tenant(tenant):
        raise UsageError.of(
            Code.USAGE,
            "a tenant has 1 to 63 letters, digits, `_`, `.` and `-`, and begins with a letter or "
            f"digit: {tenant[:80]}",
        )
    return tenant


def check_name(text: str, where: str) -> str:
    """Return a package's name or version, or raise ``Refused`` for what cannot be called by it."""
    if not is_name(text):
        raise Refused.of(
            Code.FIELD_VALUE,
            "a package is installed under a name and version of 1 to 255 characters without "
            f"spaces, control characters and `@`: {text[:80]}",
            where=where,
        )
    return text
