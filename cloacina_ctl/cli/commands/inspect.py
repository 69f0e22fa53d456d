"""``cloacina-ctl inspect``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import Command, Options, arguments, flag, group
from cloacina_ctl.cli.parsing.options import LimitOptions, RegistryOptions

if TYPE_CHECKING:
    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.operations.inspect import Inspection


class _InspectOptions(Options):
    package = arguments(
        "PACKAGE",
        "Packages: a file, `-` for standard input, NAME[@VERSION] of an installed package, an "
        "https:// address; or the folder of a project.",
    )
    files = flag("--files", "Also list the files with their sizes.")
    long = flag("--long -l", "Also list the files with their sizes and modes.")
    installed = group(RegistryOptions)
    limits = group(LimitOptions)


def _run(options: _InspectOptions, reporter: Reporter) -> int:
    from cloacina_ctl.cli.many_packages import with_each
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.redaction import shown

    asked = options.package

    def answer(word: str) -> dict[str, object]:
        if len(asked) > 1:
            reporter.line(f"{escape(shown(word.partition('?')[0]))}:")  # a query may hold a token
        inspection = _inspect(word, options, reporter)
        reporter.aside(inspection.warnings)
        if reporter.json:
            return _as_json(inspection, files=options.files or options.long)
        _show(inspection, options, reporter)
        if len(asked) > 1:
            reporter.line()
        return {}

    return with_each(asked, answer, reporter)[0]


def _inspect(word: str, options: _InspectOptions, reporter: Reporter) -> Inspection:
    from cloacina_ctl.operations.inspect import inspect, is_address

    path = word
    if not is_address(word):
        from cloacina_ctl.cli.terminal.escape import escape
        from cloacina_ctl.operations.installation.choose import find_package
        from cloacina_ctl.operations.policy import VerificationPolicy

        chosen = find_package(
            word,
            VerificationPolicy(allow_unsigned=True),
            tenant=options.installed.tenant,
            registry=options.installed.registry,
        )
        path = chosen.path
        if chosen.note is not None:
            reporter.note(escape(chosen.note))
    return inspect(path, limits=options.limits.read(), progress=reporter.progress())


def _show(inspection: Inspection, options: _InspectOptions, reporter: Reporter) -> None:
    from cloacina_ctl.cli.terminal.inspection import inspection_lines

    for line in inspection_lines(inspection, reporter.paint):
        reporter.line(line)
    if inspection.files and (options.files or options.long):
        from cloacina_ctl.cli.terminal.files import file_lines

        reporter.line()
        reporter.line(reporter.paint("bold", "files"))
        for line in file_lines(inspection.files, modes=options.long):
            reporter.line(line)


def _as_json(inspection: Inspection, *, files: bool) -> dict[str, object]:
    from cloacina_ctl.operations.results import manifest_json, plain

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
                "sha256": getattr(file, "sha256", None),
                "executable": file.executable,
            }
            for file in inspection.files
        ]
    if inspection.unbuilt:
        result["unbuilt"] = list(inspection.unbuilt)
    if inspection.withheld:
        result["withheld"] = list(inspection.withheld)
    return result


INSPECT = Command(
    name="inspect",
    summary="Show what a package contains.",
    description=(
        "Reads only the signature frame and the head, whatever the size of the package; a legacy "
        "package has neither and is read in full. Runs and imports nothing, and accepts or refuses "
        "nothing: that is what `verify` does. For the folder of a project, shows the package that "
        "`package` would make, without a build. Of a package on a server, only the beginning is "
        "fetched."
    ),
    takes=_InspectOptions,
    run=_run,
    examples=(
        ("cloacina-ctl inspect x.cloacina", "all of its contents"),
        ("cloacina-ctl inspect . --files", "the package that this project would give"),
        ("cloacina-ctl inspect https://example.org/x.cloacina", "on a server, without a download"),
        ("cloacina-ctl inspect x.cloacina --json | jq .result.manifest", "the same for programs"),
        ("curl -s https://example.org/x.cloacina | cloacina-ctl inspect -", "from a pipe"),
    ),
)
