"""From what a user typed to a key: the path of a key file, or the name or fingerprint of one.

Which of them is meant follows from the text alone (``settings.names_a_file``).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.settings import config_folder, names_a_file
from cloacina_ctl.signing.keys import load_private_key, load_public_key
from cloacina_ctl.signing.names import find_one
from cloacina_ctl.signing.store import KeyStore
from cloacina_ctl.signing.trust import TrustStore

if TYPE_CHECKING:
    from cloacina_ctl.signing.keys import PassphraseProvider, PrivateKey, PublicKey


def find_public(spec: str, folder: str | None = None) -> PublicKey:
    """Return the public key that ``spec`` means: a file, or a stored or trusted key.

    ``folder`` is the user's own where it is None, and is not looked for where ``spec`` is a file.
    Raises ``NotTrusted`` where no key is meant, or more than one.
    """
    if names_a_file(spec):
        return load_public_key(spec)
    folder = folder or config_folder()
    keys = (*KeyStore(folder).public_keys(), *TrustStore(folder).list())
    try:
        return find_one(spec, keys, listing="cloacina-ctl key list").public
    except NotTrusted as error:
        raise _with_file_hint(error, spec) from error


def find_private(
    spec: str, folder: str | None = None, passphrase: PassphraseProvider | None = None
) -> PrivateKey:
    """Return the private key that ``spec`` means: a file, or a key of the store in ``folder``."""
    if names_a_file(spec):
        return load_private_key(spec, passphrase)
    try:
        return KeyStore(folder or config_folder()).load_private(spec, passphrase)
    except NotTrusted as error:
        raise _with_file_hint(error, spec) from error


def _with_file_hint(error: NotTrusted, spec: str) -> NotTrusted:
    """Say how a file of that name is meant, which must never be taken unasked."""
    first = error.diagnostics[0]
    if first.code is Code.NO_SUCH_KEY and os.path.isfile(spec):
        hint = f"if the file of that name is meant: {os.path.join(os.curdir, spec)}"
        return NotTrusted(first._replace(hint=hint))
    return error
