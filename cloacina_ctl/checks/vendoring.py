"""What would go wrong with vendoring a Python project's dependencies, judged from their text.

A project that does not say that it is vendored is told of what it would meet in notes alone.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import FileProblem, Refused, Severity
from cloacina_ctl.project.detect import PYPROJECT_TOML, REQUIREMENTS_TXT
from cloacina_ctl.project.own_files import read_own_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.project.model import Project


def check_vendoring(project: Project) -> Iterator[Diagnostic]:
    """Yield what vendoring would meet: an error where it fails, a warning where it needs help."""
    if not (project.config.vendor or _has_dependencies(project.root)):
        return
    from cloacina_ctl.project.vendoring.foresight import foresee

    foresight = foresee(project)
    if not project.config.vendor:
        yield from _as(Severity.NOTE, (*foresight.broken, *foresight.needing))
        return
    yield from (*foresight.unreadable, *foresight.broken)
    yield from _as(Severity.WARNING, foresight.needing)
    yield from foresight.unread


def _has_dependencies(root: str) -> bool:
    """Tell whether the project may have dependencies.

    Reading them loads as much as all else that `validate` does with a small project.
    """
    if os.path.lexists(os.path.join(root, REQUIREMENTS_TXT)):
        return True
    try:
        table = read_own_toml(root, PYPROJECT_TOML).get("project")
    except (FileProblem, Refused):
        return False
    return isinstance(table, dict) and bool(table.get("dependencies"))


def _as(severity: Severity, found: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    return (one._replace(severity=severity) for one in found)
