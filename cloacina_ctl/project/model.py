"""The facts of a project, read from its files without running anything in it.

``checks`` checks these facts, ``operations`` turns them into a manifest. Places are ``path:line``
with the path relative to the project's root.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl import manifest
    from cloacina_ctl.digest import Digest
    from cloacina_ctl.paths import MemberPath
    from cloacina_ctl.project.python.imports import Import
    from cloacina_ctl.project.python.layout import SourcePart
    from cloacina_ctl.project.python.syntax import NewerSyntax
    from cloacina_ctl.project.rust.cloacina_crates import CloacinaCrate
    from cloacina_ctl.project.rust.code import RustCode


class ProjectLayout(enum.Enum):
    """How the files of a project are arranged."""

    RUST = "Cargo.toml"
    PYTHON = "pyproject.toml"
    PYTHON_TREE = "package.toml"


class Config(NamedTuple):
    """The author's configuration of this tool; ``place`` is its file."""

    place: str | None = None
    name: str | None = None
    version: str | None = None
    entry_module: str | None = None
    workflow_name: str | None = None
    requires_cloacina: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    vendor: bool = False
    vendor_python: str | None = None
    vendor_platforms: tuple[str, ...] = ()
    wheelhouse: str | None = None
    source_root: tuple[str, ...] = ()
    links: str = "refuse"


# The function of a task that a server makes from a constructor provider.
CONSTRUCTOR = "constructor!"


class SourceDependency(NamedTuple):
    """One dependency of a task in its source; ``id`` is None if it is known only at run time."""

    id: str | None
    text: str
    is_function: bool = False


class SourceTask(NamedTuple):
    """One task as its source declares it.

    ``is_visible`` is whether a Rust function can be named outside of its module,
    ``is_certain`` whether it exists on every platform.
    """

    id: str | None
    function: str
    place: str
    dependencies: tuple[SourceDependency, ...] = ()
    description: str | None = None
    retry: manifest.Retry | None = None
    trigger_rules: str | None = None
    is_async: bool = False
    is_visible: bool = True
    is_certain: bool = True
    is_called: bool = True
    unknown_arguments: tuple[str, ...] = ()
    unreadable_arguments: tuple[str, ...] = ()


class SourceWorkflow(NamedTuple):
    """One workflow as its source declares it; ``is_certain`` as that of a task."""

    name: str | None
    place: str
    tasks: tuple[SourceTask, ...] = ()
    tenant: str | None = None
    description: str | None = None
    author: str | None = None
    params: tuple[manifest.Param, ...] = ()
    triggers: tuple[manifest.Trigger, ...] = ()
    is_certain: bool = True


class SyntaxProblem(NamedTuple):
    """A source file that the parser refuses.

    ``is_grammar`` if the parser of another Python may accept it.
    """

    place: str
    message: str
    is_grammar: bool = False


class PythonFacts(NamedTuple):
    """The facts in the files of a Python project.

    ``roots`` are the folders to which module names are relative, ``parts`` their packed parts;
    ``build_exclude`` are the exclude patterns of the build configuration, ``unread_patterns`` those
    at ``declared_by`` that are ignored. ``namespaces`` are folders without `__init__.py` on
    purpose, ``packages_without_init`` those without one by mistake. ``imports`` are those that have
    to succeed, by absolute names. ``packed`` is true for the files of a package.
    """

    entry_module: str | None
    entry_path: str | None
    roots: tuple[str, ...] = ()
    parts: tuple[SourcePart, ...] = ()
    build_exclude: tuple[str, ...] = ()
    declared_by: str = ""
    unread_patterns: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    top_level: tuple[str, ...] = ()
    vendored: tuple[str, ...] = ()
    packages_without_init: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    workflow_builders: tuple[str, ...] = ()
    loose_builders: tuple[str, ...] = ()
    library_only: tuple[tuple[str, str], ...] = ()
    newer_syntax: tuple[NewerSyntax, ...] = ()
    graphs: tuple[str, ...] = ()
    hidden_tasks: tuple[str, ...] = ()
    imports: tuple[Import, ...] = ()
    packed: bool = False
    parsed: tuple[tuple[str, Digest], ...] = ()
    syntax_problems: tuple[SyntaxProblem, ...] = ()


