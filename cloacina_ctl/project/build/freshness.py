"""Checks that units which cargo calls fresh were compiled from the current files.

Cargo compares the time of the last change of a file with the time of the build. Files that were
put there afterwards and kept an older date (`cp -p`, `rsync -a`, `tar`, `mv`) look old to it, and
units of other code get into the library. The time at which a file was put there (ctime) shows it.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.project.rust.cargo_workspace import CargoWorkspace, SourcePackage

_MAX_BYTES = 64 << 20


class FreshUnit(NamedTuple):
    """A unit that cargo did not compile: its package and an output file of it."""

    package_id: str
    path: str


def outdated(
    units: Iterable[FreshUnit], library: str, workspace: CargoWorkspace
) -> tuple[SourcePackage, ...]:
    """Return the packages by path with a unit that is older than files of its package.

    The files are those in the list that cargo writes beside the library: the sources of members,
    path dependencies, their build scripts and macros.
    """
    built = _built(units)
    known = [one for one in workspace.packages if one.by_path and one.id in built]
    if not known:
        return ()
    owned = _owned(sources_of(library, workspace), [p for p in workspace.packages if p.by_path])
    return tuple(
        one for one in known
        if any(_was_put_after(path, built[one.id]) for path in owned.get(one.folder, ()))
    )  # fmt: skip


def _built(units: Iterable[FreshUnit]) -> dict[str, int]:
    """Return when the oldest unit of each package was built."""
    found: dict[str, int] = {}
    for unit in units:
        try:
            time = os.stat(unit.path).st_mtime_ns
        except OSError:
            continue
        found[unit.package_id] = min(time, found.get(unit.package_id, time))
    return found


def sources_of(library: str, workspace: CargoWorkspace) -> Iterator[str]:
    """Yield the source files of the library, except those that build scripts generated."""
    made = (workspace.build_folder + os.sep, workspace.target_folder + os.sep)
    try:
        with open(os.path.splitext(library)[0] + ".d", "rb") as file:
            text = os.fsdecode(file.read(_MAX_BYTES))
    except OSError:
        return
    for name in re.findall(r"(?:[^\s\\]|\\.)+", text.partition(": ")[2]):
        path = os.path.join(workspace.root, re.sub(r"\\(.)", r"\1", name))
        if not path.startswith(made):
            yield path


def _owned(paths: Iterable[str], packages: list[SourcePackage]) -> dict[str, set[str]]:
    """Return the files and folders of each package, by its folder.

    A file in none of them, such as an included text from elsewhere, counts for all.
    """
    found: dict[str, set[str]] = {one.folder: set() for one in packages}
    for path in paths:
        inside = [folder for folder in found if path.startswith(folder + os.sep)]
        for owner in [max(inside, key=len)] if inside else list(found):
            place = path
            while place not in found[owner]:
                found[owner].add(place)
                if place == owner or not inside:
                    break
                place = os.path.dirname(place)
    return found


def _was_put_after(path: str, built: int) -> bool:
    """Return whether a file or folder was put there after ``built`` with an older date.

    Cargo notices one with a newer date by itself; it does not notice a changed link.
    """
    try:
        facts = os.lstat(path)
        if stat.S_ISLNK(facts.st_mode):
            if facts.st_ctime_ns > built:
                return True
            facts = os.stat(path)
    except OSError:
        return False
    return facts.st_ctime_ns > built >= facts.st_mtime_ns
