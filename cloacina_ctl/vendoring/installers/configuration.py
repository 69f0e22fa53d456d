"""Reads the user's configuration of uv and pip: indexes, credentials and certificates.

Each of the two reads its own files and variables. A user who configured only one of them means
both: the one with an index chooses, and certificates, client certificates, proxies and keyrings
are passed on from one to the other. Passwords in these values are never shown.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from typing import TYPE_CHECKING, Any

from cloacina_ctl import settings
from cloacina_ctl.errors import FileProblem, Refused
from cloacina_ctl.toml import read_text, read_toml
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.declared.origins import PYPI
from cloacina_ctl.vendoring.declared.workspace import inner, tables_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PLACES = ("index-url", "extra-index-url", "find-links", "no-index")
_UV_VARIABLES = (
    "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS",
    "UV_NO_INDEX",
)  # fmt: skip
_PIP_OTHERS = (
    "cert", "client-cert", "trusted-host", "proxy", "keyring-provider", "constraint"
)  # fmt: skip
_OFF = ("", "0", "false", "no", "off")
# Scheme, user with password, host with port, the rest.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(?:([^/?#]*)@)?([^/?#@]*)(.*)")
_UNQUOTED = frozenset(b"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_NAMED_URL = re.compile(r"([A-Za-z0-9_.-]+)=(.+)")


class InstallerConfiguration(NamedTuple):
    """The configuration of one of the two.

    ``places`` are the titles of its settings for the places of distributions, ``urls`` their
    values, with passwords. ``authority`` is a file of certificates, ``client`` one with a client
    certificate, ``hosts`` those that are trusted without one; ``keyring`` is whether a keyring is
    used; ``constraints`` are files. ``variables`` extend a setting of one pip command to all.
    """

    places: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    authority: str | None = None
    client: str | None = None
    hosts: tuple[str, ...] = ()
    proxy: str | None = None
    keyring: bool = False
    constraints: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()


class Users(NamedTuple):
    """The user's configuration of both."""

    uv: InstallerConfiguration = InstallerConfiguration()
    pip: InstallerConfiguration = InstallerConfiguration()

    @property
    def prefer_pip(self) -> bool:
        """Return whether an index is configured for pip only."""
        return bool(self.pip.places) and not self.uv.places

    @property
    def prefer_uv(self) -> bool:
        """Return whether an index is configured for uv only."""
        return bool(self.uv.places) and not self.pip.places

    @property
    def constraints(self) -> tuple[str, ...]:
        """The files that limit versions, of both configurations."""
        return tuple(dict.fromkeys((*self.uv.constraints, *self.pip.constraints)))

    @property
    def keyring(self) -> bool:
        """Return whether a keyring is used for passwords."""
        return self.uv.keyring or self.pip.keyring

    def addressed(self, url: str) -> str:
        """Return the URL with the user and password that uv has for its server, if any.

        uv leaves them out of its output. pip adds those of its own indexes by itself.
        """
        wanted = _URL.fullmatch(url)
        if wanted is None or wanted[2]:
            return url
        for known in map(_URL.fullmatch, self.uv.urls):
            if known is not None and known[2] and known.group(1, 3) == wanted.group(1, 3):
                return f"{wanted[1]}://{known[2]}@{wanted[3]}{wanted[4]}"
        return url


def users() -> Users:
    """Return the user's configuration. A file that its own program cannot read is ignored."""
    return Users(_uv(), _pip())


def _uv() -> InstallerConfiguration:
    named = [one for one in _UV_VARIABLES if _is_on(one) and _is_away(_uv_urls(one))]
    urls = [url for one in _UV_VARIABLES for url in _uv_urls(one)]
    keyring = os.environ.get("UV_KEYRING_PROVIDER")
    hosts = os.environ.get("UV_INSECURE_HOST", "").split()
    for path in _uv_files():
        table = _toml(path)
        for found in (table, inner(table, "pip")):
            keys = [
                key
                for key in ("index", *_PLACES)
                if found.get(key) and _is_away(_table_urls(found[key]))
            ]
            named += [f"{key} in {path}" for key in keys]
            urls += [one for key in keys for one in _table_urls(found[key])]
            keyring = keyring or found.get("keyring-provider")
            hosts += _listed(found.get("allow-insecure-host"))
    return InstallerConfiguration(
        places=tuple(named),
        urls=tuple(urls),
        authority=os.environ.get("SSL_CERT_FILE"),
        client=os.environ.get("SSL_CLIENT_CERT"),
        hosts=tuple(hosts),
        keyring=keyring == "subprocess",
        constraints=tuple(_paths(os.environ.get("UV_CONSTRAINT", ""))),
    )


def _paths(text: str) -> Iterator[str]:
    """Yield the files in a setting, relative to the current folder."""
    return (one if "://" in one else os.path.abspath(one) for one in text.split())


