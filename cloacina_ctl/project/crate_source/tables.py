"""A Cargo.toml with nothing left to a workspace: inherited keys filled in, paths absolute.

The rules are those of cargo's reference: `the workspace table
<https://doc.rust-lang.org/cargo/reference/workspaces.html>`_ for what is inherited, `inheriting a
dependency <https://doc.rust-lang.org/cargo/reference/specifying-dependencies.html>`_ for how the
keys of both places join.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.rust.cargo_toml import Manifests

Table = dict[str, Any]
DEPENDENCIES, BUILD, DEV = "dependencies", "build-dependencies", "dev-dependencies"
KINDS = {
    DEPENDENCIES: DEPENDENCIES,
    BUILD: BUILD,
    "build_dependencies": BUILD,
    DEV: DEV,
    "dev_dependencies": DEV,
}
MOST_NAMED = 3  # keys in one message
_PATHS = ("readme", "license-file")


class Dependency(NamedTuple):
    """One dependency: its name in code, its kind, its keys; ``path`` is absolute."""

    key: str
    kind: str
    table: Table
    path: str | None = None

    @property
    def package(self) -> str:
        """The name of the package, which may differ from the name in code."""
        return str(self.table.get("package", self.key))


def table_in(table: Table, key: str) -> Table:
    """Return the table at ``key``, empty if there is none."""
    value = table.get(key)
    return value if isinstance(value, dict) else {}


def texts_in(table: Table, key: str) -> list[str]:
    """Return the strings in the list at ``key``."""
    value = table.get(key)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def inherits(value: object) -> bool:
    """Return whether a value is inherited from the workspace."""
    return isinstance(value, dict) and value.get("workspace") is True


def inherited_keys(table: Table) -> tuple[str, ...]:
    """Return the keys of a Cargo.toml that only its workspace fills in, sorted."""
    package = table_in(table, "package")
    found = {f"package.{key}" for key, value in package.items() if inherits(value)}
    if inherits(table.get("lints")):
        found.add("lints")
    for place in places_of(table):
        for name in KINDS:
            entries = table_in(place, name)
            found |= {f"{name}.{key}" for key, value in entries.items() if inherits(value)}
    return tuple(sorted(found))


def places_of(table: Table) -> tuple[Table, ...]:
    """Return the tables of a Cargo.toml with dependencies: its own, and each target's."""
    targets = table_in(table, "target").values()
    return (table, *(target for target in targets if isinstance(target, dict)))


def filled_package(manifests: Manifests) -> Table:
    """Return ``[package]`` with inherited keys; paths are relative to the package's own folder."""
    shared = table_in(table_in(manifests.workspace_table, "workspace"), "package")
    found: Table = {}
    for key, value in table_in(manifests.table, "package").items():
        if key == "workspace":
            continue
        if not inherits(value):
            found[key] = value
        elif key in shared:
            found[key] = shared[key]
            if key in _PATHS and isinstance(shared[key], str):
                full = os.path.join(manifests.workspace_folder, shared[key])
                found[key] = os.path.relpath(full, manifests.folder)
    return found


def dependencies_of(manifests: Manifests) -> Iterator[Dependency]:
    """Yield each dependency of the package, of every kind and target."""
    for place in places_of(manifests.table):
        for name, kind in KINDS.items():
            for key, value in table_in(place, name).items():
                yield resolved(key, kind, value, manifests)


def resolved(key: str, kind: str, value: object, manifests: Manifests) -> Dependency:
    """Return one dependency with all its keys, those of the workspace joined with its own."""
    own = {"version": value} if isinstance(value, str) else value
    own = dict(own) if isinstance(own, dict) else {}
    folder = manifests.folder
    if inherits(own):
        own, folder = _joined(key, own, manifests), manifests.workspace_folder
    path = own.get("path")
    is_path = isinstance(path, str) and "\0" not in path
    at = os.path.normpath(os.path.join(folder, str(path))) if is_path else None
    return Dependency(key, kind, own, at)


def _joined(key: str, own: Table, manifests: Manifests) -> Table:
    """Return the workspace's entry with the keys that a member may add: features, optional."""
    common = table_in(table_in(manifests.workspace_table, "workspace"), DEPENDENCIES).get(key)
    found: Table = {"version": common} if isinstance(common, str) else {}
    if isinstance(common, dict):
        found.update(common)
    features = [*texts_in(found, "features"), *texts_in(own, "features")]
    if features:
        found["features"] = list(dict.fromkeys(features))
    for name in ("optional", "public"):
        if name in own:
            found[name] = own[name]
    named = [name for name in ("default-features", "default_features") if name in own]
    if named and own[named[0]] is True:  # a member can switch them on, but not off
        found.pop("default_features", None)
        found["default-features"] = True
    return found


def patches_of(manifests: Manifests) -> Iterator[tuple[str, Dependency]]:
    """Yield the entries of ``[patch]`` and ``[replace]`` of the workspace, and their table."""
    table = manifests.workspace_table
    sources = [("replace", table_in(table, "replace"))]
    sources += [
        (f"patch.{source}", entries)
        for source, entries in table_in(table, "patch").items()
        if isinstance(entries, dict)
    ]
    top = manifests._replace(folder=manifests.workspace_folder)
    for name, entries in sources:
        for key, value in entries.items():
            yield name, resolved(key, "patch", value, top)
