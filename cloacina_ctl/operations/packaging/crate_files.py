"""The source of a crate in a package: complete, so that it builds where nothing else is.

A crate that stands alone is packed as it is. Of a member of a workspace, or a crate with
dependencies outside of its folder, Cargo.toml and Cargo.lock are written as ``cargo package``
writes them, and what it depends on by path comes along.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.checks.project import check_selection
from cloacina_ctl.checks.rust.crate_source import RULES
from cloacina_ctl.checks.subjects import ProjectSubject
from cloacina_ctl.errors import Code, Diagnostic, Refused, Severity, first_of, refuse_errors
from cloacina_ctl.formats.layout import SOURCE_FOLDER
from cloacina_ctl.formats.plan import PlannedFile
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.project.crate_source.facts import SourceFacts, missing_reads
from cloacina_ctl.project.crate_source.settings import CONFIG_FILES, settings_between
from cloacina_ctl.project.crate_source.tables import MOST_NAMED
from cloacina_ctl.project.model import CompileRead
from cloacina_ctl.project.own_files import own_links
from cloacina_ctl.project.rust.cargo_toml import CARGO_LOCK, CARGO_TOML
from cloacina_ctl.project.selection.credentials import find_secrets
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.operations.packaging.vendoring import WorkFolder
    from cloacina_ctl.project.build.dep_info import FilesRead
    from cloacina_ctl.project.crate_source.facts import MissingRead
    from cloacina_ctl.project.crate_source.local_packages import LocalPackage
    from cloacina_ctl.project.model import (
        BuildOptions,
        Crate,
        LeftOut,
        Project,
        SelectedFile,
        Selection,
    )


# What cargo refuses as well when it looks for the packages in folders.
_OF_CARGO = (Code.PATH_DEPENDENCY, Code.NO_WORKSPACE)
_WRITTEN = "written for the crate alone"
_DEPENDENCY = "a dependency by path"


class CrateFiles(NamedTuple):
    """The files under ``source/``, what was left out of other packages, and what is worth saying.

    ``sources`` are the files on the disk that they are made of.
    """

    files: tuple[PlannedFile, ...]
    sources: frozenset[str]
    left_out: tuple[LeftOut, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def crate_files(
    project: Project, selection: Selection, options: BuildOptions, work: WorkFolder
) -> CrateFiles:
    """Return the source of the project's crate, of which ``selection`` are its own files.

    Starts cargo only where a lock must be cut, and builds nothing. Raises ``Refused`` with every
    file that the compiler would miss, and ``BuildFailed`` as ``cut_lock`` does.
    """
    from cloacina_ctl.project.crate_source.local_packages import find_packages, stands_alone
    from cloacina_ctl.project.crate_source.manifest import missing_targets

    crate = _crate(project)
    packed = _inside(selection.files)
    packages = find_packages(crate)
    alone = stands_alone(crate, packed) and not missing_targets(packages[0], packed)
    if alone:
        found = CrateFiles(
            tuple(_planned(selection.files)) + tuple(_own_lock(project.root, packed)),
            frozenset(packed.values()),
        )
    else:
        found = _Rewriting(project, selection, packages, options, work).files()
    subject = SourceFacts(
        missing=tuple(_missing(project, packages, found, selection)),
        settings=tuple(_packed_settings(found, crate.root)),
    )
    said = refuse_errors(RULES.run(subject))
    return found._replace(diagnostics=(*found.diagnostics, *said, *_left_behind(crate, found)))


def check_build(
    project: Project, selection: Selection, read: FilesRead, source: CrateFiles
) -> tuple[Diagnostic, ...]:
    """Return a warning for each file that a build script watches and that is not packed.

    Raises ``Refused`` for every file that the compiler read and that is not packed.
    """
    packed = {os.path.realpath(path) for path in source.sources}
    for path in tuple(packed):  # a folder is there where something of it is
        while (path := os.path.dirname(path)) not in packed:
            packed.add(path)
    root = os.path.realpath(project.root)

    def missing(paths: tuple[str, ...]) -> list[str]:
        lacking = (path for path in paths if os.path.realpath(path) not in packed)
        return [os.path.relpath(os.path.realpath(path), root) for path in lacking]

    reads = [CompileRead("", path, "rustc") for path in missing(read.compiled)]
    makes_files = _has_script(project)
    facts = SourceFacts(
        missing=tuple(
            missing_reads(reads, {}, selection.left_out, folder=root, makes_files=makes_files)
        ),
        watched=tuple(missing(read.watched)),
    )
    return refuse_errors(RULES.run(facts))


def _has_script(project: Project) -> bool:
    return _crate(project).build_script is not None


def project_facts(project: Project, selection: Selection) -> SourceFacts:
    """Return what can be checked of a crate's source by its own files alone."""
    facts = project.rust
    reads = facts.reads if facts is not None else ()
    packed = _inside(selection.files)
    root = project.root
    return SourceFacts(
        missing=tuple(
            missing_reads(
                reads, packed, selection.left_out, folder=root, makes_files=_has_script(project)
            )
        )
    )


