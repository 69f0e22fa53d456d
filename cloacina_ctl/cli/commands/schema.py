"""``cloacina-ctl schema``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import Command, Options

if TYPE_CHECKING:
    from cloacina_ctl.cli.terminal.reporter import Reporter


def _run(_options: Options, reporter: Reporter) -> int:
    import json

    from cloacina_ctl.operations.schema import schema

    found = schema()
    if reporter.json:
        reporter.result(found)
    else:
        reporter.data(json.dumps(found, indent=2, sort_keys=True))
    return 0


SCHEMA = Command(
    name="schema",
    summary="Print the JSON Schema of a package's manifest.",
    takes=Options,
    run=_run,
    examples=(("cloacina-ctl schema > manifest.schema.json", "keep it for an editor"),),
)
