"""``cloacina-ctl run``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.command import Argument, Command, Kind, Option
from cloacina_ctl.cli.options import LIMIT, REGISTRY, RULE, TENANT, refuse_both, rule
from cloacina_ctl.errors import Code, UsageError

if TYPE_CHECKING:
    from cloacina_ctl.authenticity import Rule
    from cloacina_ctl.cli.command import Values
    from cloacina_ctl.cli.report import Reporter
    from cloacina_ctl.operations.run import RunRequest


def _run(values: Values, reporter: Reporter) -> int:
    for first, second in (
        ("--task", "--trigger"), ("--task", "--plan"), ("--trigger", "--plan"),
        ("--task", "--keep-going"), ("--trigger", "--context"), ("--trigger", "--engine"),
    ):  # fmt: skip
        refuse_both(values, first, second)
    if values["plan"]:
        return _plan(values, reporter)
    return _poll(values, reporter) if values["trigger"] else _run_tasks(values, reporter)


def _plan(values: Values, reporter: Reporter) -> int:
    from cloacina_ctl.cli import show_run
    from cloacina_ctl.operations.run import plan_run

    found = plan_run(*_package(values), values["workflow"])
    reporter.result(show_run.plan_as_json(found))
    for line in show_run.plan_lines(found, reporter.paint):
        reporter.line(line)
    return 0


def _poll(values: Values, reporter: Reporter) -> int:
    from cloacina_ctl.cli import exits, show_run
    from cloacina_ctl.cli.run_watch import watching
    from cloacina_ctl.operations.run import poll

    with watching(reporter) as watch:
        request, wanted = _request(values)
        polled = poll(request, values["trigger"], wanted, watch)
    reporter.warnings(polled.warnings)
    result = show_run.polled_as_json(polled)
    for line in show_run.polled_lines(polled, reporter.paint, verbose=reporter.verbose):
        reporter.line(line)
    found = (*show_run.poll_problems(polled), *polled.warnings)
    if polled.error is not None:
        reporter.failure(found, result)
        return exits.NO
    reporter.result(result, found)
    return exits.DONE


def _run_tasks(values: Values, reporter: Reporter) -> int:
    from cloacina_ctl.cli import exits, show_run
    from cloacina_ctl.cli.run_watch import watching
    from cloacina_ctl.operations.run import run

    with watching(reporter) as watch:
        ran = run(*_request(values), watch)
    reporter.warnings(ran.warnings)
    result = show_run.ran_as_json(ran)
    for line in show_run.ran_lines(ran, reporter.paint, verbose=reporter.verbose):
        reporter.line(line)
    found = (*show_run.run_problems(ran), *ran.warnings)
    if ran.outcome.status == "failed":
        reporter.failure(found, result)
        return exits.NO
    reporter.result(result, found)
    return exits.DONE


def _package(values: Values) -> tuple[str, Rule]:
    from cloacina_ctl.operations.choosing import find_package

    # The jobs of this verb are tasks; verifying has one for each processor.
    wanted = rule({**values, "jobs": None})
    return find_package(
        values["package"], wanted, tenant=values["tenant"], registry=values["registry"]
    )


def _request(values: Values) -> tuple[RunRequest, Rule]:
    from cloacina_ctl.operations.context import read_context
    from cloacina_ctl.operations.run import RunRequest

    if values["package"] == "-" and values["context"] == "@-":
        raise UsageError.of(Code.USAGE, "package and context cannot both be on standard input")
    for key in ("jobs", "timeout"):
        if values[key] == 0:
            raise UsageError.of(Code.USAGE, f"--{key} must be at least 1")
    path, wanted = _package(values)
    request = RunRequest(
        path=path,
        context=read_context(values["context"]) if values["context"] is not None else {},
        workflow=values["workflow"],
        task=values["task"],
        jobs=values["jobs"],
        timeout=values["timeout"],
        keep_going=values["keep_going"],
        allow_network=values["allow_network"],
        engine=values["engine"],
    )
    return request, wanted


RUN = Command(
    name="run",
    summary="Verify a package and run its workflow, or one task of it.",
    description=(
        "For trying, testing and small jobs: everything happens on this machine, and nothing is "
        "kept. The code runs in a process of its own, with limits and without network. What tasks "
        "print goes to standard error. Exit 0: the workflow completed. Exit 1: it ran, and failed. "
        "With --json each event is one line, and the last line is the answer."
    ),
    run=_run,
    arguments=(
        Argument("package", "The package's file, `-` for standard input, or NAME[@VERSION] of an "
                 "installed one."),
    ),
    options=(
        Option(("--context", "-c"), "What the workflow begins with: a JSON object, or the file "
               "behind an `@` (`@-`: standard input).", metavar="JSON|@FILE"),
        Option(("--workflow",), "Which workflow, where there are several.", metavar="NAME"),
        Option(("--task",), "Run this task alone, once, whatever it waits for.", metavar="ID"),
        Option(("--trigger",), "Ask this trigger once whether it fires; run nothing.",
               metavar="NAME"),
        Option(("--plan",), "Show in which order tasks would run; load and run nothing.",
               Kind.FLAG),
        Option(("--keep-going", "-k"), "After a failure go on as engines do, also with what waits "
               "for it (default: start nothing more that has no trigger rule of its own).",
               Kind.FLAG),
        Option(("--jobs", "-j"), "Tasks to run at once.", Kind.INTEGER, "N", 4),
        Option(("--timeout",), "Seconds that one attempt of a task may take (default: what the "
               "package says, else 300).", Kind.INTEGER, "SECONDS"),
        Option(("--engine",), "Run a Python package with the engine's own wheel, where it is "
               "installed: `cloaca`, or with the place of an interpreter, a venv or a folder of "
               "pip's --target `cloaca=PATH`.", metavar="cloaca[=PATH]"),
        Option(("--allow-network",), "Let the package's code use the network.", Kind.FLAG),
        *RULE,
        TENANT,
        REGISTRY,
        LIMIT,
    ),
    examples=(
        ("""cloacina-ctl run x.cloacina --context '{"day": "2026-11-20"}'""", "the workflow"),
        ("cloacina-ctl run x.cloacina --task transform --context @in.json", "one task of it"),
        ("cloacina-ctl run x.cloacina --plan", "only the order of its tasks"),
        ("cloacina-ctl run x.cloacina --engine cloaca=.venv", "with the engine that a venv has"),
        ("cloacina-ctl run x.cloacina --json | tail -1 | jq .result.context", "for programs"),
    ),
)  # fmt: skip
