"""Which server is meant, and with which token: flags, then the environment, then the profile.

A token goes to the server that it was given for. That of a profile belongs to the profile's server
and to no other; one from a keyring to the origin that it is stored under.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from cloacina_ctl import settings
from cloacina_ctl.errors import Code, FileProblem, NetworkProblem, NotTrusted, UsageError
from cloacina_ctl.server.address import Address, parse_address
from cloacina_ctl.server.bounded_socket import Patience
from cloacina_ctl.server.connection import connected, route_to
from cloacina_ctl.server.profiles import Profile, find_profile, token_of_file
from cloacina_ctl.server.token import Token
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloacina_ctl.errors import Diagnostic

    Ask = Callable[[str], bytes | None]

KEYRING_SERVICE = "cloacina-ctl"


class AccessRequest(NamedTuple):
    """What the user said of the server. ``allow_http`` lets the token go where all can read it."""

    server: str | None = None
    profile: str | None = None
    token_file: str | None = None
    allow_http: bool = False


class ServerAccess(NamedTuple):
    """The server, the token for it, and what the user should know of where that was."""

    address: Address
    token: Token
    warnings: tuple[Diagnostic, ...] = ()


def find_access(request: AccessRequest, ask: Ask | None = None) -> ServerAccess:
    """Return the server that is meant and a token for it; ``ask`` may be asked to type one.

    Raises ``UsageError`` where no server is named, ``NetworkProblem`` where everyone on the way to
    it could read the token, ``NotTrusted`` where no token is found.
    """
    profile = _profile(request)
    if request.server is not None:
        address = parse_address(request.server)
    elif profile is not None:
        address = profile.address
    else:
        raise UsageError.of(
            Code.USAGE,
            "no server is named, and there is no default profile",
            hint="--server URL, or --profile NAME of ~/.cloacina/config.toml",
        )
    if not (address.is_secure or address.is_loopback or request.allow_http):
        raise NetworkProblem.of(
            Code.INSECURE,
            "over http:// everyone on the network path can read the token and change the package",
            where=address.url,
            hint="use https://, or --allow-http on a network that you control",
        )
    if profile is not None and profile.address.origin != address.origin:
        profile = None
    token = _token(request, address, profile, ask)
    return ServerAccess(address, token, profile.warnings() if profile is not None else ())


def _profile(request: AccessRequest) -> Profile | None:
    """Return the profile that was named, or the default one where no server is named."""
    if request.profile is None and request.server is not None:
        return None
    try:
        home = settings.home_folder()
    except FileProblem:
        if request.profile is None:
            return None
        raise
    return find_profile(request.profile, home)


def _token(
    request: AccessRequest, address: Address, profile: Profile | None, ask: Ask | None
) -> Token:
    if request.token_file is not None:
        return token_of_file(request.token_file, "--token-file")
    text = os.environ.get(settings.ENV_TOKEN)
    if text:
        return Token(text, settings.ENV_TOKEN)
    token = profile.token(os.environ) if profile is not None else None
    token = token or _from_keyring(address.origin)
    if token is not None:
        return token
    typed = ask(address.origin) if ask is not None else None
    if typed is None:
        raise NotTrusted.of(
            Code.NO_TOKEN,
            "no token is given, and there is no terminal to ask for one on",
            where=address.url,
            hint=f"--token-file FILE, or {settings.ENV_TOKEN}",
        )
    return Token(typed.decode("utf-8", "surrogateescape"), "what was typed")


def look_for_server(origin: str, ca_file: str | None = None) -> None:
    """Raise ``NetworkProblem`` where no server is: before the user types a token."""
    with connected(route_to(parse_address(origin), ca_file), origin, Patience()):
        pass


def _from_keyring(origin: str) -> Token | None:
    """Return what the program `keyring`, where it is installed, keeps for the server."""
    if find_spec("keyring") is None:
        return None
    keyring: Any = import_module("keyring")
    errors: Any = import_module("keyring.errors")
    try:
        text = keyring.get_password(KEYRING_SERVICE, origin)
    except errors.KeyringError:  # locked, or no backend on this machine: as if it were not there
        return None
    return Token(text, f"the keyring, for {origin}") if text else None
