"""What a command line may say: one typed declaration, from which both parsers and the pages follow.

A verb declares what it takes as a class, and gets an instance of it::

    class _Options(Options):
        package = arguments("PACKAGE", "Packages, or `-` for standard input.")
        jobs = number("--jobs -j N", "Threads to use.")
        trust = group(TrustOptions)

At run time the attribute of the class is the declaration and the attribute of an instance is the
value. To a type checker both are the value: each function that declares returns the type of what
it declares (here ``tuple[str, ...]``, ``int | None`` and ``TrustOptions``). So mypy sees an option
that does not exist or that has another type, and no annotation can disagree with a declaration.

Importing a command must stay cheap, so declarations are plain values: the quick parser
(``parser``) reads them as they are, and ``typer_app`` builds the real application from them when
it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar, cast, overload

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import ClassVar, Literal

    from cloacina_ctl.cli.terminal.reporter import Reporter

    Kind = Literal["flag", "text", "many", "number"]
    # What secret a value leads to: the name or file of a key; where a token or a passphrase comes
    # from. People put the secret itself there, and it must not be shown.
    Secret = Literal["key", "credential"]


class Argument(NamedTuple):
    """A value by position; ``many`` takes all that are left, ``rest`` those behind ``--``."""

    name: str
    help: str
    default: str | tuple[str, ...] | None = None
    required: bool = True
    many: bool = False
    rest: bool = False
    refers: Secret | None = None

    @property
    def key(self) -> str:
        """What both parsers call its value."""
        return self.name.lower()


class Option(NamedTuple):
    """A value by name; ``default`` is its value where it is not given."""

    flags: tuple[str, ...]
    metavar: str
    help: str
    kind: Kind
    default: bool | str | int | tuple[str, ...] | None = None
    choices: tuple[str, ...] = ()
    refers: Secret | None = None

    @property
    def long(self) -> str:
        """Its first flag, a long one: what messages call it."""
        return self.flags[0]

    @property
    def key(self) -> str:
        """What both parsers call its value."""
        return self.long[2:].replace("-", "_")


class Options:
    """Base of what a verb takes, and of groups that several verbs share.

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
        """Take what was given, by the keys of the declarations; the rest has its default."""
        for name, one in self.declared.items():
            self.__dict__[name] = (
                one(values) if isinstance(one, type) else values.get(one.key, one.default)
            )

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name} is not to be changed")

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
    """Declare a value by position, which must be there if it has no default."""
    return cast("str", Argument(name, text, default, default is None, refers=refers))


def optional_argument(name: str, text: str) -> str | None:
    """Declare a value by position that may be absent."""
    return cast("str | None", Argument(name, text, required=False))


def arguments(name: str, text: str) -> tuple[str, ...]:
    """Declare all values by position that are left, of which there is one or more."""
    return cast("tuple[str, ...]", Argument(name, text, (), many=True))


def rest(name: str, text: str) -> tuple[str, ...]:
    """Declare what stands behind ``--``."""
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
    """Declare an option with one of a few words; ``spec`` is its flags."""
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
    """What every command takes: how to say what it has to say."""

    json = flag("--json", "Print one JSON object on standard output.")
    quiet = flag("--quiet -q", "Say nothing but errors.")
    verbose = flag("--verbose -v", "Say more.")
    debug = flag("--debug", "Show the traceback of an error.")
    color = choice("--color", "When to use colour (default: auto).", ("auto", "always", "never"))


class Command(NamedTuple, Generic[Taken]):
    """A verb. ``run`` gets what it ``takes`` and says how it ended: 0, or 1 for the answer no.

    Of each row of ``exclusive`` the first option excludes each of the others.
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
        """The name of the shape that ``--json`` prints."""
        return f"cloacina-ctl/{self.name.replace(' ', '-')}/1"

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """What it takes by position, without what stands behind ``--``."""
        declared = self.takes.declarations()
        return tuple(one for one in declared if isinstance(one, Argument) and not one.rest)

    @property
    def rest(self) -> Argument | None:
        """What it takes from behind ``--``."""
        declared = self.takes.declarations()
        return next((one for one in declared if isinstance(one, Argument) and one.rest), None)

    @property
    def options(self) -> tuple[Option, ...]:
        """What it takes by name, without the options of every command."""
        return tuple(one for one in self.takes.declarations() if isinstance(one, Option))

    def with_values(self, values: Mapping[str, object]) -> Invocation[Taken]:
        """Return the call of this command that gives it ``values``, by the declarations' keys."""
        return Invocation(self, self.takes(values), OutputOptions(values))


class Invocation(NamedTuple, Generic[Taken]):
    """A command and all that a line gives to it."""

    command: Command[Taken]
    options: Taken
    output: OutputOptions


COMMON = tuple(one for one in OutputOptions.declarations() if isinstance(one, Option))
