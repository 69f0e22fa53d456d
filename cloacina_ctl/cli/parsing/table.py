"""The table of commands; a command's module is imported when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from cloacina_ctl.cli.parsing.declaration import Command

GROUPS = {
    "key": "Your own keys: generate, list, import, export and remove them.",
    "trust": "The trusted keys of others.",
}

# In the order in which people meet them. The value is the module under ``cli`` and its name there.
_COMMANDS: dict[str, tuple[str, str]] = {
    "package": ("package", "PACKAGE"),
    "inspect": ("inspect", "INSPECT"),
    "validate": ("validate", "VALIDATE"),
    "verify": ("verify", "VERIFY"),
    "unpack": ("unpack", "UNPACK"),
    "run": ("run", "RUN"),
    "convert": ("convert", "CONVERT"),
    "sign": ("sign", "SIGN"),
    "install": ("install", "INSTALL"),
    "list": ("list", "LIST"),
    "rollback": ("rollback", "ROLLBACK"),
    "uninstall": ("uninstall", "UNINSTALL"),
    "publish": ("publish", "PUBLISH"),
    "key generate": ("key", "GENERATE"),
    "key list": ("key", "LIST"),
    "key show": ("key", "SHOW"),
    "key import": ("key", "IMPORT"),
    "key export": ("key", "EXPORT"),
    "key remove": ("key", "REMOVE"),
    "trust add": ("trust", "ADD"),
    "trust list": ("trust", "LIST"),
    "trust remove": ("trust", "REMOVE"),
    "schema": ("schema", "SCHEMA"),
}

NAMES = tuple(_COMMANDS)


def load(name: str) -> Command[Any]:
    """Import and return the command called ``name``."""
    module, attribute = _COMMANDS[name]
    command: Command[Any] = getattr(import_module(f"cloacina_ctl.cli.commands.{module}"), attribute)
    return command


def all_commands() -> Iterator[Command[Any]]:
    """Import and yield every command."""
    return map(load, _COMMANDS)


def find(words: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return the name of the command that ``words`` call and the words that are left for it.

    Common flags may stand before the verb; anything else there is not plain and gives None.
    """
    from cloacina_ctl.cli.parsing.declaration import COMMON

    flags = {flag for option in COMMON if option.kind == "flag" for flag in option.flags}
    before = 0
    while before < len(words) and (words[before] in flags or words[before].startswith("--color=")):
        before += 1
    for length in (2, 1):
        name = " ".join(words[before : before + length])
        if name in _COMMANDS:
            return name, [*words[:before], *words[before + length :]]
    return None
