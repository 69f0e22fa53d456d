"""A connection to a server: TLS that is verified, and an end to every wait.

A server that sends one byte a minute keeps a time limit for each read from ever ending, so there
is one for the whole of what is waited for as well.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, NetworkProblem, UsageError
from cloacina_ctl.files.staging import reported
from cloacina_ctl.server.address import is_loopback
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from typing_extensions import Self

    from cloacina_ctl.server.address import Address

PIECE = 64 << 10


class Patience(NamedTuple):
    """How long is waited for what, in seconds."""

    connect: float = 15.0
    answer: float = 60.0
    leave: float = 1.0  # to send a body; without a word it is sent all the same
    stall: float = 30.0  # while sending: without a byte taken
    first_pause: float = 0.5  # before a request is made again; doubled each time
    longest_pause: float = 20.0
    tries: int = 4


class Deadline:
    """The moment at which waiting for ``what`` ends."""

    def __init__(self, seconds: float, what: str, where: str | None = None) -> None:
        self._seconds = seconds
        self._what = what
        self._where = where
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left; raises ``NetworkProblem`` where none is."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.passed()
        return left

    def passed(self) -> NetworkProblem:
        """Return the error for a wait that is over."""
        return NetworkProblem.of(
            Code.NO_ANSWER,
            f"{self._what} did not end within {self._seconds:g} seconds",
            where=self._where,
        )


def verifying(ca_file: str | None) -> ssl.SSLContext:
    """Return what judges a server's certificate: by the system's authorities, or those of a file.

    Raises ``UsageError`` where the file holds no certificate, ``FileProblem`` where it is not to be
    read.
    """
    if ca_file is None:
        context = ssl.create_default_context()
    else:
        with reported(ca_file):
            os.close(os.open(ca_file, os.O_RDONLY | os.O_CLOEXEC))
            try:
                context = ssl.create_default_context(cafile=ca_file)
            except ssl.SSLError as error:
                raise UsageError.of(
                    Code.USAGE, "it holds no certificate in PEM form", where=ca_file
                ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Wire:
    """An open connection. Use it as a context manager. What goes wrong is a ``NetworkProblem``."""

    def __init__(self, sock: socket.socket, where: str, stall: float) -> None:
        self._socket = sock
        self._where = where
        self._stall = stall
        self._early = b""

    @classmethod
    def open(cls, address: Address, where: str, patience: Patience) -> Self:
        """Connect to ``address``; ``where`` is what messages call it."""
        deadline = Deadline(patience.connect, "connecting", where)
        try:
            found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise _unreachable(f"no such host: {address.host}", where) from error
        if address.is_loopback:  # so the token may go there without TLS: nobody's DNS decides
            found = [one for one in found if is_loopback(str(one[4][0]))]
            if not found:
                raise _unreachable("a name of this machine that leads to another one", where)
        last: OSError | None = None
        for family, kind, protocol, _, place in found:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(deadline.left())
                sock.connect(place)
            except OSError as error:
                sock.close()
                last = error
                continue
            except BaseException:
                sock.close()
                raise
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return cls(sock, where, patience.stall)
        raise translated(last or OSError(), where) from last

    def secure(self, context: ssl.SSLContext, host: str, deadline: Deadline) -> None:
        """Speak TLS from here on, with a server that proves to be ``host``."""
        try:
            self._socket.settimeout(deadline.left())
            self._socket = context.wrap_socket(
                self._socket, server_hostname=host, suppress_ragged_eofs=False
            )
        except ssl.SSLCertVerificationError as error:
            raise _distrusted(error, self._where) from error
        except ssl.SSLError as error:
            words = (error.reason or "no reason given").replace("_", " ").lower()
            raise NetworkProblem.of(
                Code.INSECURE, f"no TLS with this server: {words}", where=self._where
            ) from error
        except OSError as error:
            raise self._problem(error, deadline) from error

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Send all of ``data``."""
        try:
            self._socket.settimeout(min(self._stall, deadline.left()))
            self._socket.sendall(data)
        except TimeoutError as error:
            message = f"the server took nothing for {self._stall:g} seconds"
            raise NetworkProblem.of(Code.NO_ANSWER, message, where=self._where) from error
        except OSError as error:
            raise translated(error, self._where) from error

    def receive(self, deadline: Deadline) -> bytes:
        """Return the next bytes, none where the server sent its last."""
        if self._early:
            data, self._early = self._early, b""
            return data
        try:
            self._socket.settimeout(deadline.left())
            return self._socket.recv(PIECE)
        except OSError as error:
            raise self._problem(error, deadline) from error

    def has_answered(self, seconds: float = 0.0) -> bool:
        """Tell whether the server says something, waiting so long; what it says is kept.

        Data of TLS itself is no answer, so the socket is read and not only asked.
        """
        if not self._early:
            try:
                self._socket.settimeout(seconds)
                self._early = self._socket.recv(PIECE)
            except OSError:  # nothing yet; or it broke, which sending and receiving say
                return False
        return bool(self._early)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _problem(self, error: OSError, deadline: Deadline) -> NetworkProblem:
        if isinstance(error, TimeoutError):
            return deadline.passed()
        return translated(error, self._where)


def translated(error: OSError, where: str) -> NetworkProblem:
    """Return the error for what the system says of a connection."""
    if isinstance(error, TimeoutError):
        return NetworkProblem.of(Code.NO_ANSWER, "no connection in time", where=where)
    if isinstance(error, ConnectionRefusedError):
        return _unreachable("nothing listens there", where)
    if isinstance(error, ConnectionError | ssl.SSLError):
        return _unreachable("the connection broke", where)
    number = error.errno
    reason = os.strerror(number) if number is not None and number > 0 else "no address"
    return _unreachable(reason[:1].lower() + reason[1:], where)


def _unreachable(message: str, where: str) -> NetworkProblem:
    return NetworkProblem.of(Code.UNREACHABLE, message, where=where)


def _distrusted(error: ssl.SSLCertVerificationError, where: str) -> NetworkProblem:
    words = error.verify_message or "it cannot be verified"
    return NetworkProblem.of(
        Code.INSECURE,
        f"the server's certificate does not hold: {words}",
        where=where,
        hint="for an authority of your own: --ca-file; nothing turns the check off",
    )
