"""``cloacina-ctl trust …``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.command import Argument, Command, Refers

if TYPE_CHECKING:
    from cloacina_ctl.cli.command import Values
    from cloacina_ctl.cli.report import Reporter
    from cloacina_ctl.operations.keys import TrustShown


def _as_json(key: TrustShown) -> dict[str, object]:
    return {"name": key.name, "fingerprint": key.fingerprint}


def _add(values: Values, reporter: Reporter) -> int:
    from cloacina_ctl.operations.keys import trust_key

    key = trust_key(values["key"], values["name"])
    reporter.result(_as_json(key))
    reporter.line(f"signatures by {key.name} count from now on: {key.fingerprint}")
    return 0


def _remove(values: Values, reporter: Reporter) -> int:
    from cloacina_ctl.operations.keys import distrust_key

    key = distrust_key(values["key"])
    reporter.result(_as_json(key))
    reporter.line(f"signatures by {key.name} count no longer: {key.fingerprint}")
    return 0


def _list(values: Values, reporter: Reporter) -> int:
    from cloacina_ctl.operations.keys import list_trusted

    del values
    keys = list_trusted()
    reporter.result([_as_json(key) for key in keys])
    for key in keys:
        reporter.line(f"{key.name:<16} {key.fingerprint}")
    if not keys:
        reporter.note("nobody but you: `cloacina-ctl trust add` makes a key known")
    return 0


ADD = Command(
    name="trust add",
    summary="Let the signatures of somebody's key count.",
    description="Compare the fingerprint with its owner first, by another way than the file came.",
    run=_add,
    arguments=(
        Argument(
            "key",
            "A public key's file, or the name or fingerprint of a stored key.",
            refers=Refers.KEY,
        ),
        Argument("name", "What to call its owner.", refers=Refers.KEY),
    ),
    examples=(("cloacina-ctl trust add author.pub alice", "a key that Alice sent"),),
)
LIST = Command(name="trust list", summary="List the keys whose signatures count.", run=_list)
REMOVE = Command(
    name="trust remove",
    summary="Let the signatures of a key count no longer.",
    run=_remove,
    arguments=(
        Argument("key", "The name, or the beginning of the fingerprint.", refers=Refers.KEY),
    ),
)
