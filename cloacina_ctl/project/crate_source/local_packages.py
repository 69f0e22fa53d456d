"""Finds the packages of a crate that lie in folders, and their places in the packed source.

A crate that needs nothing above it is packed as it is, with the packages in its folder. Any other
is packed with the packages that it is built of: those in its folder keep their place, those outside
of it go under ``path-dependencies/``.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, Diagnostic, Refused, first_of
from cloacina_ctl.project.crate_source.tables import (
    DEV,
    MOST_NAMED,
    dependencies_of,
    inherited_keys,
    patches_of,
    table_in,
)
from cloacina_ctl.project.own_files import read_own_toml
from cloacina_ctl.project.rust.cargo_lock import MAX_LOCK
from cloacina_ctl.project.rust.cargo_toml import (
    CARGO_LOCK,
    CARGO_TOML,
    member_folders,
    read_manifests,
)
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from cloacina_ctl.project.model import Crate
    from cloacina_ctl.project.rust.cargo_toml import Manifests

PLACE = "path-dependencies"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class LocalPackage(NamedTuple):
    """A package in a folder; ``place`` is its folder in the packed source, empty for the crate.

    ``is_outside`` is true if it does not lie in the crate's folder.
    """

    name: str
    place: str
    manifests: Manifests
    is_outside: bool = False

    @property
    def folder(self) -> str:
        """Its folder, as spelled in the Cargo.toml that names it."""
        return self.manifests.folder

    @property
    def on_disk(self) -> str:
        """The folder from which its files are read: one outside of the crate may be a link."""
        return os.path.realpath(self.folder) if self.is_outside else self.folder

    def path(self, name: str) -> str:
        """Return the path in the packed source of ``name``, relative to its own folder."""
        return os.path.normpath(os.path.join(self.place, name))


class Needed(NamedTuple):
    """A folder that a Cargo.toml names, under which name and in which place."""

    name: str
    folder: str
    named_in: str


def stands_alone(crate: Crate, packed: Collection[str]) -> bool:
    """Return whether cargo needs only the files ``packed`` (from its root) for the crate.

    That is so where it belongs to no workspace above it, and every member, dependency by path
    and patch lies in its folder and is packed.
    """
    if crate.workspace_root not in (None, crate.root):
        return False
    folders = [crate.root, *member_folders(crate.root)]
    seen: set[str] = set()
    while folders:
        folder = folders.pop()
        if folder in seen:
            continue
        seen.add(folder)
        inside = os.path.relpath(folder, crate.root)
        if os.path.normpath(os.path.join(inside, CARGO_TOML)) not in packed:
            return False
        manifests = read_manifests(folder)
        if manifests.workspace_folder not in (folder, crate.root):
            return False
        folders += [one.folder for one in _needed(manifests, with_patches=folder == crate.root)]
    return True


def find_packages(crate: Crate) -> tuple[LocalPackage, ...]:
    """Return the crate, first, and the packages in folders that a build of it takes.

    Raises ``Refused`` for a folder without a package (R015), and as ``read_manifests`` does.
    """
    top = read_manifests(crate.root)
    known = _locked_names(top.workspace_folder)
    found: dict[str, LocalPackage] = {}
    left = [Needed(crate.name, crate.root, CARGO_TOML)]
    while left:
        one = left.pop(0)
        if one.folder in found:
            continue
        manifests = _manifests_of(one, crate.root)
        name = str(table_in(manifests.table, "package").get("name") or one.name)
        inside = os.path.relpath(one.folder, crate.root)
        is_outside = inside.split(os.sep)[0] == os.pardir
        place = "" if inside == os.curdir else inside
        if is_outside:
            place = _place(name, crate.root, found.values())
        found[one.folder] = LocalPackage(name, place, manifests, is_outside)
        is_root = one.folder == crate.root
        left += _taken(manifests, known, crate.root, is_root=is_root)
    return tuple(found.values())


def _taken(
    manifests: Manifests, locked: frozenset[str], root: str, *, is_root: bool
) -> Iterator[Needed]:
    """Yield the packages of a build: without those for tests only, and unused patches."""
    where = _shown(manifests.folder, root)
    for one in dependencies_of(manifests):
        if one.path is not None:
            needed = Needed(one.package, one.path, where)
            if one.kind != DEV:
                yield needed
            else:
                _manifests_of(needed, root)  # cargo looks for it here, before it builds anything
    for _, patch in patches_of(manifests) if is_root else ():
        name = patch.package.partition(":")[0]
        if patch.path is not None:
            needed = Needed(name, patch.path, _shown(manifests.workspace_folder, root))
            if name in locked:
                yield needed
            else:
                _manifests_of(needed, root)


def _needed(manifests: Manifests, *, with_patches: bool) -> Iterator[Needed]:
    """Yield every folder that cargo requires when it reads the package."""
    for one in dependencies_of(manifests):
        if one.path is not None:
            yield Needed(one.key, one.path, CARGO_TOML)
    for _, patch in patches_of(manifests) if with_patches else ():
        if patch.path is not None:
            yield Needed(patch.key, patch.path, CARGO_TOML)


def _manifests_of(one: Needed, root: str) -> Manifests:
    if not os.path.isfile(os.path.join(one.folder, CARGO_TOML)):
        raise Refused(
            Diagnostic(
                Code.PATH_DEPENDENCY,
                f"`{one.name}` is a dependency by path, and there is no package in the folder "
                f"{_shown(one.folder, root, folder_only=True)}",
                one.named_in,
                "correct the path, or name a published version",
            )
        )
    manifests = read_manifests(one.folder)
    if manifests.workspace_folder == one.folder and inherited_keys(manifests.table):
        keys = inherited_keys(manifests.table)
        if "workspace" not in manifests.table:
            raise Refused(no_workspace(keys, _shown(one.folder, root)))
    return manifests


def no_workspace(keys: tuple[str, ...], where: str) -> Diagnostic:
    """Return the finding for a Cargo.toml whose workspace is missing."""
    return Diagnostic(
        Code.NO_WORKSPACE,
        f"it takes {first_of(keys, MOST_NAMED)} from a workspace, and there is none",
        where,
        "package the member in its workspace: `cloacina-ctl package` writes these keys out",
    )


def _shown(folder: str, root: str, *, folder_only: bool = False) -> str:
    inside = os.path.relpath(folder, root)
    return inside if folder_only else os.path.normpath(os.path.join(inside, CARGO_TOML))


def _place(name: str, root: str, others: Collection[LocalPackage]) -> str:
    """Return the place of a package outside of the crate: an unused folder of its own."""
    taken = {one.place for one in others}
    wanted = f"{PLACE}/{name if _NAME.fullmatch(name) else 'package'}"
    place, number = wanted, 1
    while place in taken or os.path.lexists(os.path.join(root, place)):  # or two of one name
        number += 1
        place = f"{wanted}-{number}"
    return place


def _locked_names(workspace: str) -> frozenset[str]:
    """Return the names of all packages in the lock; a build takes no others."""
    if not os.path.isfile(os.path.join(workspace, CARGO_LOCK)):
        return frozenset()
    table: dict[str, Any] = read_own_toml(workspace, CARGO_LOCK, max_bytes=MAX_LOCK)
    packages = table.get("package")
    entries = packages if isinstance(packages, list) else []
    return frozenset(str(one.get("name")) for one in entries if isinstance(one, dict))
