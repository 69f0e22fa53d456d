"""What goes wrong with Rust crates, judged from Cargo.toml and the syntax tree alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.checks.engine import Finding, Rules
from cloacina_ctl.checks.rule_names import short_names
from cloacina_ctl.errors import Code, Severity
from cloacina_ctl.project.runtimes import runtime_of_crate
from cloacina_ctl.project.rust_cfg import ONE_WORKFLOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.model import Crate, Project, RustFacts, SourceTask, SourceWorkflow

RULES: Rules[Project] = Rules()

CARGO_TOML = "Cargo.toml"

_FIRST_WITH_PACKAGE_MACRO = (0, 6)
_LAST_WITH_OWN_FEATURE = (0, 9)
_PUBLIC = "public"


def _facts(project: Project) -> RustFacts:
    facts = project.rust
    if facts is None:
        raise TypeError("these rules are for a Rust project")
    return facts


def _certain(project: Project) -> list[SourceWorkflow]:
    """Return the workflows that the build has whatever the platform."""
    return [workflow for workflow in project.workflows if workflow.is_certain]


def _release(crate: Crate) -> tuple[int, int] | None:
    """Return major and minor of the Cloacina release that the crate is written for."""
    digits = (crate.cloacina_release or "").lstrip("^=~ v").split(".")
    try:
        return (int(digits[0]), int(digits[1]))
    except (IndexError, ValueError):
        return None


@RULES.rule(Code.NOT_A_CDYLIB, Severity.WARNING)
def not_a_cdylib(project: Project) -> Iterator[Finding]:
    """Engines load a C library; `package` builds one all the same, `cargo build` does not."""
    if "cdylib" not in _facts(project).crate.crate_types:
        yield Finding(
            "[lib] does not name `cdylib`; `package` adds it, other tools do not",
            CARGO_TOML,
            'write `crate-type = ["cdylib"]` under [lib]',
        )


@RULES.rule(Code.NO_PACKAGED_FEATURE, Severity.WARNING)
def no_packaged_feature(project: Project) -> Iterator[Finding]:
    """Up to 0.9 the macros look for the crate's own feature `packaged`."""
    facts = _facts(project)
    release = _release(facts.crate)
    if facts.packaged_workflow or release is None or release > _LAST_WITH_OWN_FEATURE:
        return
    if "packaged" not in facts.crate.features or "packaged" not in facts.crate.default_features:
        yield Finding(
            "the feature `packaged` is not on by default; `package` turns it on, others do not",
            CARGO_TOML,
            'add `[features] default = ["packaged"]` and `packaged = []`',
        )


@RULES.rule(Code.NO_PACKAGE_MACRO)
def no_package_macro(project: Project) -> Iterator[Finding]:
    """Without `package!()` the library builds without a warning, and no host can load it."""
    facts = _facts(project)
    release = _release(facts.crate)
    if facts.packaged_workflow or facts.package_macro or not project.workflows:
        return
    if release is not None and release >= _FIRST_WITH_PACKAGE_MACRO:
        yield Finding(
            "`package!()` is missing: the library would export no plugin",
            "src/lib.rs",
            "write `cloacina_workflow_plugin::package!();` once at the top of the crate",
        )


@RULES.rule(Code.MISSING_CRATE)
def missing_crate(project: Project) -> Iterator[Finding]:
    """A crate that the macros name and that is no dependency fails the build."""
    crate = _facts(project).crate
    runtime = runtime_of_crate(crate.cloacina_release)
    for needed in runtime.needed_crates if runtime else ():
        if needed not in crate.dependencies and not _facts(project).packaged_workflow:
            yield Finding(
                f"the macros of this release need the crate `{needed}`",
                CARGO_TOML,
                f"add it: `cargo add {needed}`",
            )


@RULES.rule(Code.BUILD_SCRIPT, Severity.NOTE)
def build_script(project: Project) -> Iterator[Finding]:
    """`cloacina_build::configure()` adds a folder of the builder's Python to the library."""
    facts = _facts(project)
    if facts.configures_build:
        yield Finding(
            "`cloacina_build::configure()` is not needed, and puts a path of this machine into it",
            facts.configures_build,
            "from release 0.6 on build.rs can go",
        )


@RULES.rule(Code.NOT_PUBLIC)
def not_public(project: Project) -> Iterator[Finding]:
    """The code that the macros of some releases write names the task from outside its module."""
    runtime = runtime_of_crate(_facts(project).crate.cloacina_release)
    if runtime is None or not runtime.visible_tasks:
        return
    for workflow in _certain(project):
        for task in workflow.tasks:
            if not task.is_visible:
                yield Finding(
                    f"the function of the task `{task.id}` is private, and the macros of "
                    f"{runtime.name} name it outside of its module",
                    task.place,
                    "write `pub` in front of it; `pub(super)` is enough",
                )


