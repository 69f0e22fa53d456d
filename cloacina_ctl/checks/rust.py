"""What goes wrong with Rust crates, judged from Cargo.toml and the syntax tree alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.checks.engine import Finding, Rules
from cloacina_ctl.checks.rust_releases import CARGO_TOML, facts_of, releases_of, within
from cloacina_ctl.errors import Code, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.model import Project

RULES: Rules[Project] = Rules()

_FIRST_WITH_PACKAGE_MACRO = (0, 6)
_LAST_WITH_OWN_FEATURE = (0, 9)


@RULES.rule(Code.NOT_A_CDYLIB, Severity.WARNING)
def not_a_cdylib(project: Project) -> Iterator[Finding]:
    """Engines load a C library; `package` builds one all the same, `cargo build` does not."""
    if "cdylib" not in facts_of(project).crate.crate_types:
        yield Finding(
            "[lib] does not name `cdylib`; `package` adds it, other tools do not",
            CARGO_TOML,
            'write `crate-type = ["cdylib"]` under [lib]',
        )


@RULES.rule(Code.NO_PACKAGED_FEATURE, Severity.WARNING)
def no_packaged_feature(project: Project) -> Iterator[Finding]:
    """Up to 0.9 the macros look for the crate's own feature `packaged`."""
    facts = facts_of(project)
    if facts.packaged_workflow or not within(
        releases_of(facts.crate), until=_LAST_WITH_OWN_FEATURE
    ):
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
    facts = facts_of(project)
    if facts.packaged_workflow or facts.package_macro or not project.workflows:
        return
    if within(releases_of(facts.crate), _FIRST_WITH_PACKAGE_MACRO):
        yield Finding(
            "`package!()` is missing: the library would export no plugin",
            "src/lib.rs",
            "write `cloacina_workflow_plugin::package!();` once at the top of the crate",
        )


@RULES.rule(Code.BUILD_SCRIPT, Severity.NOTE)
def build_script(project: Project) -> Iterator[Finding]:
    """`cloacina_build::configure()` adds a folder of the builder's Python to the library."""
    facts = facts_of(project)
    if facts.configures_build:
        yield Finding(
            "`cloacina_build::configure()` is not needed; `package` removes the folder it adds",
            facts.configures_build,
            "from release 0.6 on build.rs can go",
        )


@RULES.rule(Code.NOT_PUBLIC)
def not_public(project: Project) -> Iterator[Finding]:
    """What the macro makes reaches into the module from outside."""
    for workflow in project.workflows:
        if not workflow.is_public:
            message = f"the module of the workflow `{workflow.name}` is not `pub`"
            yield Finding(message, workflow.place, "write `pub mod`")
        for task in workflow.tasks:
            if not task.is_public:
                message = f"the task `{task.id}` is not `pub`"
                yield Finding(message, task.place, "write `pub async fn`")


@RULES.rule(Code.SEVERAL_WORKFLOWS)
def several_workflows(project: Project) -> Iterator[Finding]:
    """Two workflows in one crate compile into one with the tasks of both."""
    for workflow in project.workflows[1:]:
        first = project.workflows[0].name
        yield Finding(
            f"a second workflow in one crate: `{workflow.name}`, beside `{first}`; they compile "
            "into one with the tasks of both",
            workflow.place,
            "make a crate of each",
        )


@RULES.rule(Code.NO_RUST_WORKFLOW)
def no_rust_workflow(project: Project) -> Iterator[Finding]:
    """A crate without a workflow has nothing to package."""
    if not project.workflows and not facts_of(project).syntax_problems:
        yield Finding(
            "no `#[workflow]` and no `#[packaged_workflow]` in the crate",
            "src/lib.rs",
            "put the attribute on a `pub mod` with the tasks",
        )


@RULES.rule(Code.RUST_SYNTAX)
def rust_syntax(project: Project) -> Iterator[Finding]:
    """A file that cannot be parsed does not compile."""
    for problem in facts_of(project).syntax_problems:
        yield Finding(problem.message, problem.place)


@RULES.rule(Code.STRAY_TASK)
def stray_task(project: Project) -> Iterator[Finding]:
    """The macro of the workflow finds what stands in its module, nothing else."""
    for task in facts_of(project).stray_tasks:
        message = f"the task `{task.id or task.function}` stands outside of a workflow's module"
        yield Finding(message, task.place, "move it into the module with `#[workflow]`")


@RULES.rule(Code.PROJECT_CHOOSES, Severity.NOTE)
def project_chooses(project: Project) -> Iterator[Finding]:
    """These files choose the compiler, wrappers and flags of whoever builds the project."""
    place = facts_of(project).cargo_configuration
    if place is not None:
        yield Finding(
            "the project tells cargo or rustup what to run", place, "read it before you build"
        )


@RULES.rule(Code.NO_LOCK_FILE, Severity.WARNING)
def no_lock_file(project: Project) -> Iterator[Finding]:
    """The servers' compiler builds with `--frozen`, which needs the lock file."""
    if not facts_of(project).crate.has_lock_file:
        yield Finding("there is no Cargo.lock", CARGO_TOML, "run `cargo generate-lockfile`")
