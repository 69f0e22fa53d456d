"""From the words of a command line to an exit status.

1. parse the line, without typer where it is well-formed; 2. run the command; 3. report the result.
No error in between, bugs and signals included, ends in exit status 1, or in a traceback without
``--debug``.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from cloacina_ctl import __version__, redaction
from cloacina_ctl.cli import exits
from cloacina_ctl.cli.failure import fail
from cloacina_ctl.cli.parsing import fast_parser
from cloacina_ctl.cli.parsing.table import GROUPS, NAMES, find, load
from cloacina_ctl.cli.signals import Stopped, stoppable
from cloacina_ctl.cli.terminal import streams
from cloacina_ctl.cli.terminal.reporter import Reporter, wants_color

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from cloacina_ctl.cli.parsing.declaration import Invocation, Taken

_COMPLETION_REQUEST = "_CLOACINA_CTL_COMPLETE"


def run(words: Sequence[str]) -> int:
    """Run the command line ``words`` and return the exit status; raises nothing."""
    streams.prepare()
    redaction.begin(words)
    with stoppable():
        try:
            plain = None if _COMPLETION_REQUEST in os.environ else _parse_plain(words)
            if plain is not None:
                return call(plain)
            return _run_unusual(words)
        except Stopped as stopped:  # before a command ran, or during its report
            return exits.status_of_signal(stopped.number)


def call(invocation: Invocation[Taken]) -> int:
    """Run a command and return its exit status; errors are reported, never raised."""
    command, options = invocation.command, invocation.options
    reporter = Reporter(invocation.output, command.schema)
    try:
        fast_parser.refuse_secrets(options)
        fast_parser.refuse_exclusive(command, options)
        status = command.run(options, reporter)
        reporter.finish(ok=status == exits.DONE)
    except BaseException as error:  # noqa: BLE001 - the outermost handler: each has its status
        return fail(error, reporter)
    return status


def _parse_plain(words: Sequence[str]) -> Invocation[Any] | None:
    called = find(words)
    return None if called is None else fast_parser.parse(load(called[0]), called[1])


def _run_unusual(words: Sequence[str]) -> int:
    """Handle a line that asks for help or for the version, or that is wrong."""
    schema = (fast_parser.command_of(words) or "usage").replace(" ", "-")
    reporter = Reporter(fast_parser.output_of(words), f"cloacina-ctl/{schema}/1")
    try:
        answer = _parse_unusual(words, reporter)
        if not isinstance(answer, int):
            return call(answer)
        streams.flush()
    except BaseException as error:  # noqa: BLE001 - as in `call`
        return fail(error, reporter)
    return answer


def _parse_unusual(words: Sequence[str], reporter: Reporter) -> Invocation[Any] | int:
    from cloacina_ctl.cli.parsing import usage_errors

    if _COMPLETION_REQUEST in os.environ:
        return _parse_with_typer(words, "never")
    if fast_parser.asks_version(words):
        return _print_version(reporter)
    named = fast_parser.words_of(words)
    if named[:1] == ["help"]:
        words, named = [*named[1:], "--help"], named[1:]
    depth = 2 if named and named[0] in GROUPS else 1
    if len(named) >= depth and " ".join(named[:depth]) not in NAMES:
        raise usage_errors.no_such_command(named[:depth], NAMES)
    if not words:
        with contextlib.redirect_stdout(sys.stderr):
            _parse_with_typer(["--help"], reporter.color)
        return exits.USAGE
    return _parse_with_typer(words, reporter.color)


def _print_version(reporter: Reporter) -> int:
    reporter.schema = "cloacina-ctl/version/1"
    reporter.result({"version": __version__})
    if not reporter.json:
        reporter.data(f"cloacina-ctl {__version__}")
    reporter.finish(ok=True)
    return exits.DONE


def _parse_with_typer(words: Sequence[str], color: str) -> Invocation[Any] | int:
    from cloacina_ctl.cli.parsing import typer_app

    rich = wants_color(color, sys.stdout)
    with _environment_for_rich(wanted=rich):
        try:
            return typer_app.read(words, rich=rich)
        except SystemExit as end:  # raised by completion
            return end.code if isinstance(end.code, int) else exits.DONE


@contextlib.contextmanager
def _environment_for_rich(*, wanted: bool) -> Iterator[None]:
    """Set the environment variables that rich reads so that it agrees about color."""
    before = {name: os.environ.get(name) for name in ("FORCE_COLOR", "NO_COLOR")}
    if wanted:
        os.environ["FORCE_COLOR"] = "1"
        os.environ.pop("NO_COLOR", None)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
