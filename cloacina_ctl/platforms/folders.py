"""The folders in which a library searches for others, as facts and as words.

Kept apart from ``search_path``, which changes them, so that this module imports no reader of
binaries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.files.overlay import Patch
    from cloacina_ctl.platforms.library import Library

_ORIGINS = ("$ORIGIN", "${ORIGIN}")


class SearchPath(NamedTuple):
    """The folders that break a library on other machines, and the patches that remove them.

    ``removed`` are the folders that the patches remove, ``left`` those that they cannot: in both,
    an empty text is the current folder.
    """

    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    patches: tuple[Patch, ...] = ()


def is_beside(folder: str) -> bool:
    """Return whether an entry of a search path is relative to the library, as in wheels."""
    return any(folder == origin or folder.startswith(origin + "/") for origin in _ORIGINS)


def fixed_folders(library: Library) -> tuple[str, ...]:
    """Return the entries of the search paths that name a folder of one machine."""
    paths = [path for path in (library.rpath, library.runpath) if path is not None]
    entries = (entry for path in paths for entry in path.split(":"))
    return tuple(dict.fromkeys(entry for entry in entries if not is_beside(entry)))


def searches(folders: Iterable[str]) -> str:
    """Return the message for a library that searches ``folders``."""
    return f"it searches for other libraries in {folder_names(folders)}"


def folder_names(folders: Iterable[str]) -> str:
    """Return the entries of a search path for people."""
    return ", ".join(one or "the current folder" for one in folders)
