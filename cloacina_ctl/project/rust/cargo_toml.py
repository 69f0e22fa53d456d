"""Reads a crate's Cargo.toml as TOML.

No process is started: cargo itself would run what the project's configuration names.
"""

from __future__ import annotations

import fnmatch
import os
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import CloacinaError, Code, Refused, UsageError
from cloacina_ctl.project.model import Crate, PackedList
from cloacina_ctl.project.own_files import read_own_text, read_own_toml
from cloacina_ctl.project.rust.cargo_lock import MAX_LOCK, CargoLock, read_lock
from cloacina_ctl.project.rust.cfg import closure
from cloacina_ctl.project.rust.cloacina_crates import also_locked, cloacina_crates, is_ours
from cloacina_ctl.releases.table import release_of_crate
from cloacina_ctl.suggestions import did_you_mean
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloacina_ctl.project.rust.cloacina_crates import CloacinaCrate

CARGO_TOML = "Cargo.toml"
CARGO_LOCK = "Cargo.lock"
MAX_MEMBERS = 1000
_CLOACINA = ("cloacina-workflow", "cloacina")

Table = dict[str, Any]


class _Manifest(NamedTuple):
    """One Cargo.toml: its folder and content; ``files`` of a crate that is not on disk."""

    folder: str
    table: Table
    files: frozenset[str] | None = None

    def has(self, path: str) -> bool:
        """Return whether the crate has that file: among ``files``, else on the disk."""
        if self.files is not None:
            return path in self.files
        return os.path.isfile(os.path.join(self.folder, path))

    @property
    def package(self) -> Table:
        return _table(self.table, "package")

    @property
    def workspace(self) -> Table | None:
        return _table(self.table, "workspace") if "workspace" in self.table else None


def read_crate(folder: str, member: str | None = None) -> Crate:
    """Return the crate in ``folder``, or the member of its workspace that is called ``member``.

    Raises ``Refused`` for a Cargo.toml that is not TOML or holds no package, and for a workspace
    of several members where none was chosen; ``UsageError`` for a member that is not there.
    """
    top = _read(os.path.abspath(folder))
    members = _members(top)
    chosen = _choose(top, members, member)
    workspace = _workspace_of(chosen, top)
    return _crate(chosen, workspace, tuple(sorted(members)))


class Manifests(NamedTuple):
    """A package's Cargo.toml and the one of the workspace that it inherits from, maybe the same."""

    folder: str
    table: Table
    workspace_folder: str
    workspace_table: Table


def read_manifests(folder: str) -> Manifests:
    """Return the Cargo.toml in ``folder`` and its workspace's; as ``read_crate``."""
    manifest = _read(folder)
    workspace = _workspace_of(manifest, manifest)
    return Manifests(folder, manifest.table, workspace.folder, workspace.table)


def member_folders(folder: str) -> tuple[str, ...]:
    """Return the folders of the members of the workspace in ``folder``, its own left out."""
    return tuple(sorted({member.folder for member in _members(_read(folder)).values()} - {folder}))


def read_packed_crate(table: Table, files: frozenset[str]) -> Crate:
    """Return the crate from its Cargo.toml alone, with ``files`` as its files.

    Keys that it would inherit from a workspace are missing.
    """
    manifest = _Manifest("", table, files)
    return _crate(manifest, manifest, ())


def _features(table: Table) -> dict[str, list[str]]:
    return {key: _texts(_table(table, "features"), key) for key in _table(table, "features")}


def _choose(top: _Manifest, members: dict[str, _Manifest], member: str | None) -> _Manifest:
    own = top.package.get("name")
    if member is not None and member != own:
        if member in members:
            return members[member]
        raise UsageError.of(
            Code.USAGE, f"no such package in the workspace: {member}",
            where=os.path.join(top.folder, CARGO_TOML),
            hint=did_you_mean(member, members) or _listed(members),
        )  # fmt: skip
    if own is not None:
        return top
    if len(members) == 1:
        return next(iter(members.values()))
    if top.workspace is None:
        raise Refused.of(
            Code.NO_PROJECT, "neither [package] with a name nor [workspace]", where=CARGO_TOML
        )
    raise Refused.of(
        Code.SEVERAL_MEMBERS,
        f"a workspace with several members: {', '.join(sorted(members))}"
        if members
        else "a workspace without members",
        where=CARGO_TOML,
        hint="choose one with --package NAME" if members else None,
    )


def _listed(members: dict[str, _Manifest]) -> str | None:
    return f"there are {', '.join(sorted(members))}" if members else None


