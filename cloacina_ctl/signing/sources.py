"""Where the bytes of a key come from: a file, a pipe, a descriptor, a variable.

    PATH      a file, or what has a writer at its other end: `<(…)`, a FIFO, /dev/stdin
    -         standard input
    fd:N      an open file descriptor
    env:NAME  a variable: the text of a key file, or base64 of one

A private key's file must be its owner's alone. What is handed over as a descriptor or a variable
was opened or set by whoever runs this, and has no mode to judge.
"""

from __future__ import annotations

import base64
import os
import re
import select
import stat
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.files.staging import reported
from cloacina_ctl.redaction import remember
from cloacina_ctl.settings import ENV_SOURCE, FD_SOURCE, STDIN_SOURCE
from cloacina_ctl.signing.files import MAX_KEY_FILE, refuse_exposed
from cloacina_ctl.signing.key_formats.recognized import bad_key
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
_DESCRIPTOR = re.compile(r"[0-9]{1,9}")
_WRITER_SECONDS = 10.0  # for a FIFO that nobody has opened yet


class Read(NamedTuple):
    """The bytes of a key file, and what to call the place in messages.

    ``file`` is what was read where that was a path; ``variable`` is the name of one.
    """

    data: bytes
    where: str
    file: os.stat_result | None = None
    variable: str | None = None

    def keep_secret(self) -> None:
        """Raise ``NotTrusted`` where others can read, write or replace this private key.

        A variable is gone afterwards, so that no program that is started has it.
        """
        if self.file is not None:
            refuse_exposed(self.file, self.where)
        if self.variable is not None:
            remember(os.environ.pop(self.variable, ""))


def read_source(source: str) -> Read:
    """Return the bytes that ``source`` leads to, at most a little more than a key file has.

    Raises ``NotTrusted`` for what is no file and no pipe; ``FileProblem`` where the system refuses.
    """
    if source.startswith(ENV_SOURCE):
        return _from_environment(source[len(ENV_SOURCE) :])
    if source == STDIN_SOURCE:
        return Read(_from_descriptor(0, "standard input"), "standard input")
    if source.startswith(FD_SOURCE):
        digits = source[len(FD_SOURCE) :]
        if not _DESCRIPTOR.fullmatch(digits):
            raise bad_key("fd: is followed by the number of a file descriptor", None)
        where = f"file descriptor {int(digits)}"
        return Read(_from_descriptor(int(digits), where), where)
    return _from_file(source)


def _from_file(path: str) -> Read:
    with reported(path):
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            found = os.fstat(fd)
            kind = stat.S_IFMT(found.st_mode)
            if kind not in (stat.S_IFREG, stat.S_IFIFO):
                raise bad_key("a key file must be a regular file or a pipe", path)
            pieces = _regular(fd) if kind == stat.S_IFREG else _pipe(fd, path)
            return Read(_bounded(pieces), path, found)
        finally:
            os.close(fd)


def _from_descriptor(fd: int, where: str) -> bytes:
    with reported(where):
        kind = stat.S_IFMT(os.fstat(fd).st_mode)
        if kind not in (stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK):
            what = "a terminal" if os.isatty(fd) else "no file and no pipe"
            raise bad_key(
                f"expected a key, found {what}", where, "hand the key over with `< key.pem`"
            )
        return _bounded(_regular(fd))


def _bounded(pieces: Iterator[bytes]) -> bytes:
    """Return what comes, as far as it could be a key file, and a little more where it is none."""
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) > MAX_KEY_FILE:
            break
    return bytes(data)


def _regular(fd: int) -> Iterator[bytes]:
    while piece := os.read(fd, MAX_KEY_FILE):
        yield piece


def _pipe(fd: int, path: str) -> Iterator[bytes]:
    """Yield what is written into the pipe; wait as long as somebody has it open to write."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    is_empty = True
    while True:
        try:
            piece = os.read(fd, MAX_KEY_FILE)
        except BlockingIOError:
            poll.poll()
            continue
        if piece:
            is_empty = False
            yield piece
        elif not is_empty:
            return
        else:  # nobody writes: not any more, or not yet
            happened = poll.poll(_WRITER_SECONDS * 1000)
            if not happened:
                raise bad_key(
                    f"nobody has written into the pipe within {_WRITER_SECONDS:.0f} seconds", path
                )
            if not happened[0][1] & select.POLLIN:
                return


def _from_environment(name: str) -> Read:
    if not _VARIABLE.fullmatch(name):
        raise bad_key("env: is followed by the name of an environment variable", None)
    value = os.environ.get(name)
    if not value:
        raise NotTrusted.of(
            Code.NO_SUCH_KEY,
            f"the environment variable {name} is {'empty' if value == '' else 'not set'}",
            hint="set it to the text of the key file, or to its base64; a job of CI gets a secret "
            "only where its settings say so",
        )
    if os.path.isabs(value) and os.path.isfile(value):  # as GitLab's variables of type "File" do
        raise bad_key(
            f"the variable {name} holds the path of a file, not a key",
            None,
            f'give the file: --key "${name}", or --key - < "${name}" where others set its mode',
        )
    return Read(_decoded(os.fsencode(value)), f"the variable {name}", variable=name)


def _decoded(value: bytes) -> bytes:
    """Return the key file that ``value`` is, or that it is the base64 of."""
    try:
        return base64.b64decode(b"".join(value.split()), validate=True) or value
    except ValueError:
        return value
