"""One HTTP/1.1 request and its answer, read as strictly as a package is.

Every answer is bounded in size and time, whatever it says of itself. No coding of the body is
accepted, so nothing can grow; redirects are never followed, so that the token stays with the server
that it was meant for. One connection carries one request: what a server sends beyond its answer is
never taken for another.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from cloacina_ctl.errors import Code, NetworkProblem
from cloacina_ctl.server.wire import PIECE, Deadline, Patience, Wire
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Protocol

    class Body(Protocol):
        """What is sent: ``size`` bytes in pieces; asked anew where a request is made again."""

        @property
        def size(self) -> int:
            """Return how many bytes there are."""

        def pieces(self) -> Iterator[bytes]:
            """Yield them."""


MAX_HEAD_BYTES = 64 << 10
MAX_HEADERS = 100
MAX_INTERIM = 8
MAX_BODY_BYTES = 4 << 20  # a workflow of 10 000 tasks is half of that
_MAX_CHUNK_LINE = 256
# From this size on the server is asked first: one that does not know the token need not get it all.
ASK_FROM_BYTES = 1 << 20

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t\x20-\x7e]*)?")
_SAFE_VALUE = re.compile(r"[\x20-\x7e]*")


class Request(NamedTuple):
    """What is asked: ``target`` is a path that needs no more escaping.

    ``most`` is how many bytes are wanted of the body of a good answer, whose length must be told;
    the rest is left on the wire. None wants all of any answer.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: Body | None = None
    most: int | None = None


