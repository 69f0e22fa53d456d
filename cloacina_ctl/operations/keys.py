"""``key`` and ``trust``: the user's own keys, and the keys of others whose signatures count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl import settings
from cloacina_ctl.errors import Code, FileProblem, UsageError
from cloacina_ctl.signing.keys import PrivateKey, PublicKey, read_key_file
from cloacina_ctl.signing.resolve import find_private, find_public
from cloacina_ctl.signing.store import DEFAULT_KEY, KeyStore, StoredKey
from cloacina_ctl.signing.trust import TrustedKey, TrustStore
from cloacina_ctl.staging import write_file
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.signing.keys import PassphraseProvider

# How a key is written: PEM with lines that end in LF or, as upstream's library ends them, in CRLF;
# or the 32 bytes alone.
FORMS = ("pem", "pem-crlf", "raw")


class KeyShown(NamedTuple):
    """A key as it is shown: never anything of a private half but that it is there."""

    name: str
    fingerprint: str
    has_private: bool
    encrypted: bool
    pem: str


def generate_key(name: str = DEFAULT_KEY, passphrase: bytes | None = None) -> KeyShown:
    """Make a new Ed25519 key in the user's folder, readable by the user alone."""
    return _shown(KeyStore(settings.config_folder()).generate(name, passphrase))


def list_keys() -> tuple[KeyShown, ...]:
    """Return the user's keys by name."""
    return tuple(_shown(key) for key in KeyStore(settings.config_folder()).list())


def show_key(spec: str) -> KeyShown:
    """Return the key that a name, a fingerprint or a beginning of one names."""
    return _shown(KeyStore(settings.config_folder()).find(spec))


class ImportRequest(NamedTuple):
    """Which file to import as ``name``, and what it is where 32 raw bytes do not tell.

    ``passphrase`` opens an encrypted private key; ``new_passphrase`` encrypts it in the store.
    """

    path: str
    name: str
    raw_public: bool = False
    raw_private: bool = False
    passphrase: PassphraseProvider | None = None
    new_passphrase: bytes | None = None


def import_key(request: ImportRequest) -> KeyShown:
    """Put the key in a file into the store: private or public, PEM, or raw where that is said."""
    if request.raw_public and request.raw_private:
        raise UsageError.of(Code.USAGE, "a raw key is public or private, not both")
    store = KeyStore(settings.config_folder())
    data = read_key_file(request.path, private=False)
    if request.raw_public or (not request.raw_private and b"-----BEGIN PUBLIC KEY-----" in data):
        read = PublicKey.from_raw if request.raw_public else PublicKey.from_pem
        return _shown(store.add_public(request.name, read(data, where=request.path)))
    data = read_key_file(request.path, private=True)
    if request.raw_private:
        key = PrivateKey.from_raw(data, where=request.path)
    else:
        key = PrivateKey.from_pem(data, request.passphrase, where=request.path)
    return _shown(store.add_private(request.name, key, request.new_passphrase))


class ExportRequest(NamedTuple):
    """Which half of the key ``key`` to write where, and in which of ``FORMS``.

    ``private`` exports the secret half, unencrypted, for programs that read no other form;
    ``passphrase`` opens it. ``output`` may be None for a public PEM, which then only is returned.
    """

    key: str
    output: str | None = None
    form: str = "pem"
    private: bool = False
    passphrase: PassphraseProvider | None = None
    overwrite: bool = False


def export_key(request: ExportRequest) -> KeyShown:
    """Write one half of a key to a file, the private one with mode 0600; return what is shown.

    Raises ``UsageError`` for bytes that are meant for no terminal and have no file to go to.
    """
    if request.form not in FORMS:
        raise UsageError.of(
            Code.USAGE,
            f"no such form of a key: {request.form}",
            hint=f"there are {', '.join(FORMS)}",
        )
    if request.output is None:
        if request.private or request.form != "pem":
            what = "the private half" if request.private else f"the form {request.form}"
            raise UsageError.of(
                Code.USAGE, f"{what} goes into a file only", hint="name it with --output"
            )
        return show_key(request.key)
    key = show_key(request.key)
    mode = 0o600 if request.private else 0o644
    write_file(request.output, _spell(request), replace=request.overwrite, mode=mode)
    return key


def _spell(request: ExportRequest) -> bytes:
    """Return the half that is asked for, in its form."""
    store = KeyStore(settings.config_folder())
    key: PrivateKey | PublicKey = (
        store.load_private(request.key, request.passphrase)
        if request.private
        else store.find(request.key).public
    )
    if request.form == "raw":
        return key.raw
    pem = key.to_pem()
    return pem.replace(b"\n", b"\r\n") if request.form == "pem-crlf" else pem


def remove_key(spec: str) -> KeyShown:
    """Remove a key, both halves; what it signed stays signed."""
    return _shown(KeyStore(settings.config_folder()).remove(spec))


class TrustShown(NamedTuple):
    """A trusted key as it is shown: what the user calls its owner, and its fingerprint."""

    name: str
    fingerprint: str


def trust_key(spec: str, name: str) -> TrustShown:
    """Trust the public key that ``spec`` means, a file or a stored key, under ``name``."""
    store = TrustStore(settings.config_folder())
    return _trust_shown(store.add(name, find_public(spec)))


def distrust_key(spec: str) -> TrustShown:
    """Trust a key no longer."""
    return _trust_shown(TrustStore(settings.config_folder()).remove(spec))


def list_trusted() -> tuple[TrustShown, ...]:
    """Return the trusted keys by name."""
    return tuple(_trust_shown(key) for key in TrustStore(settings.config_folder()).list())


def signing_keys(
    specs: tuple[str, ...], passphrase: PassphraseProvider | None = None
) -> tuple[PrivateKey, ...]:
    """Return the keys to sign with: those named, else the one that the user set, else ``default``.

    The user sets one in the environment or in ``config.toml``. Without any, none: nobody signs.
    Raises ``FileProblem`` where no key is named and it cannot be seen whether there is one.
    """
    chosen = specs or _usual_key()
    keys = [find_private(spec, passphrase=passphrase) for spec in dict.fromkeys(chosen)]
    return tuple({key.public: key for key in keys}.values())


def _usual_key() -> tuple[str, ...]:
    try:
        configured = settings.signing_key()
        if configured is not None:
            return (configured,)
        keys = KeyStore(settings.config_folder()).list()
    except FileProblem as error:
        first = error.diagnostics[0]
        raise FileProblem(
            first._replace(
                message=f"it cannot be seen whether you have a key to sign with: {first.message}",
                hint=f"name a key file, sign nothing, or name the folder of your keys with "
                f"{settings.ENV_FOLDER}",
            )
        ) from error
    usable = any(key.name == DEFAULT_KEY and key.has_private for key in keys)
    return (DEFAULT_KEY,) if usable else ()


def _shown(key: StoredKey) -> KeyShown:
    return KeyShown(
        name=key.name,
        fingerprint=key.fingerprint,
        has_private=key.has_private,
        encrypted=key.encrypted,
        pem=key.public.to_pem().decode("ascii"),
    )


def _trust_shown(key: TrustedKey) -> TrustShown:
    return TrustShown(key.name, key.fingerprint)