def folder_problems(project: Project) -> tuple[Diagnostic, ...]:
    """Return what keeps the packages in folders that the crate takes from being found."""
    from cloacina_ctl.project.crate_source.local_packages import find_packages

    try:
        if project.rust is not None:
            find_packages(project.rust.crate)
    except Refused as error:
        return error.diagnostics
    return ()


def unbuildable(project: Project, folders: tuple[Diagnostic, ...]) -> Iterator[Diagnostic]:
    """Yield what fails every build of the crate: a folder or file that is not there.

    ``folders`` is what ``folder_problems`` found.
    """
    from cloacina_ctl.project.crate_source.facts import ABSENT

    facts = project.rust
    if facts is None:
        return
    yield from (one for one in folders if one.code in _OF_CARGO)
    reads = (one for one in facts.reads if one.is_certain)
    script = _has_script(project)
    missing = missing_reads(reads, {}, folder=project.root, makes_files=script)
    absent = (one for one in missing if one.reason == ABSENT and one.read.is_certain)
    yield from RULES.run(SourceFacts(missing=tuple(absent)))


def _crate(project: Project) -> Crate:
    if project.rust is None:
        raise Refused.of(Code.NO_PROJECT, "not a Rust project", where=project.root)
    return project.rust.crate


def _inside(files: tuple[SelectedFile, ...]) -> dict[str, str]:
    """Return the paths of files in the packed source, each with the file that it is made of."""
    return {str(file.path).removeprefix(SOURCE_FOLDER): file.source for file in files}


def _planned(files: tuple[SelectedFile, ...]) -> Iterator[PlannedFile]:
    for file in files:
        yield PlannedFile(file.path, file.source, file.size, file.executable, file.reason)


def _made(path: str, data: bytes, reason: str) -> PlannedFile:
    return PlannedFile(MemberPath.parse(SOURCE_FOLDER + path), data, len(data), False, reason)


def _own_lock(root: str, packed: dict[str, str]) -> Iterator[PlannedFile]:
    """Yield the crate's own lock where its files lack it: git often ignores that of a library."""
    path = os.path.join(root, CARGO_LOCK)
    if CARGO_LOCK in packed or not os.path.lexists(path):
        return
    for problem in own_links(root, (CARGO_LOCK,)):
        raise Refused(problem)
    try:
        size = os.lstat(path).st_size
    except OSError as error:
        raise Refused.of(Code.CHANGED, "it is gone", where=CARGO_LOCK) from error
    reason = "the compiler needs it, though it is ignored"
    yield PlannedFile(MemberPath.parse(SOURCE_FOLDER + CARGO_LOCK), path, size, False, reason)


def _below(folder: str, said: Diagnostic) -> Diagnostic:
    """Return what is said of a file in another package, with its place as seen from the crate."""
    return said._replace(where=os.path.join(folder, said.where or ""))


