"""``cloacina-ctl rollback``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import Command, Options, argument, group, option
from cloacina_ctl.cli.parsing.options import RegistryOptions
from cloacina_ctl.cli.terminal.lock_wait import waits

if TYPE_CHECKING:
    from cloacina_ctl.cli.terminal.reporter import Reporter


class _RollbackOptions(Options):
    name = argument("NAME", "The name of an installed package.")
    to = option("--to VERSION", "The installed version to go back to.")
    installed = group(RegistryOptions)


def _run(options: _RollbackOptions, reporter: Reporter) -> int:
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.operations.rollback import rollback

    _refuse_version(options.name)
    done = rollback(
        options.name,
        options.to,
        tenant=options.installed.tenant,
        registry=options.installed.registry,
        waits=waits(reporter),
    )
    reporter.result(done._asdict())
    name, active = escape(done.name), escape(done.active)
    if done.changed:
        reporter.line(f"{name}: {active} is active again, instead of {escape(done.before or '')}")
    else:
        reporter.line(f"{name}: {active} is active already")
    return 0


def _refuse_version(text: str) -> None:
    """Refuse NAME@VERSION: no installed package has an `@` in its name."""
    from cloacina_ctl.errors import Code, UsageError

    name, at, version = text.partition("@")
    if at:
        wanted = f"`cloacina-ctl rollback {name} --to {version or 'VERSION'}`"
        hint = f"{wanted} makes that version active"
        raise UsageError.of(Code.USAGE, f"expected NAME alone, found: {text}", hint=hint)


ROLLBACK = Command(
    name="rollback",
    summary="Make the previously active version active again.",
    description=(
        "Removes nothing. Each further rollback goes one version further back. To return to a "
        "version that was rolled back, use --to or `install`."
    ),
    takes=_RollbackOptions,
    run=_run,
    examples=(
        ("cloacina-ctl rollback etl", "to the previous version"),
        ("cloacina-ctl rollback etl --to 1.2.0", "to this version"),
    ),
)
