"""The typer application, built from the declarations that the fast parser reads.

It shows help, completes in shells, and parses the lines that the fast parser does not. Works with a
typer that contains click (``typer._click``) and with one that imports it: nothing here names click.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from cloacina_ctl.cli.exits import MEANINGS
from cloacina_ctl.cli.parsing import fast_parser
from cloacina_ctl.cli.parsing.declaration import COMMON, Argument, Invocation, Option, OutputOptions
from cloacina_ctl.cli.parsing.table import GROUPS, all_commands
from cloacina_ctl.cli.parsing.usage_errors import as_usage_error, missing_argument, missing_value
from cloacina_ctl.redaction import HIDDEN, remember, shown
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cloacina_ctl.cli.parsing.declaration import Command, Kind, Options, Taken

PROGRAM = "cloacina-ctl"
SUMMARY = "Package, sign, inspect, verify and unpack Cloacina workflows."
_CONTEXT = {"help_option_names": ["-h", "--help"]}
_VERSION = Option(("--version",), "", "Show the version and exit.", "flag", default=False)
Block = tuple[str, tuple[str, ...]]
_EXAMPLES = (
    "cloacina-ctl package . -o x.cloacina",
    "cloacina-ctl inspect x.cloacina",
    "cloacina-ctl COMMAND --help",
)
# The base class of click's errors, wherever this typer has its click from.
_Complaint: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


def read(words: Sequence[str], *, rich: bool) -> Invocation[Any] | int:
    """Return the parsed invocation, or the exit status where typer has handled the line itself.

    ``rich`` is for help on a terminal. Raises ``UsageError`` for a malformed line.
    """
    line, rest = _split(words)
    _refuse_missing_values(line)
    application = typer.main.get_command(_Builder(rest, Texts(rich)).build())
    try:
        answer = application.main(args=line, prog_name=PROGRAM, standalone_mode=False)
    except _Complaint as complaint:
        raise as_usage_error(complaint) from complaint
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):
            return 0  # typer would return 1, which means a negative result
        raise
    return answer if isinstance(answer, Invocation) else int(answer or 0)


def _split(words: Sequence[str]) -> tuple[list[str], tuple[str, ...] | None]:
    """Split at ``--`` where the command passes the rest on; else leave it to typer."""
    line = list(words)
    name = fast_parser.command_of(words)
    takes_rest = any(command.rest for command in all_commands() if command.name == name)
    if "--" not in line or not takes_rest:
        return line, None
    at = line.index("--")
    return line[:at], tuple(line[at + 1 :])


def _refuse_missing_values(line: Sequence[str]) -> None:
    """Refuse an option in the place of a value: click would write to a file named ``--json``."""
    name = fast_parser.command_of(line)
    options = [o for command in all_commands() if command.name == name for o in command.options]
    flags = {f: o for o in (*options, *COMMON) for f in o.flags}
    before = fast_parser.before_dashes(line)
    for at, flag in enumerate(before, 1):
        value = before[at] if at < len(before) else None
        option = flags.get(flag)
        if option is not None and option.refers == "credential" and value not in flags:
            remember((value or "").lstrip("-"))  # users write a passphrase after --passphrase
        if option is None or option.kind == "flag":
            continue
        if value is None or (value.startswith("-") and value != "-"):
            fast_parser.refuse_value(option.refers, value, flag)
            secret = option.refers is not None and value not in flags
            raise missing_value(flag, value, secret=secret)


class _Builder:
    """Builds the application for one line; common options before the verb gather here."""

    def __init__(self, rest: tuple[str, ...] | None, texts: Texts) -> None:
        self._rest = rest
        self._texts = texts
        self._before: dict[str, object] = {}

    def build(self) -> typer.Typer:
        """Return the application; a call returns the chosen invocation and runs nothing."""
        app = self._typer(SUMMARY, _program_epilog(), completion=True)
        version = self._option(_VERSION, None)
        app.callback()(_declared(self._gather, (*self._options(OutputOptions), version)))
        groups = {name: self._typer(text) for name, text in GROUPS.items()}
        for name, group in groups.items():
            group.callback()(_declared(self._gather, self._options(OutputOptions)))
            app.add_typer(group, name=name)
        for command in all_commands():
            group_name, _, name = command.name.rpartition(" ")
            self._add(groups[group_name] if group_name else app, name, command)
        return app

    def _typer(
        self, text: str, end: tuple[Block, ...] = (), *, completion: bool = False
    ) -> typer.Typer:
        return typer.Typer(
            help=text,
            **self._end(end, TyperGroup),
            rich_markup_mode="rich" if self._texts.rich else None,
            context_settings=_CONTEXT,
            add_completion=completion,
            pretty_exceptions_enable=False,
        )

    def _add(self, app: typer.Typer, name: str, command: Command[Taken]) -> None:
        arguments = (*command.arguments, *filter(None, (command.rest,)))
        parameters = [self._argument(argument) for argument in arguments]
        parameters += [*self._options(command.takes), *self._options(OutputOptions)]

        def choose(**given: object) -> Invocation[Taken]:
            return command.with_values(self._values(command, given))

        app.command(
            name,
            help=self._texts.plain(f"{command.summary}\n\n{command.description}".strip()),
            short_help=self._texts.plain(command.summary),
            context_settings=_CONTEXT,
            **self._end(_command_epilog(command), TyperCommand),
        )(_declared(choose, parameters))

    def _end(self, blocks: tuple[Block, ...], base: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return the settings that put ``blocks`` below the help.

        With rich they are printed after it: versions of typer differ in the line ends of an epilog
        that they keep, and color words that look like options.
        """
        if self._texts.rich:
            return {"cls": _printing_after_help(base, self._texts.epilog(blocks))}
        return {"epilog": self._texts.epilog(blocks)}

    def _gather(self, **given: object) -> None:
        """Keep the common options that stand before the verb."""
        self._before.update({key: value for key, value in given.items() if value})

    def _values(self, command: Command[Taken], given: dict[str, object]) -> dict[str, object]:
        """Return the given values, also those before the verb, as the fast parser does."""
        found = given | {one.key: given[one.key] or self._before.get(one.key) for one in COMMON}
        for argument in command.arguments:
            if argument.required and found.get(argument.key) in (None, []):
                raise missing_argument(argument.name, command.name)  # some click accept it
        if command.rest is not None:
            taken = found.pop(command.rest.key, None)
            if isinstance(taken, list) and taken:
                raise typer.BadParameter(f"unexpected argument: {shown(taken[0])}")
            found[command.rest.key] = self._rest or ()
        return {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in found.items()
            if value is not None
        }

    def _argument(self, argument: Argument) -> inspect.Parameter:
        kind: Any = list[str] if argument.many else str
        info = typer.Argument(
            help=self._texts.plain(argument.help),
            metavar=f"[-- {argument.name}...]" if argument.rest else argument.name,
            show_default=False,
        )
        if argument.required:
            return _keyword(argument.key, kind, info, inspect.Parameter.empty)
        return _keyword(argument.key, kind | None, info, argument.default or None)

    def _options(self, options: type[Options]) -> Iterator[inspect.Parameter]:
        for one in options.declared.values():
            if isinstance(one, type):
                yield from self._options(one)
            elif isinstance(one, Option):
                yield self._option(one, options.panel)

    def _option(self, option: Option, panel: str | None) -> inspect.Parameter:
        is_flag = option.kind == "flag"
        info = typer.Option(
            *option.flags,
            help=self._texts.plain(option.help),
            metavar=None if is_flag else option.metavar,
            show_default=bool(option.default),
            rich_help_panel=panel,
            callback=_checker(option),
            autocompletion=_completer(option.choices),
        )
        default = option.default or (False if is_flag else None)
        return _keyword(option.key, _TYPES[option.kind], info, default)


