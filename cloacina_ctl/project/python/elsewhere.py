"""Where a project has a module that its package lacks: left out, or under another name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.project.python.layout import NOT_PACKAGES
from cloacina_ctl.project.python.source_root import SourceRoot
from cloacina_ctl.project.selection.exclusions import deny_folder
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.model import PythonFacts, Selection

# Folders of modules lie near the top of a project; further down a name says little.
_DEPTH = 3
_MOST = 20_000


class Place(NamedTuple):
    """Where the project has a module, relative to its root, as a folder or a file.

    ``reason`` says why it is left out of the package, None where it has another name there.
    """

    path: str
    reason: str | None = None


class Places:
    """Where a project has modules that its package lacks; it is walked when that is first asked."""

    def __init__(self, project: str, facts: PythonFacts, selection: Selection) -> None:
        self._project = project
        self._root = SourceRoot(project, facts.roots, facts.parts)
        self._selection = selection
        self._named: dict[str, str] | None = None

    def of(self, module: str) -> Place | None:
        """Return where the project has the dotted ``module`` that the package lacks."""
        found = self._root.find(module)
        if found is not None:
            reasons = (
                one.reason for one in self._selection.left_out
                if f"{found}/".startswith(one.path.rstrip("/") + "/")
            )  # fmt: skip
            reason = next(reasons, None)
            return Place(found, reason) if reason is not None else None
        if self._named is None:
            self._named = dict(_named(self._project))
        path = self._named.get(module.partition(".")[0])
        return Place(path) if path is not None else None

    def from_top(self, module: str) -> str | None:
        """Return the path of the dotted ``module`` where its name counts from the project's top."""
        path = module.replace(".", "/")
        if os.path.isfile(os.path.join(self._project, f"{path}.py")):
            return f"{path}.py"
        return path if os.path.isdir(os.path.join(self._project, path)) else None


def _named(project: str) -> Iterator[tuple[str, str]]:
    """Yield the names of folders with modules, and of modules, with their places, topmost last."""
    found: list[tuple[str, str]] = []
    waiting = [""]
    while waiting and len(found) < _MOST:
        folder = waiting.pop(0)
        try:
            with os.scandir(os.path.join(project, folder)) as entries:
                inner = sorted(
                    (entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries
                )
        except OSError:
            continue
        if folder and any(name.endswith(".py") for name, _ in inner):
            found.append((folder.rpartition("/")[2], folder))
        for name, is_folder in inner:
            path = f"{folder}/{name}" if folder else name
            if not is_folder:
                found += [(name[:-3], path)] if name.endswith(".py") else []
            elif (
                name not in NOT_PACKAGES and deny_folder(name) is None and path.count("/") < _DEPTH
            ):
                waiting.append(path)
    return reversed(found)
