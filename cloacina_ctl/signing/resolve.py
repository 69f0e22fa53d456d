"""Find the key for a text that a user typed: a source, a name or a fingerprint.

The text alone decides which of them it is (``settings.names_a_source``).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.settings import config_folder, names_a_source
from cloacina_ctl.signing.keys import load_private_key, load_public_key
from cloacina_ctl.signing.names import find_one
from cloacina_ctl.signing.store import KeyStore
from cloacina_ctl.signing.trust import TrustStore

if TYPE_CHECKING:
    from cloacina_ctl.signing.keys import PassphraseProvider, PrivateKey, PublicKey


def find_public(spec: str, folder: str | None = None) -> PublicKey:
    """Return the public key that ``spec`` means: a source, or a stored or trusted key.

    ``folder`` None is the user's own; it is not used where ``spec`` is a source. Raises
    ``NotTrusted`` where no key matches, or more than one.
    """
    if names_a_source(spec):
        return load_public_key(spec)
    folder = folder or config_folder()
    store = KeyStore(folder)
    store.refuse_unusable(spec)
    keys = (*store.public_keys(), *TrustStore(folder).list())
    try:
        return find_one(spec, keys, listing="cloacina-ctl key list").public
    except NotTrusted as error:
        raise _with_file_hint(error, spec) from error


def find_private(
    spec: str, folder: str | None = None, passphrase: PassphraseProvider | None = None
) -> PrivateKey:
    """Return the private key that ``spec`` means: a source, or a key of the store in ``folder``."""
    if names_a_source(spec):
        return load_private_key(spec, passphrase)
    try:
        return KeyStore(folder or config_folder()).load_private(spec, passphrase)
    except NotTrusted as error:
        raise _with_file_hint(error, spec) from error


def _with_file_hint(error: NotTrusted, spec: str) -> NotTrusted:
    """Add a hint how to name a file of that name: it is never read without its path."""
    first = error.diagnostics[0]
    if first.code is Code.NO_SUCH_KEY and os.path.isfile(spec):
        hint = f"if the file of that name is meant: {os.path.join(os.curdir, spec)}"
        return NotTrusted(first._replace(hint=hint))
    return error
