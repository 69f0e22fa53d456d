"""Write ``docs/cli.md`` from the declarations: ``python -m cloacina_ctl.cli.parsing.reference``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cloacina_ctl.cli.exits import MEANINGS
from cloacina_ctl.cli.parsing.declaration import COMMON
from cloacina_ctl.cli.parsing.table import GROUPS, all_commands

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.cli.parsing.declaration import Argument, Command, Option, Taken

_HEAD = """\
# The command line

Written by `python -m cloacina_ctl.cli.parsing.reference`; a test compares it with the program.

Standard output has the result, standard error everything else. Nothing from a package, a server or
a file name reaches the terminal unescaped: invisible characters appear as `\\x1b` or `\\u202e`,
also with `--debug`. A value that looks like a private key, a token or a password is replaced by
`[not shown]`.

## Options of every command

They may stand before or after the command.
"""
_JSON = """\
With `--json` standard output has exactly one object, also when the command fails:
`{"schema": "cloacina-ctl/<command>/1", "ok", "result", "diagnostics"}`, where a diagnostic is
`{"code", "severity", "message", "where", "hint"}`. The schema of `key generate` is
`cloacina-ctl/key-generate/1`; that of a line without a known command is `cloacina-ctl/usage/1`.

Color is used on a terminal, unless `NO_COLOR` is set, `TERM` is `dumb`, or `--color` says
otherwise; `FORCE_COLOR` asks for it everywhere.

## Exit status

| status | meaning |
|---|---|
"""
_COMPLETION = """\
A closed pipe on standard output causes no message and does not change the status.

## Completion in the shell

`cloacina-ctl --install-completion` sets it up for the shell that it is run from (bash, zsh, fish,
PowerShell); `cloacina-ctl --show-completion` prints what would be installed.

## Commands
"""


def reference() -> str:
    """Return the text of ``docs/cli.md``."""
    statuses = "".join(f"| {number} | {meaning} |\n" for number, meaning in MEANINGS)
    parts = [
        _HEAD,
        "\n".join(_table(map(_option_row, COMMON))),
        "\n",
        _JSON + statuses,
        _COMPLETION,
    ]
    parts += ["\n".join(_section(command)) + "\n" for command in all_commands()]
    return "\n".join(parts).rstrip("\n") + "\n"


def _section(command: Command[Taken]) -> Iterator[str]:
    yield f"### `{command.name}`\n"
    yield command.summary
    if command.description:
        yield f"\n{command.description}"
    group = command.name.partition(" ")[0]
    if group in GROUPS:
        yield f"\n`{group}`: {GROUPS[group]}"
    yield f"\n```\n{_usage(command)}\n```\n"
    rows = [*map(_argument_row, command.arguments), *map(_option_row, command.options)]
    if rows:
        yield from _table(rows)
    if command.examples:
        yield "\n```console"
        for line, what in command.examples:
            yield f"$ {line}    # {what}"
        yield "```"


def _usage(command: Command[Taken]) -> str:
    words = ["cloacina-ctl", command.name, "[OPTIONS]", *map(_word, command.arguments)]
    if command.rest:
        words.append(f"[-- {command.rest.name}...]")
    return " ".join(words)


def _word(argument: Argument) -> str:
    word = argument.name + ("..." if argument.many else "")
    return word if argument.required else f"[{word}]"


def _table(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    for left, right in rows:
        yield f"| {left} | {right} |".replace("\n", " ")


def _argument_row(argument: Argument) -> tuple[str, str]:
    default = f" (default: `{argument.default}`)" if argument.default else ""
    return f"`{_word(argument)}`", _cell(argument.help) + default


def _option_row(option: Option) -> tuple[str, str]:
    value = f" {option.metavar}".rstrip()
    flags = ", ".join(f"`{flag}{_cell(value)}`" for flag in option.flags)
    stated = "default:" in option.help or not option.default
    return flags, _cell(option.help) + ("" if stated else f" (default: `{option.default}`)")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
