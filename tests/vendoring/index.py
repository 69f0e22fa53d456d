"""A package index on loopback: the simple API, as pip and uv ask it."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name, parse_wheel_filename

from cloacina_ctl.formats.wheel.reader import digest_of_file

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path


class Index:
    """A running index; ``asked`` are the names that somebody looked for."""

    def __init__(self, url: str, asked: list[str]) -> None:
        self.url = url
        self.asked = asked


@contextlib.contextmanager
def index(
    folder: Path, *, user: str | None = None, tls: ssl.SSLContext | None = None, status: int = 200
) -> Iterator[Index]:
    """Serve the wheels of a folder; those that are added later too.

    Where there is a ``user`` (``name:password``) nobody else is answered. With another ``status``
    that is the only answer.
    """
    asked: list[str] = []
    wanted = "Basic " + base64.b64encode((user or "").encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.do_GET()

        def do_GET(self):
            if status != 200:
                self.send_error(status)
                return
            if user is not None and self.headers.get("Authorization") != wanted:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="index"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            parts = self.path.partition("#")[0].strip("/").split("/")
            if parts[0] == "files" and (folder / parts[-1]).is_file():
                self._answer("application/octet-stream", (folder / parts[-1]).read_bytes())
            elif parts[0] == "simple" and len(parts) == 2:
                asked.append(parts[1])
                self._page(parts[1])
            else:
                self.send_error(404)

        def _page(self, name):
            paths = [
                path for path in sorted(folder.glob("*.whl"))
                if parse_wheel_filename(path.name)[0] == canonicalize_name(name)
            ]  # fmt: skip
            if not paths:
                self.send_error(404)
                return
            files = [
                {"filename": path.name, "url": f"../../files/{path.name}",
                 "hashes": {"sha256": str(digest_of_file(str(path)))}}
                for path in paths
            ]  # fmt: skip
            page = {"meta": {"api-version": "1.0"}, "name": name, "files": files}
            self._answer("application/vnd.pypi.simple.v1+json", json.dumps(page).encode())

        def _answer(self, kind, body):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        scheme, host = ("https", "localhost") if tls else ("http", "127.0.0.1")
        yield Index(f"{scheme}://{host}:{server.server_port}/simple", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
