"""The fast parser, for well-formed command lines only.

It has no help and reports no error: for every other line it returns None, and the typer application
(``typer_app``) takes over and reports the error. Loading that takes longer than inspecting a
package. The second half of this module reads what it can from malformed lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import COMMON, Option, OutputOptions
from cloacina_ctl.cli.parsing.table import GROUPS, NAMES
from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.redaction import refuse_key_text, refuse_secret_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cloacina_ctl.cli.parsing.declaration import Command, Invocation, Options, Secret, Taken

    Values = dict[str, bool | str | int | tuple[str, ...]]


_MAX_DIGITS = 18


def parse(command: Command[Taken], words: Sequence[str]) -> Invocation[Taken] | None:
    """Return the invocation of ``command`` by ``words``, or None where they are not well-formed."""
    options = {flag: option for option in (*command.options, *COMMON) for flag in option.flags}
    values: Values = {}
    positional: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word == "--":
            if command.rest is None:
                positional += waiting
            else:
                values[command.rest.key] = tuple(waiting)
        elif word.startswith("-") and word != "-":
            if not _take(word, waiting, options, values):
                return None
        else:
            positional.append(word)
    return command.with_values(values) if _place(command, positional, values) else None


def refuse_value(refers: Secret | None, value: object, place: str) -> None:
    """Raise ``UsageError`` where ``value`` is a secret itself, not its name or file."""
    if isinstance(value, str) and refers is not None:
        refuse = refuse_key_text if refers == "key" else refuse_secret_text
        refuse(value, place)


def refuse_secrets(options: Options) -> None:
    """Raise ``UsageError`` where an option holds a key or token itself, not its name or file."""
    for one, value in options.items():
        if one.refers is not None:
            place = one.long if isinstance(one, Option) else one.name
            for text in value if isinstance(value, tuple) else (value,):
                refuse_value(one.refers, text, place)


def refuse_exclusive(command: Command[Taken], options: Taken) -> None:
    """Raise ``UsageError`` where two given options exclude each other."""
    given = {one.long for one, value in options.items() if isinstance(one, Option) and value}
    for first, *others in command.exclusive:
        for other in others:
            if first in given and other in given:
                raise UsageError.of(Code.USAGE, f"{first} and {other} exclude each other")


def whole_number(text: str) -> int | None:
    """Return ``text`` as a non-negative integer, or None."""
    is_plain = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    return int(text) if is_plain else None


def _take(word: str, waiting: Iterator[str], options: dict[str, Option], values: Values) -> bool:
    """Take one word that begins with a dash, and its value; False where it is not well-formed."""
    if word.startswith("--"):
        flag, equals, value = word.partition("=")
        option = options.get(flag)
        if option is None or (option.kind == "flag" and equals):
            return False
        return _set(option, value if equals else None, waiting, values)
    for position, letter in enumerate(word[1:], start=2):
        option = options.get(f"-{letter}")
        if option is None:
            return False
        if option.kind != "flag":
            attached = word[position:]
            if attached.startswith("="):
                return False
            return _set(option, attached or None, waiting, values)
        values[option.key] = True
    return True


def _set(option: Option, value: str | None, waiting: Iterator[str], values: Values) -> bool:
    if option.kind == "flag":
        values[option.key] = True
        return True
    given = next(waiting, None) if value is None else value
    if given is None or (value is None and given.startswith("-") and given != "-"):
        return False
    if option.choices and given not in option.choices:
        return False
    if option.kind == "many":
        earlier = values.get(option.key)
        values[option.key] = (*(earlier if isinstance(earlier, tuple) else ()), given)
    elif option.kind == "number":
        number = whole_number(given)
        if number is None:
            return False
        values[option.key] = number
    else:
        values[option.key] = given
    return True


def _place(command: Command[Taken], positional: list[str], values: Values) -> bool:
    """Assign the positional words to the arguments; False where they do not fit."""
    for argument in command.arguments:
        if argument.required and not positional:
            return False
        if argument.many:
            values[argument.key] = tuple(positional)
            positional = []
        elif positional:
            values[argument.key] = positional.pop(0)
    return not positional


def output_of(arguments: Sequence[str]) -> OutputOptions:
    """Return the common options that stand anywhere before ``--``."""
    line = before_dashes(arguments)
    values: Values = {}
    for option in COMMON:
        for at, word in enumerate(line):
            flag, equals, value = word.partition("=")
            if option.kind == "flag" and word in option.flags:
                values[option.key] = True
            elif option.choices and flag in option.flags:
                given = value if equals else "".join(line[at + 1 : at + 2])
                if given in option.choices:
                    values[option.key] = given
    return OutputOptions(values)


def words_of(arguments: Sequence[str]) -> list[str]:
    """Return the words that are neither options nor values of common options."""
    return [word for word in _walk(arguments) if not _is_option(word)]


def asks_version(arguments: Sequence[str]) -> bool:
    """Return whether ``--version`` stands before any verb: `verify` has such an option too."""
    for word in _walk(arguments):
        if not _is_option(word):
            return False
        if word == "--version":
            return True
    return False


def command_of(arguments: Sequence[str]) -> str:
    """Return the name of the command, else of its group, else an empty text."""
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
        if word == "--color":
            next(line, None)


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-"
