"""``cloacina-ctl run``."""

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
    repeatable,
)
from cloacina_ctl.cli.parsing.options import LimitOptions, RegistryOptions, TrustOptions
from cloacina_ctl.errors import Code, Diagnostic, Severity, UsageError

if TYPE_CHECKING:
    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.operations.policy import VerificationPolicy
    from cloacina_ctl.operations.run import Ran, RunRequest


class _IsolationOptions(Options, panel="Isolation"):
    """The permissions of the package's code."""

    allow_network = flag("--allow-network", "Let the package's code use the network.")
    allow_read = repeatable(
        "--allow-read PATH",
        "Let the package's code also read this file or folder (repeatable; always readable: the "
        "system's files and the current folder).",
    )
    allow_write = repeatable(
        "--allow-write PATH",
        "Let the package's code read and change this file or folder (repeatable; always writable: "
        "a private temporary folder). The code starts in that temporary folder, so give it "
        "absolute paths.",
    )
    required = flag(
        "--require-isolation", "Run nothing if the kernel cannot isolate the code fully."
    )


class _RunOptions(Options):
    package = argument(
        "PACKAGE",
        "The package's file, `-` for standard input, NAME[@VERSION] of an installed one, or the "
        "folder of your own project.",
    )
    context = option(
        "--context -c JSON|@FILE",
        "The initial context of the workflow: a JSON object, or `@` and the name of a file with "
        "one (`@-`: standard input).",
    )
    workflow = option("--workflow NAME", "The workflow to run, if the package has several.")
    task = option("--task ID", "Run only this task, once, without its dependencies.")
    trigger = option("--trigger NAME", "Poll this trigger once; run no task.")
    graph = option(
        "--graph NAME",
        "Run this computation graph once, with the values of its accumulators from --context; run "
        "no task.",
    )
    plan = flag("--plan", "Show the order in which tasks would run; load and run nothing.")
    keep_going = flag(
        "--keep-going -k",
        "After a failure continue as engines do, also with dependent tasks (default: start only "
        "tasks that have a trigger rule of their own).",
    )
    events = flag(
        "--events",
        "With --json: also print each event as it happens, as a line of JSON before the result.",
    )
    jobs = number("--jobs -j N", "The number of tasks to run at once.", default=4)
    timeout = number(
        "--timeout SECONDS",
        "Seconds that one attempt of a task may take (default: the package's value, else 300).",
    )
    engine = option(
        "--engine cloaca[=PATH]",
        "Run a Python package with the engine's own wheel: `cloaca` where it is installed, else "
        "`cloaca=PATH` with an interpreter, a venv or a folder of pip's --target.",
    )
    isolation = group(_IsolationOptions)
    trust = group(TrustOptions)
    installed = group(RegistryOptions)
    limits = group(LimitOptions)


def _run(options: _RunOptions, reporter: Reporter) -> int:
    if options.events and not reporter.json:
        raise UsageError.of(
            Code.USAGE, "--events needs --json", hint="add --json, or remove --events"
        )
    if options.plan:
        return _plan(options, reporter)
    if options.trigger is not None:
        return _poll(options, options.trigger, reporter)
    if options.graph is not None:
        return _graph(options, options.graph, reporter)
    return _run_tasks(options, reporter)


def _plan(options: _RunOptions, reporter: Reporter) -> int:
    from cloacina_ctl.cli.terminal import run as show_run
    from cloacina_ctl.operations.run import plan_run

    found = plan_run(*_package(options, reporter), options.workflow)
    reporter.result(show_run.plan_as_json(found))
    for line in show_run.plan_lines(found, reporter.paint):
        reporter.line(line)
    return 0


def _poll(options: _RunOptions, trigger: str, reporter: Reporter) -> int:
    from cloacina_ctl.cli.terminal import single_call
    from cloacina_ctl.cli.terminal.run_observer import watching
    from cloacina_ctl.operations.run import poll

    with watching(reporter) as watcher:
        request, wanted = _request(options, reporter)
        polled = poll(request, trigger, wanted, watcher.watch())
    watcher.warn(polled.warnings)
    for line in single_call.polled_lines(polled, reporter.paint, verbose=reporter.verbose):
        reporter.line(line)
    problems = single_call.poll_problems(polled)
    result, failed = single_call.polled_as_json(polled), polled.error is not None
    return _end(reporter, result, problems, polled.warnings, failed=failed)


def _graph(options: _RunOptions, graph: str, reporter: Reporter) -> int:
    from cloacina_ctl.cli.terminal import single_call
    from cloacina_ctl.cli.terminal.run_observer import watching
    from cloacina_ctl.operations.run import run_graph

    with watching(reporter) as watcher:
        request, wanted = _request(options, reporter)
        ran = run_graph(request, graph, wanted, watcher.watch())
    watcher.warn(ran.warnings)
    for line in single_call.graph_lines(ran, reporter.paint, verbose=reporter.verbose):
        reporter.line(line)
    problems = single_call.graph_problems(ran)
    result, failed = single_call.graph_as_json(ran), ran.status == "failed"
    return _end(reporter, result, problems, ran.warnings, failed=failed)


