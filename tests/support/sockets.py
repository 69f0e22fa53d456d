"""A server on loopback that hands each connection to a function: sockets and threads, no library.

Whoever answers decides every byte, so it can answer as the real server does, or as none should.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self


class Asked(NamedTuple):
    """A request as it came: its body is there where ``read_body`` was called."""

    method: str
    target: str
    headers: dict[str, str]
    head: bytes


class Line:
    """One connection, seen from the server."""

    def __init__(self, sock: socket.socket, quit_: threading.Event) -> None:
        self.sock = sock
        self.quit = quit_
        self._buffer = b""

    def asked(self) -> Asked:
        """Read the head of a request."""
        while b"\r\n\r\n" not in self._buffer:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError
            self._buffer += data
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("ascii").split("\r\n")
        method, target, version = first.split(" ")
        # Up to 3.11 the standard library asks a proxy for a tunnel as HTTP/1.0 did.
        assert version == "HTTP/1.1" or method == "CONNECT"
        pairs = [line.split(": ", 1) for line in lines]
        headers = {name.lower(): value for name, value in pairs}
        assert len(headers) == len(pairs)
        return Asked(method, target, headers, head)

    def body(self, asked: Asked) -> bytes:
        """Read the body of the request."""
        size = int(asked.headers.get("content-length", "0"))
        parts, left = [self._buffer[:size]], size - len(self._buffer[:size])
        self._buffer = self._buffer[size:]
        while left:
            data = self.sock.recv(min(left, 1 << 20))
            if not data:
                raise ConnectionError
            parts.append(data)
            left -= len(data)
        return b"".join(parts)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def wait(self, seconds: float = 30.0) -> None:
        """Do nothing, until the test is over."""
        self.quit.wait(seconds)


class Listener:
    """Listens on loopback; each connection goes to ``answer`` in a thread of its own."""

    def __init__(
        self, answer: Callable[[Line], None], context: ssl.SSLContext | None = None
    ) -> None:
        self._answer = answer
        self._context = context
        self._quit = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.connections = 0

    @property
    def url(self) -> str:
        scheme = "http" if self._context is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._quit.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while not self._quit.is_set():
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            self._answer(Line(sock, self._quit))
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
                sock.settimeout(5)
                while sock.recv(65536):  # else what is unread makes the system reset the answer
                    pass
        except OSError:
            pass  # the client hung up, or never wanted TLS with us
        finally:
            sock.close()
