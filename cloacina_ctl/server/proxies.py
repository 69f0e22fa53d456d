"""Which proxy the environment names for a server, by the rules that curl and others share.

``https_proxy`` or ``http_proxy`` by the scheme, ``all_proxy`` for both, ``no_proxy`` for hosts and
what is under them. Small letters win over capitals. Only proxies that are spoken to over plain
HTTP, which tunnel what is secure. This machine itself is never asked for through a proxy.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.redaction import shown_word
from cloacina_ctl.server.address import Address, parse_address
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Proxy(NamedTuple):
    """A proxy, and the value of the header that lets one use it, if it wants one."""

    address: Address
    authorization: str | None = None


def proxy_for(address: Address, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy to reach ``address`` by; raises ``UsageError`` for one of another kind."""
    if address.is_loopback:
        return None
    if _is_excepted(address, _variable(environ, "no_proxy")[1]):
        return None
    for name in (f"{address.scheme}_proxy", "all_proxy"):
        found, value = _variable(environ, name)
        if value:
            return _parse(value, found)
    return None


def _variable(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the name and value of a variable, in small letters or else in capitals.

    ``HTTP_PROXY`` is what a header of a request becomes in a CGI script, so it is not read in one.
    """
    value = environ.get(name, "").strip()
    capitals = name.upper()
    if not value and not (capitals == "HTTP_PROXY" and "REQUEST_METHOD" in environ):
        return capitals, environ.get(capitals, "").strip()
    return name, value


def _is_excepted(address: Address, exceptions: str) -> bool:
    host = address.host.rstrip(".").lower()
    for word in exceptions.replace(",", " ").lower().split():
        if word == "*":
            return True
        name, port = _name_and_port(word)
        if port and port != str(address.port):
            continue
        name = name.lstrip("*").strip(".")
        if name and (host == name or host.endswith(f".{name}") or _is_within(host, name)):
            return True
    return False


def _is_within(host: str, network: str) -> bool:
    """Tell whether both are numbers, the host one of those of the network: ``10.0.0.0/8``."""
    if not host[:1].isdigit() and ":" not in host:
        return False
    from ipaddress import ip_address, ip_network

    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False


def _name_and_port(word: str) -> tuple[str, str]:
    if word.startswith("["):
        name, _, port = word[1:].partition("]")
        return name, port.removeprefix(":")
    if word.count(":") == 1:
        name, _, port = word.partition(":")
        return name, port
    return word, ""


def _parse(value: str, name: str) -> Proxy:
    what = f"the proxy that {name} names"
    scheme, separator, rest = value.partition("://")
    if not separator:
        scheme, rest = "http", value
    if scheme.lower() != "http":
        raise UsageError.of(
            Code.USAGE,
            f"{what} is of a kind that is not supported: {shown_word(scheme)[:16]}",
            hint="only http:// proxies are, for https:// servers too; or except the host: NO_PROXY",
        )
    user, at, host = rest.rpartition("@")  # nothing before it, the password, is ever shown
    host, slash, path = host.partition("/")
    address = parse_address(f"http://{host}{slash}{path}", what)
    if ":" not in host.rpartition("]")[2]:
        address = address._replace(port=1080)  # curl's, for want of a number
    return Proxy(address._replace(path=""), _basic(user) if at else None)


def _basic(user: str) -> str:
    """Return the header for a name and password, which the URL may have percent-encoded."""
    import re

    data = re.sub(
        rb"%([0-9A-Fa-f]{2})",
        lambda found: bytes([int(found[1], 16)]),
        user.encode("utf-8", "surrogateescape"),
    )
    if b":" not in data:
        data += b":"
    return "Basic " + base64.b64encode(data).decode("ascii")
