"""One HTTP request to a server and its response, with or without a proxy and TLS.

urllib3 implements HTTP; this module holds the policy. Every wait ends at a deadline and every
response has a maximum size (``bounded_socket``). A content coding is refused, so a response cannot
expand. A redirect is returned like any other response, so a token stays with its server. Each
connection carries one request, so bytes after its response are never read as another one.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import ssl
from typing import TYPE_CHECKING

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from cloacina_ctl.errors import Code, NetworkProblem, UsageError
from cloacina_ctl.files.staging import reported
from cloacina_ctl.server.bounded_socket import (
    MAX_HEAD_BYTES,
    PIECE,
    Deadline,
    TLSSocket,
    open_socket,
)
from cloacina_ctl.server.multipart import Upload
from cloacina_ctl.server.proxies import proxy_for
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from urllib3 import BaseHTTPResponse

    from cloacina_ctl.server.address import Address
    from cloacina_ctl.server.bounded_socket import BoundedSocket, Patience
    from cloacina_ctl.server.proxies import Proxy

MAX_BODY_BYTES = 4 << 20  # a workflow of 10 000 tasks is half of that
SLOWEST_UPLOAD = 64 << 10  # bytes a second

# `http.client` reports the status of a refused tunnel in its message only.
_NO_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})")
_MESSAGES: tuple[tuple[type[OSError], str], ...] = (
    (ConnectionRefusedError, "nothing listens there"),
    (http.client.RemoteDisconnected, "the server closed the connection without an answer"),
    (ConnectionError, "the connection broke"),
    (ssl.SSLError, "the connection broke"),
)


class Request(NamedTuple):
    """An HTTP request; ``target`` is a path that is escaped already.

    ``most`` limits how many bytes of the body of a 200 or 206 are read, and of other responses
    none; None reads the whole body of every response.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: Upload | bytes | None = None
    most: int | None = None


class Answer(NamedTuple):
    """The response. Names in ``headers`` match in any case; ``length`` is the body's, if sent."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    length: int | None


class Route(NamedTuple):
    """The route to a server; ``context`` verifies its certificate, None without TLS."""

    address: Address
    proxy: Proxy | None
    context: ssl.SSLContext | None


class _FinalResponse(http.client.HTTPResponse):
    """The response after all interim ones, of which ``http.client`` skips only 100 Continue."""

    def begin(self) -> None:
        super().begin()
        while self.status < 200:
            self.headers = None  # type: ignore[assignment]  # which makes it begin again
            super().begin()


class _Connection(HTTPConnection):
    response_class = _FinalResponse
    opened: BoundedSocket
    sock: BoundedSocket

    def _new_conn(self) -> BoundedSocket:
        return self.opened


class _SecureConnection(_Connection, HTTPSConnection):
    pass


def route_to(address: Address, ca_file: str | None = None) -> Route:
    """Return how to reach ``address``.

    Raises ``UsageError`` for a proxy that is not supported or a ``ca_file`` without a certificate,
    ``FileProblem`` for one that cannot be read.
    """
    context = _tls_context(ca_file) if address.is_secure else None
    return Route(address, proxy_for(address), context)


@contextlib.contextmanager
def connected(route: Route, where: str, patience: Patience) -> Iterator[_Connection]:
    """Connect and verify the server's certificate; messages call the server ``where``.

    Raises ``NetworkProblem`` if the server cannot be reached or cannot be verified.
    """
    proxy, address = route.proxy, route.address
    first = address if proxy is None else proxy.address
    place = where if proxy is None else f"{where} by the proxy {first.authority}"
    connection: _Connection
    if route.context is None:
        connection = _Connection(first.host, first.port)
    else:
        connection = _SecureConnection(first.host, first.port, ssl_context=route.context)
        if proxy is not None:
            connection.set_tunnel(address.host, address.port, proxy.headers)
    with contextlib.closing(connection):
        with _translated(place):
            deadline = Deadline(patience.connect, "connecting", place)
            connection.opened = open_socket(first, deadline, patience.stall)
            try:
                connection.connect()
            except ssl.SSLError as error:
                raise _insecure(error, place) from error
        yield connection


def ask(route: Route, request: Request, where: str, patience: Patience) -> Answer:
    """Connect, send ``request``, and return the response.

    Raises ``NetworkProblem`` if there is none in time, or one that is not valid HTTP or too large.
    """
    proxy, address = route.proxy, route.address
    target = request.target
    headers = {"Host": address.authority, "User-Agent": "cloacina-ctl", **dict(request.headers)}
    headers |= {"Connection": "close", "Accept-Encoding": "identity"}
    if proxy is not None and route.context is None:
        target = f"{address.origin}{target}"
        headers |= proxy.headers
    with connected(route, where, patience) as connection, _translated(where):
        sock = connection.sock
        sock.deadline, sock.stall = Deadline(patience.answer, "the answer", where), patience.stall
        body = request.body
        pieces = _pieces(body, sock, patience) if isinstance(body, Upload) else body
        try:
            connection.request(
                request.method, target, pieces, headers,
                preload_content=False, decode_content=False,
            )  # fmt: skip
        except (OSError, NetworkProblem):
            # A server may refuse a body before it has all of it, and close the connection.
            if body is None or not sock.has_answered(patience.leave):
                raise
        sock.deadline = Deadline(patience.answer, "the answer", where)
        with contextlib.closing(connection.getresponse()) as response:
            return _read(response, sock, request.most)


def _pieces(body: Upload, sock: BoundedSocket, patience: Patience) -> Iterator[bytes]:
    """Yield the body, until the server answers."""
    if body.asks_first and sock.has_answered(patience.leave):
        return
    seconds = patience.answer + body.size / SLOWEST_UPLOAD
    sock.deadline = Deadline(seconds, "the upload", sock.deadline.where)
    for piece in body.pieces():
        if sock.has_answered():
            return
        yield piece


def _read(response: BaseHTTPResponse, sock: BoundedSocket, most: int | None) -> Answer:
    """Return the response with its body, as far as ``most`` allows."""
    where = sock.deadline.where
    if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise _bad("its body is encoded, which was not asked for", where)
    length = response.length_remaining
    limit = MAX_BODY_BYTES + 1
    if most is not None:
        limit = most if response.status in (200, 206) else 0
    sock.allowance = limit + MAX_HEAD_BYTES  # for the sizes of chunks, and trailers
    body = bytearray()
    for piece in response.stream(PIECE, decode_content=False) if limit else ():
        body += piece
        if len(body) >= limit:
            break
    if most is None and len(body) > MAX_BODY_BYTES:
        raise _bad(f"it has more than {MAX_BODY_BYTES} bytes", where)
    return Answer(
        response.status, response.reason or "", response.headers, bytes(body[:limit]), length
    )


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return the context that verifies a server, by the system's authorities or those of a file."""
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
    context.sslsocket_class = TLSSocket
    return context