class Texts(NamedTuple):
    """Our own texts in a form that shows them unchanged, with rich or without."""

    rich: bool

    def plain(self, text: str) -> str:
        """Return ``text`` with its brackets escaped for rich."""
        return text.replace("[", r"\[") if self.rich else text

    def epilog(self, blocks: tuple[Block, ...]) -> str:
        r"""Return titles and lines; ``\b`` makes click keep the lines of a paragraph."""
        shown = []
        for title, lines in blocks:
            if lines:
                head = f"\x1b[1m {title}\x1b[0m" if self.rich else f"\b\n{title}:"
                body = "\n".join(lines).split("\n")
                shown.append("\n".join([head, *(f"  {line}" for line in body)]))
        return "\n\n".join(shown)


def _program_epilog() -> tuple[Block, ...]:
    statuses = tuple(f"{number:<9} {meaning}" for number, meaning in MEANINGS)
    return ("Examples", _EXAMPLES), ("Exit status", statuses)


def _command_epilog(command: Command[Taken]) -> tuple[Block, ...]:
    examples = tuple(f"{line}\n    {what}" for line, what in command.examples)
    statuses = ("0 success, 1 negative result, or an error: `cloacina-ctl --help` lists all",)
    return ("Examples", examples), ("Exit status", statuses)


