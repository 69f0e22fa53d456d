"""Builds a crate's shared library with cargo. This runs code of the project and its dependencies.

The library is the one that cargo's own messages name for this package, inside the target folder
that we chose; it is never guessed. That folder lies under the author's, so that neither build
spoils the other's cache, and belongs to this workspace only, so that no other units get in.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from typing import TYPE_CHECKING

from cloacina_ctl.errors import BuildFailed, Code, UsageError
from cloacina_ctl.manifest import BuiltWith
from cloacina_ctl.platforms.folders import SearchPath
from cloacina_ctl.platforms.search_path import cut_search_path
from cloacina_ctl.project.build import target_folders
from cloacina_ctl.project.build.builder_paths import (
    PathLeft,
    paths_left,
    remap_flags,
    source_folders,
)
from cloacina_ctl.project.build.compiler_errors import explain
from cloacina_ctl.project.build.dep_info import FilesRead, files_read
from cloacina_ctl.project.build.freshness import FreshUnit, outdated
from cloacina_ctl.project.rust.cargo_config import (
    add_flags,
    compiler_variables,
    configured_flags,
)
from cloacina_ctl.project.rust.cargo_workspace import (
    COMMON,
    CargoWorkspace,
    ask_compiler,
    ask_workspace,
    chosen_flags,
    failed,
    home_of,
    read_json,
    refuse_several_targets,
    several_targets,
)
from cloacina_ctl.project.rust.cfg import PACKAGED, features_on
from cloacina_ctl.project.subprocesses import Program, clean_environment, find_program, run
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.project.build.builder_paths import BuilderFolder
    from cloacina_ctl.project.model import BuildOptions, Crate
    from cloacina_ctl.project.rust.cargo_workspace import SourcePackage

_RENDERED, _AS_DATA = "--message-format=json-render-diagnostics", "--message-format=json"
_COMPILER_SAID_NO = 101
_MAX_MESSAGES = 200
_LIBRARY_SUFFIXES = (".so", ".dylib", ".dll")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_FEATURE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+./?-]*")


class BuiltCrate(NamedTuple):
    """The result of a build: the library's absolute path and how it was built.

    ``paths_left`` are paths of the builder in the library; ``complete_remap`` is false if the flags
    could not remove all of them. ``compiler_variables`` are the names of environment variables that
    chose or changed the compiler. ``compiled_again`` are the recompiled packages, whose units cargo
    would have reused though they were made of other files; ``cleared`` are deleted workspaces,
    whose target folders were removed. ``search`` patches the library so that it searches no folder
    of this machine. ``files_read`` are the files that the build read.
    """

    library: str
    target_folder: str
    built_with: BuiltWith
    complete_remap: bool = True
    compiler_variables: tuple[str, ...] = ()
    paths_left: tuple[PathLeft, ...] = ()
    compiled_again: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()
    search: SearchPath = SearchPath()
    files_read: FilesRead = FilesRead()


def find_cargo() -> str:
    """Return the absolute path of cargo; raise ``BuildFailed`` with a hint if there is none."""
    path = find_program("cargo")
    if path is None:
        raise BuildFailed.of(
            Code.NO_CARGO,
            "cargo is not installed, or not in PATH",
            hint="install Rust with rustup (https://rustup.rs) or your system's package `cargo`",
        )
    return path


def build(
    crate: Crate, options: BuildOptions, on_message: Callable[[str], None] | None = None
) -> BuiltCrate:
    """Build the crate's shared library and return where it is.

    With ``on_message`` each message line of cargo and the compiler goes there; without, to our
    standard error, where a terminal gets cargo's progress bar. Raises ``BuildFailed`` where cargo
    is missing or fails (its messages were shown by then) and ``UsageError`` for options that cargo
    would misread.
    """
    _check(options)
    environment = clean_environment()
    options = _with_target_folder(options, environment)
    cargo = Program(find_cargo(), (), crate.root, environment)
    refuse_several_targets(cargo, options)
    compiler = ask_compiler(cargo)
    workspace = ask_workspace(cargo, options, compiler, on_message)
    workspace = target_folders.with_own_folders(workspace)
    folders = source_folders(workspace, cargo, compiler)
    builder, complete = _builder(cargo, crate, options, workspace, folders)
    artifacts, recompiled = _Build(builder, crate, workspace, options, on_message).run()
    library = artifacts.only()
    rustc, host = _compiler(workspace, cargo)
    search = cut_search_path(library)
    user = environment.get("USER")
    return BuiltCrate(
        library=library,
        target_folder=workspace.target_folder,
        built_with=BuiltWith(rustc, options.profile, options.target or artifacts.target or host),
        complete_remap=complete,
        compiler_variables=compiler_variables(environment),
        paths_left=paths_left(library, folders, workspace, user, search.patches),
        compiled_again=recompiled,
        cleared=target_folders.clear_abandoned(workspace),
        search=search,
        files_read=files_read(library, workspace),
    )


def _builder(
    cargo: Program,
    crate: Crate,
    options: BuildOptions,
    workspace: CargoWorkspace,
    folders: tuple[BuilderFolder, ...],
) -> tuple[Program, bool]:
    """Return cargo with all its arguments, and whether our flags reach every compilation.

    If they do not, the root's folder is at least removed from the last crate.
    """
    configured = configured_flags(cargo.folder, home_of("cargo", cargo.environment))
    added = add_flags(remap_flags(folders), cargo.environment, configured)
    own = () if added.complete else remap_flags(f for f in folders if f.path == workspace.root)
    arguments = (
        *_arguments(crate, options, workspace),
        *added.arguments,
        *_tail(crate, options, own),
    )
    environment = {**cargo.environment, **added.environment}
    return cargo._replace(arguments=arguments, environment=environment), added.complete


class _Build:
    """One build, which reuses no unit that was made of another folder's files."""

    def __init__(
        self,
        builder: Program,
        crate: Crate,
        workspace: CargoWorkspace,
        options: BuildOptions,
        on_message: Callable[[str], None] | None,
    ) -> None:
        self._builder = builder
        self._crate = crate
        self._workspace = workspace
        self._options = options
        self._on_message = on_message

    def run(self) -> tuple[_Artifacts, tuple[str, ...]]:
        """Build; return the libraries, and the packages that were recompiled."""
        options, workspace = self._options, self._workspace
        record = target_folders.BuildRecord(workspace, f"{options.target or ''}/{options.profile}")
        recompiled = record.moved()
        self._forget(recompiled)
        record.write()
        artifacts = self._once()
        suspects = outdated(artifacts.fresh, artifacts.only(), workspace)
        if suspects:
            self._forget(suspects)
            artifacts, recompiled = self._once(), (*recompiled, *suspects)
            if outdated(artifacts.fresh, artifacts.only(), workspace):
                raise _stale(workspace, suspects)
        return artifacts, tuple(dict.fromkeys(one.name for one in recompiled))

    def _once(self) -> _Artifacts:
        artifacts = _Artifacts(self._workspace)
        status = run(self._builder, artifacts.take, self._on_message)
        if status == _COMPILER_SAID_NO:
            raise BuildFailed(*failed(status).diagnostics, *self._reasons())
        if status:
            raise failed(status)
        return artifacts

    def _reasons(self) -> tuple[Diagnostic, ...]:
        """Return the compiler's errors: only the failed crate is compiled again.

        The first time the messages went to the terminal, together with cargo's progress.
        """
        lines: list[bytes] = []

        def take(line: bytes) -> None:
            if b'"compiler-message"' in line and len(lines) < _MAX_MESSAGES:
                lines.append(line)

        arguments = [_AS_DATA if one == _RENDERED else one for one in self._builder.arguments]
        run(self._builder._replace(arguments=tuple(arguments)), take, lambda _: None)
        return explain(map(read_json, lines), self._crate, self._workspace.root)

    def _forget(self, packages: Iterable[SourcePackage]) -> None:
        """Let cargo remove the units of the packages."""
        named = [f"--package={one.id}" for one in packages]
        if not named:
            return
        profile = f"--profile={self._options.profile}"
        common = chosen_flags(self._options.cargo_flags, COMMON)
        arguments = ("clean", "--quiet", profile, *named, *_network(self._options))
        arguments += (*_places(self._options, self._workspace), *common)
        status = run(self._builder._replace(arguments=arguments), lambda _: None, self._on_message)
        if status:
            raise failed(status)


