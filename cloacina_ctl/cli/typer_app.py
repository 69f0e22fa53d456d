"""The typer application, built from the same declarations as the quick parser reads.

It shows help, says what is wrong with a command line, and completes in shells.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from cloacina_ctl import __version__
from cloacina_ctl.cli.app import GROUPS, all_commands
from cloacina_ctl.cli.command import COMMON, Argument, Command, Kind, Option
from cloacina_ctl.cli.exits import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[Command, dict[str, Any]], int]

SUMMARY = "Package, sign, inspect, verify and unpack Cloacina workflows."
_CONTEXT = {"help_option_names": ["-h", "--help"]}
_COMMON_KEYS = tuple(option.key for option in COMMON)


def build(run: Run) -> typer.Typer:
    """Return the application; it hands what was asked for to ``run`` and exits as that says."""
    before: dict[str, Any] = {}
    app = typer.Typer(
        name="cloacina-ctl", help=SUMMARY, no_args_is_help=True, rich_markup_mode=None,
        context_settings=_CONTEXT, epilog=_statuses(), pretty_exceptions_enable=False,
    )  # fmt: skip
    app.callback()(_root(before))
    groups = {
        name: typer.Typer(
            help=text, no_args_is_help=True, rich_markup_mode=None, context_settings=_CONTEXT
        )
        for name, text in GROUPS.items()
    }
    for name, group in groups.items():
        app.add_typer(group, name=name)
    for command in all_commands():
        group_name, _, name = command.name.rpartition(" ")
        target = groups[group_name] if group_name else app
        target.command(
            name, help=_help(command), short_help=command.summary, epilog=_examples(command),
            context_settings=_CONTEXT,
        )(_function(command, run, before))  # fmt: skip
    return app


def _root(before: dict[str, Any]) -> Callable[..., None]:
    """Return the callback that takes what stands before the verb."""

    def root(**given: Any) -> None:
        if given.pop("version"):
            typer.echo(f"cloacina-ctl {__version__}")
            raise typer.Exit
        before.update({key: value for key, value in given.items() if value})

    version = Option(("--version",), "Show the version and exit.", Kind.FLAG)
    _declare(root, [_parameter(version), *(_parameter(option) for option in COMMON)])
    return root


def _function(command: Command, run: Run, before: dict[str, Any]) -> Callable[..., None]:
    def call(**given: Any) -> None:
        values = {key: tuple(v) if isinstance(v, list) else v for key, v in given.items()}
        if command.rest is not None:
            values[command.rest] = _behind_dashes(command, values)
        for key in _COMMON_KEYS:
            if key in before and values[key] in (False, "auto"):
                values[key] = before[key]
        raise typer.Exit(run(command, values))

    parameters = [_positional(argument) for argument in command.arguments]
    if command.rest is not None:
        parameters.append(
            _positional(
                Argument(command.rest, "Handed on as they are, behind `--`.", "", many=True)
            )
        )
    parameters += [_parameter(option) for option in (*command.options, *COMMON)]
    _declare(call, parameters)
    return call


def _behind_dashes(command: Command, values: dict[str, Any]) -> tuple[str, ...]:
    """Return what stood behind ``--``; refuse words that only look like an argument too many."""
    rest: tuple[str, ...] = values[command.rest or ""] or ()
    words = sys.argv[1:]
    behind = tuple(words[words.index("--") + 1 :]) if "--" in words else ()
    if rest != behind:
        raise typer.BadParameter(f"unexpected extra argument: {' '.join(rest)}")
    return rest


def _declare(function: Callable[..., None], parameters: list[inspect.Parameter]) -> None:
    """Give ``function`` the signature that typer reads."""
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {one.name: one.annotation for one in parameters}


def _positional(argument: Argument) -> inspect.Parameter:
    required = argument.default is None
    base: Any = list[str] if argument.many else str
    if not required:
        base = Optional[base]
    annotation = Annotated[base, typer.Argument(help=argument.help, show_default=False)]
    default = inspect.Parameter.empty if required else (argument.default or None)
    return inspect.Parameter(
        argument.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


_TYPES: dict[Kind, Any] = {
    Kind.FLAG: bool, Kind.TEXT: Optional[str], Kind.MANY: Optional[list[str]], Kind.INTEGER: Optional[int],
}  # fmt: skip


def _parameter(option: Option) -> inspect.Parameter:
    settings: dict[str, Any] = {"help": option.help, "show_default": bool(option.default)}
    kind = _TYPES[option.kind]
    if option.panel:
        settings["rich_help_panel"] = option.panel
    if option.kind is not Kind.FLAG:
        settings["metavar"] = option.metavar
    if option.kind is Kind.INTEGER:
        settings["min"] = 0
    if option.choices:
        settings["metavar"] = "|".join(option.choices)
        settings["callback"] = _one_of(option.choices)
    annotation = Annotated[kind, typer.Option(*option.flags, **settings)]
    default = list(option.empty()) or None if option.kind is Kind.MANY else option.empty()
    return inspect.Parameter(
        option.key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _one_of(choices: tuple[str, ...]) -> Callable[[str | None], str | None]:
    def check(value: Optional[str]) -> Optional[str]:
        if value is not None and value not in choices:
            raise typer.BadParameter(f"expected one of {', '.join(choices)}; found: {value}")
        return value

    return check


def _help(command: Command) -> str:
    return f"{command.summary}\n\n{command.description}".strip()


def _examples(command: Command) -> str | None:
    if not command.examples:
        return None
    lines = [f"  {line}\n      {what}" for line, what in command.examples]
    return "\b\nExamples:\n" + "\n".join(lines)


def _statuses() -> str:
    lines = [f"  {number:<9} {meaning}" for number, meaning in MEANINGS]
    return "\b\nExit status:\n" + "\n".join(lines)
