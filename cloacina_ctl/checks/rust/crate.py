"""All rules for a Rust crate together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.checks.rust import (
    build,
    cloacina_crates,
    macro_arguments,
    task_functions,
    trigger_rules,
)
from cloacina_ctl.checks.rust.releases import CARGO_TOML, facts_of
from cloacina_ctl.errors import Code, Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.model import Project, RustFacts

_MODULES = (build, cloacina_crates, macro_arguments, task_functions, trigger_rules)
_IN_CODE = tuple(module.RULES for module in _MODULES)


def check_crate(project: Project, *, packed: bool = False) -> Iterator[Diagnostic]:
    """Yield everything that is found wrong with a crate.

    Of one without a library, or whose workflows are in a program, that alone: the rest is judged
    when there is a library with a workflow. Of one that is ``packed``, the rules of each release
    say what its compiler lacks.
    """
    unpackable = tuple(_without_a_workflow(facts_of(project)))
    yield from unpackable
    for rules in () if unpackable else (*_IN_CODE, *(() if packed else (build.BUILD_RULES,))):
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