def _stale(workspace: CargoWorkspace, packages: Iterable[SourcePackage]) -> BuildFailed:
    names = ", ".join(sorted({one.name for one in packages}))
    return BuildFailed.of(
        Code.STALE_UNITS,
        f"cargo reuses units that were compiled from other files: {names}",
        where=workspace.build_folder,
        hint="remove that folder, and build again",
    )


def _check(options: BuildOptions) -> None:
    """Refuse names that cargo would not read as names."""
    words = (("profile", options.profile), ("target", options.target))
    bad = [f"{what}: {word}" for what, word in words if word and not _WORD.fullmatch(word)]
    bad += [f"feature: {word}" for word in options.features if not _FEATURE.fullmatch(word)]
    if bad:
        raise UsageError.of(Code.USAGE, f"not a name of a {bad[0]}")


def _with_target_folder(options: BuildOptions, environment: dict[str, str]) -> BuildOptions:
    """Return the options without ``--target-dir`` of the author's flags, and set its value.

    As in cargo, it is relative to the current folder.
    """
    flags = list(options.cargo_flags)
    end = flags.index("--") if "--" in flags else len(flags)
    for at in range(end):
        name, equals, value = flags[at].partition("=")
        if name == "--target-dir" and (equals or at + 1 < end):
            last = at + (1 if equals else 2)
            environment["CARGO_TARGET_DIR"] = os.path.abspath(value or flags[at + 1])
            return options._replace(cargo_flags=(*flags[:at], *flags[last:]))
    return options


