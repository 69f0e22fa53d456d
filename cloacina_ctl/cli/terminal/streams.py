"""Standard streams as a program may find them: closed, full, without a locale, a broken pipe."""

from __future__ import annotations

import codecs
import os
import sys
from typing import TYPE_CHECKING

from cloacina_ctl.errors import FileProblem

if TYPE_CHECKING:
    from typing import TextIO

_STANDARD = ("stdin", "stdout", "stderr")
# Our own symbols, for streams whose encoding has none.
_PLAIN = {
    "←": "<-", "→": "->", "✓": "ok", "✗": "x", "↻": "~", "▶": ">",
    "…": "...", "–": "-", "—": "--", "·": "-",
}  # fmt: skip
_ERRORS = "cloacina-ctl"


class OutputLost(FileProblem):
    """Standard output took no more: the disk behind it is full, for example."""


def prepare() -> None:
    """Make the three standard streams usable, whatever the caller made of them.

    A closed one becomes the null device: else the next file that is opened, perhaps the package
    being written, would take its number, and what is meant for people would go into it. What the
    encoding of a stream cannot hold is escaped.
    """
    for number, name in enumerate(_STANDARD):
        if getattr(sys, name) is None:
            _open_null(number, name)
    codecs.register_error(_ERRORS, _spell_out)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_ERRORS)


def _spell_out(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for the text that an encoding cannot hold, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    pieces = []
    for character in error.object[error.start : error.end]:
        escaped = character.encode("ascii", "backslashreplace").decode("ascii")
        pieces.append(_PLAIN.get(character, escaped))
    return "".join(pieces), error.end


def _open_null(number: int, name: str) -> None:
    fd = os.open(os.devnull, os.O_RDWR)
    if fd != number:
        os.dup2(fd, number)
        os.close(fd)
    mode = "r" if number == 0 else "w"
    setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - it stays


def write(text: str) -> None:
    """Write to standard output; raises ``OutputLost`` where the system refuses.

    A closed pipe is silent, and does not stop what is being done: who reads one line of `verify`
    still gets its status for every byte.
    """
    try:
        sys.stdout.write(text)
    except OSError as error:
        _lose(error)


def flush() -> None:
    """Pass what was written to the system; raises like ``write``."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _lose(error)


def complain(text: str) -> None:
    """Write to standard error; who closed it does not want to know."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        _divert(sys.stderr)


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a person sees the stream."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def _lose(error: OSError) -> None:
    _divert(sys.stdout)
    if not isinstance(error, BrokenPipeError):
        from cloacina_ctl.files.staging import file_problem

        raise OutputLost(*file_problem(error, "standard output").diagnostics) from error


def _divert(stream: TextIO) -> None:
    """Send what is still buffered to the null device, or Python complains as it ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
