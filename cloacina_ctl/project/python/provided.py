"""Finds imports of a package that nothing provides: engines install nothing.

Only the paths of the package count, so a project and a package are checked in the same way.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from cloacina_ctl.formats.layout import WORKFLOW_FOLDER
from cloacina_ctl.project.python.distributions import vendored_paths
from cloacina_ctl.project.python.import_time import MODULE
from cloacina_ctl.project.python.stdlib_names import NEWEST, OLDEST, pythons_with
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from cloacina_ctl.project.python.imports import Import

_ALWAYS_THERE = frozenset({MODULE, "__main__"})


class Lack(enum.Enum):
    """Why an import fails: ``NO_MODULE`` in the project's own package, or nothing with the name.

    ``NO_PART`` is for a namespace package, of which other distributions may have parts.
    """

    NOTHING = "nothing has it"
    NO_MODULE = "the project's package has no such module"
    NO_PART = "the project's part of a namespace package has no such module"
    SOME_PYTHONS = "only some versions of Python have it"


class MissingModule(NamedTuple):
    """A failing import; ``pythons`` are the minor versions of the project that lack the module."""

    module: str
    imported: Import
    lack: Lack
    pythons: tuple[int, ...] = ()


class _Tree:
    """What can be imported of one folder on the path."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._folders: set[str] = set()
        self._modules: dict[str, set[str]] = {"": set()}
        for path in paths:
            folder, _, file = path.rpartition("/")
            self._modules.setdefault(folder, set()).add(file.split(".")[0])
            while folder:
                self._folders.add(folder)
                folder = folder.rpartition("/")[0]

    def has(self, path: str) -> bool:
        """Return whether there is a folder or a file of the name."""
        folder, _, name = path.rpartition("/")
        return path in self._folders or name in self._modules.get(folder, ())

    def is_folder(self, path: str) -> bool:
        """Return whether it is a folder."""
        return path in self._folders


def missing_imports(
    imports: Iterable[Import], paths: Collection[str], minors: Callable[[], Iterable[int]]
) -> Iterator[MissingModule]:
    """Yield the failing imports of a package with the files ``paths``, each name once per place.

    ``minors`` returns the minor versions of Python 3 of the package; few imports need them.
    """
    own = _Tree(path[len(WORKFLOW_FOLDER) :] for path in paths if path.startswith(WORKFLOW_FOLDER))
    vendored = _Tree(vendored_paths(paths))
    for one in imports:
        top = one.module.partition(".")[0]
        if top in _ALWAYS_THERE or vendored.has(top):
            continue
        known = pythons_with(top)
        if len(known) == NEWEST - OLDEST + 1:
            continue
        if own.has(top):
            lost = _lost_module(own, one.module)
            if lost is not None:
                above = lost.rpartition(".")[0].replace(".", "/")
                whole = own.has(f"{above}/__init__")
                yield MissingModule(lost, one, Lack.NO_MODULE if whole else Lack.NO_PART)
            continue
        if not known:
            yield MissingModule(top, one, Lack.NOTHING)
            continue
        lacking = tuple(minor for minor in minors() if minor not in known)
        if lacking:
            yield MissingModule(top, one, Lack.SOME_PYTHONS, lacking)


def standard_wins(module: str, minors: Callable[[], Iterable[int]]) -> bool:
    """Return whether each of the ``minors`` of Python 3 has a standard module of the name."""
    known = pythons_with(module)
    if len(known) in (0, NEWEST - OLDEST + 1):
        return bool(known)
    return all(minor in known for minor in minors())


def _lost_module(own: _Tree, module: str) -> str | None:
    """Return the missing part of an own module's name, None if it is not known."""
    steps = module.split(".")
    for end in range(1, len(steps)):
        above, path = "/".join(steps[:end]), "/".join(steps[: end + 1])
        if not own.is_folder(above):
            return None  # a module may add submodules to itself
        if not own.has(path):
            return ".".join(steps[: end + 1])
    return None
