"""Where a passphrase comes from: a file descriptor, a file that the environment names, a terminal.

Never the command line, which every user of the machine can read.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cloacina_ctl import settings
from cloacina_ctl.cli.terminal import streams
from cloacina_ctl.cli.terminal.escape import escape, escape_shown
from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.files.staging import reported
from cloacina_ctl.redaction import refuse_secret_text, remember, shown_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cloacina_ctl.cli.terminal.reporter import Reporter

# Asking a person before what cannot be undone; a script says by options what it wants.


def can_ask(reporter: Reporter) -> bool:
    """Return whether a person can be asked: input and errors are a terminal, and no --json."""
    return not reporter.json and streams.is_terminal(sys.stdin) and streams.is_terminal(sys.stderr)


def answer(lines: Iterable[str], prompt: str) -> str:
    """Show ``lines``, also where --quiet wants no others, and return the line that is typed.

    It comes without the spaces around it, and empty where the person ends the input.
    """
    shown = escape_shown("".join(f"{line}\n" for line in lines) + prompt)
    streams.complain(shown)
    line = sys.stdin.readline()
    if not line:
        streams.complain("\n")  # the end of input leaves the cursor behind the question
    return line.strip()


MAX_BYTES = 4096


def provider(descriptor: int | None) -> Callable[[str], bytes | None]:
    """Return what is asked for the passphrase of a key; its None says that there is none to be had.

    The descriptor wins over the file, the file over the terminal. What is not typed is read once
    and is for every key. Raises ``NotTrusted`` where it is empty and ``FileProblem`` where
    it cannot be read.
    """
    read: list[bytes] = []

    def ask(what: str) -> bytes | None:
        if not read:
            given = _given(descriptor)
            if given is None:
                return typed(f"Passphrase of {escape(what)}: ")
            read.append(given)
        return read[0]

    return ask


def new_passphrase(descriptor: int | None) -> bytes | None:
    """Return a passphrase for a new key; asked for twice on a terminal."""
    given = _given(descriptor)
    if given is not None:
        return given
    first = typed("Passphrase for the new key: ")
    if first is None:
        raise NotTrusted.of(
            Code.PASSPHRASE, "no terminal to ask for a passphrase on",
            hint="give --passphrase-fd, or CLOACINA_CTL_PASSPHRASE_FILE",
        )  # fmt: skip
    if not first or first != typed("Again: "):
        raise NotTrusted.of(Code.PASSPHRASE, "empty, or not the same twice")
    return first


def _given(descriptor: int | None) -> bytes | None:
    if descriptor is not None:
        return _first_line(descriptor, f"file descriptor {descriptor}")
    path = os.environ.get(settings.ENV_PASSPHRASE_FILE)
    if path:
        refuse_secret_text(path, settings.ENV_PASSPHRASE_FILE)
        where = shown_file(path, settings.ENV_PASSPHRASE_FILE)
        with reported(path, where), open(path, "rb", buffering=0) as file:  # a pipe: so it waits
            return _first_line(file.fileno(), where)
    return None


def _first_line(fd: int, where: str) -> bytes:
    """Read one line, byte by byte: what follows may be for another reader."""
    line = bytearray()
    with reported(where):
        while len(line) < MAX_BYTES:
            byte = os.read(fd, 1)
            if byte in (b"", b"\n"):
                break
            line += byte
    if not line.removesuffix(b"\r"):
        raise NotTrusted.of(Code.PASSPHRASE, "holds no passphrase", where=where)
    remember(line.removesuffix(b"\r").decode("utf-8", "surrogateescape"))
    return bytes(line.removesuffix(b"\r"))


def typed(prompt: str, before: Callable[[], None] | None = None) -> bytes | None:
    """Ask on the terminal, whatever standard input is; None where there is none.

    ``before`` is called where there is one: it may find out that there is no need to ask.
    """
    import getpass
    import warnings

    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return None
    if before is not None:
        before()
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # never echo it
        try:
            return getpass.getpass(prompt).encode("utf-8", "surrogateescape")
        except (getpass.GetPassWarning, EOFError):
            return None
