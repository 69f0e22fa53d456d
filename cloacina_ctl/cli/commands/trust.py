"""``cloacina-ctl trust …``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import Command, Options, argument, option
from cloacina_ctl.cli.parsing.options import YES, fingerprint_block

if TYPE_CHECKING:
    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.operations.keys import Offered, TrustShown


class _TrustAddOptions(Options):
    key = argument(
        "KEY",
        "A public key's file, also of ssh-keygen, or the name or fingerprint of a stored key.",
        refers="key",
    )
    name = argument("NAME", "The name of its owner.", refers="key")
    fingerprint = option(
        "--fingerprint FINGERPRINT",
        "Trust it only if this is its full fingerprint: 64 hex digits, with or without spaces "
        "and colons, or SHA256:… as ssh-keygen -l prints it.",
    )
    yes = YES


class _TrustRemoveOptions(Options):
    key = argument("KEY", "The name, or the beginning of the fingerprint.", refers="key")


def _as_json(key: TrustShown) -> dict[str, object]:
    return {"name": key.name, "fingerprint": key.fingerprint}


def _add(options: _TrustAddOptions, reporter: Reporter) -> int:
    from cloacina_ctl.operations.keys import offer_key, trust_offered

    offered = offer_key(options.key, options.name, options.fingerprint)
    asks = not (options.yes or options.fingerprint) and offered.trusted_as is None
    if asks and not _is_trusted(offered, options.key, reporter):
        reporter.note("the key is not trusted")
        return 1
    key = trust_offered(offered)
    reporter.result(_as_json(key))
    reporter.line(f"signatures by {key.name} are now trusted: {key.fingerprint}")
    return 0


def _is_trusted(offered: Offered, file: str, reporter: Reporter) -> bool:
    """Ask on a terminal whether the key is trusted; in a script it is."""
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.cli.terminal.prompt import answer, can_ask

    if not can_ask(reporter):
        return True
    public = offered.public
    lines = (
        f"{escape(offered.name)}: Ed25519, public key, from {escape(file)}",
        *fingerprint_block(public.fingerprint, public.openssh_fingerprint),
        "Compare it with its owner over another channel than the file came by.",
    )
    return answer(lines, "Trust this key? [y/N] ").lower() in ("y", "yes")


def _remove(options: _TrustRemoveOptions, reporter: Reporter) -> int:
    from cloacina_ctl.operations.keys import distrust_key

    key = distrust_key(options.key)
    reporter.result(_as_json(key))
    reporter.line(f"signatures by {key.name} are no longer trusted: {key.fingerprint}")
    return 0


def _list(_options: Options, reporter: Reporter) -> int:
    from cloacina_ctl.operations.keys import list_trusted

    keys = list_trusted()
    reporter.result([_as_json(key) for key in keys])
    for key in keys:
        reporter.line(f"{key.name:<16} {key.fingerprint}")
    if not keys:
        reporter.note("no trusted keys besides your own; add one: `cloacina-ctl trust add`")
    return 0


ADD = Command(
    name="trust add",
    summary="Trust the signatures of another person's key.",
    description=(
        "On a terminal, shows the full fingerprint and asks for confirmation. Compare the "
        "fingerprint with the key's owner over another channel than the file came by. In a script, "
        "give the fingerprint that you expect; without one, and without a terminal, any key in the "
        "file is trusted."
    ),
    takes=_TrustAddOptions,
    run=_add,
    examples=(
        ("cloacina-ctl trust add author.pub alice", "a key that Alice sent"),
        ("cloacina-ctl trust add id_ed25519.pub bob --fingerprint SHA256:…", "in a script"),
    ),
)  # fmt: skip
LIST = Command(name="trust list", summary="List the trusted keys.", takes=Options, run=_list)
REMOVE = Command(
    name="trust remove",
    summary="Stop trusting the signatures of a key.",
    takes=_TrustRemoveOptions,
    run=_remove,
)
