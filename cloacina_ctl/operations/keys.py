"""``key`` and ``trust``: the user's own keys, and the keys of others whose signatures count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl import settings
from cloacina_ctl.errors import Code, FileProblem, UsageError
from cloacina_ctl.files.staging import write_file
from cloacina_ctl.signing.keys import PrivateKey, PublicKey, load_key, load_raw_key
from cloacina_ctl.signing.names import check_fingerprint, check_name, grouped
from cloacina_ctl.signing.resolve import find_private, find_public
from cloacina_ctl.signing.store import DEFAULT_KEY, KeyStore, StoredKey
from cloacina_ctl.signing.trust import TrustedKey, TrustStore
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.signing.keys import PassphraseProvider

# How a key is written: PEM with lines that end in LF or, as upstream's library ends them, in CRLF;
# or the 32 bytes alone.
FORMS = ("pem", "pem-crlf", "raw")


class KeyShown(NamedTuple):
    """A key as it is shown: never anything of a private half but that it is there.

    ``openssh_fingerprint`` is what OpenSSH's programs print for the same key.
    """

    name: str
    fingerprint: str
    openssh_fingerprint: str
    has_private: bool
    encrypted: bool
    pem: str


def generate_key(name: str = DEFAULT_KEY, passphrase: bytes | None = None) -> KeyShown:
    """Make a new Ed25519 key in the user's folder, readable by the user alone."""
    return _shown(KeyStore(settings.config_folder()).generate(name, passphrase))


def list_keys() -> tuple[KeyShown, ...]:
    """Return the user's keys that can be read, by name."""
    return tuple(_shown(key) for key in KeyStore(settings.config_folder()).list())


def unusable_keys() -> tuple[Diagnostic, ...]:
    """Return a warning for each of the user's keys that cannot be read: the others still count."""
    store = KeyStore(settings.config_folder())
    return tuple(one.warning() for one in store.unusable())


def find_own_key(spec: str) -> KeyShown:
    """Return the stored key that a name, a fingerprint or a beginning of one names."""
    return _shown(KeyStore(settings.config_folder()).find(spec))


def show_key(spec: str, passphrase: PassphraseProvider | None = None) -> KeyShown:
    """Return the key that ``spec`` means: a stored one, or one in a file or another source.

    In a file it may be either half, of any owner; an encrypted one is opened with ``passphrase``.
    """
    if not settings.names_a_source(spec):
        return find_own_key(spec)
    key, encrypted = load_key(spec, passphrase, to_use=False)
    public = key.public if isinstance(key, PrivateKey) else key
    return KeyShown(
        name=spec,
        fingerprint=public.fingerprint,
        openssh_fingerprint=public.openssh_fingerprint,
        has_private=isinstance(key, PrivateKey),
        encrypted=encrypted,
        pem=public.to_pem().decode("ascii"),
    )


def fingerprint_lines(fingerprint: str) -> tuple[str, str]:
    """Return a whole fingerprint as people compare it: two lines, each of eight groups of four."""
    return grouped(fingerprint)


class ImportRequest(NamedTuple):
    """Which file to import as ``name``, and its kind where it holds 32 raw bytes.

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
    if request.raw_public or request.raw_private:
        key = load_raw_key(request.path, private=request.raw_private)
    else:
        key, _ = load_key(request.path, request.passphrase)
    if isinstance(key, PublicKey):
        return _shown(store.add_public(request.name, key))
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
            hint=f"use one of {', '.join(FORMS)}",
        )
    if request.output is None:
        if request.private or request.form != "pem":
            what = "the private half" if request.private else f"the form {request.form}"
            raise UsageError.of(
                Code.USAGE,
                f"{what} can only be written to a file",
                hint="name a file: --output FILE",
            )
        return find_own_key(request.key)
    key = find_own_key(request.key)
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


class Removed(NamedTuple):
    """The key that was removed, and the name in the trust list under which it still counts."""

    key: KeyShown
    trusted_as: str | None


def remove_key(spec: str, *, forget: bool = False) -> Removed:
    """Remove a key, both halves; what it signed stays signed.

    Where the private half was here, the public one moves to the trust list, so that one's own
    packages are still trusted; ``forget`` ends that trust, too. Nothing brings a private half back:
    ask before. A run that is killed in between leaves a key that is trusted and can be removed.
    """
    folder = settings.config_folder()
    store = KeyStore(folder)
    key = store.find(spec)
    trusted = None
    if key.has_private and not forget:
        trusted = _keep_trusting(TrustStore(folder), key)
    return Removed(_shown(store.remove(key.name)), trusted)


def _keep_trusting(trust: TrustStore, key: StoredKey) -> str:
    """Trust the key by its own name, or by one with digits where another key is called so."""
    known = trust.list()
    for one in known:
        if one.public == key.public:
            return one.name
    is_taken = any(one.name == key.name for one in known)
    name = f"{key.name[:50]}-key-{key.fingerprint[:8]}" if is_taken else key.name
    return trust.add(name, key.public).name


class TrustShown(NamedTuple):
    """A trusted key as it is shown: what the user calls its owner, and its fingerprint."""

    name: str
    fingerprint: str


class Offered(NamedTuple):
    """A public key that is not trusted yet, for the user to compare.

    ``trusted_as`` is its name in the trust list where it is there already.
    """

    name: str
    public: PublicKey
    trusted_as: str | None = None


def offer_key(spec: str, name: str, fingerprint: str | None = None) -> Offered:
    """Return the public key that ``spec`` means, a file or a stored key; trust nothing yet.

    Raises ``NotTrusted`` where it has not the ``fingerprint`` that is expected, a whole one.
    """
    check_name(name)
    public = find_public(spec)
    if fingerprint is not None:
        check_fingerprint(public, fingerprint, spec)
    known = {key.public: key.name for key in TrustStore(settings.config_folder()).list()}
    return Offered(name, public, known.get(public))


def trust_offered(offered: Offered) -> TrustShown:
    """Trust the key that was offered, under the name that was given."""
    return _trust_shown(TrustStore(settings.config_folder()).add(offered.name, offered.public))


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

    The user sets one in the environment or in ``config.toml``. Without any, returns no key.
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
        usable = KeyStore(settings.config_folder()).has_private(DEFAULT_KEY)
    except FileProblem as error:
        first = error.diagnostics[0]
        raise FileProblem(
            first._replace(
                message=f"cannot read whether you have a key to sign with: {first.message}",
                hint=f"name a key file, do not sign, or set the folder of your keys with "
                f"{settings.ENV_FOLDER}",
            )
        ) from error
    return (DEFAULT_KEY,) if usable else ()


def _shown(key: StoredKey) -> KeyShown:
    return KeyShown(
        name=key.name,
        fingerprint=key.fingerprint,
        openssh_fingerprint=key.public.openssh_fingerprint,
        has_private=key.has_private,
        encrypted=key.encrypted,
        pem=key.public.to_pem().decode("ascii"),
    )


def _trust_shown(key: TrustedKey) -> TrustShown:
    return TrustShown(key.name, key.fingerprint)
