"""The quick parser: well-formed command lines, and nothing else.

It knows no help and reports no error: for whatever is not plainly right it returns None, and the
real application (``typer_app``) takes over, which says what is wrong. Loading that costs more time
than inspecting a package does. The second half of this module is what such a line still tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import COLOR, COMMON, Kind, Refers
from cloacina_ctl.cli.parsing.table import GROUPS, NAMES
from cloacina_ctl.redaction import refuse_key_text, refuse_secret_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cloacina_ctl.cli.parsing.declaration import Command, Option, Values

_MAX_DIGITS = 18
_COLOR_FLAG = COLOR.flags[0]


def parse(command: Command, words: Sequence[str]) -> Values | None:
    """Return the values that ``words`` give to ``command``, or None where they are not plain."""
    options = {flag: option for option in (*command.options, *COMMON) for flag in option.flags}
    values: Values = {option.key: option.empty() for option in (*command.options, *COMMON)}
    positional: list[str] = []
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word == "--":
            rest = list(waiting)
        elif word.startswith("-") and word != "-":
            if not _take(word, waiting, options, values):
                return None
        else:
            positional.append(word)
    if command.rest is not None:
        values[command.rest] = tuple(rest)
    else:
        positional += rest
    return values if _place(command, positional, values) else None


def refuse_value(refers: Refers | None, value: object, place: str) -> None:
    """Raise ``UsageError`` where ``value`` is a secret, and its name or file belongs there."""
    if isinstance(value, str) and refers is not None:
        refuse = refuse_key_text if refers is Refers.KEY else refuse_secret_text
        refuse(value, place)


def refuse_secrets(command: Command, values: Values) -> None:
    """Raise ``UsageError`` where a key or a token was given itself, not its name or file."""
    named = (
        (argument.name.upper(), argument.name, argument.refers) for argument in command.arguments
    )
    flagged = ((option.long, option.key, option.refers) for option in command.options)
    for place, key, refers in (*named, *flagged):
        for value in values[key] if isinstance(values[key], tuple) else (values[key],):
            refuse_value(refers, value, place)


def whole_number(text: str) -> int | None:
    """Return the number from zero on that ``text`` is, or None."""
    is_plain = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    return int(text) if is_plain else None


def _take(word: str, waiting: Iterator[str], options: dict[str, Option], values: Values) -> bool:
    """Take one word that begins with a dash, and its value; False where it is not plain."""
    if word.startswith("--"):
        flag, equals, value = word.partition("=")
        option = options.get(flag)
        if option is None or (option.kind is Kind.FLAG and equals):
            return False
        return _set(option, value if equals else None, waiting, values)
    for position, letter in enumerate(word[1:], start=2):
        option = options.get(f"-{letter}")
        if option is None:
            return False
        if option.kind is not Kind.FLAG:
            attached = word[position:]
            if attached.startswith("="):
                return False
            return _set(option, attached or None, waiting, values)
        values[option.key] = True
    return True


def _set(option: Option, value: str | None, waiting: Iterator[str], values: Values) -> bool:
    if option.kind is Kind.FLAG:
        values[option.key] = True
        return True
    given = next(waiting, None) if value is None else value
    if given is None or (value is None and given.startswith("-") and given != "-"):
        return False
    if option.choices and given not in option.choices:
        return False
    if option.kind is Kind.MANY:
        values[option.key] = (*values[option.key], given)
    elif option.kind is Kind.INTEGER:
        number = whole_number(given)
        if number is None:
            return False
        values[option.key] = number
    else:
        values[option.key] = given
    return True


def _place(command: Command, positional: list[str], values: Values) -> bool:
    """Give the words without dashes to the arguments; False where they do not fit."""
    for argument in command.arguments:
        if argument.many:
            values[argument.name] = tuple(positional)
            if not positional and argument.default is None:
                return False
            positional = []
        elif positional:
            values[argument.name] = positional.pop(0)
        elif argument.default is None:
            return False
        else:
            values[argument.name] = argument.default or None
    return not positional


def output_of(arguments: Sequence[str]) -> Values:
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


def words_of(arguments: Sequence[str]) -> list[str]:
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


def command_of(arguments: Sequence[str]) -> str:
    """Return the name of the command, as far as it is known: of a group, or empty."""
    found = words_of(arguments)
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
