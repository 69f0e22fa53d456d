"""Sockets with a deadline and a maximum number of bytes to receive.

urllib3 and ``http.client`` have a timeout for each read, which a server that sends one byte a
minute never exceeds, and no limit for interim responses and trailers. So the sockets that they read
from hold both limits.
"""

from __future__ import annotations

import contextlib
import queue
import re
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, NetworkProblem
from cloacina_ctl.server.address import is_loopback
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from cloacina_ctl.server.address import Address

PIECE = 64 << 10
MAX_HEAD_BYTES = 64 << 10

_INTERIM = re.compile(rb"HTTP/1\.[01] 1.*?\r\n\r\n", re.DOTALL)
_BEFORE_STATUS = len(b"HTTP/1.1 ")


class Patience(NamedTuple):
    """Timeouts in seconds."""

    connect: float = 15.0
    answer: float = 60.0
    leave: float = 1.0  # for 100 Continue; after that the body is sent without it
    stall: float = 30.0  # for the server to take some of what is sent
    first_pause: float = 0.5  # before a request is repeated; doubled each time
    longest_pause: float = 20.0
    tries: int = 4


class Deadline:
    """The moment at which waiting for ``what`` ends; messages call the server ``where``."""

    def __init__(self, seconds: float, what: str, where: str) -> None:
        self.where = where
        self._seconds = seconds
        self._what = what
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left; raises ``NetworkProblem`` if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.passed()
        return left

    def passed(self) -> NetworkProblem:
        """Return the error for a passed deadline."""
        message = f"{self._what} did not end within {self._seconds:g} seconds"
        return NetworkProblem.of(Code.NO_ANSWER, message, where=self.where)


class BoundedSocket(socket.socket):
    """A connection, with TLS or without, that raises ``NetworkProblem`` at a limit."""

    deadline: Deadline
    stall: float  # seconds within which the server must take some of what is sent
    allowance = MAX_HEAD_BYTES  # how many bytes may still be received
    _early = b""

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        """Receive into ``buffer``; what ``has_answered`` received comes first."""
        view = memoryview(buffer)[: min(nbytes or self.allowance, self.allowance)]
        if not view:
            message = "the answer is too large"
            raise NetworkProblem.of(Code.BAD_ANSWER, message, where=self.deadline.where)
        if self._early:
            data, self._early = self._early[: len(view)], self._early[len(view) :]
            count = len(data)
            view[:count] = data
        else:
            self.settimeout(self.deadline.left())
            try:
                count = super().recv_into(view, len(view), flags)
            except TimeoutError as error:
                raise self.deadline.passed() from error
        self.allowance -= count
        return count

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        """Send some of ``data``."""
        self.settimeout(min(self.stall, self.deadline.left()))
        try:
            return super().send(data, flags)
        except TimeoutError as error:
            self.deadline.left()  # which raises where it is the deadline that has passed
            message = f"the server took nothing for {self.stall:g} seconds"
            raise NetworkProblem.of(Code.NO_ANSWER, message, where=self.deadline.where) from error

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        """Send all of ``data``."""
        view = memoryview(data)
        while view:
            view = view[self.send(view, flags) :]

    def has_answered(self, seconds: float = 0.0) -> bool:
        """Wait ``seconds`` and return whether a final response has begun; interim ones are dropped.

        TLS sends data of its own, so a readable socket is not enough.
        """
        with contextlib.suppress(OSError):  # nothing yet; or it broke, which the next call reports
            self.settimeout(seconds)
            self._early += self.recv(MAX_HEAD_BYTES - len(self._early))
        while found := _INTERIM.match(self._early):
            self._early = self._early[found.end() :]
        return self._early[_BEFORE_STATUS : _BEFORE_STATUS + 1] not in (b"", b"1")


class _PlainSocket(BoundedSocket):
    def gettimeout(self) -> float:
        """Return the seconds left: the TLS handshake takes its timeout from here."""
        return self.deadline.left()


class TLSSocket(BoundedSocket, ssl.SSLSocket):
    """The ``sslsocket_class`` of an ``SSLContext``."""


def open_socket(address: Address, deadline: Deadline, stall: float) -> BoundedSocket:
    """Connect to ``address``; raises ``OSError`` or ``NetworkProblem`` if that fails."""
    last = OSError("no address")
    found = _look_up(address, deadline)
    for number, (family, kind, protocol, _, place) in enumerate(found):
        sock = _PlainSocket(family, kind, protocol)
        sock.deadline, sock.stall = deadline, stall
        try:
            sock.settimeout(deadline.left() / (len(found) - number))
            sock.connect(place)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            last = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise last


def _look_up(address: Address, deadline: Deadline) -> list[Any]:
    """Return the result of ``getaddrinfo``, from a thread, because it has no timeout."""
    answers: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()

    def ask() -> None:
        found: list[Any] = []
        with contextlib.suppress(OSError, UnicodeError):
            found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        answers.put(found)

    threading.Thread(target=ask, daemon=True).start()
    try:
        found = answers.get(timeout=deadline.left())
    except queue.Empty:
        raise deadline.passed() from None
    message = f"no such host: {address.host}"
    if found and address.is_loopback:
        # A token may go to this machine without TLS, so DNS must not decide which machine it is.
        message = "a name of this machine that leads to another one"
        found = [one for one in found if is_loopback(str(one[4][0]))]
    if not found:
        raise NetworkProblem.of(Code.UNREACHABLE, message, where=deadline.where)
    return found
