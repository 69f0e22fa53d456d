"""The places of the modules of a Python project, as its build configuration declares them.

A back end puts certain folders and modules of the project into a wheel, some under another name.
The package has the same ones, so that imports work as with the installed wheel.
"""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, Refused
from cloacina_ctl.project.own_files import link
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# At the top of a flat project these are not modules to import.
NOT_PACKAGES = frozenset(
    {"tests", "test", "testing", "docs", "doc", "examples", "scripts", "tools", "benchmark",
     "benchmarks", "documentation", "unit_test", "unit_tests", "htmlcov",
     "build", "dist", "vendor", "node_modules", "target", "workflow"}
)  # fmt: skip
_HINT = 'set `source_root = "FOLDER"` in [tool.cloacina]'


class SourcePart(NamedTuple):
    """A folder or module of the project, relative to its root, and its path as imports see it.

    An empty ``target`` stands for everything in the folder.
    """

    source: str
    target: str

    def locate(self, path: str) -> str | None:
        """Return the place in the project of the import ``path``, None if it is not in here."""
        if path == self.target:
            return self.source
        if path.startswith(f"{self.target}/"):
            return self.source + path[len(self.target) :]
        return None


class BuildLayout(NamedTuple):
    """The layout in a build configuration; ``place`` is its key, empty for none.

    ``roots`` are the folders to which modules are relative; without ``parts`` all in them is
    meant. ``exclude`` are patterns in the syntax of gitignore, from the project's root on;
    ``unread`` are keys that are ignored. ``namespaces`` is whether the back end
    finds packages in folders without `__init__.py` by itself.
    """

    place: str = ""
    roots: tuple[str, ...] = ()
    parts: tuple[SourcePart, ...] = ()
    exclude: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    namespaces: bool = False


def normal(path: str) -> str:
    """Return a path of the project without dots in it; empty for the project itself."""
    found = posixpath.normpath(path) if path else ""
    return "" if found == "." else found


def leads_out(path: str) -> bool:
    """Return whether a normal path leaves the folder to which it is relative."""
    return path.startswith("/") or f"{path}/".startswith("../")


def check_layout(project: str, layout: BuildLayout) -> None:
    """Raise ``Refused`` if the layout names a missing path, one outside, or a link."""
    names = dict.fromkeys([part.source for part in layout.parts] or layout.roots)
    problems = tuple(_check(project, layout.place, names))
    if problems:
        raise Refused(*problems)


def _check(project: str, place: str, names: Iterable[str]) -> Iterator[Diagnostic]:
    for name in names:
        if leads_out(name):
            yield Diagnostic(Code.SOURCE_ROOT, f"outside of the project: {name}", place, _HINT)
            continue
        steps = name.split("/")
        above = ("/".join(steps[: end + 1]) for end in range(len(steps)))
        linked = next((one for one in above if os.path.islink(os.path.join(project, one))), None)
        if linked is not None:
            yield link(linked, os.readlink(os.path.join(project, linked)))
        elif not (name.endswith(".py") or os.path.isdir(os.path.join(project, name))):
            yield Diagnostic(Code.SOURCE_ROOT, f"no such folder: {name}", place, _HINT)
        elif name.endswith(".py") and not os.path.isfile(os.path.join(project, name)):
            yield Diagnostic(Code.SOURCE_ROOT, f"no such module: {name}", place, _HINT)
