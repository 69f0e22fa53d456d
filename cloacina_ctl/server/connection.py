"""The way to a server, for one request: by a proxy or not, with TLS or without."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl.server.exchange import exchange, tunnel
from cloacina_ctl.server.proxies import proxy_for
from cloacina_ctl.server.wire import Deadline, Wire, verifying
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from cloacina_ctl.server.address import Address
    from cloacina_ctl.server.exchange import Answer, Request
    from cloacina_ctl.server.proxies import Proxy
    from cloacina_ctl.server.wire import Patience


class Route(NamedTuple):
    """How a server is reached; ``context`` judges its certificate, None without TLS."""

    address: Address
    proxy: Proxy | None
    context: ssl.SSLContext | None


def route_to(address: Address, ca_file: str | None = None) -> Route:
    """Return the way to ``address``; raises ``UsageError`` and ``FileProblem`` of ``verifying``."""
    context = verifying(ca_file) if address.is_secure else None
    return Route(address, proxy_for(address, os.environ), context)


@contextlib.contextmanager
def connected(route: Route, where: str, patience: Patience) -> Iterator[Wire]:
    """Connect, and prove who is there; ``where`` is what messages call the server.

    Raises ``NetworkProblem`` where nobody is, or somebody else.
    """
    proxy, address = route.proxy, route.address
    first = address if proxy is None else proxy.address
    place = where if proxy is None else f"{where} by the proxy {first.authority}"
    with Wire.open(first, place, patience) as wire:
        if route.context is not None:
            deadline = Deadline(patience.connect, "connecting", place)
            if proxy is not None:
                tunnel(wire, address.host, address.port, proxy.authorization, deadline)
            wire.secure(route.context, address.host, deadline)
        yield wire


def ask(
    route: Route,
    request: Request,
    where: str,
    patience: Patience,
    masked: Callable[[str], str] = str,
) -> Answer:
    """Connect, send ``request``, and return the answer; ``masked`` takes secrets out of its texts.

    Raises what ``connected`` and ``exchange`` raise.
    """
    proxy, address = route.proxy, route.address
    target = request.target
    headers = [("Host", address.authority), ("User-Agent", "cloacina-ctl"), *request.headers]
    with connected(route, where, patience) as wire:
        if proxy is not None and route.context is None:
            target = f"{address.origin}{target}"
            if proxy.authorization is not None:
                headers.append(("Proxy-Authorization", proxy.authorization))
        asked = request._replace(target=target, headers=tuple(headers))
        return exchange(wire, asked, where, patience, masked)
