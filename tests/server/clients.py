"""A client that waits for no server for long."""

from __future__ import annotations

import time

from cloacina_ctl.errors import CloacinaError
from cloacina_ctl.server.address import parse_address
from cloacina_ctl.server.bounded_socket import Patience
from cloacina_ctl.server.client import Server
from cloacina_ctl.server.token import Token
from tests.support.cloacina_server import WRITE
from tests.support.sockets import Listener

IMPATIENT = Patience(
    connect=0.5, answer=0.3, leave=0.1, stall=0.3, first_pause=0.01, longest_pause=0.02, tries=2
)


GOOD = {"id": "a", "package_name": "demo", "version": "1.0.0", "tasks": []}


def client(listener, patience=IMPATIENT, url=None):
    return Server(parse_address(url or listener.url), "t", Token(WRITE, "test"), patience=patience)


def asks(answer):
    """Return what asking a server comes to that answers so: a package, or the error's code."""

    def serve(line):
        line.asked()
        answer(line)

    with Listener(serve) as listener:
        begun = time.monotonic()
        try:
            return client(listener).package("demo")
        except CloacinaError as error:
            return error.diagnostics[0].code
        finally:
            assert time.monotonic() - begun < 4


def sends(*pieces: bytes, wait: float = 0.0):
    def answer(line):
        for piece in pieces:
            line.send(piece)
            if wait:
                line.quit.wait(wait)

    return answer
