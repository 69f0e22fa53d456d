"""What stands below the options in help, for rich on a terminal and as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.exits import MEANINGS
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.cli.parsing.declaration import Command

Block = tuple[str, tuple[str, ...]]
_EXAMPLES = (
    "cloacina-ctl package . -o x.cloacina",
    "cloacina-ctl inspect x.cloacina",
    "cloacina-ctl COMMAND --help",
)


def program_epilog() -> tuple[Block, ...]:
    """Return the blocks below the help of the program."""
    statuses = tuple(f"{number:<9} {meaning}" for number, meaning in MEANINGS)
    return ("Examples", _EXAMPLES), ("Exit status", statuses)


def command_epilog(command: Command) -> tuple[Block, ...]:
    """Return the blocks below the help of a command."""
    examples = tuple(f"{line}\n    {what}" for line, what in command.examples)
    statuses = ("0 yes, 1 no, or an error: `cloacina-ctl --help` lists all",)
    return ("Examples", examples), ("Exit status", statuses)


class Texts(NamedTuple):
    """Our own texts so that they show as they are, with rich or without."""

    rich: bool

    def plain(self, text: str) -> str:
        """Return ``text`` with nothing in it that rich takes for markup."""
        return text.replace("[", r"\[") if self.rich else text

    def epilog(self, blocks: tuple[Block, ...]) -> str:
        r"""Return titles and lines; ``\b`` tells click to leave the lines of a paragraph alone."""
        shown = []
        for title, lines in blocks:
            if lines:
                head = f"\x1b[1m {title}\x1b[0m" if self.rich else f"\b\n{title}:"
                body = "\n".join(lines).split("\n")
                shown.append("\n".join([head, *(f"  {line}" for line in body)]))
        return "\n\n".join(shown)
