"""``cloacina-ctl unpack``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import Argument, Command, Kind, Option
from cloacina_ctl.cli.parsing.options import ACCEPTED_UNSIGNED, JOBS, LIMIT, RULE, rule

if TYPE_CHECKING:
    from cloacina_ctl.cli.parsing.declaration import Values
    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.operations.unpack import Unpacked


def _run(values: Values, reporter: Reporter) -> int:
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.cli.terminal.units import count, size
    from cloacina_ctl.operations.unpack import Wanted, unpack

    unpacked = unpack(
        values["package"],
        values["output"],
        rule(values, reporter),
        Wanted(values["members"], values["partial"], values["metadata"]),
        reporter.progress(),
    )
    reporter.result(_as_json(unpacked))
    files = count(len(unpacked.files), "file")
    reporter.line(f"unpacked {files}, {size(unpacked.size)}, into {escape(unpacked.destination)}")
    if not unpacked.complete:
        reporter.note("only these were proved; the rest of the package was not looked at")
    if not unpacked.vouched_by:
        reporter.note(ACCEPTED_UNSIGNED)
    return 0


def _as_json(unpacked: Unpacked) -> dict[str, object]:
    return {
        "path": unpacked.path,
        "format": unpacked.format,
        "destination": unpacked.destination,
        "name": unpacked.name,
        "version": unpacked.version,
        "content": unpacked.content,
        "files": list(unpacked.files),
        "size": unpacked.size,
        "complete": unpacked.complete,
        "vouched_by": list(unpacked.vouched_by),
        "signatures": [signature.to_json() for signature in unpacked.signatures],
    }


UNPACK = Command(
    name="unpack",
    summary="Verify a package and put its files into a new folder.",
    description=(
        "By the rule and the options of `verify`. The folder appears when every byte is proved, or "
        "not at all. The folder of a Python package is a project that `package` packs again."
    ),
    run=_run,
    arguments=(Argument("package", "The package's file, or `-` for standard input."),),
    options=(
        Option(
            ("--output", "-o"),
            "The folder to make: new, or empty (default: NAME-VERSION here).",
            metavar="FOLDER",
        ),
        Option(
            ("--metadata",),
            "Also write manifest.json, files.json and index.json, which describe the package.",
            Kind.FLAG,
        ),
        Option(
            ("--members",), "Take only what this pattern matches (repeatable).", Kind.MANY, "GLOB"
        ),
        Option(
            ("--partial",), "Take what is there of a package with withheld sections.", Kind.FLAG
        ),
        *RULE,
        JOBS,
        LIMIT,
    ),
    examples=(
        ("cloacina-ctl unpack x.cloacina", "into NAME-VERSION"),
        ("cloacina-ctl unpack x.cloacina -o there --members 'workflow/*.py'", "some of it"),
    ),
)
