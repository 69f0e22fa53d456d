"""Typed declarations of options, for both parsers and for the reference page.

A verb declares its options as a class, and gets an instance of it::

    class _Options(Options):
        package = arguments("PACKAGE", "Packages, or `-` for standard input.")
        jobs = number("--jobs -j N", "Threads to use.")
        trust = group(TrustOptions)

At run time the attribute of the class is the declaration and the attribute of an instance is the
value. To a type checker both are the value: each declaring function returns the type of the value
(here ``tuple[str, ...]``, ``int | None`` and ``TrustOptions``). So mypy reports an option that does
not exist or has another type, and no annotation can contradict a declaration.

Importing a command must stay cheap, so declarations are plain values: the fast parser
(``fast_parser``) reads them as they are, and ``typer_app`` builds the typer application from them
only when it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar, cast, overload

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import ClassVar, Literal

    from cloacina_ctl.cli.terminal.reporter import Reporter

    Kind = Literal["flag", "text", "many", "number"]
    # The secret that a value refers to: "key" is the name or file of a key, "credential" the source
    # of a token or a passphrase. Users give the secret itself by mistake; it must not be shown.
    Secret = Literal["key", "credential"]


class Argument(NamedTuple):
    """A positional argument; ``many`` takes all remaining ones, ``rest`` those after ``--``."""

    name: str
    help: str
    default: str | tuple[str, ...] | None = None
    required: bool = True
    many: bool = False
    rest: bool = False
    refers: Secret | None = None

    @property
    def key(self) -> str:
        """The key of its value in both parsers."""
        return self.name.lower()


class Option(NamedTuple):
    """An option; ``default`` is its value where it is not given."""

    flags: tuple[str, ...]
    metavar: str
    help: str
    kind: Kind
    default: bool | str | int | tuple[str, ...] | None = None
    choices: tuple[str, ...] = ()
    refers: Secret | None = None

    @property
    def long(self) -> str:
        """Its first flag, always a long one: its name in messages."""
        return self.flags[0]

    @property
    def key(self) -> str:
        """The key of its value in both parsers."""
        return self.long[2:].replace("-", "_")


class Options:
    """Base class of a verb's options, and of groups that several verbs share.

    ``panel`` is the heading in the help above the options that a class declares itself.
    """

    declared: ClassVar[dict[str, Argument | Option | type[Options]]] = {}
    panel: ClassVar[str | None] = None

    def __init_subclass__(cls, panel: str | None = None) -> None:
        cls.panel = panel or cls.panel
        cls.declared = cls.declared | {
            name: one for name, one in vars(cls).items() if isinstance(one, _DECLARATIONS)
        }

    def __init__(self, values: Mapping[str, object]) -> None:
        """Take ``values``, by the keys of the declarations; others get their default."""
        for name, one in self.declared.items():
            self.__dict__[name] = (
                one(values) if isinstance(one, type) else values.get(one.key, one.default)
            )

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name} cannot be changed")

    def items(self) -> Iterator[tuple[Argument | Option, object]]:
        """Yield each declaration, also of groups, with its value."""
        for name, one in self.declared.items():
            value = self.__dict__[name]
            if isinstance(value, Options):
                yield from value.items()
            elif not isinstance(one, type):
                yield one, value

    @classmethod
    def declarations(cls) -> Iterator[Argument | Option]:
        """Yield each declaration, also of groups."""
        for one in cls.declared.values():
            if isinstance(one, type):
                yield from one.declarations()
            else:
                yield one


_DECLARATIONS = (Argument, Option, type)
Taken = TypeVar("Taken", bound=Options)


def group(options: type[Taken]) -> Taken:
    """Declare the options of another class at this place."""
    return cast("Taken", options)


def argument(
    name: str, text: str, default: str | None = None, *, refers: Secret | None = None
) -> str:
    """Declare a positional argument, which is required if it has no default."""
    return cast("str", Argument(name, text, default, default is None, refers=refers))


def optional_argument(name: str, text: str) -> str | None:
    """Declare an optional positional argument."""
    return cast("str | None", Argument(name, text, required=False))


def arguments(name: str, text: str) -> tuple[str, ...]:
    """Declare one or more positional arguments: all remaining ones."""
    return cast("tuple[str, ...]", Argument(name, text, (), many=True))


def rest(name: str, text: str) -> tuple[str, ...]:
    """Declare the arguments after ``--``."""
    return cast("tuple[str, ...]", Argument(name, text, (), required=False, many=True, rest=True))


def flag(spec: str, text: str, *, refers: Secret | None = None) -> bool:
    """Declare an option without a value; ``spec`` is its flags, such as ``--quiet -q``."""
    return cast("bool", Option(tuple(spec.split()), "", text, "flag", False, (), refers))


@overload
def option(spec: str, text: str, *, refers: Secret = ...) -> str | None: ...
@overload
def option(spec: str, text: str, *, default: str) -> str: ...
def option(
    spec: str, text: str, *, default: str | None = None, refers: Secret | None = None
) -> str | None:
    """Declare an option with a text; ``spec`` as in ``--output -o FILE``."""
    return cast("str", _valued(spec, text, "text", default, refers))


@overload
def choice(spec: str, text: str, choices: tuple[str, ...]) -> str | None: ...
@overload
def choice(spec: str, text: str, choices: tuple[str, ...], *, default: str) -> str: ...
def choice(
    spec: str, text: str, choices: tuple[str, ...], *, default: str | None = None
) -> str | None:
    """Declare an option whose value is one of ``choices``; ``spec`` is its flags."""
    made = Option(tuple(spec.split()), "|".join(choices), text, "text", default, choices)
    return cast("str", made)


def repeatable(spec: str, text: str, *, refers: Secret | None = None) -> tuple[str, ...]:
    """Declare an option that may be given several times, each time with a text."""
    return cast("tuple[str, ...]", _valued(spec, text, "many", (), refers))


@overload
def number(spec: str, text: str, *, refers: Secret = ...) -> int | None: ...
@overload
def number(spec: str, text: str, *, default: int) -> int: ...
def number(
    spec: str, text: str, *, default: int | None = None, refers: Secret | None = None
) -> int | None:
    """Declare an option with a whole number from zero on."""
    return cast("int", _valued(spec, text, "number", default, refers))


def _valued(
    spec: str, text: str, kind: Kind, default: str | int | tuple[()] | None, refers: Secret | None
) -> Option:
    *flags, metavar = spec.split()
    return Option(tuple(flags), metavar, text, kind, default, (), refers)


class OutputOptions(Options, panel="Output"):
    """The options of every command."""

    json = flag("--json", "Print one JSON object on standard output.")
    quiet = flag("--quiet -q", "Print only errors.")
    verbose = flag("--verbose -v", "Print more details.")
    debug = flag("--debug", "Show the traceback of an error.")
    color = choice("--color", "When to use color (default: auto).", ("auto", "always", "never"))


class Command(NamedTuple, Generic[Taken]):
    """A verb. ``run`` gets its options and returns 0, or 1 for a negative result.

    In each row of ``exclusive`` the first option excludes each of the others.
    """

    name: str
    summary: str
    takes: type[Taken]
    run: Callable[[Taken, Reporter], int]
    description: str = ""
    examples: tuple[tuple[str, str], ...] = ()
    exclusive: tuple[tuple[str, ...], ...] = ()

    @property
    def schema(self) -> str:
        """The name of the schema of its ``--json`` output."""
        return f"cloacina-ctl/{self.name.replace(' ', '-')}/1"

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """Its positional arguments, without those after ``--``."""
        declared = self.takes.declarations()
        return tuple(one for one in declared if isinstance(one, Argument) and not one.rest)

    @property
    def rest(self) -> Argument | None:
        """The declaration of its arguments after ``--``."""
        declared = self.takes.declarations()
        return next((one for one in declared if isinstance(one, Argument) and one.rest), None)

    @property
    def options(self) -> tuple[Option, ...]:
        """Its options, without those of every command."""
        return tuple(one for one in self.takes.declarations() if isinstance(one, Option))

    def with_values(self, values: Mapping[str, object]) -> Invocation[Taken]:
        """Return the invocation of this command with ``values``, by the declarations' keys."""
        return Invocation(self, self.takes(values), OutputOptions(values))


class Invocation(NamedTuple, Generic[Taken]):
    """A command with the values of its options."""

    command: Command[Taken]
    options: Taken
    output: OutputOptions


COMMON = tuple(one for one in OutputOptions.declarations() if isinstance(one, Option))
