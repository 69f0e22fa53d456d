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
        "--output -o FOLDER", "The folder to write to: new or empty (default: NAME-VERSION)."
    )
    metadata = flag(
        "--metadata",
        "Also write manifest.json, files.json and index.json, which describe the package.",
    )
    members = repeatable(
        "--members GLOB", "Unpack only the files that this pattern matches (repeatable)."
    )
    partial = flag("--partial", "Unpack what is present of a package with withheld sections.")
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
        reporter.note("only these files were verified; the rest of the package was not read")
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
    summary="Verify a package and write its files to a new folder.",
    description=(
        "Verifies as `verify` does, with the same options. The folder appears only when every byte "
        "is verified. The folder of a Python package is a project that `package` can pack again."
    ),
    takes=_UnpackOptions,
    run=_run,
    examples=(
        ("cloacina-ctl unpack x.cloacina", "into NAME-VERSION"),
        ("cloacina-ctl unpack x.cloacina -o there --members 'workflow/*.py'", "only some files"),
    ),
)
