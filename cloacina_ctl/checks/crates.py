"""All rules for a Rust crate together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.checks import (
    cloacina_crates,
    macro_arguments,
    rust,
    task_functions,
    trigger_rules,
)
from cloacina_ctl.errors import Code, Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.model import Project

_ALL = (rust, cloacina_crates, macro_arguments, task_functions, trigger_rules)


def check_crate(project: Project) -> Iterator[Diagnostic]:
    """Yield everything that is found wrong with a crate.

    Of one whose workflows are in a program that alone: the rest is judged when there is a library.
    """
    workflows = project.rust.program_workflows if project.rust is not None else ()
    if workflows:
        for workflow in workflows:
            name = f"the workflow `{workflow.name}`" if workflow.name else "a workflow"
            yield Diagnostic(
                Code.IN_A_PROGRAM,
                f"{name} is in a program (library mode); a package needs a library",
                workflow.place,
                "move it to src/lib.rs: docs/from-a-crate.md shows a crate that can be packed",
            )
        return
    for rules in _ALL:
        yield from rules.RULES.run(project)
