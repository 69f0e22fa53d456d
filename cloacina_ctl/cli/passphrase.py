"""Where a passphrase comes from: a file descriptor, a file that the environment names, a terminal.

Never the command line, which every user of the machine can read.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl import settings
from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.staging import reported

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 4096


def provider(descriptor: int | None) -> Callable[[str], bytes | None]:
    """Return what asks for the passphrase of a key, once, wherever it is to come from."""

    def ask(what: str) -> bytes | None:
        given = _given(descriptor)
        return given if given is not None else _typed(f"Passphrase of {what}: ")

    return ask


def new_passphrase(descriptor: int | None) -> bytes | None:
    """Return a passphrase for a new key; asked for twice on a terminal."""
    given = _given(descriptor)
    if given is not None:
        return given
    first = _typed("Passphrase for the new key: ")
    if first is None:
        raise NotTrusted.of(
            Code.PASSPHRASE, "no terminal to ask for a passphrase on",
            hint="give --passphrase-fd, or CLOACINA_CTL_PASSPHRASE_FILE",
        )  # fmt: skip
    if not first or first != _typed("Again: "):
        raise NotTrusted.of(Code.PASSPHRASE, "empty, or not the same twice")
    return first


def _given(descriptor: int | None) -> bytes | None:
    if descriptor is not None:
        with reported(f"file descriptor {descriptor}"):
            return _first_line(os.read(descriptor, MAX_BYTES))
    path = os.environ.get(settings.ENV_PASSPHRASE_FILE)
    if path:
        with reported(path):
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(fd, "rb") as file:
                return _first_line(file.read(MAX_BYTES))
    return None


def _first_line(data: bytes) -> bytes:
    return data.split(b"\n", 1)[0].rstrip(b"\r")


def _typed(prompt: str) -> bytes | None:
    """Ask on the terminal, whatever standard input is; None where there is none."""
    import getpass
    import warnings

    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # never echo it
        try:
            return getpass.getpass(prompt).encode()
        except (getpass.GetPassWarning, EOFError):
            return None
