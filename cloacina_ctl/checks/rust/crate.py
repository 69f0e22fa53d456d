"""All rules for a Rust crate together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.checks.engine import Finding, RuleSet
from cloacina_ctl.checks.rule_names import short_names
from cloacina_ctl.checks.rust import cloacina_crates, macro_arguments, task_functions, trigger_rules
from cloacina_ctl.checks.rust.releases import CARGO_TOML, facts_of, releases_of
from cloacina_ctl.errors import Code, Diagnostic, Severity
from cloacina_ctl.project.rust.cfg import ONE_WORKFLOW
from cloacina_ctl.releases.rules import CRATE_HINTS
from cloacina_ctl.releases.table import release_of_crate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.model import Project, RustFacts, SourceTask, SourceWorkflow

# The rules use only Cargo.toml and the syntax tree.

RULES: RuleSet[Project] = RuleSet()
# Rules that do not matter to `package`, but to the compilers of some releases.
BUILD_RULES: RuleSet[Project] = RuleSet()

_PUBLIC = "public"


def _certain(project: Project) -> list[SourceWorkflow]:
    """Return the workflows that are in the build on every platform."""
    return [workflow for workflow in project.workflows if workflow.is_certain]


@BUILD_RULES.rule(Code.NOT_A_CDYLIB, Severity.WARNING)
def not_a_cdylib(project: Project) -> Iterator[Finding]:
    """Engines load a C library; `package` builds one in any case, `cargo build` does not."""
    if "cdylib" not in facts_of(project).crate.crate_types:
        yield Finding(
            "[lib] does not name `cdylib`; `package` adds it, other tools do not",
            CARGO_TOML,
            CRATE_HINTS[Code.NOT_A_CDYLIB],
        )


@BUILD_RULES.rule(Code.NO_PACKAGED_FEATURE, Severity.WARNING)
def no_packaged_feature(project: Project) -> Iterator[Finding]:
    """The macros look for the crate's own feature `packaged`."""
    facts = facts_of(project)
    releases = releases_of(facts.crate)
    if facts.packaged_workflow or not all(release.own_feature for release in releases):
        return
    if "packaged" not in facts.crate.default_features:
        yield Finding(
            "the feature `packaged` is not on by default; `package` turns it on, others do not",
            CARGO_TOML,
            CRATE_HINTS[Code.NO_PACKAGED_FEATURE],
        )


@RULES.rule(Code.NO_PACKAGE_MACRO)
def no_package_macro(project: Project) -> Iterator[Finding]:
    """Without `package!()` the library builds without a warning, but cannot be loaded."""
    facts = facts_of(project)
    if facts.packaged_workflow or facts.package_macro or not project.workflows:
        return
    if all(release.package_macro for release in releases_of(facts.crate)):
        yield Finding(
            "`package!()` is missing: the library would export no plugin",
            facts.crate.lib_path,
            CRATE_HINTS[Code.NO_PACKAGE_MACRO],
        )


@RULES.rule(Code.BUILD_SCRIPT, Severity.NOTE)
def build_script(project: Project) -> Iterator[Finding]:
    """`cloacina_build::configure()` adds a folder of the builder's Python to the library."""
    facts = facts_of(project)
    if facts.configures_build:
        yield Finding(
            "`cloacina_build::configure()` is not needed; `package` removes the folder it adds",
            facts.configures_build,
            "from release 0.6 on build.rs can be removed",
        )


@RULES.rule(Code.NOT_PUBLIC)
def not_public(project: Project) -> Iterator[Finding]:
    """The generated code of some releases names the task from outside its module."""
    release = release_of_crate(facts_of(project).crate.cloacina_release)
    if release is None or not release.visible_tasks:
        return
    for workflow in _certain(project):
        for task in workflow.tasks:
            if not task.is_visible:
                yield Finding(
                    f"the function of the task `{task.id}` is private, and the macros of "
                    f"{release.name} name it outside of its module",
                    task.place,
                    "write `pub` in front of it; `pub(super)` is enough",
                )


@RULES.rule(Code.TENANT_RULE, Severity.WARNING)
def tenant_rule(project: Project) -> Iterator[Finding]:
    """The macro writes its tenant into the rule; an engine keeps tasks under its own tenant."""
    release = release_of_crate(facts_of(project).crate.cloacina_release)
    if release is None or not release.trigger_rules:
        return
    for workflow, task in _ruled(project):
        names = short_names(task.trigger_rules or "")
        if names and workflow.tenant not in (None, _PUBLIC):
            listed = ", ".join(f"`{name}`" for name in names)
            yield Finding(
                f"the trigger rule of the task `{task.id}` names {listed} of the tenant "
                f"`{workflow.tenant}`; in another tenant an engine never stops waiting",
                task.place,
                f"publish it only for the tenant `{workflow.tenant}`, or leave `tenant` out",
            )