class Answer(NamedTuple):
    """What the server says. The names of ``headers`` are in small letters."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes


class Bytes(NamedTuple):
    """A body that is there already."""

    data: bytes

    @property
    def size(self) -> int:
        """Its length."""
        return len(self.data)

    def pieces(self) -> Iterator[bytes]:
        """Yield it at once."""
        yield self.data


def exchange(
    wire: Wire, request: Request, where: str, patience: Patience, masked: Callable[[str], str]
) -> Answer:
    """Send ``request`` and return the answer to it; ``masked`` takes secrets out of its texts.

    Raises ``NetworkProblem`` where there is none in time, or one that is none of HTTP.
    """
    incoming = _Incoming(wire, where, Deadline(patience.answer, "the answer", where), masked)
    wire.send(_head(request), incoming.deadline)
    if request.body is not None:
        _send_body(wire, request.body, incoming, patience)
    return incoming.answer() if request.most is None else incoming.start(request.most)


def tunnel(wire: Wire, host: str, port: int, authorization: str | None, deadline: Deadline) -> None:
    """Let the proxy at the other end of ``wire`` connect on to ``host``."""
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = [("Host", place)]
    if authorization is not None:
        headers.append(("Proxy-Authorization", authorization))
    wire.send(_head(Request("CONNECT", place, tuple(headers))), deadline)
    status, _, _ = _Incoming(wire, "the proxy", deadline, _nothing).final_head()
    if status // 100 != 2:
        raise NetworkProblem.of(
            Code.UNREACHABLE,
            f"the proxy does not connect to {place}: {status}",
            hint="NO_PROXY=HOST goes without it"
            if status != 407
            else "it wants a name and password",
        )


def _head(request: Request) -> bytes:
    headers = list(request.headers)
    if request.method != "CONNECT":
        headers += [("Connection", "close"), ("Accept-Encoding", "identity")]
    if request.body is not None:
        headers.append(("Content-Length", str(request.body.size)))
        if request.body.size >= ASK_FROM_BYTES:
            headers.append(("Expect", "100-continue"))
    lines = [f"{request.method} {request.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers]
    for line in lines:
        if not _SAFE_VALUE.fullmatch(line):
            raise ValueError("a line of a request that would be two")  # a bug: callers escape
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _send_body(wire: Wire, body: Body, incoming: _Incoming, patience: Patience) -> None:
    """Send the body, unless the server answers before it has all of it."""
    if body.size >= ASK_FROM_BYTES and wire.has_answered(patience.leave) and incoming.refuses():
        return
    seconds = patience.answer + body.size / PIECE
    incoming.deadline = deadline = Deadline(seconds, "the upload", incoming.where)
    for piece in body.pieces():
        if wire.has_answered() and incoming.refuses():
            break
        try:
            wire.send(piece, deadline)
        except NetworkProblem:
            # A server that has had enough says so and hangs up, and its words tell more.
            if not wire.has_answered(patience.leave):
                raise
            break
    incoming.deadline = Deadline(patience.answer, "the answer", incoming.where)


class _Incoming:
    """What comes from the server, taken apart within bounds."""

    def __init__(
        self, wire: Wire, where: str, deadline: Deadline, masked: Callable[[str], str]
    ) -> None:
        self._wire = wire
        self._masked = masked
        self.where = where
        self.deadline = deadline
        self._buffer = bytearray()
        self._head: tuple[int, str, dict[str, str]] | None = None
        self._interim = 0

    def refuses(self) -> bool:
        """Tell whether what is there is the final answer, and not leave to go on."""
        while self._head is None:
            head = self._one_head()
            if head[0] >= 200:
                self._head = head
            elif not self._buffer and not self._wire.has_answered():
                return False
        return True

    def final_head(self) -> tuple[int, str, dict[str, str]]:
        """Return status, reason and headers of the answer that is not an interim one."""
        while self._head is None:
            head = self._one_head()
            if head[0] >= 200:
                self._head = head
        return self._head

    def answer(self) -> Answer:
        """Return the answer with its whole body."""
        status, reason, headers = self._identity_head()
        return Answer(status, reason, headers, self._body(status, headers))

    def start(self, most: int) -> Answer:
        """Return the answer with the beginning of its body, of a bad one without any."""
        status, reason, headers = self._identity_head()
        if status not in (200, 206):
            return Answer(status, reason, headers, b"")
        length = headers.get("content-length")
        if length is None or "transfer-encoding" in headers:
            self._bad("it does not say how long the file is")
        return Answer(status, reason, headers, self._exactly(min(self._number(length), most)))

    def _identity_head(self) -> tuple[int, str, dict[str, str]]:
        head = self.final_head()
        if head[2].get("content-encoding", "identity").strip().lower() != "identity":
            self._bad("the body is encoded, and none was asked for that is")
        return head

    def _one_head(self) -> tuple[int, str, dict[str, str]]:
        left = MAX_HEAD_BYTES
        line = self._line(left)
        left -= len(line)
        found = _STATUS_LINE.fullmatch(line)
        if found is None:
            self._bad(f"it does not begin as an answer of HTTP does: {self._shown(line)}")
        headers: dict[str, str] = {}
        for _ in range(MAX_HEADERS + 1):
            line = self._line(left)
            left -= len(line) + 2
            if not line:
                break
            self._add_header(line, headers)
        else:
            self._bad(f"more than {MAX_HEADERS} headers")
        status = int(found[1])
        self._interim += status < 200
        if self._interim > MAX_INTERIM:
            self._bad("interim answers without an end")
        return status, (found[2] or b"").decode("latin-1"), headers

    def _add_header(self, line: bytes, headers: dict[str, str]) -> None:
        found = _HEADER.fullmatch(line)
        if found is None:
            self._bad(f"a line that is no header: {self._shown(line)}")
        name = found[1].decode("ascii").lower()
        value = found[2].decode("latin-1")
        if headers.setdefault(name, value) != value:
            if name in ("content-length", "transfer-encoding", "content-encoding", "location"):
                self._bad(f"two headers {name} that differ")
            headers[name] = f"{headers[name]}, {value}"

    def _body(self, status: int, headers: dict[str, str]) -> bytes:
        if status in (204, 304):
            return b""
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if coding is not None:
            if coding.strip().lower() != "chunked" or length is not None:
                self._bad(
                    f"a body whose end cannot be told: {self._shown(coding.encode('latin-1'))}"
                )
            return b"".join(self._chunks())
        if length is None:
            return self._rest()
        number = self._number(length)
        self._bound(number)
        return self._exactly(number)

    def _number(self, length: str) -> int:
        if not (length.isascii() and length.isdigit() and len(length) < 16):
            self._bad(f"not a length: {self._shown(length.encode('latin-1'))}")
        return int(length)

    def _chunks(self) -> Iterable[bytes]:
        total = 0
        while True:
            line = self._line(_MAX_CHUNK_LINE)
            found = _CHUNK.fullmatch(line)
            if found is None:
                self._bad(f"not the beginning of a chunk: {self._shown(line)}")
            size = int(found[1], 16)
            total += size
            self._bound(total)
            if not size:
                break
            yield self._exactly(size)
            if self._line(_MAX_CHUNK_LINE):
                self._bad("a chunk that does not end where it says")
        # Trailers have no meaning here, and the connection ends with this answer.

    def _rest(self) -> bytes:
        while data := self._wire.receive(self.deadline):
            self._buffer += data
            self._bound(len(self._buffer))
        return bytes(self._buffer)

    def _bound(self, size: int) -> None:
        if size > MAX_BODY_BYTES:
            self._bad(f"more than {MAX_BODY_BYTES} bytes")

    def _line(self, most: int) -> bytes:
        """Return the next line without its end, which is CR LF."""
        while (end := self._buffer.find(b"\n", 0, most + 2)) < 0:
            if len(self._buffer) > most:
                self._bad("headers without an end")
            self._more()
        if end == 0 or self._buffer[end - 1] != 13:
            self._bad("a line that does not end with CR LF")
        line = bytes(self._buffer[: end - 1])
        del self._buffer[: end + 1]
        return line

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _more(self) -> None:
        data = self._wire.receive(self.deadline)
        if not data:
            if not self._buffer and self._head is None:
                raise NetworkProblem.of(
                    Code.UNREACHABLE, "the server hung up without an answer", where=self.where
                )
            self._bad("it ends too early")
        self._buffer += data

    def _shown(self, data: bytes) -> str:
        return self._masked(data.decode("utf-8", "backslashreplace"))[:80]

    def _bad(self, why: str) -> NoReturn:
        raise NetworkProblem.of(
            Code.BAD_ANSWER, f"what came back is not an answer that can be read: {why}",
            where=self.where,
        )  # fmt: skip


def _nothing(_: str) -> str:
    """Mask all of a proxy's words: it was given a password, too."""
    return "..."
