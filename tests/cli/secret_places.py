"""Secrets that nothing may show, and every place of a command line where people put them.

The places follow from the declarations of the commands and from the program's own source, so that
a new option, variable or setting is covered on the day that it is declared.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cloacina_ctl
from cloacina_ctl.cli.parsing import table
from cloacina_ctl.cli.parsing.declaration import Argument, Command, Option
from cloacina_ctl.signing.keys import PrivateKey

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(cloacina_ctl.__file__).parent
PIECE = 8
_KEY = PrivateKey.from_raw(bytes(range(101, 133)))
_PEM = _KEY.to_pem().decode()
_SEALED = _KEY.to_pem(b"a passphrase of the tests").decode()
_BASE64 = base64.b64encode(bytes((7 * n * n + 91 * n + 13) % 256 for n in range(32))).decode()
_CLAIMS = "eyJzdWIiOiJhZGExMjMifQ.q8Zt0-_kYpR3"


class Canary(NamedTuple):
    """A secret; ``secret`` is what of ``text`` may not be seen."""

    name: str
    text: str
    secret: str


SHAPED = (
    Canary("pem", _PEM, "".join(_PEM.split("\n")[1:-2])),
    Canary("pem-one-line", _PEM.replace("\n", "\\n"), "".join(_PEM.split("\n")[1:-2])),
    Canary("sealed-pem", _SEALED, "\n".join(_SEALED.split("\n")[1:-2])),
    Canary("base64", _BASE64, _BASE64),
    Canary("token", "clk_write_9Xq2Lr7Tz0PcVb", "clk_write_9Xq2Lr7Tz0PcVb"),
    Canary("jwt", f"eyJhbGciOiJIUzI1NiJ9.{_CLAIMS}", _CLAIMS),
    Canary("url", "https://ada:Zq81xkPw9vLm@host.invalid/x", "Zq81xkPw9vLm"),
)  # fmt: skip
HEX = Canary("hex", _KEY.raw.hex(), _KEY.raw.hex())
PASSPHRASE = Canary("passphrase", "horse-battery staple 9", "horse-battery staple 9")
MISSING = "absent.cloacina"


def seen(canary: Canary, *texts: str) -> set[str]:
    """Return the pieces of the secret that stand in a text, also where it is JSON or cut."""
    secret = canary.secret
    pieces = {secret[at : at + PIECE] for at in range(max(1, len(secret) - PIECE + 1))}
    return {piece for piece in pieces for text in texts if piece in text}


def strings(value: object) -> Iterator[str]:
    """Yield every text in an answer of ``--json``."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


def told(out: str, err: str) -> list[str]:
    """Return all that was said, also as a program reads it."""
    try:
        return [out, err, *strings(json.loads(out))]
    except ValueError:
        return [out, err]


class Place(NamedTuple):
    """A place for a secret: the words around it, and whether a secret is what belongs near it."""

    name: str
    before: tuple[str, ...]
    joined: str = ""
    after: tuple[str, ...] = ()
    near_secret: bool = False

    def words(self, secret: str) -> tuple[str, ...]:
        """Return the command line."""
        return (*self.before, self.joined + secret, *self.after)


def _fill(command: Command, but: Argument | None = None) -> Iterator[str]:
    """Yield words for the arguments that must be there."""
    for argument in command.arguments:
        if argument is but:
            return
        if argument.required:
            yield MISSING


def _places_of_option(command: Command, option: Option) -> Iterator[Place]:
    verb, filled = tuple(command.name.split()), tuple(_fill(command))
    near = option.refers is not None
    flag = option.long
    name = f"{command.name} {flag}"
    yield Place(f"{name}=", verb, f"{flag}=", filled, near)
    yield Place(f"{name} behind a dash", (*verb, *filled, flag), "-", (), near)
    if option.kind != "flag":
        yield Place(name, (*verb, flag), "", filled, near)


def places() -> Iterator[Place]:
    """Yield every place of every command."""
    for command in table.all_commands():
        verb, filled = tuple(command.name.split()), tuple(_fill(command))
        for option in command.options:
            yield from _places_of_option(command, option)
        for argument in command.arguments:
            before = (*verb, *_fill(command, argument))
            after = filled[len(before) - len(verb) + 1 :]
            yield Place(f"{command.name} {argument.name}", before, "", after,
                        argument.refers is not None)  # fmt: skip
        yield Place(f"{command.name}, one too many", (*verb, *filled, *filled, "x"))
        yield Place(f"{command.name}, unknown option", verb, "--", filled)
        yield Place(f"{command.name}, value of an unknown option", verb, "--nothing=", filled)
        yield Place(f"{command.name}, short option", verb, "-k", filled)
        if command.rest is not None:
            yield Place(f"{command.name} --", (*verb, "--"))
    yield Place("the verb", ())
    yield Place("a verb of a group", ("key",))
    yield Place("--color", ("--color",), "", ("key", "list"))


def variables() -> list[str]:
    """Return the variables that the program's source names, and those of proxies."""
    text = "".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    own = set(re.findall(r"\"(CLOACINA_CTL_[A-Z_]*[A-Z])\"", text))
    assert len(own) >= 6
    return [*sorted(own), "HTTPS_PROXY", "ALL_PROXY"]
