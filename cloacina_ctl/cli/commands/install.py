"""``cloacina-ctl install``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import (
    Command,
    Options,
    argument,
    flag,
    group,
    option,
    optional_argument,
)
from cloacina_ctl.cli.parsing.options import (
    ACCEPTED_UNSIGNED,
    DEFAULT_TENANT,
    RegistryOptions,
    VerificationOptions,
)
from cloacina_ctl.cli.terminal.lock_wait import waits

if TYPE_CHECKING:
    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.operations.install import Installed
    from cloacina_ctl.operations.installation.daemon import Delivered


class _DaemonOptions(Options, panel="Daemon"):
    """Whether a package goes to Cloacina's daemon, and to which."""

    wanted = flag("--daemon", "Put it into the folder that Cloacina's daemon watches.")
    version = option(
        "--daemon-version VERSION",
        "The daemon's release (default: what `cloacinactl --version` says).",
    )
    lossy = flag("--lossy", "With --daemon: lose what the daemon's format cannot hold.")


class _InstallOptions(Options):
    package = argument("PACKAGE", "The package's file, or `-` for standard input.")
    folder = optional_argument(
        "FOLDER", "With --daemon: the folder that it watches, if it is not `~/.cloacina/packages`."
    )
    installed = group(RegistryOptions)
    force = flag(
        "--force",
        "Replace another package of its name and version; give a daemon what it does not load.",
    )
    daemon = group(_DaemonOptions)
    verification = group(VerificationOptions)


def _run(options: _InstallOptions, reporter: Reporter) -> int:
    if options.daemon.wanted:
        return _run_daemon(options, reporter)
    _refuse_daemon_words(options)
    from cloacina_ctl.operations.install import InstallRequest, install

    request = InstallRequest(
        path=options.package,
        rule=options.verification.rule(options.package, reporter),
        tenant=options.installed.tenant,
        registry=options.installed.registry,
        replace=options.force,
    )
    installed = install(request, reporter.progress(), waits(reporter))
    reporter.result(_as_json(installed))
    _tell(installed, reporter)
    return 0


def _refuse_daemon_words(options: _InstallOptions) -> None:
    """Refuse what is for --daemon alone, and a second package."""
    from cloacina_ctl.errors import Code, UsageError

    second = options.folder
    if second and not os.path.isdir(second):
        raise UsageError.of(
            Code.USAGE,
            f"one package at a time: {options.package}, and then {second}",
            hint="a second word is the folder of a daemon: --daemon",
        )
    for given, what in (
        (second, "a folder"),
        (options.daemon.version, "--daemon-version"),
        (options.daemon.lossy, "--lossy"),
    ):
        if given:
            raise UsageError.of(Code.USAGE, f"{what} is for --daemon, which is not given")


def _tell(installed: Installed, reporter: Reporter) -> None:
    from cloacina_ctl.cli.terminal.escape import escape

    package = installed.package
    mark = reporter.paint("green", "✓")
    what = f"{mark} {escape(package.name)} {escape(package.version)}"
    if not installed.changed:
        reporter.line(f"{what} is installed and active already, for tenant {package.tenant}")
    else:
        reporter.line(f"{what} is installed and active, for tenant {package.tenant}")
        if installed.repaired:
            reporter.line("  what was stored of it was damaged, and is whole again")
        if installed.before not in (None, package.version):
            reporter.line(f"  before it: {escape(installed.before or '')}; `rollback` goes back")
    reporter.line(f"  content {package.content}")
    if not package.trusted_signers:
        reporter.note(ACCEPTED_UNSIGNED)


def _as_json(installed: Installed) -> dict[str, object]:
    return {
        "path": installed.path,
        "registry": installed.registry,
        "package": installed.package.to_json(),
        "before": installed.before,
        "changed": installed.changed,
        "repaired": installed.repaired,
        "signatures": [signature.to_json() for signature in installed.signatures],
    }


def _run_daemon(options: _InstallOptions, reporter: Reporter) -> int:
    from cloacina_ctl.errors import Code, UsageError
    from cloacina_ctl.operations.installation.daemon import DaemonRequest, install_for_daemon

    if options.installed.tenant != DEFAULT_TENANT:
        raise UsageError.of(
            Code.USAGE,
            "--daemon and --tenant exclude each other",
            hint="leave it away: the folder of a daemon has no place for a tenant",
        )
    package, folder = options.package, options.folder
    if folder and os.path.isdir(package) and not os.path.isdir(folder):
        package, folder = folder, package  # --daemon DIR before the package
    request = DaemonRequest(
        path=package,
        rule=options.verification.rule(options.package, reporter),
        folder=folder or None,
        release=options.daemon.version,
        lossy=options.daemon.lossy,
        force=options.force,
    )
    delivered = install_for_daemon(request, reporter.progress(), waits(reporter))
    reporter.result(_daemon_json(delivered), delivered.warnings)
    reporter.warnings(delivered.warnings)
    _tell_delivered(delivered, reporter)
    return 0


def _tell_delivered(delivered: Delivered, reporter: Reporter) -> None:
    from cloacina_ctl.cli.terminal.escape import escape

    mark = reporter.paint("green", "✓")
    there = "lies there for the daemon" if delivered.changed else "lay there already"
    what = f"{escape(delivered.name)} {escape(delivered.version)}"
    reporter.line(f"{mark} {escape(delivered.file)}: {what} {there}")
    reporter.line(f"  content {delivered.content}")
    for loss in delivered.losses:
        reporter.note(f"lost: {escape(loss)}")
    if delivered.replaced:
        replaced = ", ".join(map(escape, delivered.replaced))
        reporter.line(f"  in the place of {replaced}: install that package again to go back")
    if delivered.restart:
        reporter.note("start the daemon again: until then it does not run what lies there now")
    if not delivered.trusted_signers:
        reporter.note(ACCEPTED_UNSIGNED)
    elif delivered.source_format == "native":
        reporter.note("its signature was verified here and does not go along")
    reporter.note("the daemon verifies no signature: whoever can write to its folder, runs there")


def _daemon_json(delivered: Delivered) -> dict[str, object]:
    return {
        "path": delivered.path,
        "file": delivered.file,
        "daemon": delivered.release,
        "name": delivered.name,
        "version": delivered.version,
        "content": delivered.content,
        "size": delivered.size,
        "source_format": delivered.source_format,
        "losses": list(delivered.losses),
        "trusted_signers": list(delivered.trusted_signers),
        "replaced": list(delivered.replaced),
        "restart": delivered.restart,
        "changed": delivered.changed,
    }


INSTALL = Command(
    name="install",
    summary="Verify a package and put it into the local registry, as its name's active version.",
    description=(
        "By the rule and the options of `verify`. Other versions stay beside it. With --daemon it "
        "goes into the folder that Cloacina's daemon watches instead, in the place of its other "
        "versions and in the format that the daemon reads; daemons from 0.6 on load nothing that "
        "is copied there."
    ),
    takes=_InstallOptions,
    run=_run,
    exclusive=(("--daemon", "--registry"),),
    examples=(
        ("cloacina-ctl install x.cloacina", "into your own registry"),
        ("cloacina-ctl install x.cloacina --tenant etl", "for another tenant"),
        ("cloacina-ctl install x.cloacina --daemon --daemon-version 0.5", "for a daemon"),
    ),
)  # fmt: skip
