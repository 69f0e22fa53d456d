"""Checks that the crate's dependencies are those that the macros and its own code name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.checks.engine import Finding, RuleSet
from cloacina_ctl.checks.rust.macro_tables import FIRST_GRAPH_BY_USE
from cloacina_ctl.checks.rust.releases import CARGO_TOML, code_of, facts_of, releases_of, within
from cloacina_ctl.errors import Code, Severity
from cloacina_ctl.project.rust.cloacina_crates import add_command, package_of
from cloacina_ctl.releases.table import release_of_crate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.model import Project

RULES: RuleSet[Project] = RuleSet()

_GRAPHS, _PLUGIN = "cloacina-computation-graph", "cloacina-workflow-plugin"
_GRAPH_MACROS = ("computation_graph", "reactor")


@RULES.rule(Code.MIXED_RELEASES)
def mixed_releases(project: Project) -> Iterator[Finding]:
    """Two releases of Cloacina in one crate have incompatible types of the same name."""
    crate = facts_of(project).crate
    leading = release_of_crate(crate.cloacina_release)
    if leading is None:
        return
    for name, release in ((one.name, one.release) for one in crate.cloacina):
        if release is None or release is leading:
            continue
        shares = _meets(name, project)
        yield Finding(
            f"`{name}` is of Cloacina {release.name}, and the crate is written for {leading.name}: "
            + ("their types are incompatible" if shares else "use one release of all"),
            CARGO_TOML,
            f"run `{add_command(name, crate)}`",
            None if shares else Severity.WARNING,
        )
    for name, version in crate.beside:
        other = release_of_crate(version)
        if other is not None and other is not leading:
            yield Finding(
                f"another dependency requires `{name}` {version}, and the crate is written for "
                f"Cloacina {leading.name}",
                "Cargo.lock",
                f"find it: `cargo tree --invert {name}@{version}`",
                Severity.WARNING,
            )


def _meets(name: str, project: Project) -> bool:
    """Return whether types of that crate meet those of `cloacina-workflow`: the build fails."""
    used = {one.name.split("::")[0] for one in code_of(project).imports}
    if name == _GRAPHS:
        # Up to 0.9 `package!()` names it, later only graphs do so.
        named = not within(releases_of(facts_of(project).crate), FIRST_GRAPH_BY_USE)
        return named or _has_graphs(project) or name.replace("-", "_") in used
    return name == _PLUGIN or (name == "cloacina" and name in used)


def _has_graphs(project: Project) -> bool:
    uses = code_of(project).of("task", *_GRAPH_MACROS)
    return any(use.macro != "task" or use.argument("invokes") for use in uses)


@RULES.rule(Code.MISSING_CRATE)
def missing_crate(project: Project) -> Iterator[Finding]:
    """The build fails if a crate that the macros name is not a dependency."""
    crate = facts_of(project).crate
    for needed, why in _missing(project).items():
        yield Finding(why, CARGO_TOML, f"run `{add_command(needed, crate)}`")


def _missing(project: Project) -> dict[str, str]:
    """Return the missing crates that the code of the macros names, and why they are needed."""
    crate = facts_of(project).crate
    release = release_of_crate(crate.cloacina_release)
    there = {name.replace("-", "_") for name in crate.dependencies}
    found = {}
    if release is not None and project.workflows:
        found = {
            needed: f"the macros of Cloacina {release.name} need the crate `{needed}`"
            for needed in release.needed_crates
            if needed.replace("-", "_") not in there
        }
    by_use = within(releases_of(crate), FIRST_GRAPH_BY_USE) and _has_graphs(project)
    if by_use and _GRAPHS.replace("-", "_") not in there:
        found[_GRAPHS] = f"graphs, and tasks that invoke one, need the crate `{_GRAPHS}`"
    return found


@RULES.rule(Code.UNKNOWN_CRATE)
def unknown_crate(project: Project) -> Iterator[Finding]:
    """A path in the author's code begins with a crate that is not a dependency."""
    crate = facts_of(project).crate
    missing = {name.replace("-", "_") for name in _missing(project)}
    for named in code_of(project).crates:
        if named.name in missing:
            continue
        hint = f"run `{add_command(package_of(named.name), crate)}`"
        if named.name == "cloacina" and within(releases_of(crate), (0, 4)):
            hint = "a package names `cloacina_workflow` instead: docs/from-a-crate.md"
        yield Finding(f"`{named.name}` is used, but is not a dependency", named.place, hint)
