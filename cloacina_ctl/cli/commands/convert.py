"""``cloacina-ctl convert``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import Argument, Command, Kind, Option
from cloacina_ctl.cli.parsing.options import (
    ACCEPTED_UNSIGNED,
    FORCE,
    FORMAT,
    JOBS,
    LIMIT,
    PAD,
    RULE,
    RUNTIME,
    rule,
)

if TYPE_CHECKING:
    from cloacina_ctl.cli.parsing.declaration import Values
    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.operations.convert import Converted


def _run(values: Values, reporter: Reporter) -> int:
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.cli.terminal.units import count, size
    from cloacina_ctl.errors import Code, UsageError
    from cloacina_ctl.operations.convert import ConvertRequest, convert
    from cloacina_ctl.operations.packaging.target import choose_target

    for key, what in (("output", "--output FILE"), ("format", "--format FORMAT")):
        if values[key] is None and not (key == "format" and values["runtime"]):
            raise UsageError.of(Code.USAGE, f"no {key}", hint=f"name one: {what}")
    request = ConvertRequest(
        path=values["package"],
        output=values["output"],
        target=choose_target(values["format"], values["runtime"], pad=values["pad"]),
        rule=rule(values, reporter),
        lossy=values["lossy"],
        pad=values["pad"],
        overwrite=values["force"],
    )
    converted = convert(request, reporter.progress())
    reporter.result(_as_json(converted))
    what = f"{converted.format}, {count(converted.files, 'file')}, {size(converted.size)}"
    reporter.line(f"{escape(converted.path)}: {what}")
    reporter.line(f"content {converted.content}")
    reporter.line(f"converted from {converted.source_format} {converted.source_content}")
    for loss in converted.losses:
        reporter.note(f"lost: {escape(loss)}")
    if not converted.vouched_by:
        reporter.note(ACCEPTED_UNSIGNED)
    reporter.note("not signed: no signature survives a conversion; `cloacina-ctl sign` makes one")
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
        "vouched_by": list(converted.vouched_by),
    }


CONVERT = Command(
    name="convert",
    summary="Make a package of another format from a package.",
    description=(
        "From native to source or v1, and from any to native. The package is verified first, by "
        "the rule and the options of `verify`. What the other format cannot hold is listed before "
        "anything is written, and lost only with --lossy. A signature never survives."
    ),
    run=_run,
    arguments=(Argument("package", "The package's file, or `-` for standard input."),),
    options=(
        Option(("--output", "-o"), "The new package's file.", metavar="FILE"),
        FORCE,
        FORMAT,
        RUNTIME,
        PAD,
        Option(("--lossy",), "Lose what the other format cannot hold.", Kind.FLAG),
        *RULE,
        JOBS,
        LIMIT,
    ),
    examples=(
        ("cloacina-ctl convert x.cloacina --format source -o y.cloacina", "for Cloacina 0.4 on"),
        ("cloacina-ctl convert old.cloacina --format native -o new.cloacina", "from any other"),
    ),
)
