"""The names of the dependencies that a project declares."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import FileProblem, Refused
from cloacina_ctl.project.detect import PYPROJECT_TOML, REQUIREMENTS_TXT
from cloacina_ctl.project.own_files import read_own_toml

if TYPE_CHECKING:
    from cloacina_ctl.project.model import Project


def may_have_dependencies(root: str) -> bool:
    """Return whether the project may have dependencies.

    Reading them loads as many modules as all other checks of `validate` on a small project.
    """
    if os.path.lexists(os.path.join(root, REQUIREMENTS_TXT)):
        return True
    try:
        table = read_own_toml(root, PYPROJECT_TOML).get("project")
    except (FileProblem, Refused):
        return False
    return isinstance(table, dict) and bool(table.get("dependencies"))


def declared_dependencies(project: Project) -> tuple[str, ...]:
    """Return the requirements of the project, normalized and sorted, without sources.

    Requirements that no Python of the project needs are left out, and so is the engine. Unreadable
    ones are left out as well: vendoring reports them.
    """
    if project.python is None or not may_have_dependencies(project.root):
        return ()
    from packaging.requirements import Requirement

    from cloacina_ctl.vendoring.declared.requirements import read_requirements
    from cloacina_ctl.vendoring.target import accepted_pythons, target_for

    try:
        texts = read_requirements(project).texts
    except (Refused, FileProblem):
        return ()
    requires = project.requires.python if project.requires else None
    targets = [
        target_for(requires, python, f"linux_{machine}")
        for python in accepted_pythons(requires)
        for machine in ("x86_64", "aarch64")
    ]
    return tuple(
        text
        for text in texts
        if (marker := Requirement(text).marker) is None
        or any(
            marker.evaluate(dict(environment))
            for target in targets
            for environment in target.environments(str(marker))
        )
    )
