"""``cloacina-ctl key …``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import (
    Command,
    Options,
    argument,
    choice,
    flag,
    group,
    option,
)
from cloacina_ctl.cli.parsing.options import FORCE, YES, PassphraseOptions, fingerprint_block
from cloacina_ctl.errors import Code, UsageError

if TYPE_CHECKING:
    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.operations.keys import KeyShown

_KEY = argument("KEY", "The name of a key, or the beginning of its fingerprint.", refers="key")


class _NewPassphraseOptions(Options, panel="Keys"):
    """The encryption of a new key."""

    wanted = flag(
        "--passphrase",
        "Encrypt the key with a passphrase; asks for it.",
        refers="credential",
    )
    source = group(PassphraseOptions)


class _KeyGenerateOptions(Options):
    name = argument("NAME", "The name of the key.", "default", refers="key")
    passphrase = group(_NewPassphraseOptions)


class _KeyShowOptions(Options):
    key = argument(
        "KEY", "A stored key's name or fingerprint, or a file with either half.", refers="key"
    )
    passphrase = group(PassphraseOptions)


class _KeyImportOptions(Options):
    file = argument("FILE", "The key's file, - for standard input, fd:N or env:NAME.", refers="key")
    name = argument("NAME", "The name of the key.", refers="key")
    raw_public = flag("--raw-public", "The file holds the 32 bytes of a public key.")
    raw_private = flag("--raw-private", "The file holds the 32 bytes of a private key.")
    passphrase = group(_NewPassphraseOptions)


class _KeyExportOptions(Options):
    key = _KEY
    output = option("--output -o FILE", "The file to write (default: standard output).")
    form = choice(
        "--form", "The format to write (default: pem).", ("pem", "pem-crlf", "raw"), default="pem"
    )
    private = flag("--private", "Write the private half, unencrypted, readable only by you.")
    passphrase = group(PassphraseOptions)
    force = FORCE


class _KeyRemoveOptions(Options):
    key = _KEY
    yes = YES
    forget = flag("--forget", "Also stop trusting what it signed.")


def _as_json(key: KeyShown) -> dict[str, object]:
    return {
        "name": key.name,
        "fingerprint": key.fingerprint,
        "private": key.has_private,
        "encrypted": key.encrypted,
    }


def _kind(key: KeyShown) -> str:
    kind = "private and public" if key.has_private else "public only"
    return f"{kind}{', encrypted' if key.encrypted else ''}"


def _line(key: KeyShown) -> str:
    return f"{key.name:<16} {key.fingerprint}  {_kind(key)}"


def _generate(options: _KeyGenerateOptions, reporter: Reporter) -> int:
    from cloacina_ctl.cli.terminal.prompt import new_passphrase
    from cloacina_ctl.operations.keys import generate_key

    # --passphrase-fd alone can only mean an encrypted key: never store one unencrypted by mistake.
    descriptor = options.passphrase.source.descriptor
    is_sealed = options.passphrase.wanted or descriptor is not None
    key = generate_key(options.name, new_passphrase(descriptor) if is_sealed else None)
    reporter.result(_as_json(key))
    reporter.line(f"generated the key {key.name}")
    reporter.line(f"fingerprint {key.fingerprint}")
    reporter.note(f"export its public half for others: cloacina-ctl key export {key.name}")
    return 0


def _list(_options: Options, reporter: Reporter) -> int:
    from cloacina_ctl.operations.keys import list_keys, unusable_keys

    keys, unusable = list_keys(), unusable_keys()
    reporter.result([_as_json(key) for key in keys], unusable)
    for key in keys:
        reporter.line(_line(key))
    reporter.warnings(unusable)
    if not keys and not unusable:
        reporter.note("no keys yet: `cloacina-ctl key generate` makes one")
    return 0


def _show(options: _KeyShowOptions, reporter: Reporter) -> int:
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.operations.keys import show_key

    key = show_key(options.key, options.passphrase.provider())
    reporter.result(
        {**_as_json(key), "openssh_fingerprint": key.openssh_fingerprint, "pem": key.pem}
    )
    reporter.line(f"{escape(key.name)}: Ed25519, {_kind(key)}")
    for line in fingerprint_block(key.fingerprint, key.openssh_fingerprint):
        reporter.line(line)
    reporter.line(key.pem.rstrip("\n"))
    return 0


def _import(options: _KeyImportOptions, reporter: Reporter) -> int:
    from cloacina_ctl.cli.terminal.prompt import new_passphrase
    from cloacina_ctl.operations.keys import ImportRequest, import_key

    source = options.passphrase.source
    opened, ask = [], source.provider()

    def asked(what: str) -> bytes | None:
        opened.append(what)
        return ask(what)

    key = import_key(
        ImportRequest(
            path=options.file,
            name=options.name,
            raw_public=options.raw_public,
            raw_private=options.raw_private,
            passphrase=asked,
            new_passphrase=(
                new_passphrase(source.descriptor) if options.passphrase.wanted else None
            ),
        )
    )
    reporter.result(_as_json(key))
    reporter.line(_line(key))
    if opened and not key.encrypted:
        reporter.note(
            "the file is encrypted, the stored key is not: to encrypt it, remove it and import it "
            "again with --passphrase"
        )
    return 0


def _export(options: _KeyExportOptions, reporter: Reporter) -> int:
    from cloacina_ctl.operations.keys import ExportRequest, export_key

    key = export_key(
        ExportRequest(
            key=options.key,
            output=options.output,
            form=options.form,
            private=options.private,
            passphrase=options.passphrase.provider(),
            overwrite=options.force,
        )
    )
    if options.private:
        reporter.note(
            "the exported private key is not encrypted: anyone who reads it can sign as you"
        )
    if reporter.json:
        reporter.result({**_as_json(key), "pem": key.pem})
    elif options.output is None:
        reporter.data(key.pem.rstrip("\n"))
    return 0


def _remove(options: _KeyRemoveOptions, reporter: Reporter) -> int:
    from cloacina_ctl.operations.keys import find_own_key, remove_key

    key = find_own_key(options.key)
    if key.has_private and not options.yes and not _may_remove(key, reporter):
        reporter.note("nothing was removed")
        return 1
    removed = remove_key(options.key, forget=options.forget)
    reporter.result({**_as_json(removed.key), "trusted_as": removed.trusted_as})
    reporter.line(f"removed the key {removed.key.name} {removed.key.fingerprint}")
    if removed.trusted_as is not None:
        reporter.line(
            f"what it signed stays trusted: its public half is now in the trust list, as "
            f"{removed.trusted_as}"
        )
        reporter.note(f"to stop trusting it: cloacina-ctl trust remove {removed.trusted_as}")
    return 0


def _may_remove(key: KeyShown, reporter: Reporter) -> bool:
    """Ask for the name of a key whose private half would be lost."""
    from cloacina_ctl.cli.terminal.prompt import answer, can_ask

    if not can_ask(reporter):
        raise UsageError.of(
            Code.USAGE,
            f"the private key {key.name} cannot be restored, and there is no terminal to ask on",
            hint="confirm with --yes",
        )
    lines = (f"the private key {key.name} cannot be restored",)
    return answer(lines, f"Type {key.name} to remove it: ") == key.name


GENERATE = Command(
    name="key generate",
    summary="Generate an Ed25519 key in your key folder, readable only by you.",
    takes=_KeyGenerateOptions,
    run=_generate,
    examples=(("cloacina-ctl key generate", "the key that signs by default"),),
)
LIST = Command(name="key list", summary="List your own keys.", takes=Options, run=_list)
SHOW = Command(
    name="key show",
    summary="Show a key: its fingerprints and its public half.",
    description=(
        "Also shows a key in a file, trusted or not. Before you trust it, compare the fingerprint "
        "with its owner over another channel. The OpenSSH form is the one that ssh-keygen -l "
        "prints."
    ),
    takes=_KeyShowOptions,
    run=_show,
    examples=(
        ("cloacina-ctl key show default", "your own"),
        ("cloacina-ctl key show alice.pub", "before `trust add`"),
    ),
)
IMPORT = Command(
    name="key import",
    summary="Import a private or public key from a file into your key folder.",
    description=(
        "PEM, DER and OpenSSH files are recognized, as openssl, ssh-keygen and Rust's ring and "
        "ed25519-dalek write them. For 32 raw bytes, give --raw-public or --raw-private."
    ),
    takes=_KeyImportOptions,
    run=_import,
    examples=(("cloacina-ctl key import release.pem release", "a private key made elsewhere"),),
)
EXPORT = Command(
    name="key export",
    summary="Print the public half of a key, or write it to a file.",
    description=(
        "Other programs need other formats: --form pem-crlf ends lines as Windows does, --form raw "
        "writes only the 32 bytes. --private writes the private half, unencrypted: the signing "
        "programs of Cloacina read only 32 raw bytes."
    ),
    takes=_KeyExportOptions,
    run=_export,
    examples=(
        ("cloacina-ctl key export default -o author.pub", "for those who verify your packages"),
        ("cloacina-ctl key export default --form raw -o author.raw", "the 32 bytes"),
    ),
)  # fmt: skip
REMOVE = Command(
    name="key remove",
    summary="Remove a key, both halves. What it signed stays signed.",
    description=(
        "A private key cannot be restored: type its name to confirm, or give --yes. The public "
        "half moves to the trust list, so that your own packages stay trusted."
    ),
    takes=_KeyRemoveOptions,
    run=_remove,
)