def _run_tasks(options: _RunOptions, reporter: Reporter) -> int:
    from cloacina_ctl.cli.terminal import run as show_run
    from cloacina_ctl.cli.terminal.run_observer import watching
    from cloacina_ctl.operations.run import run

    try:
        with watching(reporter, events=options.events) as watcher:
            ran = run(*_request(options, reporter), watcher.watch())
    except KeyboardInterrupt as stop:
        if watcher.stopped is None:
            raise
        return _end_stopped(stop, watcher.stopped, reporter)
    watcher.warn(ran.warnings)
    for line in show_run.ran_lines(ran, reporter.paint, verbose=reporter.verbose):
        reporter.line(line)
    problems = show_run.run_problems(ran)
    result, failed = show_run.ran_as_json(ran), ran.outcome.status == "failed"
    return _end(reporter, result, problems, ran.warnings, failed=failed)


def _end(
    reporter: Reporter,
    result: dict[str, object],
    problems: tuple[Diagnostic, ...],
    warnings: tuple[Diagnostic, ...],
    *,
    failed: bool,
) -> int:
    """Report the result and its problems; return the exit status."""
    from cloacina_ctl.cli import exits

    if failed:
        # Warnings were printed when they were found; a note may explain the failure.
        is_printed = reporter.quiet or reporter.verbose
        notes = () if is_printed else tuple(w for w in warnings if w.severity is Severity.NOTE)
        reporter.failure((*problems, *notes), result)
        reporter.result(result, (*problems, *warnings), ok=False)
        return exits.NO
    reporter.result(result, warnings)
    return exits.DONE


def _end_stopped(stop: KeyboardInterrupt, ran: Ran, reporter: Reporter) -> int:
    """Show the partial result of an interrupted run; all its tasks have ended."""
    from cloacina_ctl.cli import exits
    from cloacina_ctl.cli.signals import SIGINT, Stopped
    from cloacina_ctl.cli.terminal import run as show_run

    stopped = stop if isinstance(stop, Stopped) else Stopped(SIGINT)
    for line in show_run.ran_lines(ran, reporter.paint, verbose=reporter.verbose):
        reporter.line(line)
    found = Diagnostic(Code.STOPPED, f"stopped by {stopped.name}; the report is partial")
    reporter.failure((found,), show_run.ran_as_json(ran))
    return exits.status_of_signal(stopped.number)


def _package(options: _RunOptions, reporter: Reporter) -> tuple[str, VerificationPolicy]:
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.operations.installation.choose import find_package

    # --jobs of this verb counts tasks; verification uses one thread for each processor.
    wanted = options.trust.rule(options.package, options.limits, reporter)
    chosen = find_package(
        options.package,
        wanted,
        tenant=options.installed.tenant,
        registry=options.installed.registry,
    )
    if chosen.note is not None:
        reporter.note(escape(chosen.note))
    return chosen.path, chosen.rule


def _request(options: _RunOptions, reporter: Reporter) -> tuple[RunRequest, VerificationPolicy]:
    from cloacina_ctl.operations.execution.context import read_context
    from cloacina_ctl.operations.run import RunRequest

    if options.package == "-" and options.context == "@-":
        raise UsageError.of(Code.USAGE, "package and context cannot both be on standard input")
    path, wanted = _package(options, reporter)
    request = RunRequest(
        path=path,
        context=read_context(options.context) if options.context is not None else {},
        workflow=options.workflow,
        task=options.task,
        jobs=options.jobs,
        timeout=options.timeout,
        keep_going=options.keep_going,
        allow_network=options.isolation.allow_network,
        engine=options.engine,
        allow_read=options.isolation.allow_read,
        allow_write=options.isolation.allow_write,
        require_isolation=options.isolation.required,
        quiet=reporter.quiet,
    )
    return request, wanted


RUN = Command(
    name="run",
    summary="Verify a package and run its workflow, or one task of it.",
    description=(
        "For trials, tests and small jobs: everything runs on this machine, and nothing is kept. "
        "The code runs in a separate process with limits, without network, and without access to "
        "your files outside of the current folder. The output of tasks goes to standard error. "
        "Exit 0: the workflow completed. Exit 1: it failed.\n\n"
        "A project's folder is first packaged (a crate also built) in a temporary folder. It is "
        "your own, so it needs no signature."
    ),
    takes=_RunOptions,
    run=_run,
    exclusive=(
        ("--plan", "--task", "--trigger", "--graph"),
        ("--task", "--trigger", "--graph", "--keep-going"),
        ("--trigger", "--graph", "--context", "--engine", "--keep-going"),
        ("--graph", "--engine", "--keep-going"),
    ),
    examples=(
        ("""cloacina-ctl run x.cloacina --context '{"day": "2026-11-20"}'""", "the workflow"),
        ("cloacina-ctl run .", "the project in this folder"),
        ("cloacina-ctl run x.cloacina --task transform --context @in.json", "one of its tasks"),
        ("""cloacina-ctl run x.cloacina --graph score --context '{"orders": [3, 4]}'""",
         "a graph, once"),
        ("cloacina-ctl run x.cloacina --plan", "only the order of its tasks"),
        ("cloacina-ctl run x.cloacina --engine cloaca=.venv", "with the engine in a venv"),
        ("cloacina-ctl run x.cloacina --json | jq .result.context", "for programs"),
    ),
)  # fmt: skip
