"""What a command line may say: one declaration, from which both parsers and the pages follow.

Importing a command must stay cheap, so these are plain values: the quick parser (``parser``) reads
them as they are, and ``typer_app`` builds the real application from them when it is needed.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cloacina_ctl.cli.terminal.reporter import Reporter

    Completion = Callable[[], Iterable[str]]


class Kind(enum.Enum):
    """How an option takes its value."""

    FLAG = "flag"
    TEXT = "text"
    MANY = "many"
    INTEGER = "integer"


class Refers(enum.Enum):
    """What secret a value leads to: where people put the secret itself, it must not be shown."""

    KEY = "the name or file of a key"
    CREDENTIAL = "where a token or a passphrase comes from"


class Argument(NamedTuple):
    """A value by position; ``many`` takes all that are left. Required where ``default`` is None.

    ``completion`` is asked for words when the user presses the tabulator. ``refers`` where the
    value leads to a secret.
    """

    name: str
    help: str
    default: str | None = None
    many: bool = False
    completion: Completion | None = None
    refers: Refers | None = None


class Option(NamedTuple):
    """A value by name. The first long flag, without dashes, is its key among the values.

    ``refers`` where the value leads to a secret.
    """

    flags: tuple[str, ...]
    help: str
    kind: Kind = Kind.TEXT
    metavar: str = "TEXT"
    default: str | int | None = None
    choices: tuple[str, ...] = ()
    panel: str | None = None
    completion: Completion | None = None
    refers: Refers | None = None

    @property
    def long(self) -> str:
        """Its first long flag: what messages call it."""
        return next(flag for flag in self.flags if flag.startswith("--"))

    @property
    def key(self) -> str:
        """The name of its value."""
        return self.long[2:].replace("-", "_")

    def empty(self) -> Any:  # noqa: ANN401 - one type for each kind
        """Return the value where the option is not given."""
        if self.kind is Kind.FLAG:
            return False
        return () if self.kind is Kind.MANY else self.default


Values = dict[str, Any]


class Command(NamedTuple):
    """A verb. ``run`` gets the values and says how it ended: 0, or 1 for the answer no.

    ``rest`` names the value that takes everything behind ``--``.
    """

    name: str
    summary: str
    run: Callable[[Values, Reporter], int]
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    description: str = ""
    examples: tuple[tuple[str, str], ...] = ()
    rest: str | None = None

    @property
    def schema(self) -> str:
        """The name of the shape that ``--json`` prints."""
        return f"cloacina-ctl/{self.name.replace(' ', '-')}/1"


JSON = Option(("--json",), "Print one JSON object on standard output.", Kind.FLAG, panel="Output")
QUIET = Option(("--quiet", "-q"), "Say nothing but errors.", Kind.FLAG, panel="Output")
VERBOSE = Option(("--verbose", "-v"), "Say more.", Kind.FLAG, panel="Output")
DEBUG = Option(("--debug",), "Show the traceback of an error.", Kind.FLAG, panel="Output")
COLOR = Option(
    ("--color",), "When to use colour (default: auto).", metavar="WHEN", default="auto",
    choices=("auto", "always", "never"), panel="Output",
)  # fmt: skip
COMMON = (JSON, QUIET, VERBOSE, DEBUG, COLOR)
