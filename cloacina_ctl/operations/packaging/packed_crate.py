"""The source of a crate in a native package, read from memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.formats.layout import SOURCE_FOLDER
from cloacina_ctl.inspection.legacy_contents import MAX_SOURCES, is_of_crate
from cloacina_ctl.manifest import Language
from cloacina_ctl.project.rust.cargo_toml import CARGO_TOML
from cloacina_ctl.toml import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloacina_ctl.formats.file_index import FileEntry
    from cloacina_ctl.formats.native.head import Head
    from cloacina_ctl.project.packaged import PackedSource


def crate_members(head: Head) -> tuple[FileEntry, ...]:
    """Return the files that state what a crate declares and how it is built, up to a total."""
    if head.manifest.language is not Language.RUST:
        return ()
    left, found = MAX_SOURCES, []
    for file in head.files:
        name = str(file.path).removeprefix(SOURCE_FOLDER)
        if file.path.startswith(SOURCE_FOLDER) and is_of_crate(name) and file.size <= MAX_BYTES:
            left -= file.size
            if left >= 0:
                found.append(file)
    return tuple(found)


def crate_in(head: Head, files: Mapping[str, bytes]) -> PackedSource | None:
    """Return what the crate declares, of which ``files`` hold what ``crate_members`` named.

    None where the package holds no crate.
    """
    from cloacina_ctl.project.packaged import read_packed_crate

    start = len(SOURCE_FOLDER)
    sources = {path[start:]: data for path, data in files.items() if path.startswith(SOURCE_FOLDER)}
    if CARGO_TOML not in sources:
        return None
    paths = {str(one.path)[start:] for one in head.files if one.path.startswith(SOURCE_FOLDER)}
    return read_packed_crate(sources, paths, SOURCE_FOLDER)
