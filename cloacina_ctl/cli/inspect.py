"""``cloacina-ctl inspect``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.command import Argument, Command, Kind, Option
from cloacina_ctl.cli.options import LIMIT, limits

if TYPE_CHECKING:
    from cloacina_ctl.cli.command import Values
    from cloacina_ctl.cli.report import Reporter
    from cloacina_ctl.operations.inspect import Inspection


def _run(values: Values, reporter: Reporter) -> int:
    from cloacina_ctl.operations.inspect import inspect

    inspection = inspect(values["package"], limits=limits(values), progress=reporter.progress())
    reporter.aside(inspection.warnings)
    if reporter.json:
        reporter.result(_as_json(inspection, files=values["files"]))
    elif values["files"]:
        from cloacina_ctl.cli.show_files import file_lines

        for line in file_lines(inspection.files):
            reporter.line(line)
    else:
        from cloacina_ctl.cli.show_inspection import inspection_lines

        for line in inspection_lines(inspection, reporter.paint):
            reporter.line(line)
    return 0


def _as_json(inspection: Inspection, *, files: bool) -> dict[str, object]:
    from cloacina_ctl.operations.views import manifest_json, plain

    result: dict[str, object] = {
        "format": inspection.format,
        "path": inspection.path,
        "size": inspection.size,
        "compressed": inspection.compressed,
        "content": inspection.content,
        "manifest": manifest_json(inspection.manifest, inspection.manifest_bytes),
        "signatures": [signature.to_json() for signature in inspection.signatures],
        "tool": plain(inspection.tool),
        "releases": list(inspection.releases) if inspection.original is not None else None,
        "original": plain(inspection.original),
    }
    if files:
        result["files"] = [
            {
                "path": file.path,
                "size": file.size,
                "sha256": file.sha256,
                "executable": file.executable,
            }
            for file in inspection.files
        ]
    if inspection.withheld:
        result["withheld"] = list(inspection.withheld)
    return result


INSPECT = Command(
    name="inspect",
    summary="Show what a package says of itself.",
    description=(
        "Reads the signature frame and the head alone, whatever the size of the package; one of "
        "another generation has neither, and is read to its end. Runs and imports nothing, and "
        "decides nothing: `verify` does that."
    ),
    run=_run,
    arguments=(Argument("package", "The package's file, or `-` for standard input."),),
    options=(
        Option(
            ("--files",),
            "List the files with their sizes (with --json: beside the rest).",
            Kind.FLAG,
        ),
        LIMIT,
    ),
    examples=(
        ("cloacina-ctl inspect x.cloacina", "everything about it"),
        ("cloacina-ctl inspect x.cloacina --json | jq .result.manifest", "the same for programs"),
        ("curl -s https://example.org/x.cloacina | cloacina-ctl inspect -", "from a pipe"),
    ),
)
