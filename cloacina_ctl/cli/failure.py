"""How a failed command ends: its diagnostics and its exit status."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl.cli import exits
from cloacina_ctl.cli.signals import SIGINT, Stopped
from cloacina_ctl.cli.terminal import streams
from cloacina_ctl.cli.terminal.escape import escape
from cloacina_ctl.errors import CloacinaError, Code, Diagnostic, FileProblem
from cloacina_ctl.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.cli.terminal.reporter import Reporter


_CAUSE = "The above exception was the direct cause of the following exception:"
_DURING = "During handling of the above exception, another exception occurred:"


def fail(error: BaseException, reporter: Reporter) -> int:
    """Report the error and return its exit status; a lost output stream does not change it."""
    found, status = _check(error)
    if reporter.debug:
        streams.complain("".join(f"{line}\n" for line in _traceback(error)))
    reporter.failure(found)
    with contextlib.suppress(streams.OutputLost):
        reporter.finish(ok=False)
    return status


def _check(error: BaseException) -> tuple[tuple[Diagnostic, ...], int]:
    if isinstance(error, CloacinaError):
        return error.diagnostics, exits.exit_status(error)
    if isinstance(error, KeyboardInterrupt):
        stopped = error if isinstance(error, Stopped) else Stopped(SIGINT)
        found = Diagnostic(Code.STOPPED, f"stopped by {stopped.name}")
        return (found,), exits.status_of_signal(stopped.number)
    if isinstance(error, OSError):
        return _check(_as_file_problem(error))
    if isinstance(error, MemoryError):
        return _check(FileProblem.of(Code.IO, "out of memory"))
    return (_bug(error),), exits.BUG


def _as_file_problem(error: OSError) -> CloacinaError:
    """Return the error for an ``OSError`` that no lower layer handled, such as a removed folder."""
    from cloacina_ctl.files.staging import file_problem

    name = error.filename
    if isinstance(name, (str, bytes)):
        return file_problem(error, os.fsdecode(name))
    lost = isinstance(error, FileNotFoundError)  # raised by `getcwd` in a removed folder
    return file_problem(error, "the current folder" if lost else "a file or stream")


def _bug(error: BaseException) -> Diagnostic:
    what = ": ".join(filter(None, (type(error).__name__, str(error))))
    return Diagnostic(
        Code.BUG,
        f"this is a bug in cloacina-ctl: {what}",
        hint="run it again with --debug and report the traceback",
    )


def _traceback(error: BaseException) -> Iterator[str]:
    """Yield the lines of a traceback, from the first cause on.

    Every text in it may be untrusted: the message of an exception, and each of its notes, is one
    line, escaped and without secrets.
    """
    import traceback

    for one, link in reversed(_chain(error)):
        yield "Traceback (most recent call last):"
        for line in "".join(traceback.format_tb(one.__traceback__)).splitlines():
            yield escape(redacted(line))
        kind = f"{type(one).__module__}.{type(one).__qualname__}".removeprefix("builtins.")
        for text in (": ".join(filter(None, (kind, str(one)))), *getattr(one, "__notes__", ())):
            yield escape(redacted(str(text)))
        if link:
            yield from ("", link, "")


def _chain(error: BaseException) -> list[tuple[BaseException, str]]:
    """Return ``error`` and its causes, each with the sentence that links it to the next."""
    found: list[tuple[BaseException, str]] = []
    one: BaseException | None = error
    link = ""
    while one is not None and all(one is not known for known, _ in found):
        found.append((one, link))
        link = _CAUSE if one.__cause__ is not None else _DURING
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return found
