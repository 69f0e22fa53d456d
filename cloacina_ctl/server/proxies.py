"""The proxy for a server from the environment, by the rules that curl and others share.

``https_proxy`` or ``http_proxy`` by the scheme, ``all_proxy`` for both, ``no_proxy`` for hosts and
their subdomains. Lower case wins over capitals. Proxies are reached over plain HTTP only, and carry
TLS through a tunnel. This machine is never reached through a proxy.
"""

from __future__ import annotations

import base64
from ipaddress import ip_address, ip_network
from urllib.parse import unquote_to_bytes
from urllib.request import getproxies_environment

from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.redaction import shown_word
from cloacina_ctl.server.address import Address, parse_address
from cloacina_ctl.values import NamedTuple


class Proxy(NamedTuple):
    """A proxy, and the headers that authorize its use."""

    address: Address
    headers: dict[str, str]


def proxy_for(address: Address) -> Proxy | None:
    """Return the proxy for ``address``; raises ``UsageError`` for one that is not supported."""
    variables = getproxies_environment()
    if address.is_loopback or _is_excepted(address, variables.get("no", "")):
        return None
    for name in (address.scheme, "all"):
        if value := variables.get(name, "").strip():
            return _parse(value, f"{name}_proxy")
    return None


def _is_excepted(address: Address, exceptions: str) -> bool:
    """Return whether ``no_proxy`` names the host, its port, its domain or its network."""
    host = f".{address.bracketed.rstrip('.').lower()}"
    for word in exceptions.lower().replace(",", " ").split():
        name = word.lstrip("*").strip(".")
        ends = name and (host.endswith(f".{name}") or f"{host}:{address.port}".endswith(f".{name}"))
        if ends or word == "*" or _is_within(address.host, word):
            return True
    return False


def _is_within(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False


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
    user, at, host = rest.rpartition("@")  # the password before it is never shown
    host, slash, path = host.partition("/")
    address = parse_address(f"http://{host}{slash}{path}", what)
    if ":" not in host.rpartition("]")[2]:
        address = address._replace(port=1080)  # curl's, for want of a number
    headers = {}
    if at:
        secret = unquote_to_bytes(user if ":" in user else f"{user}:")
        headers["Proxy-Authorization"] = "Basic " + base64.b64encode(secret).decode("ascii")
    return Proxy(address._replace(path=""), headers)
