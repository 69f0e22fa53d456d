"""The page "From a cargo crate to a server": its project, its commands, what it shows of them."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.support.cache import locked
from tests.support.machine import need
from tests.support.projects import DOCS

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = DOCS / "from-a-crate.md"
SERVER = "https://host:8080"
_FILE = re.compile(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# What is another each time: how long it took, the server's ids, and what is left out.
_VARIES = re.compile(r" \(\d+ s\)$|\d+(?:\.\d+)? m?s\b|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Command(NamedTuple):
    """A line to type, and the lines that the page shows of its answer."""

    line: str
    shown: tuple[str, ...]


def write_project(folder: Path) -> None:
    """Write the files of the page."""
    for name, text in _FILE.findall(PAGE.read_text("utf-8")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


@contextlib.contextmanager
def crate() -> Iterator[Path]:
    """The project of the page where it was before, so that its dependencies are compiled once."""
    need("cargo")
    with locked("guide") as cache:
        folder = cache / "guide"
        write_project(folder)
        for left in folder.glob("*.cloacina*"):
            left.unlink()
        yield folder


def commands() -> list[Command]:
    """Return the commands of the page, in their order."""
    found: list[Command] = []
    for block in _CONSOLE.findall(PAGE.read_text("utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, *shown = part.splitlines()
            found.append(Command(line, tuple(one for one in shown if one.strip() != "…")))
    return found


def run(command: Command, folder: Path, server: str = SERVER) -> str:
    """Type the command in a shell and return all that it says.

    Asserts that it succeeds, and that what the page shows of it is there, line by line.
    """
    line = command.line.replace(SERVER, server)
    kept = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env={**kept, "PATH": path, "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    said = done.stdout.decode()
    assert done.returncode == 0, f"{line}\n{said}"
    there = [_words(one) for one in said.splitlines()]
    for one in command.shown:
        shown = one.replace(SERVER, server)
        assert _words(shown) in there, f"{line}\nshows no line {shown!r}:\n{said}"
    return said


def _words(line: str) -> list[str]:
    """Return what is the same each time; a server lists tasks in an order that is not."""
    return sorted(re.split(r"[ ,]+", _VARIES.sub("", line)))