class _Rewriting:
    """The source of a crate that something above it or beside it belongs to."""

    def __init__(
        self,
        project: Project,
        selection: Selection,
        packages: tuple[LocalPackage, ...],
        options: BuildOptions,
        work: WorkFolder,
    ) -> None:
        self._project = project
        self._crate = _crate(project)
        self._selection = selection
        self._packages = packages
        self._options = options
        self._work = work
        self._files: dict[str, PlannedFile] = {}
        self._left_out: list[LeftOut] = []
        self._said: list[Diagnostic] = []

    def files(self) -> CrateFiles:
        """Return all files, with the manifests that are written and the lock that is cut."""
        self._take(_planned(self._selection.files))
        for package in self._packages:
            if package.is_outside:
                self._take(self._selected(package))
        manifests = dict(self._manifests())
        for path, text in manifests.items():
            self._take([_made(path, text, _WRITTEN)])
        lock = self._lock(manifests)
        if lock is not None:
            self._take([_made(CARGO_LOCK, lock, _WRITTEN)])
        files = tuple(self._files[path] for path in sorted(self._files))
        sources = {file.source for file in files if isinstance(file.source, str)}
        sources |= {os.path.join(one.folder, CARGO_TOML) for one in self._packages}
        workspace = self._crate.workspace_root or self._crate.root
        sources |= {os.path.join(workspace, name) for name in (CARGO_TOML, CARGO_LOCK)}
        return CrateFiles(files, frozenset(sources), tuple(self._left_out), tuple(self._said))

    def _take(self, files: Iterator[PlannedFile] | list[PlannedFile]) -> None:
        for file in files:
            self._files[str(file.path)] = file

    def _paths(self) -> set[str]:
        return {path.removeprefix(SOURCE_FOLDER) for path in self._files}

    def _selected(self, package: LocalPackage) -> Iterator[PlannedFile]:
        """Yield the files of a package outside of the crate, by the rules for the crate's own."""
        from cloacina_ctl.project.rust.cargo_toml import read_crate
        from cloacina_ctl.project.selection.select import crate_rules
        from cloacina_ctl.project.selection.walk import select_tree

        place = f"{SOURCE_FOLDER}{package.place}/"
        rules = crate_rules(read_crate(package.folder).packed_list)._replace(
            moves=(("", place),), markers={CARGO_TOML: "a package of its own"}
        )
        shown = os.path.relpath(package.folder, self._crate.root)
        try:
            found = select_tree(package.on_disk, rules, lambda _path, _packed: _DEPENDENCY)
        except Refused as error:
            raise Refused(*(_below(shown, one) for one in error.diagnostics)) from error
        secrets = tuple(find_secrets(found, package.on_disk))
        said = check_selection(ProjectSubject(self._project, found, secrets))
        self._said += [_below(shown, one) for one in said]
        self._left_out += [
            one._replace(path=os.path.join(shown, one.path)) for one in found.left_out
        ]
        yield from _planned(found.files)

    def _manifests(self) -> Iterator[tuple[str, bytes]]:
        from cloacina_ctl.project.crate_source.manifest import normal_manifest

        for package in self._packages:
            path = package.path(CARGO_TOML)
            if path not in self._paths():
                raise Refused.of(
                    Code.PATH_DEPENDENCY,
                    f"`{package.name}` is a dependency by path, and its folder is not packed",
                    where=path,
                    hint="take it out of `exclude` and of the ignore files",
                )
            written = normal_manifest(package, self._packages, self._paths())
            for name, source in written.beside.items():
                size = os.stat(source).st_size
                at = MemberPath.parse(SOURCE_FOLDER + package.path(name))
                self._take([PlannedFile(at, source, size, False, "named by Cargo.toml")])
            yield path, written.text

    def _lock(self, manifests: dict[str, bytes]) -> bytes | None:
        from cloacina_ctl.project.crate_source.lock import cut_lock

        workspace = self._crate.workspace_root or self._crate.root
        if not os.path.lexists(os.path.join(workspace, CARGO_LOCK)):
            return None
        sources = [path for path in self._paths() if path.endswith(".rs")]
        folder = os.path.join(self._work.path, "crate")
        return cut_lock(self._crate, manifests, sources, self._options, folder)


def _missing(
    project: Project, packages: tuple[LocalPackage, ...], found: CrateFiles, selection: Selection
) -> Iterator[MissingRead]:
    """Yield what the compiler would not find, of the crate and all packages by path."""
    from cloacina_ctl.project.rust.project import reads_of_folder

    packed = {
        str(file.path).removeprefix(SOURCE_FOLDER): file.source
        for file in found.files
        if isinstance(file.source, str)
    }
    for package in packages:  # what is written has the place of what it was written from
        packed[package.path(CARGO_TOML)] = os.path.join(package.on_disk, CARGO_TOML)
    for package in packages:
        if not package.place:
            reads = project.rust.reads if project.rust is not None else ()
            left_out, makes_files = selection.left_out, _has_script(project)
        else:
            reads, makes_files = reads_of_folder(package.folder)
            left_out = ()
        for one in missing_reads(
            reads, packed, left_out, folder=package.on_disk, place=package.place,
            makes_files=makes_files,
        ):  # fmt: skip
            below = os.path.relpath(package.folder, project.root)
            place = os.path.normpath(os.path.join(below, one.read.place))
            yield one._replace(read=one.read._replace(place=place))


def _packed_settings(found: CrateFiles, root: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    packed = {str(file.path).removeprefix(SOURCE_FOLDER) for file in found.files}
    for path, keys in settings_between(root, root):
        if path in packed and keys:
            yield path, keys


def _left_behind(crate: Crate, found: CrateFiles) -> Iterator[Diagnostic]:
    """Yield a warning for each file that configures cargo what to do here, and will not there."""
    packed = {str(file.path).removeprefix(SOURCE_FOLDER) for file in found.files}
    for path, keys in settings_between(crate.root, crate.workspace_root or crate.root):
        if path not in packed and keys:
            yield Diagnostic(
                Code.LEFT_BEHIND,
                "not packed, so a build of the packed source does not use it: "
                f"{first_of(keys, MOST_NAMED)}",
                path,
                _hint_for_settings(path),
                Severity.WARNING,
            )


def _hint_for_settings(path: str) -> str:
    copy = "to pack it, put a copy into the crate's folder"
    if path in CONFIG_FILES:
        return f'to pack it, add include = ["{path}"] to [package.metadata.cloacina]'
    return f"{copy}, and name it in `include`" if path.endswith(CONFIG_FILES) else copy
