"""``include`` and ``exclude`` in ``[package]`` of a Cargo.toml, as cargo reads them.

https://doc.rust-lang.org/cargo/reference/manifest.html#the-exclude-and-include-fields: patterns of
gitignore from the crate's root. With ``include`` it is the whole list, and git's own rules do not
count; ``exclude`` is ignored then. The manifest, the lock, the readme and the license file are
packed in any case.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from cloacina_ctl.formats.layout import PACKAGE_TOML
from cloacina_ctl.project.rust.cargo_toml import CARGO_LOCK, CARGO_TOML
from cloacina_ctl.project.selection.ignore_files import compile_patterns

if TYPE_CHECKING:
    from cloacina_ctl.project.model import PackedList
    from cloacina_ctl.project.selection.ignore_files import Patterns

EXCLUDED = "excluded by [package] of Cargo.toml"
NOT_INCLUDED = "not in `include` of [package] in Cargo.toml"


def package_list(said: PackedList) -> PackageList | None:
    """Return the list that a crate keeps for cargo, None where it keeps none."""
    include, exclude = compile_patterns(said.include), compile_patterns(said.exclude)
    if not said.include and exclude is None:
        return None
    named = (CARGO_TOML, CARGO_LOCK, PACKAGE_TOML, said.readme, said.license_file)
    always = frozenset(posixpath.normpath(name) for name in named if name)
    takes_back = any(pattern.startswith("!") for pattern in said.exclude)
    return PackageList(
        include, exclude, always, is_full=bool(said.include), opens_folders=takes_back
    )


class PackageList:
    """Which files of a crate cargo would pack."""

    def __init__(
        self,
        include: Patterns | None,
        exclude: Patterns | None,
        always: frozenset[str],
        *,
        is_full: bool,
        opens_folders: bool,
    ) -> None:
        self._include = include
        self._exclude = exclude
        self._always = always
        self._opens_folders = opens_folders
        self.is_full = is_full

    def why_out(self, path: str, *, is_folder: bool) -> str | None:
        """Return why the file stays out, or the folder with all in it; None where it is packed."""
        if path in self._always:
            return None
        if self.is_full:  # a folder is searched: a pattern may name a file in it
            is_in = is_folder or (
                self._include is not None and self._include.nearest(path, is_folder=False)
            )
            return None if is_in else NOT_INCLUDED
        if is_folder and (
            self._opens_folders or any(name.startswith(path + "/") for name in self._always)
        ):
            return None
        is_out = self._exclude is not None and self._exclude.nearest(path, is_folder=is_folder)
        return EXCLUDED if is_out else None