def _read(folder: str) -> _Manifest:
    return _Manifest(folder, read_own_toml(folder, CARGO_TOML))


def _members(top: _Manifest) -> dict[str, _Manifest]:
    """Return the members of the workspace by name; the package of the folder itself is one."""
    found: dict[str, _Manifest] = {}
    workspace = top.workspace or {}
    excluded = {os.path.normpath(os.path.join(top.folder, p)) for p in _texts(workspace, "exclude")}
    for pattern in _texts(workspace, "members"):
        for folder in _matching(top.folder, pattern):
            if folder not in excluded and os.path.isfile(os.path.join(folder, CARGO_TOML)):
                manifest = _read(folder)
                name = manifest.package.get("name")
                if isinstance(name, str) and len(found) < MAX_MEMBERS:
                    found[name] = manifest
    return found


def _matching(folder: str, pattern: str) -> Iterator[str]:
    """Yield the folders that a pattern of members stands for, below or beside the workspace."""
    if os.path.isabs(pattern) or "\0" in pattern:
        return
    folders = [folder]
    for part in pattern.replace("\\", "/").split("/"):
        if part in ("", "."):
            continue
        if any(c in part for c in "*?["):
            folders = [
                os.path.join(place, name)
                for place in folders
                for name in _folders_in(place)
                if fnmatch.fnmatchcase(name, part)
            ][:MAX_MEMBERS]
        else:
            folders = [os.path.join(place, part) for place in folders]
    yield from (os.path.normpath(place) for place in folders)


def _folders_in(folder: str) -> list[str]:
    return _names_in(folder, os.DirEntry.is_dir)


def _names_in(folder: str, kind: Callable[..., bool]) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if kind(entry, follow_symlinks=False))
    except OSError:
        return []


def _workspace_of(manifest: _Manifest, top: _Manifest) -> _Manifest:
    """Return the manifest of the workspace that a crate inherits from: its own, or one above."""
    if manifest.workspace is not None:
        return manifest
    if top.workspace is not None:
        return top
    named = manifest.package.get("workspace")
    if isinstance(named, str) and "\0" not in named:
        return _read(os.path.normpath(os.path.join(manifest.folder, named)))
    folder = manifest.folder
    while os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
        if os.path.isfile(os.path.join(folder, CARGO_TOML)):
            above = _read(folder)
            if above.workspace is not None:
                excluded = _texts(above.workspace, "exclude")
                inside = os.path.relpath(manifest.folder, folder)
                left_out = any(inside == e or inside.startswith(f"{e}/") for e in excluded)
                return manifest if left_out else above
    return manifest


def _crate(manifest: _Manifest, workspace: _Manifest, members: tuple[str, ...]) -> Crate:
    shared = workspace.workspace or {}
    package = _inherited(manifest.package, _table(shared, "package"))
    name = package.get("name")
    if not isinstance(name, str):
        raise Refused.of(Code.PROJECT_NAME, "[package] has no name", where=CARGO_TOML)
    lib = _table(manifest.table, "lib")
    lib_path = _text(lib, "path") or "src/lib.rs"
    has_lib = manifest.has(lib_path)
    features = _features(manifest.table)
    dependencies = dict(_dependencies(manifest.table, _table(shared, "dependencies")))
    version = _text(package, "version")
    lock = _lock(workspace) if _uses_cloacina(dependencies) else CargoLock()
    own = (name, version or "")
    cloacina = cloacina_crates(own, dependencies, lock)
    types = _texts(lib, "crate-type") or _texts(lib, "crate_type")
    return Crate(
        root=manifest.folder,
        name=name,
        lib_name=_text(lib, "name") or name.replace("-", "_"),
        has_lib=has_lib,
        crate_types=tuple(types),
        features=tuple(sorted(features.keys() - {"default"})),
        default_features=_on_by_default(features),
        dependencies=tuple(sorted(dependencies)),
        cloacina_release=_release(cloacina),
        build_script=_build_script(manifest),
        has_lock_file=workspace.has(CARGO_LOCK),
        workspace_members=members,
        lib_path=lib_path,
        workspace_root=workspace.folder,
        version=version,
        description=" ".join((_text(package, "description") or "").split()) or None,
        authors=tuple(_texts(package, "authors")),
        license=_license(_text(package, "license")),
        homepage=_text(package, "homepage"),
        repository=_text(package, "repository"),
        keywords=tuple(sorted(set(_texts(package, "keywords")))),
        packed_list=PackedList(
            include=tuple(_texts(package, "include")),
            exclude=tuple(_texts(package, "exclude")),
            readme=_text(package, "readme"),
            license_file=_text(package, "license-file"),
        ),
        cloacina=cloacina,
        beside=also_locked(own, dependencies, cloacina, lock),
        programs=tuple(_programs(manifest)),
        aborting=tuple(_aborting(_table(workspace.table, "profile"))),
        enables=tuple(sorted(_enables(features, dependencies))),
    )