_TYPES: dict[Kind, Any] = {
    "flag": bool,
    "text": str | None,
    "many": list[str] | None,
    "number": str | None,  # parsed here: the message must not depend on the typer
}


def _printing_after_help(base: Any, end: str) -> Any:  # noqa: ANN401 - typer's classes are untyped
    class CommandEnd(base):  # type: ignore[misc]
        def format_help(self, *given: Any) -> None:  # noqa: ANN401 - as click calls it
            super().format_help(*given)
            typer.echo(end)

    return CommandEnd


def _keyword(name: str, kind: Any, info: Any, default: Any) -> inspect.Parameter:  # noqa: ANN401
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info]
    )


def _declared(
    body: Callable[..., Any], parameters: Iterable[inspect.Parameter]
) -> Callable[..., Any]:
    """Return ``body`` with the signature that typer reads."""

    def called(**given: Any) -> Any:  # noqa: ANN401 - whatever `body` returns
        return body(**given)

    called.__signature__ = inspect.Signature(list(parameters))  # type: ignore[attr-defined]
    called.__annotations__ = {
        name: one.annotation for name, one in inspect.signature(called).parameters.items()
    }
    return called


def _checker(option: Option) -> Callable[[Any], Any] | None:
    """Return the check of a value that typer takes as text."""
    if option.kind == "number":
        return _as_number(shown if option.refers is None else lambda _: HIDDEN)
    return _one_of(option.choices) if option.choices else None


def _as_number(display: Callable[[str], str]) -> Callable[[Any], int | None]:
    """Return the parser of a number; ``display`` returns what the message shows of a bad value."""

    def read_number(value: Any) -> int | None:  # noqa: ANN401 - a text, a default, or nothing
        if value is None:
            return None
        number = fast_parser.whole_number(str(value))
        if number is None:
            raise typer.BadParameter(f"expected a whole number, found: {display(str(value))}")
        return number

    return read_number


def _one_of(choices: tuple[str, ...]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:  # noqa: ANN401 - as above
        if value is not None and value not in choices:
            raise typer.BadParameter(f"expected one of {', '.join(choices)}; found: {shown(value)}")
        return value

    return check


def _completer(choices: tuple[str, ...]) -> Callable[[str], list[str]] | None:
    """Return the shell completion for ``choices``; None where there are none."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in choices if word.startswith(incomplete)]

    complete.__annotations__ = {"incomplete": str, "return": list[str]}
    return complete if choices else None
