"""``cloacina-ctl key …``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.command import Argument, Command, Kind, Option, Refers
from cloacina_ctl.cli.options import FORCE, PASSPHRASE_FD

if TYPE_CHECKING:
    from cloacina_ctl.cli.command import Values
    from cloacina_ctl.cli.report import Reporter
    from cloacina_ctl.operations.keys import KeyShown

_WITH_PASSPHRASE = Option(
    ("--passphrase",), "Encrypt the key with a passphrase, which is asked for.", Kind.FLAG,
    panel="Keys", refers=Refers.CREDENTIAL,
)  # fmt: skip


def _new_passphrase(values: Values) -> bytes | None:
    from cloacina_ctl.cli.passphrase import new_passphrase

    return new_passphrase(values["passphrase_fd"]) if values["passphrase"] else None


def _as_json(key: KeyShown) -> dict[str, object]:
    return {
        "name": key.name,
        "fingerprint": key.fingerprint,
        "private": key.has_private,
        "encrypted": key.encrypted,
    }


def _line(key: KeyShown) -> str:
    kind = "private and public" if key.has_private else "public only"
    return f"{key.name:<16} {key.fingerprint}  {kind}{', encrypted' if key.encrypted else ''}"


def _generate(values: Values, reporter: Reporter) -> int:
    from cloacina_ctl.operations.keys import generate_key

    key = generate_key(values["name"], _new_passphrase(values))
    reporter.result(_as_json(key))
    reporter.line(f"made the key {key.name}")
    reporter.line(f"fingerprint {key.fingerprint}")
    reporter.note(f"others get its public half by: cloacina-ctl key export {key.name}")
    return 0


def _list(values: Values, reporter: Reporter) -> int:
    from cloacina_ctl.operations.keys import list_keys

    del values
    keys = list_keys()
    reporter.result([_as_json(key) for key in keys])
    for key in keys:
        reporter.line(_line(key))
    if not keys:
        reporter.note("no keys yet: `cloacina-ctl key generate` makes one")
    return 0


def _show(values: Values, reporter: Reporter) -> int:
    from cloacina_ctl.operations.keys import show_key

    key = show_key(values["key"])
    reporter.result({**_as_json(key), "pem": key.pem})
    reporter.line(_line(key))
    reporter.line(key.pem.rstrip("\n"))
    return 0


def _import(values: Values, reporter: Reporter) -> int:
    from cloacina_ctl.cli.passphrase import provider
    from cloacina_ctl.operations.keys import ImportRequest, import_key

    key = import_key(
        ImportRequest(
            path=values["file"], name=values["name"], raw_public=values["raw_public"],
            raw_private=values["raw_private"], passphrase=provider(values["passphrase_fd"]),
            new_passphrase=_new_passphrase(values),
        )
    )  # fmt: skip
    reporter.result(_as_json(key))
    reporter.line(_line(key))
    return 0


def _export(values: Values, reporter: Reporter) -> int:
    from cloacina_ctl.cli.passphrase import provider
    from cloacina_ctl.operations.keys import ExportRequest, export_key

    key = export_key(
        ExportRequest(
            key=values["key"], output=values["output"], form=values["form"],
            private=values["private"], passphrase=provider(values["passphrase_fd"]),
            overwrite=values["force"],
        )
    )  # fmt: skip
    if values["private"]:
        reporter.note("the private half is not encrypted there: whoever reads it signs as you")
    if reporter.json:
        reporter.result({**_as_json(key), "pem": key.pem})
    elif values["output"] is None:
        reporter.data(key.pem.rstrip("\n"))
    return 0


def _remove(values: Values, reporter: Reporter) -> int:
    from cloacina_ctl.operations.keys import remove_key

    key = remove_key(values["key"])
    reporter.result(_as_json(key))
    reporter.line(f"removed the key {key.name} {key.fingerprint}")
    return 0


_KEY = Argument("key", "The name of a key, or the beginning of its fingerprint.", refers=Refers.KEY)

GENERATE = Command(
    name="key generate",
    summary="Make a new Ed25519 key in your own folder, readable by you alone.",
    run=_generate,
    arguments=(Argument("name", "What to call it.", "default", refers=Refers.KEY),),
    options=(_WITH_PASSPHRASE, PASSPHRASE_FD),
    examples=(("cloacina-ctl key generate", "the key that signs by default"),),
)
LIST = Command(name="key list", summary="List your own keys.", run=_list)
SHOW = Command(
    name="key show", summary="Show a key and its public half.", run=_show, arguments=(_KEY,)
)
IMPORT = Command(
    name="key import",
    summary="Put a key from a file into your own folder: private or public.",
    description=(
        "PEM files say what they hold. 32 raw bytes do not: say --raw-public or --raw-private."
    ),
    run=_import,
    arguments=(
        Argument("file", "The key's file.", refers=Refers.KEY),
        Argument("name", "What to call it.", refers=Refers.KEY),
    ),
    options=(
        Option(("--raw-public",), "The file holds the 32 bytes of a public key.", Kind.FLAG),
        Option(("--raw-private",), "The file holds the 32 bytes of a private key.", Kind.FLAG),
        _WITH_PASSPHRASE,
        PASSPHRASE_FD,
    ),
    examples=(("cloacina-ctl key import release.pem release", "a private key made elsewhere"),),
)
EXPORT = Command(
    name="key export",
    summary="Print the public half of a key, or write it to a file.",
    description=(
        "Other programs read other forms: --form pem-crlf ends lines as Windows does, --form raw "
        "is the 32 bytes alone. With --private it is the secret half, unencrypted: signers of "
        "other generations read 32 raw bytes and nothing else."
    ),
    run=_export,
    arguments=(_KEY,),
    options=(
        Option(("--output", "-o"), "Write it here.", metavar="FILE"),
        Option(("--form",), "How to write it (default: pem).", metavar="FORM", default="pem",
               choices=("pem", "pem-crlf", "raw")),
        Option(("--private",), "Write the private half, unencrypted, readable by you alone.",
               Kind.FLAG),
        PASSPHRASE_FD,
        FORCE,
    ),
    examples=(
        ("cloacina-ctl key export default -o author.pub", "for those who verify"),
        ("cloacina-ctl key export default --form raw -o author.raw", "the 32 bytes"),
    ),
)  # fmt: skip
REMOVE = Command(
    name="key remove",
    summary="Remove a key, both halves. What it signed stays signed.",
    run=_remove,
    arguments=(_KEY,),
)