class PackedList(NamedTuple):
    """The keys of ``[package]`` in a Cargo.toml for the packed files, unchanged.

    ``include`` and ``exclude`` are patterns of gitignore, from the crate's root; ``readme`` and
    ``license_file`` are paths, which are packed in any case.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    readme: str | None = None
    license_file: str | None = None


class CompileRead(NamedTuple):
    """A file that the compiler reads by its name in the source, from the crate's root.

    ``place`` is the place in the source, ``how`` the macro or attribute. ``is_certain`` is false if
    a ``cfg`` that only the build can evaluate decides whether it is compiled.
    """

    place: str
    path: str
    how: str
    is_certain: bool = True


class Crate(NamedTuple):
    """The content of a crate's Cargo.toml, read as TOML; ``root`` is absolute.

    ``dependencies`` are the names that the crate's code can use, without those for tests and build
    scripts. ``default_features`` holds all that are on by default, also through another;
    ``enables`` what each turns on, also of those that an optional dependency makes. ``lib_path`` is
    relative to the root. ``workspace_members`` are names. ``cloacina_release`` is
    what Cargo.toml requires of Cloacina, or Cargo.lock's version where that takes several releases;
    ``cloacina`` are all of its crates that this one names, ``beside`` name and version of those
    that come with other dependencies. ``programs`` are the files of its programs, ``aborting`` the
    profiles in which a panic ends the process.
    """

    root: str
    name: str
    lib_name: str
    has_lib: bool
    crate_types: tuple[str, ...]
    features: tuple[str, ...]
    default_features: tuple[str, ...]
    dependencies: tuple[str, ...]
    cloacina_release: str | None
    build_script: str | None
    has_lock_file: bool
    workspace_members: tuple[str, ...] = ()
    lib_path: str = "src/lib.rs"
    workspace_root: str | None = None
    version: str | None = None
    description: str | None = None
    authors: tuple[str, ...] = ()
    license: str | None = None
    homepage: str | None = None
    repository: str | None = None
    keywords: tuple[str, ...] = ()
    packed_list: PackedList = PackedList()
    cloacina: tuple[CloacinaCrate, ...] = ()
    beside: tuple[tuple[str, str], ...] = ()
    programs: tuple[str, ...] = ()
    aborting: tuple[str, ...] = ()
    enables: tuple[tuple[str, tuple[str, ...]], ...] = ()


class RustFacts(NamedTuple):
    """The facts in the files of a Rust crate; for a macro the place of its use, else None.

    ``stray_tasks`` are outside of a workflow's module, where no macro finds them;
    ``features_off`` are the disabled features without which modules are left out;
    ``configures_build`` is where the build script calls ``cloacina_build``;
    ``cargo_configuration`` is the project's file that configures what cargo or rustup run;
    ``reads`` are the files that the compiler reads; ``code`` are facts that rustc may refuse in the
    library, ``program_workflows`` are those that only a program of the crate declares.
    """

    crate: Crate
    package_macro: str | None = None
    stray_tasks: tuple[SourceTask, ...] = ()
    features_off: tuple[str, ...] = ()
    packaged_workflow: bool = False
    configures_build: str | None = None
    cargo_configuration: str | None = None
    syntax_problems: tuple[SyntaxProblem, ...] = ()
    reads: tuple[CompileRead, ...] = ()
    code: RustCode | None = None
    program_workflows: tuple[SourceWorkflow, ...] = ()


class BuildOptions(NamedTuple):
    """The caller's options for the build; ``jobs`` and ``cargo_flags`` are passed to cargo.

    ``default_features`` are on by default.
    """

    profile: str = "release"
    target: str | None = None
    features: tuple[str, ...] = ()
    default_features: bool = True
    locked: bool = False
    offline: bool = False
    jobs: int | None = None
    cargo_flags: tuple[str, ...] = ()
    quiet: bool = False


class BuildRequest(NamedTuple):
    """What to build, the crate ``member`` of a workspace or the only one, and how.

    With ``load`` a library for this machine is loaded, in a child process, to read its metadata.
    If no build is ``wanted``, only the source is used.
    """

    member: str | None = None
    options: BuildOptions = BuildOptions()
    load: bool = True
    wanted: bool = True


class Project(NamedTuple):
    """The facts of a project. Exactly one of ``python`` and ``rust`` is set."""

    root: str
    layout: ProjectLayout
    package: manifest.PackageInfo
    config: Config
    workflows: tuple[SourceWorkflow, ...] = ()
    requires: manifest.Requires | None = None
    python: PythonFacts | None = None
    rust: RustFacts | None = None


class SelectedFile(NamedTuple):
    """A file to pack: its source, its path in the package, and the reason.

    ``link`` is the path in the project that leads to ``source``, if that is outside of it.
    """

    path: MemberPath
    source: str
    size: int
    executable: bool
    reason: str
    link: str | None = None

    def place(self, root: str) -> str:
        """Return its path in the project in ``root``."""
        return self.link if self.link is not None else self.source[len(root) + 1 :]


class LeftOut(NamedTuple):
    """A path that is not packed, relative to the root, and why; ``secret`` if it may hold one."""

    path: str
    reason: str
    secret: bool = False


class GitProblem(NamedTuple):
    """Why ignore rules have no effect, with a path relative to the project's root.

    It is an unreadable part of a repository, or an ignore file that ``is_link``.
    """

    path: str
    reason: str
    is_link: bool = False


class Selection(NamedTuple):
    """The packed files and the others: a function of the work tree alone.

    ``tracked`` are the files that git tracks and that only an ignore rule leaves out;
    ``git_problems`` are why these, or rules of the repository, may be unknown. With
    ``all_executable`` every file has the executable bit, as on file systems without modes.
    """

    files: tuple[SelectedFile, ...]
    left_out: tuple[LeftOut, ...] = ()
    tracked: tuple[str, ...] = ()
    git_problems: tuple[GitProblem, ...] = ()
    all_executable: bool = False