def _is_on(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() not in _OFF


def _is_away(urls: Iterable[str]) -> bool:
    """Return whether a setting names a place other than the public index, the default of both."""
    found = [one.rstrip("/") for one in urls]
    return not found or not set(found) <= set(PYPI)


def _uv_urls(variable: str) -> Iterator[str]:
    for text in re.split(r"[\s,]+", os.environ.get(variable, "")):
        match = _NAMED_URL.fullmatch(text)
        if match is not None and "/" not in match[1]:
            yield _with_user(match[2], match[1])
        elif text:
            yield text


def _table_urls(value: object) -> Iterator[str]:
    for table in tables_in(value):
        if isinstance(table.get("url"), str):
            yield _with_user(table["url"], table.get("name"))
    yield from _listed(value)


def _listed(value: object) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str):
            yield one


def _with_user(url: str, name: object) -> str:
    """Return the URL of the index ``name`` with the user from the variables for it."""
    key = re.sub(r"[^A-Z0-9]", "_", name.upper()) if isinstance(name, str) else ""
    user = os.environ.get(f"UV_INDEX_{key}_USERNAME")
    password = os.environ.get(f"UV_INDEX_{key}_PASSWORD")
    parts = _URL.fullmatch(url)
    if not key or not (user or password) or parts is None:
        return url
    said = _quoted(user or "") + (f":{_quoted(password)}" if password else "")
    return f"{parts[1]}://{said}@{parts[3]}{parts[4]}"


def _quoted(text: str) -> str:
    return "".join(chr(one) if one in _UNQUOTED else f"%{one:02X}" for one in text.encode())


def _uv_files() -> Iterator[str]:
    """Yield the existing settings files of uv, of the user and of the system."""
    chosen = os.environ.get("UV_CONFIG_FILE")
    if chosen:
        yield chosen
        return
    if _is_on("UV_NO_CONFIG"):
        return
    folders = [*_user_config(), *_system_config("/etc")]
    yield from (path for one in folders if os.path.isfile(path := f"{one}/uv/uv.toml"))


def _user_config() -> Iterator[str]:
    base = os.environ.get("XDG_CONFIG_HOME", "")
    if os.path.isabs(base):
        yield base
        return
    home = _home()
    if home is not None:
        yield os.path.join(home, ".config")


def _system_config(otherwise: str) -> Iterator[str]:
    folders = os.environ.get("XDG_CONFIG_DIRS", "").split(os.pathsep)
    yield from (one for one in folders if os.path.isabs(one))
    yield otherwise


def _home() -> str | None:
    try:
        return settings.home_folder()
    except FileProblem:
        return None


def _toml(path: str) -> dict[str, Any]:
    try:
        return read_toml(path)
    except (FileProblem, Refused):
        return {}


def _pip() -> InstallerConfiguration:
    said = dict(_pip_settings())
    on = [key for key in _PLACES if key in said and said[key][1].lower() not in _OFF]
    places = [key for key in on if _is_away(said[key][1].split())]
    texts = {key: said[key][1] for key in _PIP_OTHERS if key in said}
    return InstallerConfiguration(
        places=tuple(said[key][0] for key in places),
        urls=tuple(one for key in places for one in said[key][1].split()),
        authority=texts.get("cert") or os.environ.get("REQUESTS_CA_BUNDLE"),
        client=texts.get("client-cert"),
        hosts=tuple(texts.get("trusted-host", "").split()),
        proxy=texts.get("proxy"),
        keyring=texts.get("keyring-provider") in ("subprocess", "import"),
        constraints=tuple(_paths(texts.get("constraint", ""))),
        variables=tuple(
            (name, value)
            for key, (_, value) in said.items()
            if (name := _pip_variable(key)) not in os.environ
        ),
    )


def _pip_variable(key: str) -> str:
    return f"PIP_{key.upper().replace('-', '_')}"


def _pip_settings() -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield pip's settings by name, each with its title; a later one takes precedence."""
    for path in _pip_files():
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(read_text(path).decode())
        except (configparser.Error, FileProblem, UnicodeDecodeError):
            continue
        for section in ("global", "download"):
            for key, value in parser.items(section) if parser.has_section(section) else ():
                name = key.lower().replace("_", "-").removeprefix("--")
                if name in (*_PLACES, *_PIP_OTHERS):
                    yield name, (f"{name} in {path}", value.strip())
    for key in (*_PLACES, *_PIP_OTHERS):
        variable = _pip_variable(key)
        if os.environ.get(variable):
            yield key, (variable, os.environ[variable].strip())


def _pip_files() -> Iterator[str]:
    """Yield the existing settings files of pip, the one with the highest precedence last."""
    chosen = os.environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return
    found = ["/etc/pip.conf", *(f"{one}/pip/pip.conf" for one in _system_config("/etc/xdg"))]
    home = _home()
    if home is not None and not (chosen and os.path.exists(chosen)):
        found.append(os.path.join(home, ".pip", "pip.conf"))
        found += [f"{one}/pip/pip.conf" for one in _user_config()]
        if sys.platform == "darwin":
            found.append(os.path.join(home, "Library/Application Support/pip/pip.conf"))
    found.append(os.path.join(sys.prefix, "pip.conf"))
    found += [chosen] if chosen else []
    yield from filter(os.path.isfile, found)
