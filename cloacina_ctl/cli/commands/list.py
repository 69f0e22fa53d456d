"""``cloacina-ctl list``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import (
    Command,
    Options,
    flag,
    group,
    option,
    optional_argument,
)
from cloacina_ctl.cli.parsing.options import REGISTRY
from cloacina_ctl.cli.terminal.lock_wait import waits

if TYPE_CHECKING:
    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.operations.installation.lookup import InstalledPackage
    from cloacina_ctl.operations.list import Checkup


class _InstalledOptions(Options, panel="Registry"):
    """The installed packages to list."""

    tenant = option("--tenant NAME", "Only this tenant (default: all).")
    registry = REGISTRY


class _ListOptions(Options):
    name = optional_argument("NAME", "Only packages of this name.")
    check = flag("--check", "Read everything that is stored, and report damage.")
    repair = flag("--repair", "With --check: repair what can be repaired.")
    installed = group(_InstalledOptions)


def _run(options: _ListOptions, reporter: Reporter) -> int:
    from cloacina_ctl.errors import Code, UsageError
    from cloacina_ctl.operations.list import check_registry, list_installed

    if options.repair and not options.check:
        raise UsageError.of(Code.USAGE, "--repair needs --check")
    checkup = None
    if options.check:
        checkup = check_registry(
            options.installed.registry,
            repair=options.repair,
            progress=reporter.progress(),
            waits=waits(reporter),
        )
        _show_check(checkup, reporter)
    packages: tuple[InstalledPackage, ...] = ()
    if checkup is None or checkup.is_readable:
        listing = list_installed(
            options.name, tenant=options.installed.tenant, registry=options.installed.registry
        )
        packages = listing.packages
    for line in _table(packages, reporter):
        reporter.line(line)
    return _end(packages, checkup, options, reporter)


def _end(
    packages: tuple[InstalledPackage, ...],
    checkup: Checkup | None,
    options: _ListOptions,
    reporter: Reporter,
) -> int:
    from cloacina_ctl.cli import exits
    from cloacina_ctl.operations.installation.lookup import registry_at

    answer = _as_json(registry_at(options.installed.registry), packages, checkup)
    if checkup is not None and not checkup.is_whole:
        reporter.failure(checkup.findings, answer)
        return exits.NO
    findings = checkup.findings if checkup is not None else ()
    reporter.warnings(findings)
    reporter.result(answer, findings)
    if not packages:
        reporter.note(_nothing(answer["registry"], options.name, options.installed.tenant))
    return exits.DONE


def _nothing(registry: object, name: str | None, tenant: str | None) -> str:
    """Return the note for an empty list."""
    from cloacina_ctl.cli.terminal.escape import escape

    of = f" for tenant {escape(tenant)}" if tenant else ""
    if name:
        return f"not installed{of}: {escape(name)}; `cloacina-ctl list` shows all packages"
    if tenant:
        return f"nothing is installed{of}; `cloacina-ctl list` shows all packages"
    where = escape(str(registry))
    return f"nothing is installed in {where}; install a package: `cloacina-ctl install`"


def _show_check(checkup: Checkup, reporter: Reporter) -> None:
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.cli.terminal.units import count, size

    for done in checkup.repaired:
        reporter.note(escape(done))
    what = f"{count(checkup.packages, 'stored package')}, {size(checkup.size)}"
    if checkup.is_whole:
        mark = reporter.paint("green", "✓")
        reporter.note(f"{mark} {what}: no damage found")
    else:
        reporter.note(f"{what} read")


def _table(packages: tuple[InstalledPackage, ...], reporter: Reporter) -> list[str]:
    """Return a line for each version, in columns as wide as their contents."""
    from cloacina_ctl.cli.terminal.escape import escape

    rows = [
        (
            "*" if one.active else " ",
            escape(one.name),
            escape(one.version),
            one.tenant,
            one.format,
            one.installed_at,
            one.trusted_signers[0][:16] if one.trusted_signers else "not signed",
        )
        for one in packages
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if row[0] == "*":
            cells[0] = reporter.paint("green", "*")
        lines.append("  ".join(cells).rstrip())
    return lines


def _as_json(
    registry: str, packages: tuple[InstalledPackage, ...], checkup: Checkup | None
) -> dict[str, object]:
    return {
        "registry": registry,
        "packages": [one.to_json() for one in packages],
        "check": None
        if checkup is None
        else {
            "packages": checkup.packages,
            "size": checkup.size,
            "repaired": list(checkup.repaired),
        },
    }


LIST = Command(
    name="list",
    summary="List the packages in the local registry, and which versions are active.",
    description=(
        "A star marks the active version of each name. With --check every record and every stored "
        "byte is read; exit 1 if something is damaged. --repair first removes the leftovers of "
        "killed processes, and moves damaged records aside, so that their packages can be "
        "installed again."
    ),
    takes=_ListOptions,
    run=_run,
    examples=(
        ("cloacina-ctl list", "everything"),
        ("cloacina-ctl list --check", "and whether it is damaged"),
    ),
)
