"""``cloacina-ctl validate``."""

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
from cloacina_ctl.cli.parsing.options import FeatureOptions, KeyOptions, LimitOptions
from cloacina_ctl.errors import Code, UsageError

if TYPE_CHECKING:
    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.operations.policy import VerificationPolicy
    from cloacina_ctl.operations.validate import Validated


class _ValidateOptions(Options):
    path = argument("PATH", "A project's folder, a package's file, or `-`.", ".")
    select = repeatable("--select CODE", "Report only codes that begin with CODE (repeatable).")
    ignore = repeatable("--ignore CODE", "Do not report codes that begin with CODE (repeatable).")
    package = option("--package -p CRATE", "The crate of a workspace.")
    features = group(FeatureOptions)
    load = flag("--load", "Also load the package's code, and compare it with the manifest.")
    keys = group(KeyOptions)
    limits = group(LimitOptions)


def _run(options: _ValidateOptions, reporter: Reporter) -> int:
    import sys

    from cloacina_ctl.cli import exits
    from cloacina_ctl.operations.validate import BuildOptions, BuildRequest, FindingFilter, validate

    features = options.features
    built = BuildOptions(features=features.chosen(), default_features=not features.no_default)
    validated = validate(
        options.path,
        FindingFilter(options.select, options.ignore),
        build=BuildRequest(options.package, built),
        load=_rule(options),
        limits=options.limits.read(),
        progress=reporter.progress(),
    )
    report = validated.report
    reporter.result(
        {"path": validated.path, "kind": validated.kind, "skipped": list(report.skipped)},
        report.findings,
        ok=report.ok,
    )
    for finding in report.findings:
        reporter.line(reporter.diagnostic_line(finding, sys.stdout))
    reporter.line(_verdict(validated, reporter))
    return exits.DONE if report.ok else exits.NO


def _rule(options: _ValidateOptions) -> VerificationPolicy | None:
    """Return the policy that a package must meet to be loaded; None without --load."""
    from cloacina_ctl.operations.policy import VerificationPolicy

    if options.load:
        return VerificationPolicy(
            keys=options.keys.key,
            allow_unsigned=options.keys.allow_unsigned,
            limits=options.limits.read(),
        )
    if options.keys.key or options.keys.allow_unsigned:
        raise UsageError.of(Code.USAGE, "--key and --allow-unsigned need --load", hint="add --load")
    return None


def _verdict(validated: Validated, reporter: Reporter) -> str:
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.cli.terminal.units import count
    from cloacina_ctl.errors import Severity

    findings = validated.report.findings
    what = f"{escape(validated.path)} ({validated.kind})"
    if not findings:
        return f"{reporter.paint('green', '✓')} {what}: no problems found"
    counts = ", ".join(
        count(number, severity.value)
        for severity in Severity
        if (number := sum(finding.severity is severity for finding in findings))
    )
    mark = reporter.paint("green", "✓") if validated.report.ok else reporter.paint("red", "✗")
    skipped = "".join(f"; not checked: {one}" for one in validated.report.skipped)
    return f"{mark} {what}: {counts}{skipped}"


VALIDATE = Command(
    name="validate",
    summary="Report every problem of a project or a package.",
    description=(
        "Checks a folder as a project and a file as a package. Runs none of their code without "
        "--load, which loads a verified package's code in a separate process and compares its "
        "tasks with the manifest. Exit 0: no errors; there may be warnings. Exit 1: errors."
    ),
    takes=_ValidateOptions,
    run=_run,
    examples=(
        ("cloacina-ctl validate .", "the project, before it is packed"),
        ("cloacina-ctl validate x.cloacina --json", "a package, for programs"),
        ("cloacina-ctl validate x.cloacina --load", "also check its code"),
        ("cloacina-ctl validate . --ignore Y010 --ignore R", "without some codes"),
    ),
)
