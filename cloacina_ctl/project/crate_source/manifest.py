"""The Cargo.toml of a crate for its packed source, as ``cargo package`` would write it.

Nothing in it leads out of the source: inherited keys are filled in, dependencies by path name
their place in the source, and the effective keys of the workspace's root (``[patch]``,
``[replace]``, ``[profile]``, the resolver) are in the crate's own, which is a root now.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.project.crate_source.tables import (
    DEV,
    KINDS,
    filled_package,
    inherits,
    patches_of,
    places_of,
    resolved,
    table_in,
)
from cloacina_ctl.project.rust.cargo_toml import CARGO_TOML
from cloacina_ctl.project.selection.exclusions import deny_file
from cloacina_ctl.project.toml_editing import dump
from cloacina_ctl.toml import parse_toml
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from cloacina_ctl.project.crate_source.local_packages import LocalPackage
    from cloacina_ctl.project.crate_source.tables import Dependency, Table
    from cloacina_ctl.project.rust.cargo_toml import Manifests

LEAD = b"# Written by cloacina-ctl from the Cargo.toml of the crate and of its workspace.\n"
_OF_A_ROOT = ("workspace", "patch", "replace", "profile")
_TARGETS = {"bin": "src/bin", "example": "examples", "test": "tests", "bench": "benches"}
_RESOLVERS = {"2021": "2", "2024": "3"}
_BESIDE = ("readme", "license-file")


class WrittenCargoToml(NamedTuple):
    """A Cargo.toml for the packed source, and the files that it names and that must be added.

    ``beside`` are paths on the disk by the name that each gets beside the Cargo.toml.
    """

    text: bytes
    beside: Mapping[str, str] = {}


def normal_manifest(
    package: LocalPackage, packages: Collection[LocalPackage], packed: Collection[str]
) -> WrittenCargoToml:
    """Return the Cargo.toml of ``package`` among ``packages``, whose files ``packed`` are.

    ``packed`` are paths in the packed source.
    """
    return _Writer(package, packages, packed).write()


def missing_targets(package: LocalPackage, packed: Collection[str]) -> bool:
    """Return whether the package declares a program, example or test without a packed file."""
    name = str(table_in(package.manifests.table, "package").get("name"))
    return any(
        not _is_there(entry, kind, name, package, packed)
        for kind in _TARGETS
        for entry in _entries(package.manifests.table, kind)
    )


class _Writer:
    """Writes one manifest."""

    def __init__(
        self,
        package: LocalPackage,
        packages: Collection[LocalPackage],
        packed: Collection[str],
    ) -> None:
        self._package = package
        self._places = {one.folder: one.place for one in packages}
        self._packed = packed
        self._manifests = package.manifests
        self._beside: dict[str, str] = {}

    def write(self) -> WrittenCargoToml:
        is_root = not self._package.place
        table = {
            key: value for key, value in self._manifests.table.items() if key not in _OF_A_ROOT
        }
        table["package"] = self._filled()
        if inherits(table.get("lints")):
            shared = table_in(self._manifests.workspace_table, "workspace")
            table["lints"] = table_in(shared, "lints")
        for kind in _TARGETS:
            if kind in table:
                table[kind] = self._targets(kind)
        self._replace_dependencies(table, with_dev=is_root)
        if is_root:
            table.update(self._of_the_root())
        ordered = {"package": table.pop("package"), **{k: v for k, v in table.items() if v != []}}
        text = LEAD + dump(ordered)
        if parse_toml(text, where=CARGO_TOML) != ordered:  # such as NaN
            where = self._package.path(CARGO_TOML)
            raise Refused.of(Code.BAD_TOML, "a value that cannot be written out", where=where)
        return WrittenCargoToml(text, self._beside)

    def _filled(self) -> Table:
        """Return ``[package]``; files outside of its folder are added beside it, or removed."""
        found = filled_package(self._manifests)
        for key in _BESIDE:
            value = found.get(key)
            if not isinstance(value, str) or self._package.path(value) in self._packed:
                continue
            del found[key]
            full = os.path.normpath(os.path.join(self._package.folder, value))
            name = os.path.basename(full)
            if self._may_come_along(full, name):
                found[key] = name
                if self._package.path(name) not in self._packed:
                    self._beside[name] = os.path.join(os.path.realpath(os.path.dirname(full)), name)
        run = found.get("default-run")
        if run is not None and "bin" in self._manifests.table:
            names = [entry.get("name") for entry in self._targets("bin")]
            if run not in names and f"{_TARGETS['bin']}/{run}.rs" not in self._packed:
                del found["default-run"]
        return found

    def _may_come_along(self, path: str, name: str) -> bool:
        """Return whether a file outside of the crate belongs to the workspace."""
        top = os.path.join(os.path.realpath(self._manifests.workspace_folder), "")
        inside = os.path.realpath(path).startswith(top) and not os.path.islink(path)
        return inside and os.path.isfile(path) and deny_file(name) is None

    def _targets(self, kind: str) -> list[Table]:
        name = str(table_in(self._manifests.table, "package").get("name"))
        return [
            entry
            for entry in _entries(self._manifests.table, kind)
            if _is_there(entry, kind, name, self._package, self._packed)
        ]

    def _replace_dependencies(self, table: Table, *, with_dev: bool) -> None:
        """Write out all dependencies; those for tests only if they are available."""
        if "target" in table:
            targets = table_in(table, "target")
            table["target"] = {key: dict(table_in(targets, key)) for key in targets}
        for place in places_of(table):
            for name, kind in KINDS.items():
                if name not in place:
                    continue
                found = {}
                for key, value in table_in(place, name).items():
                    one = resolved(key, kind, value, self._manifests)
                    if kind != DEV or (with_dev and self._is_placed(one)):
                        found[key] = self._placed(one)
                place[name] = found

    def _is_placed(self, one: Dependency) -> bool:
        return one.path is None or one.path in self._places

    def _placed(self, one: Dependency) -> Table:
        """Return the dependency with the path to its place in the packed source."""
        if one.path is None:
            return one.table
        here = self._package.place or os.curdir
        there = self._places[one.path] or os.curdir
        return {**one.table, "path": os.path.relpath(there, here).replace(os.sep, "/")}

    def _of_the_root(self) -> Table:
        """Return the keys that cargo reads only in the Cargo.toml of a workspace's root."""
        top = self._manifests.workspace_table
        found: Table = {key: top[key] for key in ("profile",) if key in top}
        for name, one in patches_of(self._manifests):
            if self._is_placed(one):
                first, _, source = name.partition(".")
                entries = found.setdefault(first, {})
                entries = entries.setdefault(source, {}) if source else entries
                entries[one.key] = self._placed(one)
        workspace: Table = {}
        resolver = _resolver(self._manifests)
        if resolver is not None:
            workspace["resolver"] = resolver
        apart = sorted(place for place in self._places.values() if place)
        if apart:  # they are dependencies, not members: requirements of their tests are missing
            workspace["exclude"] = apart
        return {**found, "workspace": workspace}


def _resolver(manifests: Manifests) -> str | None:
    """Return the resolver of the workspace: as stated, or by the edition of its root package."""
    top = manifests.workspace_table
    said = table_in(top, "workspace").get("resolver") or table_in(top, "package").get("resolver")
    if said is not None:
        return str(said)
    if "package" not in top:
        return "1"
    at_top = manifests._replace(folder=manifests.workspace_folder, table=top)
    return _RESOLVERS.get(str(filled_package(at_top).get("edition")))


def _entries(table: Table, kind: str) -> list[Table]:
    value = table.get(kind)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _is_there(
    entry: Table, kind: str, package: str, at: LocalPackage, packed: Collection[str]
) -> bool:
    """Return whether the file of a target is packed, by the places where cargo looks for it."""
    name, said = entry.get("name"), entry.get("path")
    folder = _TARGETS[kind]
    places = (
        [said] if isinstance(said, str) else [f"{folder}/{name}.rs", f"{folder}/{name}/main.rs"]
    )
    if kind == "bin" and not isinstance(said, str) and name == package:
        places.append("src/main.rs")
    return any(at.path(place) in packed for place in places)
