"""Where a project has a module that its package lacks: left out, or under another name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.project.denied import deny_folder
from cloacina_ctl.project.python.layout import NOT_PACKAGES
from cloacina_ctl.project.python.source_root import SourceRoot
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.model import PythonFacts, Selection

# Folders of modules lie near the top of a project; further down a name says little.
_DEPTH = 3


class Place(NamedTuple):
    """Where the project has a module, relative to its root, as a folder or a file.

    ``reason`` says why it is left out of the package, None where it has another name there.
    """

    path: str
    reason: str | None = None


def place_of(project: str, facts: PythonFacts, selection: Selection, module: str) -> Place | None:
    """Return where the project has the dotted ``module`` that the package lacks."""
    found = SourceRoot(project, facts.roots, facts.parts).find(module)
    if found is not None:
        above = (one for one in selection.left_out if f"{found}/".startswith(_as_folder(one.path)))
        left_out = next(above, None)
        return Place(found, left_out.reason) if left_out is not None else None
    top = module.partition(".")[0]
    return next((Place(path) for path in _named(project, top)), None)


def _as_folder(path: str) -> str:
    return path if path.endswith("/") else f"{path}/"


def _named(project: str, name: str) -> Iterator[str]:
    """Yield the folders with modules, and the modules, that have a name; the topmost first."""
    waiting = [""]
    while waiting:
        folder = waiting.pop(0)
        try:
            with os.scandir(os.path.join(project, folder)) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                if entry.name in NOT_PACKAGES or deny_folder(entry.name) is not None:
                    continue
                if entry.name == name and _holds_module(entry.path):
                    yield path
                elif path.count("/") < _DEPTH:
                    waiting.append(path)
            elif entry.name == f"{name}.py":
                yield path


def _holds_module(folder: str) -> bool:
    return any(name.endswith(".py") for name in os.listdir(folder))
