"""What a command line that cannot be read plainly still tells: enough to answer it properly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import COLOR, COMMON
from cloacina_ctl.cli.parsing.table import GROUPS, NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cloacina_ctl.cli.parsing.declaration import Values

_COLOR_FLAG = COLOR.flags[0]


def display(arguments: Sequence[str]) -> Values:
    """Return the common options, by the words that give them anywhere before ``--``."""
    line = before_dashes(arguments)
    values: Values = {option.key: option.empty() for option in COMMON}
    for option in COMMON:
        if option is not COLOR and any(flag in line for flag in option.flags):
            values[option.key] = True
    for at, word in enumerate(line):
        flag, equals, value = word.partition("=")
        given = value if equals else "".join(line[at + 1 : at + 2])
        if flag == _COLOR_FLAG and given in COLOR.choices:
            values[COLOR.key] = given
    return values


def words(arguments: Sequence[str]) -> list[str]:
    """Return what is no option, nor the value of a common one."""
    return [word for word in _walk(arguments) if not _is_option(word)]


def asks_version(arguments: Sequence[str]) -> bool:
    """Tell whether the version is asked for, before any verb: `verify` has such an option too."""
    for word in _walk(arguments):
        if not _is_option(word):
            return False
        if word == "--version":
            return True
    return False


def command(arguments: Sequence[str]) -> str:
    """Return the name of the command, as far as it is known: of a group, or empty."""
    found = words(arguments)
    for length in (2, 1):
        name = " ".join(found[:length])
        if name in NAMES or name in GROUPS:
            return name
    return ""


def before_dashes(arguments: Sequence[str]) -> list[str]:
    """Return the line up to ``--``."""
    line = list(arguments)
    return line[: line.index("--")] if "--" in line else line


def _walk(arguments: Sequence[str]) -> Iterator[str]:
    line = iter(before_dashes(arguments))
    for word in line:
        yield word
        if word == _COLOR_FLAG:
            next(line, None)


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-"
