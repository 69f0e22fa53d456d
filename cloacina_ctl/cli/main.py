"""From the words of a command line to an exit status: parse, call, and say what went wrong."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from cloacina_ctl.cli import exits
from cloacina_ctl.cli.app import find, load
from cloacina_ctl.cli.command import COMMON
from cloacina_ctl.cli.parser import parse
from cloacina_ctl.cli.report import Reporter
from cloacina_ctl.errors import CloacinaError, Code, Diagnostic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from cloacina_ctl.cli.command import Command, Values


class Terminated(BaseException):
    """The process was asked to end (SIGTERM, SIGHUP); carries the signal's number."""


def run(words: Sequence[str]) -> int:
    """Do what ``words`` say and return the exit status; never raises but for a closed pipe."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminate)
    plain = None
    if not any(name.startswith("_CLOACINA_CTL_COMPLETE") for name in os.environ):
        called = find(words)
        if called is not None:
            command = load(called[0])
            plain = parse(command, called[1])
    if plain is not None:
        return call(command, plain)
    return _run_typer(words)


def call(command: Command, values: Values) -> int:
    """Run ``command`` and return its exit status; what goes wrong is said, never raised."""
    reporter = Reporter(values, command.schema)
    try:
        return command.run(values, reporter)
    except CloacinaError as error:
        reporter.failure(error.diagnostics)
        if reporter.debug:
            _show_traceback()
        return exits.exit_status(error)
    except KeyboardInterrupt:
        reporter.note("interrupted")
        return exits.INTERRUPTED
    except Terminated as stop:
        reporter.note("terminated")
        return 128 + int(str(stop))
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever else it is, it is a bug of ours
        return _bug(reporter, error)
    finally:
        reporter.close()


def _bug(reporter: Reporter, error: Exception) -> int:
    reporter.failure(
        [
            Diagnostic(
                Code.BUG,
                f"this is a bug in cloacina-ctl: {type(error).__name__}: {error}",
                hint="run it again with --debug and report what it shows",
            )
        ]
    )
    if reporter.debug:
        _show_traceback()
    return exits.BUG


def _show_traceback() -> None:
    import traceback

    from cloacina_ctl.cli.escape import escape

    for line in traceback.format_exc().splitlines():
        sys.stderr.write(escape(line) + "\n")


def _run_typer(words: Sequence[str]) -> int:
    from cloacina_ctl.cli.typer_app import build

    app = build(call)
    try:
        app(args=list(words), prog_name="cloacina-ctl")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else exits.USAGE
        if status == exits.USAGE and "--json" in words:
            _usage_as_json(words)
        return status
    return exits.DONE


def _usage_as_json(words: Sequence[str]) -> None:
    """Print the object of ``--json`` for a command line that no command could take."""
    called = find([word for word in words if word != "--json"])
    verb = called[0].replace(" ", "-") if called else "usage"
    values: Values = {option.key: option.empty() for option in COMMON}
    reporter = Reporter({**values, "json": True}, f"cloacina-ctl/{verb}/1")
    message = "the command line is wrong; standard error says how"
    reporter.result(None, [Diagnostic(Code.USAGE, message)], ok=False)


def _terminate(number: int, frame: FrameType | None) -> None:
    del frame
    raise Terminated(number)
