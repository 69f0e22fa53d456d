"""``cloacina-ctl publish``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import (
    Command,
    Options,
    argument,
    flag,
    group,
    number,
    option,
)
from cloacina_ctl.cli.parsing.options import VerificationOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.operations.publication.deployment import DeploymentStep, Run
    from cloacina_ctl.operations.publish import Published, PublishRequest

WAIT_SECONDS = 900
_HEARTBEAT_SECONDS = 15.0
_MAX_LOG_LINES = 400
_WORDS = {
    ("build", "pending"): "waiting for the compiler",
    ("build", "building"): "building",
    ("build", "success"): "built",
    (
        "load",
        "not loaded yet",
    ): "built; waiting for the server to load it: it does so after the tenant's first run",
    ("run", "not known yet"): "waiting for the server to know the workflow",
}


class _ServerOptions(Options, panel="Server"):
    """The server, and the access to it."""

    address = option("--server URL", "The server's address.")
    tenant = option("--tenant NAME", "The tenant (default: public).", default="public")
    token_file = option("--token-file FILE", "Read the token from this file.", refers="credential")
    profile = option(
        "--profile NAME",
        "Server and token of this profile in ~/.cloacina/config.toml (default: its "
        "default_profile, where --server is not given).",
    )
    ca_file = option("--ca-file FILE", "Accept only certificates of the authorities in this file.")
    allow_http = flag(
        "--allow-http",
        "Allow http:// to another machine; everyone on the network path can read the token.",
    )
    runtime = option(
        "--runtime VERSION", "The server's release of Cloacina (default: newest).", default="newest"
    )


class _PublishOptions(Options):
    package = argument("PACKAGE", "The package's file, or `-` for standard input.")
    server = group(_ServerOptions)
    dry_run = flag("--dry-run", "Check the package, query the server, and send nothing.")
    convert = flag("--convert", "Convert a native package to a source package and send that.")
    wait = number(
        "--wait SECONDS",
        f"Seconds to wait for the server to build, load and run it (default: {WAIT_SECONDS}).",
        default=WAIT_SECONDS,
    )
    no_wait = flag("--no-wait", "Return after the upload; whether the package builds is not known.")
    run = flag("--run", "Run the workflow once on the server, and show the result.")
    context = option("--context JSON|@FILE", "The initial context of the run.")
    verification = group(VerificationOptions)


def _run(options: _PublishOptions, reporter: Reporter) -> int:
    from cloacina_ctl.cli import exits
    from cloacina_ctl.operations.publication.access import AccessRequest, find_access
    from cloacina_ctl.operations.publish import publish

    request = _request(options, reporter)
    access = find_access(
        AccessRequest(
            server=options.server.address,
            profile=options.server.profile,
            token_file=options.server.token_file,
            allow_http=options.server.allow_http,
        ),
        lambda origin: _typed_token(origin, options.server.ca_file),
    )
    published = publish(request, access, _watch(reporter), reporter.progress())
    for line in _lines(published, reporter):
        reporter.line(line)
    reporter.warnings(published.warnings)
    if published.run is not None and not published.run.completed:
        problem = _run_failed(published.run, published)
        reporter.failure((problem,), _as_json(published))
        return exits.NO
    reporter.result(_as_json(published), published.warnings)
    return exits.DONE


def _typed_token(origin: str, ca_file: str | None) -> bytes | None:
    """Return the typed token; None where there is no terminal."""
    from cloacina_ctl.cli.terminal.prompt import typed
    from cloacina_ctl.operations.publication.access import look_for_server

    return typed(f"Token for {origin}: ", lambda: look_for_server(origin, ca_file))


def _request(options: _PublishOptions, reporter: Reporter) -> PublishRequest:
    from cloacina_ctl.errors import Code, UsageError
    from cloacina_ctl.operations.execution.context import read_context
    from cloacina_ctl.operations.publish import PublishRequest

    if options.context is not None and not options.run:
        raise UsageError.of(Code.USAGE, "--context needs --run")
    if options.package == "-" and options.context == "@-":
        raise UsageError.of(Code.USAGE, "package and context cannot both be on standard input")
    context = read_context(options.context or "{}") if options.run else None
    return PublishRequest(
        path=options.package,
        tenant=options.server.tenant,
        rule=options.verification.rule(options.package, reporter),
        runtime=options.server.runtime,
        wait_seconds=None if options.no_wait else float(options.wait),
        context=context,
        dry_run=options.dry_run,
        convert=options.convert,
        ca_file=options.server.ca_file,
    )


def _watch(reporter: Reporter) -> Callable[[DeploymentStep], None]:
    """Return the callback that reports the server's progress on standard error.

    It prints each change, and repeats the last one from time to time.
    """
    from cloacina_ctl.cli.terminal.escape import escape

    last: list[str] = []
    next_at = 0.0

    def watch(step: DeploymentStep) -> None:
        nonlocal next_at
        if step.what == "log":
            _show_log(step.text, reporter)
            return
        words = _WORDS.get((step.what, step.text)) or f"{step.what}: {escape(step.text[:80])}"
        changed = last != [words]
        if changed or step.seconds >= next_at:
            since = f" ({step.seconds:.0f} s)" if step.seconds >= 1 else ""
            reporter.note(f"{words}{since}")
            last[:] = [words]
            next_at = step.seconds + _HEARTBEAT_SECONDS

    return watch


def _show_log(text: str, reporter: Reporter) -> None:
    from cloacina_ctl.cli.terminal.escape import escape

    lines = text.splitlines()
    left_out = len(lines) - _MAX_LOG_LINES
    reporter.note("the server's compiler says:")
    if left_out > 0:
        reporter.note(f"  ... {left_out} lines before these")
    for line in lines[-_MAX_LOG_LINES:]:
        reporter.note(f"  {escape(line[:1000])}")


def _lines(published: Published, reporter: Reporter) -> Iterator[str]:
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.cli.terminal.units import count, size

    mark = reporter.paint("green", "✓")
    what = f"{escape(published.name)} {escape(published.version)}"
    where = f"{escape(published.server)}, tenant {escape(published.tenant)}"
    if published.status == "checked":
        yield f"{mark} {what}, {size(published.size)}, would be published to {where}"
        yield "  nothing was sent"
        return
    yield f"{mark} {what} is on {where}"
    yield f"  package {escape(published.package_id or '')}"
    yield f"  content {published.content}"
    if published.status == "uploaded":
        yield "  " + reporter.paint("yellow", "uploaded; not known whether it builds and loads")
        return
    if not published.tasks:
        yield "  built; the server lists no tasks"
        return
    tasks = ", ".join(map(escape, published.tasks[:20]))
    more = len(published.tasks) - 20
    shown = f"{tasks}, and {more} more" if more > 0 else tasks
    workflow = escape(published.workflow or "")
    yield f"  workflow {workflow}: {count(len(published.tasks), 'task')} loaded: {shown}"
    if published.run is not None:
        yield from _run_lines(published.run, reporter)


def _run_lines(run: Run, reporter: Reporter) -> Iterator[str]:
    from cloacina_ctl.cli.terminal.escape import escape

    yield f"  ran once: {escape(run.status)}, execution {escape(run.execution)}"
    for task in run.tasks:
        good = task.status == "Completed"
        mark = reporter.paint("green", "✓") if good else reporter.paint("red", "✗")
        tries = f", {task.attempts} attempts" if (task.attempts or 1) > 1 else ""
        why = f": {escape((task.error or '')[:400])}" if not good and task.error else ""
        yield f"    {mark} {escape(task.name)} {escape(task.status)}{tries}{why}"


def _run_failed(run: Run, published: Published) -> Diagnostic:
    from cloacina_ctl.errors import Code, Diagnostic

    failed = next((task for task in run.tasks if task.status == "Failed"), None)
    why = ""
    if failed is not None:
        why = f": {failed.name}: {failed.error or 'no reason given'}"
    return Diagnostic(
        Code.RUN_FAILED,
        f"published and loaded, but the run ended with status {run.status}{why}",
        published.server,
    )


def _as_json(published: Published) -> dict[str, object]:
    run = published.run
    return {
        "path": published.path,
        "status": published.status,
        "name": published.name,
        "version": published.version,
        "content": published.content,
        "size": published.size,
        "converted": published.converted,
        "trusted_signers": list(published.trusted_signers),
        "server": published.server,
        "tenant": published.tenant,
        "package_id": published.package_id,
        "workflow": published.workflow,
        "tasks": list(published.tasks),
        "run": None
        if run is None
        else {
            "execution_id": run.execution,
            "status": run.status,
            "tasks": [task._asdict() for task in run.tasks],
        },
    }


PUBLISH = Command(
    name="publish",
    summary="Publish a package to a Cloacina server, and wait until it is loaded.",
    description=(
        "Checks everything before the upload: signatures as `verify` does, everything that "
        "`validate` finds, and the rules of the server's release. Ends when the server has built "
        "the package and lists its tasks, because a server also accepts uploads that it cannot "
        "build. The same bytes can be published again; a version cannot be published with other "
        "bytes. The token comes from --token-file, CLOACINA_CTL_TOKEN, the profile, a keyring, or "
        "a prompt."
    ),
    takes=_PublishOptions,
    run=_run,
    exclusive=(("--no-wait", "--run", "--dry-run"), ("--run", "--dry-run")),
    examples=(
        ("cloacina-ctl publish x.cloacina --server https://host:8080 --tenant etl",
         "ends when it is loaded"),
        ("cloacina-ctl publish x.cloacina --profile prod --dry-run", "check only"),
        ("cloacina-ctl publish x.cloacina --profile test --run --context '{\"day\": 1}'",
         "and run it once"),
    ),
)  # fmt: skip