def _arguments(crate: Crate, options: BuildOptions, workspace: CargoWorkspace) -> tuple[str, ...]:
    arguments = [
        "rustc",
        "--lib",
        # Only this type, whatever the crate has: with an `rlib` there is no `lto` (cargo 1.95).
        "--crate-type=cdylib",
        f"--profile={options.profile}",
        _RENDERED,
        *_places(options, workspace),
    ]
    if not options.default_features:
        arguments.append("--no-default-features")
    features = _features(crate, options)
    if features:
        arguments.append(f"--features={','.join(features)}")
    if options.jobs:
        arguments.append(f"--jobs={options.jobs}")
    quiet = ("--quiet",) if options.quiet else ()
    return (*arguments, *_network(options), *quiet)


def _network(options: BuildOptions) -> tuple[str, ...]:
    """Return whether cargo may choose versions, and fetch."""
    asked = {"--locked": options.locked, "--offline": options.offline}
    return tuple(flag for flag, wanted in asked.items() if wanted)


def _places(options: BuildOptions, workspace: CargoWorkspace) -> Iterator[str]:
    """Yield the options for the target folder and the platform, which decide cargo's folders."""
    yield f"--target-dir={workspace.target_folder}"
    if workspace.build_folder != workspace.target_folder:
        yield f"--config=build.build-dir={json.dumps(workspace.build_folder)}"
    if options.target:
        yield f"--target={options.target}"


def _tail(crate: Crate, options: BuildOptions, remaps: tuple[str, ...]) -> tuple[str, ...]:
    """Return the author's own flags, then the flags for the compiler of this crate only."""
    flags = [*remaps]
    if _lacks_feature(crate):
        flags += ["--cfg", f'feature="{PACKAGED}"', "-Aunexpected_cfgs"]
    separator = () if "--" in options.cargo_flags else ("--",)
    return (*options.cargo_flags, *separator, *flags)


def _features(crate: Crate, options: BuildOptions) -> tuple[str, ...]:
    """Return the requested features, and ``packaged`` if the crate has it and it would be off."""
    is_off = PACKAGED in crate.features and PACKAGED not in features_on(crate, options)
    return (*options.features, PACKAGED) if is_off else options.features