@RULES.rule(Code.UNKNOWN_RULE, Severity.WARNING)
def unknown_rule(project: Project) -> Iterator[Finding]:
    """The libraries of the first releases do not export rules: every task runs."""
    release = release_of_crate(facts_of(project).crate.cloacina_release)
    if release is None or release.trigger_rules:
        return
    for _, task in _ruled(project):
        yield Finding(
            f"engines of {release.name} do not know the trigger rule of the task `{task.id}`, and "
            "run it in any case",
            task.place,
            "let the task check its context, or use the crates of 0.8 or later",
        )


def _ruled(project: Project) -> Iterator[tuple[SourceWorkflow, SourceTask]]:
    for workflow in _certain(project):
        for task in workflow.tasks:
            if task.trigger_rules and task.trigger_rules != "always":
                yield workflow, task


@RULES.rule(Code.SEVERAL_WORKFLOWS)
def several_workflows(project: Project) -> Iterator[Finding]:
    """Two workflows in one crate are compiled into one with the tasks of both."""
    certain = _certain(project)
    for workflow in certain[1:]:
        first = certain[0].name
        yield Finding(
            f"a second workflow in one crate: `{workflow.name}`, beside `{first}`; they compile "
            "into one with the tasks of both",
            workflow.place,
            ONE_WORKFLOW,
        )


@RULES.rule(Code.NO_RUST_WORKFLOW)
def no_rust_workflow(project: Project) -> Iterator[Finding]:
    """A crate without a workflow has nothing to package."""
    facts = facts_of(project)
    if project.workflows or facts.syntax_problems:
        return
    message = "no `#[workflow]` and no `#[packaged_workflow]` in the crate"
    hint = "put the attribute on a module with the tasks"
    if facts.features_off:
        message += " with the enabled features"
        hint = f"choose with --features: {', '.join(facts.features_off)}"
    yield Finding(message, facts.crate.lib_path, hint)


@RULES.rule(Code.RUST_SYNTAX)
def rust_syntax(project: Project) -> Iterator[Finding]:
    """A file that cannot be parsed does not compile."""
    for problem in facts_of(project).syntax_problems:
        yield Finding(problem.message, problem.place)


@RULES.rule(Code.STRAY_TASK)
def stray_task(project: Project) -> Iterator[Finding]:
    """The macro of the workflow finds only tasks in its module."""
    for task in facts_of(project).stray_tasks:
        message = f"the task `{task.id or task.function}` is outside of a workflow's module"
        yield Finding(message, task.place, "move it into the module with `#[workflow]`")


@RULES.rule(Code.PROJECT_CHOOSES, Severity.NOTE)
def project_chooses(project: Project) -> Iterator[Finding]:
    """These files choose the compiler, wrappers and flags of every build of the project."""
    place = facts_of(project).cargo_configuration
    if place is not None:
        yield Finding(
            "the project configures what cargo or rustup run", place, "read it before you build"
        )


@BUILD_RULES.rule(Code.NO_LOCK_FILE, Severity.WARNING)
def no_lock_file(project: Project) -> Iterator[Finding]:
    """The servers' compiler builds with `--frozen`, which needs the lock file."""
    if not facts_of(project).crate.has_lock_file:
        hint = CRATE_HINTS[Code.NO_LOCK_FILE]
        yield Finding("there is no Cargo.lock", CARGO_TOML, hint)


_OTHERS = (cloacina_crates, macro_arguments, task_functions, trigger_rules)
_IN_CODE = (RULES, *(module.RULES for module in _OTHERS))


def check_crate(project: Project, *, packed: bool = False) -> Iterator[Diagnostic]:
    """Yield all problems of a crate.

    For one without a library, or with its workflows in a program, only that is reported: the rest
    is checked when there is a library with a workflow. For a ``packed`` one, the rules of each
    release report what its compiler lacks.
    """
    unpackable = tuple(_without_a_workflow(facts_of(project)))
    yield from unpackable
    for rules in () if unpackable else (*_IN_CODE, *(() if packed else (BUILD_RULES,))):
        yield from rules.run(project)


def _without_a_workflow(facts: RustFacts) -> Iterator[Diagnostic]:
    for workflow in facts.program_workflows:
        name = f"the workflow `{workflow.name}`" if workflow.name else "a workflow"
        yield Diagnostic(
            Code.IN_A_PROGRAM,
            f"{name} is in a program (library mode); a package needs a library",
            workflow.place,
            "move it to src/lib.rs: docs/from-a-crate.md shows a crate that can be packed",
        )
    if not facts.crate.has_lib and not facts.program_workflows:
        missing = facts.crate.lib_path
        yield Diagnostic(
            Code.NO_RUST_WORKFLOW,
            f"the crate has no library, and a package needs one: no file {missing}",
            CARGO_TOML,
            "put the workflow there: docs/from-a-crate.md shows a crate that can be packed",
        )
