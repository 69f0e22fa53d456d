"""Reads the sources in a package as those of a project: from memory, with nothing on the disk.

Facts that need other files (a workspace, the crates of a lock file) are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Refused
from cloacina_ctl.project.model import (
    BuildOptions,
    PythonFacts,
    RustFacts,
    SourceWorkflow,
    SyntaxProblem,
)
from cloacina_ctl.project.python.modules import PackedModules, imported_by, needed_by
from cloacina_ctl.project.python.namespaces import bare_folders
from cloacina_ctl.project.rust import cargo_toml as cargo
from cloacina_ctl.toml import parse_toml
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from cloacina_ctl.project.crate_source.facts import SourceFacts

WORKFLOW, VENDOR = "workflow/", "vendor/"


class PackedSource(NamedTuple):
    """The declarations in the sources of a package; places are paths in the package with a line.

    At most one of ``python`` and ``rust`` is set; ``problems`` are why it is not.
    ``source`` are the facts about what a crate lacks to be built.
    """

    workflows: tuple[SourceWorkflow, ...] = ()
    python: PythonFacts | None = None
    rust: RustFacts | None = None
    problems: tuple[SyntaxProblem, ...] = ()
    source: SourceFacts | None = None

    @property
    def release(self) -> str | None:
        """The version of Cloacina that a crate asks for."""
        return self.rust.crate.cloacina_release if self.rust else None


def read_packed_modules(
    sources: Mapping[str, bytes], paths: Collection[str], entry: str, name: str | None
) -> PackedSource:
    """Return what importing the module ``entry`` declares, as the one workflow called ``name``.

    ``sources`` are the Python modules under ``workflow/``, ``paths`` those of all files.
    """
    modules = PackedModules(sources)
    named = dict(imported_by(modules, entry))
    found = list(named.values())
    workflow = SourceWorkflow(
        name=name,
        place=modules.find(entry) or entry,
        tasks=tuple(task for source in found for task in source.tasks),
        triggers=tuple(trigger for source in found for trigger in source.triggers),
    )
    slips, namespaces = bare_folders(_below(paths, WORKFLOW))
    shared = {*namespaces, *_top_level(paths, VENDOR)}
    facts = PythonFacts(
        entry_module=entry,
        entry_path=modules.find(entry),
        roots=("workflow",),
        top_level=_top_level(paths, WORKFLOW),
        vendored=_top_level(paths, VENDOR),
        packages_without_init=tuple(f"{WORKFLOW}{name}" for name in slips if name not in shared),
        namespaces=tuple(f"{WORKFLOW}{name}" for name in (*namespaces, *slips) if name in shared),
        graphs=tuple(place for source in found for place in source.graphs),
        workflow_builders=tuple(place for source in found for place in source.builders),
        loose_builders=tuple(place for source in found for place in source.loose_builders),
        library_only=tuple(one for source in found for one in source.library_only),
        newer_syntax=tuple(one for source in found for one in source.newer),
        hidden_tasks=tuple(place for source in found for place in source.hidden),
        packed=True,
        imports=tuple(needed_by(modules, named, entry)),
        syntax_problems=tuple(source.problem for source in found if source.problem is not None),
    )
    declares = bool(workflow.tasks or workflow.triggers)
    return PackedSource(workflows=(workflow,) if declares else (), python=facts)


def read_packed_crate(
    sources: Mapping[str, bytes], paths: Collection[str], prefix: str = ""
) -> PackedSource:
    """Return what the crate declares whose Rust files are ``sources``, by their paths in it.

    ``prefix`` is the crate's folder in the package, with a slash at its end.
    """
    from cloacina_ctl.project.crate_source.facts import packed_facts
    from cloacina_ctl.project.rust.cfg import packaged_features
    from cloacina_ctl.project.rust.code import absent_crates
    from cloacina_ctl.project.rust.source import read_packed_source

    try:
        table = parse_toml(sources[cargo.CARGO_TOML], where=cargo.CARGO_TOML, of_cargo=True)
        crate = cargo.read_packed_crate(table, frozenset(paths))
    except Refused as error:
        first = error.diagnostics[0]
        problem = SyntaxProblem(first.where or cargo.CARGO_TOML, first.message)
        return PackedSource(problems=(problem,))
    features = packaged_features(crate, BuildOptions())
    absent = absent_crates(crate.dependencies)
    found = read_packed_source(sources, crate.lib_path, features, absent)
    facts = RustFacts(
        crate=crate,
        package_macro=found.package_macro,
        stray_tasks=found.stray_tasks,
        features_off=found.features_off,
        packaged_workflow=found.packaged_workflow,
        syntax_problems=found.syntax_problems,
        reads=found.reads,
        code=found.code,
    )
    script = crate.build_script
    built = read_packed_source(sources, script, features).reads if script else ()
    reads = (*found.reads, *built)
    source = packed_facts(table, reads, sources, paths, prefix, makes_files=script is not None)
    return PackedSource(workflows=found.workflows, rust=facts, source=source)


def _top_level(paths: Collection[str], folder: str) -> tuple[str, ...]:
    """Return the names directly in ``folder`` that can be imported, without a suffix."""
    found = {path.partition("/")[0] for path in _below(paths, folder)}
    return tuple(sorted({name.removesuffix(".py") for name in found}))


def _below(paths: Collection[str], folder: str) -> list[str]:
    """Return the paths in ``folder``, relative to it."""
    return [path[len(folder) :] for path in paths if path.startswith(folder)]
