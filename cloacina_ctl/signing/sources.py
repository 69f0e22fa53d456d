"""Sources of a key: a file, a pipe, a descriptor, a variable.

    PATH      a file, or a pipe with a writer at its other end: `<(…)`, a FIFO, /dev/stdin
    -         standard input
    fd:N      an open file descriptor
    env:NAME  a variable: the text of a key file, or base64 of one

A private key's file must be its owner's alone. A descriptor was opened, and a variable was set, by
the user who runs this program, and neither has a mode to check.
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
_WRITER_SECONDS = 10.0  # for a FIFO without a writer


class Read(NamedTuple):
    """The bytes of a key file, and the name of its source for messages.

    ``file`` is the state of a file that was read by its path; ``variable`` the name of a variable.
    """

    data: bytes
    where: str
    file: os.stat_result | None = None
    variable: str | None = None

    def keep_secret(self) -> None:
        """Raise ``NotTrusted`` where others can read, write or replace this private key.

        A variable is removed afterwards, so that no started program has it.
        """
        if self.file is not None:
            refuse_exposed(self.file, self.where)
        if self.variable is not None:
            remember(os.environ.pop(self.variable, ""))


def read_source(source: str) -> Read:
    """Return the bytes of ``source``, at most a little more than a key file has.

    Raises ``NotTrusted`` where it is no file and no pipe; ``FileProblem`` where the system refuses.
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
            raise bad_key(f"expected a key, found {what}", where, "pass the key with `< key.pem`")
        return _bounded(_regular(fd))


def _bounded(pieces: Iterator[bytes]) -> bytes:
    """Return all pieces, cut a little beyond the largest key file."""
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
    """Yield the bytes of the pipe; wait as long as it has a writer."""
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
        else:  # no writer: not any more, or not yet
            happened = poll.poll(_WRITER_SECONDS * 1000)
            if not happened:
                raise bad_key(
                    f"no program wrote into the pipe within {_WRITER_SECONDS:.0f} seconds", path
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
    """Return the key file in ``value``, decoded where it is base64."""
    try:
        return base64.b64decode(b"".join(value.split()), validate=True) or value
    except ValueError:
        return value
