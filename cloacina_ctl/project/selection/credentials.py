"""Finds private keys and credentials inside of packed files.

A key in a file with an innocent name passes every list of names. Vendored files are third-party
and public; large files are not written by people. Each rule looks for a few fixed bytes first, so
that the usual case, no match, is fast.

The rules are for secrets with a recognizable form. Passwords have none, and are not found.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from cloacina_ctl.formats.layout import VENDOR_FOLDER
from cloacina_ctl.redaction import KEY_BEGIN, TOKENS
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.model import Selection

MAX_BYTES = 1 << 20  # in which private keys are looked for
MAX_CREDENTIAL_BYTES = 64 << 10  # and all else: sources and settings are small, data is not
_EXAMPLE = b"EXAMPLE"  # what keys hold that documentation shows


class PackedSecret(NamedTuple):
    """A secret inside of a file: ``place`` is ``path:line``, ``what`` never the secret itself."""

    place: str
    what: str
    is_private_key: bool = False


class _Rule(NamedTuple):
    what: str
    needle: bytes
    pattern: bytes
    is_private_key: bool = False


_RULES = (
    _Rule("a private key", b"PRIVATE KEY", KEY_BEGIN.encode(), is_private_key=True),
    _Rule("a PuTTY private key", b"PuTTY-User-Key-File-", rb"PuTTY-User-Key-File-[23]: ",
          is_private_key=True),
    _Rule("a secret access key of AWS", b"aws_secret_access_key",
          rb"aws_secret_access_key[\"']?\s*[:=]\s*[\"']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"),
    _Rule("the login of a container registry", b'"auths"',
          rb'"auths"\s*:\s*\{[^{}]*\{[^{}]*"auth"\s*:\s*"[A-Za-z0-9+/=]{8,}"'),
    _Rule("the token of a package registry", b"_authToken", rb"_authToken\s*=\s*[\w-]{16,}"),
    _Rule("the client key of a Kubernetes cluster", b"client-key-data",
          rb"client-key-data:\s*[A-Za-z0-9+/]{40}"),
    _Rule("the key of an Azure storage account", b"AccountKey=",
          rb"AccountKey=[A-Za-z0-9+/]{86}=="),
    *(
        _Rule(token.what, token.needle.encode(), token.pattern.encode())
        for token in TOKENS
        if token.in_files
    ),
)  # fmt: skip

# Pairs, and one comprehension over them: this is done for each file that gets packed.
_ALL_RULES = tuple((rule.needle, rule) for rule in _RULES)
_KEY_RULES = tuple((rule.needle, rule) for rule in _RULES if rule.is_private_key)


def find_secrets(selection: Selection, root: str) -> Iterator[PackedSecret]:
    """Yield each private key and each credential in a selected file, in the order of the file."""
    for file in selection.files:
        if file.size > MAX_BYTES or file.path.startswith(VENDOR_FOLDER):
            continue
        data = _read(file.source)
        found = sorted(_search(data), key=lambda one: one[0])
        if found:
            path = file.place(root)
        for start, rule in found:
            place = f"{path}:{data.count(10, 0, start) + 1}"
            yield PackedSecret(place, rule.what, rule.is_private_key)


def secrets_of(data: bytes, path: str) -> tuple[PackedSecret, ...]:
    """Return what stands in ``data``, one of each kind, with ``path`` as the place."""
    kinds = {rule.what: rule for _, rule in _search(data)}
    return tuple(PackedSecret(path, rule.what, rule.is_private_key) for rule in kinds.values())


def _search(data: bytes) -> list[tuple[int, _Rule]]:
    rules = _ALL_RULES if len(data) <= MAX_CREDENTIAL_BYTES else _KEY_RULES
    return [
        (found.start(), rule)
        for rule in [rule for needle, rule in rules if needle in data]
        for found in re.finditer(rule.pattern, data)
        if _EXAMPLE not in found[0]
    ]


def _read(path: str) -> bytes:
    """Return the file's bytes; nothing if it is gone: packing it reports that."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with open(fd, "rb") as file:
        return file.read(MAX_BYTES)
