"""A part of a file on a server, by a range request: without a token, so redirects are followed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from cloacina_ctl.errors import Code, NetworkProblem, NotTrusted, UsageError
from cloacina_ctl.server.address import FileAddress, parse_file_address
from cloacina_ctl.server.bounded_socket import Patience
from cloacina_ctl.server.connection import Request, ask, route_to
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.server.connection import Answer

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_RANGE = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})")


class FilePart(NamedTuple):
    """Bytes of a file; the server states its ``size``; ``where`` names the file in messages."""

    where: str
    data: bytes
    size: int


def read_part(url: str, offset: int, count: int, patience: Patience = Patience()) -> FilePart:
    """Return at most ``count`` bytes of the file at ``url`` from ``offset`` on.

    A server without ranges sends all; then no more than these bytes are read. Redirects are
    followed, but only to secure servers. Raises ``UsageError`` for an invalid address,
    ``NetworkProblem`` and ``NotTrusted`` for the errors of the server.
    """
    first = address = parse_file_address(url)
    for _ in range(MAX_REDIRECTS + 1):
        refuse_insecure(address, first)
        answer = _ask(address, offset, count, patience)
        if answer.status not in _REDIRECTS:
            return _part(answer, offset, count, first.shown)
        address = _redirected(address, answer, first.shown)
    raise NetworkProblem.of(
        Code.REDIRECT, f"more than {MAX_REDIRECTS} redirects", where=first.shown
    )


def _redirected(address: FileAddress, answer: Answer, where: str) -> FileAddress:
    target = answer.headers.get("location", "")
    try:
        return parse_file_address(urljoin(f"{address.server.origin}{address.target}", target))
    except (UsageError, ValueError) as error:  # the server's mistake, and no usage of ours
        raise NetworkProblem.of(
            Code.REDIRECT, "the server redirects to an invalid address", where=where
        ) from error


def refuse_insecure(address: FileAddress, first: FileAddress) -> None:
    """Refuse a connection that others can change, and a redirect from elsewhere to this machine."""
    server = address.server
    if server.is_loopback and not first.server.is_loopback:
        raise NetworkProblem.of(
            Code.REDIRECT, "the server redirects to an address of this machine", where=first.shown
        )
    if not (server.is_secure or server.is_loopback):
        raise NetworkProblem.of(
            Code.INSECURE,
            "over http:// everyone on the way can change the package",
            where=address.shown,
            hint="use https://",
        )


def _ask(address: FileAddress, offset: int, count: int, patience: Patience) -> Answer:
    headers = (("Accept", "*/*"), ("Range", f"bytes={offset}-{offset + count - 1}"))
    request = Request("GET", address.target, headers, most=offset + count)
    return ask(route_to(address.server), request, address.shown, patience)


def _part(answer: Answer, offset: int, count: int, where: str) -> FilePart:
    if answer.status == 200:
        if answer.length is None:
            raise NetworkProblem.of(
                Code.BAD_ANSWER, "the server does not say how long the file is", where=where
            )
        return FilePart(where, answer.body[offset : offset + count], answer.length)
    if answer.status == 206:
        found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
        if found is None or int(found[1]) != offset or len(answer.body) > count:
            raise NetworkProblem.of(
                Code.BAD_ANSWER, "the server sent another part of the file", where=where
            )
        return FilePart(where, answer.body, int(found[3]))
    if answer.status == 416:  # nothing begins there
        return FilePart(where, b"", 0)
    raise _refused(answer, where)


def _refused(answer: Answer, where: str) -> NetworkProblem | NotTrusted:
    said = f"{answer.status} {answer.reason[:80]}".strip()
    if answer.status in (401, 403):
        return NotTrusted.of(
            Code.DENIED, f"the server does not give the file to everyone: {said}", where=where,
            hint="download it with a program that can log in, then inspect the file",
        )  # fmt: skip
    if answer.status in (404, 410):
        return NetworkProblem.of(
            Code.NOT_THERE, f"the server has no such file: {said}", where=where
        )
    return NetworkProblem.of(Code.SERVER_FAILED, f"the server failed: {said}", where=where)