@RULES.rule(Code.TENANT_RULE, Severity.WARNING)
def tenant_rule(project: Project) -> Iterator[Finding]:
    """The macro writes its tenant into the rule; an engine has tasks under its own tenant."""
    runtime = runtime_of_crate(_facts(project).crate.cloacina_release)
    if runtime is None or not runtime.trigger_rules:
        return
    for workflow, task in _ruled(project):
        names = short_names(task.trigger_rules or "")
        if names and workflow.tenant not in (None, _PUBLIC):
            listed = ", ".join(f"`{name}`" for name in names)
            yield Finding(
                f"the trigger rule of the task `{task.id}` names {listed} of the tenant "
                f"`{workflow.tenant}`; in another tenant an engine waits for ever",
                task.place,
                f"publish it for the tenant `{workflow.tenant}` alone, or leave `tenant` out",
            )


@RULES.rule(Code.UNKNOWN_RULE, Severity.WARNING)
def unknown_rule(project: Project) -> Iterator[Finding]:
    """The libraries of the first releases tell their engine no rules: every task runs."""
    runtime = runtime_of_crate(_facts(project).crate.cloacina_release)
    if runtime is None or runtime.trigger_rules:
        return
    for _, task in _ruled(project):
        yield Finding(
            f"engines of {runtime.name} do not know the trigger rule of the task `{task.id}`, and "
            "run it in any case",
            task.place,
            "let the task look into its context, or use the crates of 0.8 or later",
        )


def _ruled(project: Project) -> Iterator[tuple[SourceWorkflow, SourceTask]]:
    for workflow in _certain(project):
        for task in workflow.tasks:
            if task.trigger_rules and task.trigger_rules != "always":
                yield workflow, task


@RULES.rule(Code.SEVERAL_WORKFLOWS)
def several_workflows(project: Project) -> Iterator[Finding]:
    """Two workflows in one crate compile into one with the tasks of both."""
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
    facts = _facts(project)
    if project.workflows or facts.syntax_problems:
        return
    message = "no `#[workflow]` and no `#[packaged_workflow]` in the crate"
    hint = "put the attribute on a module with the tasks"
    if facts.features_off:
        message += " with the features that are on"
        hint = f"choose with --features: {', '.join(facts.features_off)}"
    yield Finding(message, facts.crate.lib_path, hint)


@RULES.rule(Code.CFG_TASK)
def cfg_task(project: Project) -> Iterator[Finding]:
    """The macro of the workflow reads its module before `cfg` is looked at."""
    for task in _facts(project).cfg_tasks:
        if task.is_lost:
            message = f"the workflow does not get the task `{task.id}`: it stands in a `cfg_attr`"
            hint = "write `#[task]` itself"
        else:
            message = f"`cfg` leaves the task `{task.id}` out, and the workflow's macro names it"
            hint = "take the `cfg` away, or turn on what it asks for"
        yield Finding(message, task.place, hint)


@RULES.rule(Code.RUST_SYNTAX)
def rust_syntax(project: Project) -> Iterator[Finding]:
    """A file that cannot be parsed does not compile."""
    for problem in _facts(project).syntax_problems:
        yield Finding(problem.message, problem.place)


@RULES.rule(Code.TASK_ARGUMENT, Severity.WARNING)
def task_argument(project: Project) -> Iterator[Finding]:
    """An argument that the macro does not know is an error, or silently drops the task (0.4)."""
    for workflow in project.workflows:
        for name in workflow.unknown_arguments:
            yield Finding(f"the workflow's macro takes no argument `{name}`", workflow.place)
        for task in workflow.tasks:
            for name in task.unknown_arguments:
                yield Finding(f"`#[task]` takes no argument `{name}`", task.place)


@RULES.rule(Code.STRAY_TASK)
def stray_task(project: Project) -> Iterator[Finding]:
    """The macro of the workflow finds what stands in its module, nothing else."""
    for task in _facts(project).stray_tasks:
        message = f"the task `{task.id or task.function}` stands outside of a workflow's module"
        yield Finding(message, task.place, "move it into the module with `#[workflow]`")


@RULES.rule(Code.PROJECT_CHOOSES, Severity.NOTE)
def project_chooses(project: Project) -> Iterator[Finding]:
    """These files choose the compiler, wrappers and flags of whoever builds the project."""
    place = _facts(project).cargo_configuration
    if place is not None:
        yield Finding(
            "the project tells cargo or rustup what to run", place, "read it before you build"
        )


@RULES.rule(Code.NO_LOCK_FILE, Severity.WARNING)
def no_lock_file(project: Project) -> Iterator[Finding]:
    """The servers' compiler builds with `--frozen`, which needs the lock file."""
    if not _facts(project).crate.has_lock_file:
        yield Finding("there is no Cargo.lock", CARGO_TOML, "run `cargo generate-lockfile`")


@RULES.rule(Code.PATH_DEPENDENCY, Severity.WARNING)
def path_dependency(project: Project) -> Iterator[Finding]:
    """A dependency by path is on this machine only: the source cannot be built elsewhere."""
    for name in _facts(project).crate.path_dependencies:
        yield Finding(
            f"`{name}` is a dependency by path; nobody can build the source elsewhere",
            CARGO_TOML,
            "name a version",
        )
