"""``cloacina-ctl uninstall``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import Command, Options, argument, group
from cloacina_ctl.cli.parsing.options import RegistryOptions
from cloacina_ctl.cli.terminal.lock_wait import waits

if TYPE_CHECKING:
    from cloacina_ctl.cli.terminal.reporter import Reporter


class _UninstallOptions(Options):
    package = argument("PACKAGE", "NAME for all versions, or NAME@VERSION.")
    installed = group(RegistryOptions)


def _run(options: _UninstallOptions, reporter: Reporter) -> int:
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.operations.uninstall import uninstall

    done = uninstall(
        options.package,
        tenant=options.installed.tenant,
        registry=options.installed.registry,
        waits=waits(reporter),
    )
    reporter.result({**done._asdict(), "removed": list(done.removed)})
    reporter.line(f"removed {escape(done.name)} {', '.join(map(escape, done.removed))}")
    if done.active is not None and done.active != done.before:
        reporter.line(f"  active now: {escape(done.active)}")
    return 0


UNINSTALL = Command(
    name="uninstall",
    summary="Remove an installed package, or one version of it.",
    description="If the active version is removed, the previously active one becomes active again.",
    takes=_UninstallOptions,
    run=_run,
    examples=(
        ("cloacina-ctl uninstall etl@1.2.0", "one version"),
        ("cloacina-ctl uninstall etl", "all of them"),
    ),
)
