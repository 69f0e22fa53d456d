"""From what a user typed to a key: the path of a key file, or the name or fingerprint of one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import NotTrusted
from cloacina_ctl.signing.keys import load_private_key, load_public_key
from cloacina_ctl.signing.store import KeyStore
from cloacina_ctl.signing.trust import TrustStore, find_trusted

if TYPE_CHECKING:
    from cloacina_ctl.signing.keys import PassphraseProvider, PrivateKey, PublicKey


def find_public(spec: str, folder: str) -> PublicKey:
    """Return the public key that ``spec`` means: a file, or a stored or trusted key."""
    if _is_file(spec):
        return load_public_key(spec)
    try:
        return KeyStore(folder).find(spec).public
    except NotTrusted:
        return find_trusted(TrustStore(folder).list(), spec).public


def find_private(
    spec: str, folder: str, passphrase: PassphraseProvider | None = None
) -> PrivateKey:
    """Return the private key that ``spec`` means: a file, or a key of the store."""
    if _is_file(spec):
        return load_private_key(spec, passphrase)
    return KeyStore(folder).load_private(spec, passphrase)


def _is_file(spec: str) -> bool:
    """Tell whether ``spec`` is meant as a path: it looks like one, or such a file is there."""
    return os.sep in spec or spec.endswith((".pem", ".pub", ".key")) or os.path.exists(spec)