def _lock(workspace: _Manifest) -> CargoLock:
    """Return the workspace's lock, empty where there is none that can be read."""
    if workspace.files is not None or not workspace.has(CARGO_LOCK):
        return CargoLock()
    try:
        data = read_own_text(workspace.folder, CARGO_LOCK, max_bytes=MAX_LOCK)
    except CloacinaError:
        return CargoLock()  # cargo reports the problem
    return read_lock(data.decode("utf-8", "replace"))


def _uses_cloacina(dependencies: dict[str, Table]) -> bool:
    return any(is_ours(str(entry.get("package", key))) for key, entry in dependencies.items())


def _programs(manifest: _Manifest) -> Iterator[str]:
    """Yield the root files of the crate's programs that are there."""
    named = manifest.table.get("bin")
    said = [_text(one, "path") for one in named if isinstance(one, dict)] if isinstance(
        named, list
    ) else []  # fmt: skip
    found = ["src/main.rs", *filter(None, said)]
    if manifest.files is None:
        folder = os.path.join(manifest.folder, "src", "bin")
        found += [
            f"src/bin/{name}"
            for name in _names_in(folder, os.DirEntry.is_file)
            if name.endswith(".rs")
        ]
        found += [f"src/bin/{name}/main.rs" for name in _folders_in(folder)]
    yield from (path for path in dict.fromkeys(found) if manifest.has(path))


def _aborting(profiles: Table) -> Iterator[str]:
    for name in sorted(profiles):
        if _table(profiles, name).get("panic") == "abort":
            yield name


def _inherited(package: Table, shared: Table) -> Table:
    """Return the package's fields, those with ``workspace = true`` from the workspace's."""
    return {
        key: shared.get(key) if _is_inherited(value) else value for key, value in package.items()
    }


def _is_inherited(value: object) -> bool:
    return isinstance(value, dict) and value.get("workspace") is True


def _dependencies(table: Table, shared: Table) -> Iterator[tuple[str, Table]]:
    """Yield the name in code and the table of each dependency, of every target."""
    places = [table, *(t for t in _table(table, "target").values() if isinstance(t, dict))]
    for place in places:
        for key, value in _table(place, "dependencies").items():
            entry = {"version": value} if isinstance(value, str) else value
            if _is_inherited(value):
                common = shared.get(key)
                entry = {"version": common} if isinstance(common, str) else common
            yield key, entry if isinstance(entry, dict) else {}


def _on_by_default(features: dict[str, list[str]]) -> tuple[str, ...]:
    """Return the features that are on by default, also through another."""
    return tuple(sorted(closure(features, ["default"]) - {"default"}))


def _enables(
    features: dict[str, list[str]], dependencies: dict[str, Table]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what each feature turns on; an optional dependency that no `dep:` names is one too."""
    named = {one for enabled in features.values() for one in enabled if one.startswith("dep:")}
    for name, enabled in features.items():
        yield name, tuple(enabled)
    for name, entry in dependencies.items():
        is_one = entry.get("optional") is True and f"dep:{name}" not in named
        if is_one and name not in features:
            yield name, ()


def _release(cloacina: tuple[CloacinaCrate, ...]) -> str | None:
    """Return the version of Cloacina that is required; where that may be several, the lock's."""
    for wanted in _CLOACINA:
        for one in cloacina:
            if one.name == wanted:
                known = release_of_crate(one.requirement) is not None
                return one.requirement if known else one.version or one.requirement
    return None


def _build_script(manifest: _Manifest) -> str | None:
    """Return the path of the build script: ``build.rs`` is one unless the package says no."""
    said = manifest.package.get("build")
    if said is False:
        return None
    path = said if isinstance(said, str) else "build.rs"
    return path if manifest.has(path) else None


def _license(text: str | None) -> str | None:
    """Return an SPDX expression; cargo once allowed ``/`` for OR, and many crates still use it."""
    return None if text is None else " OR ".join(part.strip() for part in text.split("/"))


def _table(table: Table, key: str) -> Table:
    value = table.get(key)
    return value if isinstance(value, dict) else {}


def _text(table: Table, key: str) -> str | None:
    value = table.get(key)
    return value if isinstance(value, str) and value else None


def _texts(table: Table, key: str) -> list[str]:
    value = table.get(key)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
