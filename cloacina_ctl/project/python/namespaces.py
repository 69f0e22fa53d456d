"""Finds folders of modules without `__init__.py`, and clashes of two with one name.

Python joins the folders of one name on its path to one package where none of them has an
`__init__.py` (a namespace package), and reads the first that has one alone where any has. Source:
`importlib.machinery.PathFinder`, and PEP 420.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

INIT = "__init__.py"
# `__path__ = __import__("pkgutil").extend_path(__path__, __name__)`, in its usual spellings.
_EXTENDS = re.compile(rb"(?m)^__path__\s*=.*\bextend_path\(\s*__path__\s*,\s*__name__\s*\)")


def bare_folders(paths: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the folders at the top of ``paths`` with modules and without `__init__.py`.

    First those that look like a mistake, then those that are a namespace on purpose: they contain
    only packages.
    """
    known = frozenset(paths)
    slips: list[str] = []
    namespaces: list[str] = []
    tops = {path.partition("/")[0] for path in known if path.endswith(".py") and "/" in path}
    for top in sorted(tops):
        if f"{top}/{INIT}" in known:
            continue
        own = [path[len(top) + 1 :] for path in known if path.startswith(f"{top}/")]
        own = [path for path in own if path.endswith(".py")]
        inner = {path.partition("/")[0] for path in own}
        whole = all(f"{name}/{INIT}" in own for name in inner)
        (namespaces if whole else slips).append(top)
    return slips, namespaces


def hidden_name(
    first: Iterable[str], second: Iterable[str], extends: Callable[[str], bool] = lambda _: False
) -> str | None:
    """Return the dotted name that Python reads from only one of two folders on its path.

    Both are paths of files; those of data do not count. ``extends`` returns whether the
    `__init__.py` at a path of the first side joins what others have (:func:`extends_path`).
    """
    one, other = _Names(first), _Names(second)
    waiting = [""]
    while waiting:
        above = waiting.pop()
        for name in sorted(one.inside(above) & other.inside(above)):
            if one.is_whole(name) or other.is_whole(name):
                init = f"{name}/{INIT}"
                if not (init in one.files and extends(init)):
                    return name.replace("/", ".")
            waiting.append(name)
    return None


def extends_path(data: bytes) -> bool:
    """Return whether an `__init__.py` joins its folder with others of the name, as pkgutil does."""
    return _EXTENDS.search(data) is not None


class _Names:
    """The importable names in one folder on the path."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.files = frozenset(path for path in paths if path.endswith((".py", ".so", ".pyd")))
        self._whole: set[str] = set()
        self._inside: dict[str, set[str]] = {}
        for path in self.files:
            folder, _, file = path.rpartition("/")
            module = file.split(".")[0]
            if module == "__init__":
                self._whole.add(folder)
            else:
                self._whole.add(f"{folder}/{module}".lstrip("/"))
                self._inside.setdefault(folder, set()).add(f"{folder}/{module}".lstrip("/"))
            while folder:
                above = folder.rpartition("/")[0]
                self._inside.setdefault(above, set()).add(folder)
                folder = above

    def inside(self, folder: str) -> set[str]:
        """Return the entries directly in a folder, as paths without a suffix."""
        return self._inside.get(folder, set())

    def is_whole(self, name: str) -> bool:
        """Return whether the name is a module, or a package with an `__init__`."""
        return name in self._whole
