"""The files and folders of a local registry, and their names.

::

    packages/ab…/public.json       of one name and tenant: its versions, and which were active
    packages/ab…/cd….cloacina      a package, by the SHA-256 of its bytes, read-only
    packages/ab…/ef….sig           the signature of a package that has none inside, likewise
    incoming/                      what is being written
    reserve                        room for a removal when the disk is full
    lock                           held while something changes, and says in which folder

The name of a folder in ``packages`` is the SHA-256 of a package's name: names of packages, which
may be nearly any text, never become names of files. It has the packages of that name of all
tenants.
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
DEFAULT_TENANT = "public"  # the default of workflow declarations

_PACKAGE, _SIDECAR = ".cloacina", ".sig"
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
# Legacy formats allow nearly any name; NAME@VERSION is split at `@`.
_NAME = re.compile(r"[^\x00-\x20\x7f-\xa0@\ud800-\udfff]{1,255}")
_LARGE = re.compile(r"[A-Z]")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_STORED = re.compile(r"([0-9a-f]{64})\.(?:cloacina|sig)")


def name_folder(name: str) -> str:
    """Return the folder of a name in ``packages``."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def record_file(tenant: str) -> str:
    """Return the name of a tenant's record in the folder of a name.

    Some file systems ignore letter case, so upper-case letters are marked.
    """
    return _LARGE.sub(r"%\g<0>", tenant) + RECORD


def package_file(digest: str) -> str:
    """Return the file name of a package in the folder of its name."""
    return digest + _PACKAGE


def sidecar_file(digest: str) -> str:
    """Return the file name of the signature of a package there."""
    return digest + _SIDECAR


def is_digest(text: str) -> bool:
    """Return whether it is a SHA-256 as in the names of folders and files."""
    return _DIGEST.fullmatch(text) is not None


def file_digest(name: str) -> str | None:
    """Return the digest in the name of a stored file; None for any other name."""
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
    """Return whether ``text`` may name a tenant."""
    return _TENANT.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Return whether a package may be installed with that name or version."""
    return _NAME.fullmatch(text) is not None


def check_tenant(tenant: str) -> str:
    """Return ``tenant``, or raise ``UsageError`` for a text that may not name one."""
    if not is_tenant(tenant):
        raise UsageError.of(
            Code.USAGE,
            "a tenant has 1 to 63 letters, digits, `_`, `.` and `-`, and begins with a letter or "
            f"digit: {tenant[:80]}",
        )
    return tenant


def check_name(text: str, where: str) -> str:
    """Return a package's name or version, or raise ``Refused`` where it may not be one."""
    if not is_name(text):
        raise Refused.of(
            Code.FIELD_VALUE,
            "a package is installed under a name and version of 1 to 255 characters without "
            f"spaces, control characters and `@`: {text[:80]}",
            where=where,
        )
    return text
