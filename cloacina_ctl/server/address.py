"""The address of a server: a URL, checked once and strictly, so that it is safe in a request.

A name or password in a URL ends up in logs and in the list of processes, so it is refused and never
shown.
"""

from __future__ import annotations

import re
import socket
from typing import NoReturn

from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.redaction import shown
from cloacina_ctl.values import NamedTuple

MAX_LENGTH = 2048
PORTS = {"http": 80, "https": 443}

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?\.?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_VERSION = "/v1"
# What a segment of a path may hold as it is (RFC 3986, unreserved).
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class Address(NamedTuple):
    """A server: ``host`` without brackets, ``path`` empty or the prefix of every route."""

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def authority(self) -> str:
        """The host as a request names it, with the port where that is not the usual one."""
        usual = self.port == PORTS[self.scheme]
        return self.bracketed if usual else f"{self.bracketed}:{self.port}"

    @property
    def bracketed(self) -> str:
        """The host, in brackets where it is an IPv6 address."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def origin(self) -> str:
        """The URL without a path; a token belongs to it."""
        return f"{self.scheme}://{self.authority}"

    @property
    def url(self) -> str:
        """The whole URL."""
        return self.origin + self.path

    @property
    def is_secure(self) -> bool:
        """Whether no one on the way can read the traffic."""
        return self.scheme == "https"

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine, by name or by number, without a DNS query."""
        host = self.host.rstrip(".").lower()
        if host == "localhost" or host.endswith(".localhost"):
            return True
        return is_loopback(host)


def is_loopback(number: str) -> bool:
    """Return whether a numeric address is one of this machine; False for any other text."""
    if _packed(socket.AF_INET, number).startswith(b"\x7f"):
        return True
    return _packed(socket.AF_INET6, number) == b"\0" * 15 + b"\x01"


def parse_address(text: str, what: str = "the server's address") -> Address:
    """Return the address in ``text``; raises ``UsageError`` that says what is wrong."""
    scheme, rest = _scheme(text, what)
    authority, slash, path = rest.partition("/")
    if "@" in rest:  # before anything of it is shown
        _wrong(what, "a user name or password in it", "pass the token with --token-file")
    if "?" in rest or "#" in rest:
        _wrong(what, "a query or fragment in it", "leave out what begins with ? or #")
    host, port = _split(authority, scheme, what)
    path = (slash + path).rstrip("/")
    if not _PATH.fullmatch(path) or any(part in (".", "..") for part in path.split("/")):
        _wrong(what, f"a path that cannot be used: {shown(path)}")
    # What documentation shows of a server's interface often has the version on it.
    return Address(scheme, host, port, path.removesuffix(_VERSION))


class FileAddress(NamedTuple):
    """The address of a file on a server: ``target`` is its path, with the query if there is one."""

    server: Address
    target: str

    @property
    def shown(self) -> str:
        """The URL without its query, which may hold a secret."""
        path, query, _ = self.target.partition("?")
        return f"{self.server.origin}{path}" + ("?..." if query else "")


def parse_file_address(text: str) -> FileAddress:
    """Return the address of the file in ``text``; raises ``UsageError`` as ``parse_address``.

    A fragment is not part of a request, and is dropped.
    """
    what = "the package's address"
    scheme, rest = _scheme(text, what)
    end = min((at for sign in "/?#" if (at := rest.find(sign)) >= 0), default=len(rest))
    authority, target = rest[:end], rest[end:].partition("#")[0]
    if "@" in authority:  # before anything of it is shown
        _wrong(what, "a user name or password in it", "download the package with a program for it")
    host, port = _split(authority, scheme, what)
    if not target.startswith("/"):
        target = f"/{target}"
    return FileAddress(Address(scheme, host, port), target)


def _scheme(text: str, what: str) -> tuple[str, str]:
    """Return the scheme and the rest; refuse characters that no URL can hold."""
    if len(text) > MAX_LENGTH:
        _wrong(what, f"it has more than {MAX_LENGTH} characters")
    if not text.isascii() or not text.isprintable() or " " in text:
        _wrong(what, "a character that no URL holds", "spell names of other scripts as xn--...")
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in PORTS:
        _wrong(what, "it begins neither with https:// nor with http://")
    return scheme, rest


def escape_segment(text: str) -> str:
    """Return ``text`` as one segment of a path, whatever it holds."""
    data = text.encode("utf-8", "surrogatepass")
    if text in (".", ".."):  # which clients and proxies would resolve
        return "".join(f"%{byte:02X}" for byte in data)
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in data)


def _split(authority: str, scheme: str, what: str) -> tuple[str, int]:
    if authority.startswith("["):
        host, bracket, port = authority[1:].partition("]")
        if not bracket or not _packed(socket.AF_INET6, host) or (port and not port.startswith(":")):
            _wrong(what, f"not an IPv6 address in brackets: {shown(authority)}")
        port = port[1:]
    else:
        host, _, port = authority.partition(":")
        if not _HOST.fullmatch(host) or ".." in host:
            _wrong(what, f"not the name of a host: {shown(host)}" if host else "no host in it")
    if not port:
        return host, PORTS[scheme]
    if not (port.isdigit() and len(port) <= 5 and 0 < int(port) < 1 << 16):
        _wrong(what, f"not a port: {shown(port)}")
    return host, int(port)


def _packed(family: socket.AddressFamily, host: str) -> bytes:
    """Return the bytes of a numeric address; none where ``host`` is not one."""
    try:
        return socket.inet_pton(family, host)
    except OSError:
        return b""


def _wrong(what: str, why: str, hint: str | None = None) -> NoReturn:
    raise UsageError.of(
        Code.USAGE, f"{what} cannot be used: {why}", hint=hint or "such as https://host:8080"
    )
