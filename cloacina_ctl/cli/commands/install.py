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
    """Delivery to a daemon of Cloacina."""

    wanted = flag("--daemon", "Put it into the folder that Cloacina's daemon watches.")
    version = option(
        "--daemon-version VERSION",
        "The daemon's release (default: the output of `cloacinactl --version`).",
    )
    lossy = flag("--lossy", "With --daemon: convert even if information is lost.")


class _InstallOptions(Options):
    package = argument("PACKAGE", "The package's file, or `-` for standard input.")
    folder = optional_argument(
        "FOLDER", "With --daemon: the folder that it watches (default: `~/.cloacina/packages`)."
    )
    installed = group(RegistryOptions)
    force = flag(
        "--force",
        "Replace another package of this name and version; deliver what a daemon cannot load.",
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
    _show(installed, reporter)
    return 0


def _refuse_daemon_words(options: _InstallOptions) -> None:
    """Refuse options that need --daemon, and a second package."""
    from cloacina_ctl.errors import Code, UsageError

    second = options.folder
    if second and not os.path.isdir(second):
        raise UsageError.of(
            Code.USAGE,
            f"expected one package, found two: {options.package} and {second}",
            hint="run `install` once for each package; a folder needs --daemon",
        )
    for given, what in (
        (second, "a folder"),
        (options.daemon.version, "--daemon-version"),
        (options.daemon.lossy, "--lossy"),
    ):
        if given:
            raise UsageError.of(Code.USAGE, f"{what} needs --daemon")


def _show(installed: Installed, reporter: Reporter) -> None:
    from cloacina_ctl.cli.terminal.escape import escape

    package = installed.package
    mark = reporter.paint("green", "✓")
    what = f"{mark} {escape(package.name)} {escape(package.version)}"
    if not installed.changed:
        reporter.line(f"{what} is installed and active already, for tenant {package.tenant}")
    else:
        reporter.line(f"{what} is installed and active, for tenant {package.tenant}")
        if installed.repaired:
            reporter.line("  the stored package was damaged and is now repaired")
        if installed.before not in (None, package.version):
            reporter.line(
                f"  active before: {escape(installed.before or '')}; `rollback` goes back to it"
            )
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
            hint="remove --tenant: the folder of a daemon has no tenants",
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
    _show_delivered(delivered, reporter)
    return 0


def _show_delivered(delivered: Delivered, reporter: Reporter) -> None:
    from cloacina_ctl.cli.terminal.escape import escape

    mark = reporter.paint("green", "✓")
    there = "delivered to the daemon" if delivered.changed else "was delivered already"
    what = f"{escape(delivered.name)} {escape(delivered.version)}"
    reporter.line(f"{mark} {escape(delivered.file)}: {what} {there}")
    reporter.line(f"  content {delivered.content}")
    for loss in delivered.losses:
        reporter.note(f"lost: {escape(loss)}")
    if delivered.replaced:
        replaced = ", ".join(map(escape, delivered.replaced))
        reporter.line(f"  replaces {replaced}; to go back, install that package again")
    if delivered.restart:
        reporter.note("restart the daemon: until then it does not run this package")
    if not delivered.trusted_signers:
        reporter.note(ACCEPTED_UNSIGNED)
    elif delivered.source_format == "native":
        reporter.note("its signature was verified here and is not delivered with it")
    reporter.note(
        "the daemon verifies no signature: anyone who can write to its folder can run code there"
    )


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
    summary="Verify a package, add it to the local registry, and make its version active.",
    description=(
        "Verifies as `verify` does, with the same options. Other versions stay installed. With "
        "--daemon the package goes into the folder that Cloacina's daemon watches instead, in the "
        "daemon's format, and replaces its other versions there. Daemons from 0.6 on load no "
        "package that is copied there."
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
