"""``cloacina-ctl unpack``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import (
    Command,
    Options,
    argument,
    flag,
    group,
    option,
    repeatable,
)
from cloacina_ctl.cli.parsing.options import ACCEPTED_UNSIGNED, VerificationOptions

if TYPE_CHECKING:
    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.operations.unpack import Unpacked


class _UnpackOptions(Options):
    package = argument("PACKAGE", "The package's file, or `-` for standard input.")
    output = option(
        "--output -o FOLDER", "The folder to make: new, or empty (default: NAME-VERSION here)."
    )
    metadata = flag(
        "--metadata",
        "Also write manifest.json, files.json and index.json, which describe the package.",
    )
    members = repeatable("--members GLOB", "Take only what this pattern matches (repeatable).")
    partial = flag("--partial", "Take what is there of a package with withheld sections.")
    verification = group(VerificationOptions)


def _run(options: _UnpackOptions, reporter: Reporter) -> int:
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.cli.terminal.units import count, size
    from cloacina_ctl.operations.unpack import Wanted, unpack

    unpacked = unpack(
        options.package,
        options.output,
        options.verification.rule(options.package, reporter),
        Wanted(options.members, options.partial, options.metadata),
        reporter.progress(),
    )
    reporter.result(_as_json(unpacked))
    files = count(len(unpacked.files), "file")
    reporter.line(f"unpacked {files}, {size(unpacked.size)}, into {escape(unpacked.destination)}")
    if not unpacked.complete:
        reporter.note("only these were proved; the rest of the package was not looked at")
    if not unpacked.trusted_signers:
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
        "trusted_signers": list(unpacked.trusted_signers),
        "signatures": [signature.to_json() for signature in unpacked.signatures],
    }


UNPACK = Command(
    name="unpack",
    summary="Verify a package and put its files into a new folder.",
    description=(
        "By the rule and the options of `verify`. The folder appears when every byte is proved, or "
        "not at all. The folder of a Python package is a project that `package` packs again."
    ),
    takes=_UnpackOptions,
    run=_run,
    examples=(
        ("cloacina-ctl unpack x.cloacina", "into NAME-VERSION"),
        ("cloacina-ctl unpack x.cloacina -o there --members 'workflow/*.py'", "some of it"),
    ),
)