def _lacks_feature(crate: Crate) -> bool:
    """Return whether the macros need a feature that the crate does not have.

    The macros of ``cloacina-workflow`` do; those of the full ``cloacina`` crate of 0.2 and 0.3
    export their plugin without it.
    """
    return PACKAGED not in crate.features and "cloacina-workflow" in crate.dependencies


class _Artifacts:
    """The libraries that cargo reports for our package."""

    def __init__(self, workspace: CargoWorkspace) -> None:
        self._workspace = workspace
        self._found: list[str] = []
        self._by_path = {one.id for one in workspace.packages if one.by_path}
        self.fresh: list[FreshUnit] = []
        self.target: str | None = None

    def take(self, line: bytes) -> None:
        """Record the library that a line of cargo names, and the units that were not compiled now.

        Most lines are about other dependencies. A macro can write to the same stream: a library
        that it forges is a second one, or lies elsewhere, and both are refused.
        """
        relevant = b"cdylib" in line or (b'"fresh":true' in line and b'"path+' in line)
        if b'"compiler-artifact"' not in line or not relevant:
            return
        message = read_json(line)
        target, names = message.get("target"), message.get("filenames")
        ours = message.get("package_id") == self._workspace.package_id
        shared = isinstance(target, dict) and "cdylib" in str(target.get("crate_types"))
        if ours and shared and isinstance(names, list):
            self._found += [str(name) for name in names if _is_library(name)]
        package = message.get("package_id")
        if message.get("fresh") is True and package in self._by_path and isinstance(names, list):
            self.fresh += [FreshUnit(str(package), str(name)) for name in names[:1]]

    def only(self) -> str:
        """Return the one library, in our target folder."""
        if len(self._found) != 1:
            targets = [self._target_of(library) for library in self._found]
            if None not in targets and 1 < len(set(targets)) == len(targets):
                raise several_targets(map(str, targets))
            raise BuildFailed.of(
                Code.BUILD_FAILED, f"expected one shared library, cargo names {len(self._found)}",
                hint="the crate needs a library target (src/lib.rs)",
            )  # fmt: skip
        library = self._found[0]
        outside = self._parts(library)[0] == os.pardir
        if outside or os.path.islink(library) or not os.path.isfile(library):
            raise BuildFailed.of(
                Code.BUILD_FAILED, "cargo names a library outside of the target folder",
                where=library,
            )  # fmt: skip
        self.target = self._target_of(library)
        return library

    def _target_of(self, library: str) -> str | None:
        """Return the requested or configured target: a folder above the profile's."""
        parts = self._parts(library)
        named = len(parts) > 2 and parts[0] != os.pardir and parts[1] != "deps"
        return parts[0] if named else None

    def _parts(self, library: str) -> list[str]:
        folder = os.path.realpath(self._workspace.target_folder)
        return os.path.relpath(os.path.realpath(library), folder).split(os.sep)


def _is_library(name: object) -> bool:
    return isinstance(name, str) and name.endswith(_LIBRARY_SUFFIXES)


def _compiler(workspace: CargoWorkspace, program: Program) -> tuple[str, str]:
    """Return the compiler's version and its own platform, from cargo's cache."""
    texts = []
    for folder in dict.fromkeys((workspace.build_folder, workspace.target_folder)):
        with contextlib.suppress(OSError, AttributeError):
            with open(os.path.join(folder, ".rustc_info.json"), "rb") as file:
                outputs = read_json(file.read(1 << 20)).get("outputs", {})
            texts += [str(output.get("stdout", "")) for output in outputs.values()]
    for text in (*texts, ""):
        facts = text or _ask_compiler(program)
        version = re.search(r"^rustc (\S.*)$", facts, re.MULTILINE)
        host = re.search(r"^host: (\S+)$", facts, re.MULTILINE)
        if version and host:
            return version[1], host[1]
    raise BuildFailed.of(Code.BUILD_FAILED, "the compiler does not report its version")


def _ask_compiler(program: Program) -> str:
    lines: list[bytes] = []
    rustc = find_program("rustc")
    if rustc is not None:
        asked = program._replace(path=rustc, arguments=("-vV",))
        run(asked, lines.append, lambda _: None)
    return b"\n".join(lines).decode("utf-8", "replace")