@contextlib.contextmanager
def _translated(where: str) -> Iterator[None]:
    """Raise errors of the system and the library as ``NetworkProblem``.

    The library's messages are not shown: they may quote the response, which may hold a secret.
    """
    try:
        yield
    except OSError as error:
        raise problem_of(error, where) from error
    except (HTTPError, http.client.HTTPException, ValueError) as error:
        if isinstance(error.__cause__, OSError):  # urllib3 wraps those of reading a body
            raise problem_of(error.__cause__, where) from error
        if isinstance(error, http.client.BadStatusLine | http.client.UnknownProtocol):
            raise _bad("it does not begin as HTTP does", where) from error
        raise _bad("it ends too early, or is not valid HTTP", where) from error


def problem_of(error: OSError, where: str) -> NetworkProblem:
    """Return the error to show for a system error."""
    if isinstance(error, TimeoutError):
        return NetworkProblem.of(Code.NO_ANSWER, "no connection in time", where=where)
    hint = None
    if refused := _NO_TUNNEL.match(str(error)):
        message = f"the proxy does not connect: {refused[1]}"
        wants = "it wants a name and password"
        hint = wants if refused[1] == "407" else "NO_PROXY=HOST goes without it"
    else:
        message = next((words for kind, words in _MESSAGES if isinstance(error, kind)), "")
        message = message or (os.strerror(error.errno) if error.errno else "no address")
    return NetworkProblem.of(
        Code.UNREACHABLE, message[:1].lower() + message[1:], where=where, hint=hint
    )


def _insecure(error: ssl.SSLError, where: str) -> NetworkProblem:
    if isinstance(error, ssl.SSLCertVerificationError):
        words = error.verify_message or "it cannot be verified"
        return NetworkProblem.of(
            Code.INSECURE, f"the server's certificate is not valid: {words}", where=where,
            hint="for an authority of your own: --ca-file; nothing turns the check off",
        )  # fmt: skip
    words = (error.reason or "no reason given").replace("_", " ").lower()
    return NetworkProblem.of(Code.INSECURE, f"no TLS with this server: {words}", where=where)


def _bad(why: str, where: str) -> NetworkProblem:
    return NetworkProblem.of(Code.BAD_ANSWER, f"the answer cannot be read: {why}", where=where)
