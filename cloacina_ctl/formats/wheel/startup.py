"""`.pth` files of wheels, which an interpreter reads when it starts.

It reads them only in its own folders, never in that of vendored files. A line is a folder for the
import path, or begins with `import` and is run. So a folder of the wheel itself can be resolved:
its files are moved to the others. Every other line has no effect, and vendoring reports it.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SUFFIX = ".pth"
# The longest known one has 4 KiB and was written by setuptools.
MAX_STARTUP_BYTES = 64 << 10
# What setuptools writes for a namespace of packages: Python finds a folder without `__init__.py`
# by itself.
_NAMESPACE = re.compile(r"import sys, types, os;.*sys\.modules\.setdefault\(.*__path__")


class StartupFile(NamedTuple):
    """The lines of a `.pth` file that would have an effect: folders, and code."""

    path: str
    folders: tuple[str, ...] = ()
    code: tuple[str, ...] = ()


def read_startup(path: str, data: bytes) -> StartupFile:
    """Return the lines of the file, without comments and the code for native namespaces."""
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines()]
    said = [line for line in lines if line and not line.startswith("#")]
    code = [line for line in said if re.match(r"import[ \t]", line)]
    folders = [line for line in said if line not in code]
    return StartupFile(
        path, tuple(folders), tuple(line for line in code if _NAMESPACE.match(line) is None)
    )


def moved(found: Collection[StartupFile], places: Mapping[str, str]) -> dict[str, str]:
    """Return the folders that can be resolved: as the files call each, and as its prefix.

    ``places`` are the paths of all files, as an importer sees them without any `.pth`. A folder
    is resolved where it is one of the wheel's, no package itself, and no file of it clashes with
    another when it lies at the top.
    """
    resolved: dict[str, str] = {}
    taken = set(places.values())
    for folder in dict.fromkeys(folder for one in found for folder in one.folders):
        prefix = posixpath.normpath(folder) + "/"
        inside = {path for path in taken if path.startswith(prefix)}
        tops = {path.removeprefix(prefix) for path in inside}
        if not inside or prefix.startswith(("/", "../", "./")) or "__init__.py" in tops:
            continue
        if tops & (taken - inside) or any(".dist-info" in path for path in inside):
            continue
        taken = (taken - inside) | tops
        resolved[folder] = prefix
    return resolved
