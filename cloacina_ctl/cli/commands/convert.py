"""``cloacina-ctl convert``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import Command, Options, argument, flag, group, option
from cloacina_ctl.cli.parsing.options import (
    ACCEPTED_UNSIGNED,
    FORCE,
    TargetOptions,
    VerificationOptions,
)

if TYPE_CHECKING:
    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.operations.convert import Converted


class _ConvertOptions(Options):
    package = argument("PACKAGE", "The package's file, or `-` for standard input.")
    output = option("--output -o FILE", "The new package's file.")
    force = FORCE
    target = group(TargetOptions)
    lossy = flag("--lossy", "Convert even if information is lost.")
    verification = group(VerificationOptions)


def _run(options: _ConvertOptions, reporter: Reporter) -> int:
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.cli.terminal.units import count, size
    from cloacina_ctl.errors import Code, UsageError
    from cloacina_ctl.operations.convert import ConvertRequest, convert

    if options.output is None:
        raise UsageError.of(Code.USAGE, "no output file", hint="name one: --output FILE")
    if options.target.format is None and not options.target.runtime:
        raise UsageError.of(Code.USAGE, "no format", hint="name one: --format FORMAT")
    request = ConvertRequest(
        path=options.package,
        output=options.output,
        target=options.target.choose(),
        rule=options.verification.rule(options.package, reporter),
        lossy=options.lossy,
        pad=options.target.pad,
        overwrite=options.force,
    )
    converted = convert(request, reporter.progress())
    reporter.result(_as_json(converted))
    what = f"{converted.format}, {count(converted.files, 'file')}, {size(converted.size)}"
    reporter.line(f"{escape(converted.path)}: {what}")
    reporter.line(f"content {converted.content}")
    reporter.line(f"converted from {converted.source_format} {converted.source_content}")
    for loss in converted.losses:
        reporter.note(f"lost: {escape(loss)}")
    if not converted.trusted_signers:
        reporter.note(ACCEPTED_UNSIGNED)
    reporter.note("not signed: a conversion drops all signatures; sign it with `cloacina-ctl sign`")
    return 0


def _as_json(converted: Converted) -> dict[str, object]:
    return {
        "path": converted.path,
        "format": converted.format,
        "runtime": converted.runtime,
        "size": converted.size,
        "content": converted.content,
        "files": converted.files,
        "padding": converted.padding,
        "source": {"format": converted.source_format, "content": converted.source_content},
        "losses": list(converted.losses),
        "trusted_signers": list(converted.trusted_signers),
    }


CONVERT = Command(
    name="convert",
    summary="Convert a package to another format.",
    description=(
        "Converts native to source or v1, and any format to native. The package is verified first, "
        "as by `verify` with the same options. Losses are listed before anything is written, and "
        "accepted only with --lossy. Signatures are not kept."
    ),
    takes=_ConvertOptions,
    run=_run,
    examples=(
        ("cloacina-ctl convert x.cloacina --format source -o y.cloacina", "for Cloacina 0.4 on"),
        (
            "cloacina-ctl convert old.cloacina --format native -o new.cloacina",
            "from any other format",
        ),
    ),
)
