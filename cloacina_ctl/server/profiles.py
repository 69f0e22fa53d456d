"""Servers and keys that a user has set up for Cloacina's own program: ``~/.cloacina/config.toml``.

That file belongs to another program, so only the profiles are read and checked:
``default_profile`` and ``profiles.NAME.{server, api_key}``. A key is given as it is, or as
``env:VARIABLE`` or ``file:PATH``.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any, NoReturn

from cloacina_ctl import settings
from cloacina_ctl.errors import Code, Diagnostic, FileProblem, Refused, Severity, UsageError
from cloacina_ctl.files.staging import reported
from cloacina_ctl.redaction import shown, shown_file, shown_word
from cloacina_ctl.server.address import Address, parse_address
from cloacina_ctl.server.token import Token
from cloacina_ctl.suggestions import did_you_mean
from cloacina_ctl.toml import read_toml
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_FILE = os.path.join(".cloacina", "config.toml")
MAX_TOKEN_FILE_BYTES = 16 << 10
_SCHEMES = ("env:", "file:", "keyring:")


class Profile(NamedTuple):
    """A server with its key, as spelled in the file; ``place`` names the file and the key."""

    name: str
    address: Address
    api_key: str | None
    place: str
    is_exposed: bool = False

    def token(self, environ: Mapping[str, str]) -> Token | None:
        """Return the key; raises ``NotTrusted`` for an invalid one, ``FileProblem`` for no file."""
        key = self.api_key
        if key is None:
            return None
        if key.startswith("env:"):
            name = key[len("env:") :]
            return Token(environ.get(name, ""), f"{self.place}: the variable {shown_word(name)}")
        if key.startswith("file:"):
            return token_of_file(settings.expanded(key[len("file:") :]), self.place)
        if key.startswith("keyring:"):  # planned upstream, and refused there too
            _wrong("keys in a keyring are not supported", self.place)
        return Token(key, self.place)

    def warnings(self) -> tuple[Diagnostic, ...]:
        """Return warnings about the place of the key."""
        if not self.is_exposed or self.api_key is None or self.api_key.startswith(_SCHEMES):
            return ()
        return (
            Diagnostic(
                Code.NO_TOKEN,
                "others can read the key in this file",
                self.place,
                "chmod 600, or write it as file:PATH or env:VARIABLE",
                Severity.WARNING,
            ),
        )


def find_profile(name: str | None, home: str) -> Profile | None:
    """Return the profile called ``name``, else the default one, else None.

    Raises ``UsageError`` for an unknown name, or a profile without a server.
    """
    path = os.path.join(home, CONFIG_FILE)
    table, exposed = _read(path)
    if table is None:
        if name is None:
            return None
        _wrong(f"no profile called {shown_word(name)}: there is no such file", path)
    wanted = name if name is not None else table.get("default_profile")
    if wanted is None:
        return None
    profiles = table.get("profiles")
    profiles = profiles if isinstance(profiles, dict) else {}
    if not isinstance(wanted, str) or not isinstance(profiles.get(wanted), dict):
        known = ", ".join(map(shown_word, profiles)) or "none"
        near = did_you_mean(str(wanted), profiles)
        _wrong(
            f"no profile called {shown_word(str(wanted))}",
            path,
            near or f"there are: {known[:200]}",
        )
    place = f"{path}: profiles.{shown(wanted)}"
    server, key = (profiles[wanted].get(field) for field in ("server", "api_key"))
    if not isinstance(server, str) or not isinstance(key, str | None):
        _wrong("`server` and `api_key` must be texts", place)
    address = parse_address(server, f"the server of the profile {shown_word(wanted)}")
    return Profile(wanted, address, key or None, place, exposed)


def token_of_file(path: str, place: str) -> Token:
    """Return the token in the file ``path``, which may be a pipe, so this may wait.

    ``place`` is the option or setting that named the file: the path may be the token itself.
    """
    where = shown_file(path, place)
    with reported(path, where):
        fd = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            data = b""
            while len(data) <= MAX_TOKEN_FILE_BYTES and (piece := os.read(fd, 4096)):
                data += piece
        finally:
            os.close(fd)
    return Token(data[: MAX_TOKEN_FILE_BYTES + 1].decode("utf-8", "surrogateescape"), where)


def _read(path: str) -> tuple[dict[str, Any] | None, bool]:
    """Return the table of the file, and whether others can read it; None where there is none."""
    try:
        with reported(path):
            mode = os.stat(path).st_mode
        return read_toml(path), bool(stat.S_IMODE(mode) & 0o044)
    except FileProblem as error:
        if error.diagnostics[0].code == Code.NOT_FOUND:
            return None, False
        raise
    except Refused as error:
        # The parser's message quotes the file, and that may be a key: only the place is shown.
        raise UsageError.of(
            Code.BAD_PROFILE, "it is not TOML that can be read", where=error.diagnostics[0].where
        ) from None


def _wrong(message: str, where: str, hint: str | None = None) -> NoReturn:
    raise UsageError.of(Code.BAD_PROFILE, message, where=where, hint=hint)
